opstitch::uops! {
    registers { stack: x20 }
}

fn main() {}
