opstitch::uops! {
    op Bad(n: u12) { ; madd x0, x1, x2, n }
}

fn main() {}
