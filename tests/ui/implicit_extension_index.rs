opstitch::uops! {
    op Bad { ; ldr x0, [x1, w2] }
}

fn main() {}
