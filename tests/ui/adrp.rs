opstitch::uops! {
    op Bad { ; here: ; adrp x0, <here }
}

fn main() {}
