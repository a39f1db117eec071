opstitch::uops! {
    op Bad(a: exit in 1..=2) { ; b =>a }
}

fn main() {}
