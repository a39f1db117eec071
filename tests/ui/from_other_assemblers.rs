opstitch::uops! {
    op Equals { ; ldr x0, =1234 }
    op Moved(n: literal) { ; mov x0, =>n }
    op Mask { ; and sp, sp, #-16 }
    // One error alone: the cold part is not empty.
    op Cold(out: exit) { ; cbz x0, >slow ; done: ; ret } cold { ; slow: ; b >done }
}

fn main() {}
