opstitch::uops! {
    op Bad(lsl: u6) { ; add x0, x0, lsl }
}

fn main() {}
