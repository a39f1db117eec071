opstitch::uops! {
    op Bad { ; cmp x19, w3 }
}

fn main() {}
