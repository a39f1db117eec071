opstitch::uops! {
    op Bad(mask: logical32) { ; and x0, x0, mask }
}

fn main() {}
