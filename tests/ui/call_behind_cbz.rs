opstitch::uops! {
    op Bad(function: call) { ; cbz x0, =>function }
}

fn main() {}
