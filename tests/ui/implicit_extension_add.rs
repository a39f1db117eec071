opstitch::uops! {
    op Bad { ; add x0, x19, w3 }
}

fn main() {}
