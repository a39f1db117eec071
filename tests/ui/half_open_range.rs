opstitch::uops! {
    op Bad(n: u6 in 1..20) { ; add x0, x0, n }
}

fn main() {}
