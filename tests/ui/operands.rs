opstitch::uops! {
    registers { stack: x20 }
    const SIZE = 8;

    op Unused(slot: u12, other: u12) { ; ldr x0, [x1, slot * 8] }
    op UnusedPlace(out: exit) { ; ret }
    op Twice(a: u6, a: u6) { ; add x0, x0, a }
    op AsAlias(stack: u12) { ; add x0, x0, stack }
    op AsNarrowAlias(stack_w: u12) { ; add x0, x0, stack_w }
    op AsConstant(SIZE: u12) { ; add x0, x0, SIZE }
    op AsModifier(lsl: u6) { ; add x0, x0, lsl }
    op AsRegister(x9: u6) { ; add x0, x0, x9 }
    op AsCondition(eq: u6) { ; add x0, x0, eq }
    op UnknownKind(a: uint) { ; add x0, x0, a }
    op TooWide(a: u65) { ; add x0, x0, a }
    op MutNumber(a: mut u6) { ; add x0, x0, a }
    op RangeOfExit(a: exit in 1..=2) { ; b =>a }
    op EmptyRange(a: u6 in 5..=4) { ; add x0, x0, a }
    op WideRange(a: u6 in 0..=64) { ; add x0, x0, a }
    op UnknownRange(a: u6 in 0..=MOST) { ; add x0, x0, a }
    op VectorRange(a: vreg in 1..=15) { ; fadd d0, d0, D(a) }
}

fn main() {}
