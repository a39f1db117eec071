opstitch::uops! {
    op Bad(#[cfg(test)] n: u12) { ; add x0, x0, n }
}

fn main() {}
