opstitch::uops! {
    op Bad { ; adds x0, x19, w3 }
}

fn main() {}
