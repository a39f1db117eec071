opstitch::uops! {
    op Bad(n: u12) { ; add x0, x0, n * n >> 12 }
}

fn main() {}
