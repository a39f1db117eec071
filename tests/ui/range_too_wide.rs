opstitch::uops! {
    op Bad(slot: u13) { ; ldr x0, [x1, slot * 8] }
}

fn main() {}
