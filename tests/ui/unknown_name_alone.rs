opstitch::uops! {
    registers { stack: x20 }

    op Bad { ; mov x0, stakc }
}

fn main() {}
