opstitch::uops! {
    op Bad(a: u6, a: u6) { ; add x0, x0, a }
}

fn main() {}
