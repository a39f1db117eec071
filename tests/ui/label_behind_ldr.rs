opstitch::uops! {
    op Bad(top: label) { ; ldr x0, =>top }
}

fn main() {}
