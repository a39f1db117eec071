opstitch::uops! {
    op Bad(which: vreg) { ; mov x0, X(which) }
}

fn main() {}
