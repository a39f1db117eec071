opstitch::uops! {
    op Bad(n: u6) { ; add x0, x0, 64 / n }
}

fn main() {}
