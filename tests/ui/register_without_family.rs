opstitch::uops! {
    op Bad(which: reg) { ; mov x0, which }
}

fn main() {}
