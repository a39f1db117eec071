opstitch::uops! {
    op Exit(out: exit) { ; .u32 out }
    op Mask(mask: logical32) { ; .u32 mask }
    op TooWide(n: u5) { ; .u32 0x1_0000_0000 + n }
    op Negative { ; .u32 -1 }
    op Overlap(a: u3 in 0..=4, b: u17 in 0..=65536) { ; .u32 0xd280_0000 | (a << 16 | b) << 5 }
    op Carries(a: u5, b: u5) { ; .u32 0xd503_201f + (a + b << 5) }
}

fn main() {}
