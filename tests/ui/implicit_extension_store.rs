opstitch::uops! {
    op Bad { ; str x0, [x1, w2] }
}

fn main() {}
