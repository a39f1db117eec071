opstitch::uops! {
    op Bad(offset: i10) { ; ldur x0, [x1, offset] }
}

fn main() {}
