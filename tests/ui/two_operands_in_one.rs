opstitch::uops! {
    op Bad(a: u6, b: u6) { ; add x0, x0, a + b }
}

fn main() {}
