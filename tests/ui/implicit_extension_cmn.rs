opstitch::uops! {
    op Bad { ; cmn x19, w3 }
}

fn main() {}
