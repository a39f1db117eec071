opstitch::uops! {
    op Bad(mask: logical64) { ; add x0, x0, mask }
}

fn main() {}
