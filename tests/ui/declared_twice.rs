opstitch::uops! {
    op Bad { ; ret }
    op Bad { ; ret }
}

fn main() {}
