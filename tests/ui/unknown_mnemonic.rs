opstitch::uops! {
    op Bad { ; mvo x0, x1 }
}

fn main() {}
