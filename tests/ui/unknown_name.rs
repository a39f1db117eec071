opstitch::uops! {
    registers { stack: x20, vm: x19 }

    op Bad(slot: u12) { ; ldr x0, [stakc, slot * 8] }
}

fn main() {}
