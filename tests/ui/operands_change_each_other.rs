opstitch::uops! {
    op Bad(lsb: u5, width: u5 in 1..=8) { ; ubfx x0, x1, lsb, width }
}

fn main() {}
