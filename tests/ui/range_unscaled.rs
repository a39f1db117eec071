opstitch::uops! {
    op Bad(offset: u12) { ; ldr x0, [x1, offset] }
}

fn main() {}
