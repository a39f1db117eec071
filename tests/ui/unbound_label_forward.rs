opstitch::uops! {
    op Bad { ; cbz x0, >done ; mov x0, x1 }
}

fn main() {}
