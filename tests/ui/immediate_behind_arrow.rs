opstitch::uops! {
    op Bad(slot: u12) { ; cbz x0, =>slot }
}

fn main() {}
