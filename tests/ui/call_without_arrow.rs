opstitch::uops! {
    op Bad(function: call) { ; bl function }
}

fn main() {}
