opstitch::uops! {
    #[inline]
    op Bad { ; ret }
}

fn main() {}
