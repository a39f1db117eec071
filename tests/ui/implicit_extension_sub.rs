opstitch::uops! {
    op Bad { ; sub x0, x19, w3 }
}

fn main() {}
