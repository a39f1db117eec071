opstitch::uops! {
    op Bad { ; subs x0, x19, w3 }
}

fn main() {}
