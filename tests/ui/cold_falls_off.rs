opstitch::uops! {
    op Bad { ; cbz x0, >slow ; back: } cold { ; slow: ; mov x0, x1 }
}

fn main() {}
