opstitch::uops! {
    registers { platform: x18 }

    op Bad { ; mov x0, platform }
}

fn main() {}
