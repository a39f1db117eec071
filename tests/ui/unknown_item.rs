opstitch::uops! {
    uop Bad { ; ret }
}

fn main() {}
