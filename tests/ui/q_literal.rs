opstitch::uops! {
    op Bad(value: literal) { ; ldr q0, =>value }
}

fn main() {}
