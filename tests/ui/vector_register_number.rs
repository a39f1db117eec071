opstitch::uops! {
    op Bad { ; add v0.s4, v1.s4, V(32).s4 }
}

fn main() {}
