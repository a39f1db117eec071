opstitch::uops! {
    op Bad { ; .align 8 ; ret }
}

fn main() {}
