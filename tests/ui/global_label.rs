opstitch::uops! {
    op Bad { ; ->here: ; ret }
}

fn main() {}
