opstitch::uops! {
    op Bad(slot: u12, other: u12) { ; ldr x0, [x1, slot * 8] }
}

fn main() {}
