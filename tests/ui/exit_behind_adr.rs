opstitch::uops! {
    op Bad(out: exit) { ; adr x0, =>out }
}

fn main() {}
