opstitch::uops! {
    const FIELD: u12 = core::mem::size_of::<u64>();

    op InRange(n: u12 in 0..=FIELD) { ; add x0, x0, n }
    op WithOperand(n: u4) { ; add x0, x0, FIELD + n }
    op InRegister { ; mov x0, X(FIELD) }
}

fn main() {}
