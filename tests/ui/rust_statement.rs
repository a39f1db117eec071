opstitch::uops! {
    op Bad { ; ;let x = 1 ; ret }
}

fn main() {}
