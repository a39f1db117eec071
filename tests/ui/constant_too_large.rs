opstitch::uops! {
    const OFFSET = 4096 * 8;

    op Bad { ; ldr x0, [x1, OFFSET] }
}

fn main() {}
