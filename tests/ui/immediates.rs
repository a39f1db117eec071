opstitch::uops! {
    const HIGH = 0xffff_ffff_ffff_ffff;

    op Cast(n: u8) { ; add x0, x0, n as u32 }
    op Function(n: u8) { ; add x0, x0, n.count_ones() }
    op Text { ; add x0, x0, "1" }
    op Two(a: u6, b: u6) { ; add x0, x0, a + b }
    op Overflow(n: u64) { ; add x0, x0, n << 126 }
    op Wide { ; add x0, x0, HIGH }
    op DivisionByZero(n: u6) { ; add x0, x0, 64 / n }
    op ShiftTooFar(n: u6) { ; add x0, x0, n << 127 }
    op NegativeShift(n: i3) { ; add x0, x1, x2, lsl n }
    op NegativeElement { ; umov w0, v1.h[-1] }
    op BitField(lsb: u5, width: u5 in 1..=8) { ; ubfx x0, x1, lsb, width }
    op Insert(lsb: u5, width: u5 in 1..=8) { ; bfi w0, w1, lsb, width }
    op Move(r: u6, s: u6) { ; ubfm x0, x1, r, s }
}

fn main() {}
