opstitch::uops! {
    op Bad { ; ld1 {v0.b16 - v3.b16}, [x0] }
}

fn main() {}
