opstitch::uops! {
    op Bad { ; ret }

    enum Late;
}

fn main() {}
