opstitch::uops! {
    op Bad(a: u6 in 5..=4) { ; add x0, x0, a }
}

fn main() {}
