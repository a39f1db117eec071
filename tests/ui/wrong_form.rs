opstitch::uops! {
    op Bad { ; ldr x0, x1 }
}

fn main() {}
