opstitch::uops! {
    registers { stack: x20 }

    op Bad(stack: u12) { ; add x0, x0, stack }
}

fn main() {}
