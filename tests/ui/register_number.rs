opstitch::uops! {
    op Bad { ; mov x0, X(40) }
}

fn main() {}
