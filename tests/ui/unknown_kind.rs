opstitch::uops! {
    op Bad(a: uint) { ; add x0, x0, a }
}

fn main() {}
