opstitch::uops! {
    op Bad(value: literal) { ; bl =>value }
}

fn main() {}
