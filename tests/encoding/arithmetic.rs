//! Immediates of `add` and `sub`, of conditional compares, and shifts and extensions of registers.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

opstitch::uops! {
    op AddX(n: u12) { ; add x9, x10, n }
    op AddW(n: u12) { ; add w9, w10, n }
    op AddXShifted(n: u12) { ; add x9, x10, n, lsl #12 }
    op AddPages(n: u24) { ; add x9, x10, n >> 12, lsl #12 ; add x9, x9, n & 0xfff }
    op AddStack(n: u12) { ; add sp, sp, n }
    op AddOne(n: u12 in 1..=100) { ; add x9, x9, n + 1 }
    op AddComplement(n: u12) { ; add x9, x9, 4095 - n }
    op AddsX(n: u12) { ; adds x9, x10, n }
    op SubX(n: u12) { ; sub x9, x10, n }
    op SubW(n: u12) { ; sub w9, w10, n }
    op SubsW(n: u12) { ; subs w9, w10, n }
    op CmpX(n: u12) { ; cmp x9, n }
    op CmnW(n: u12) { ; cmn w9, n }
    op AddScaled(n: u9) { ; add x9, x10, n * 8 }
    op AddSigned(n: i12 in -2048..=2047) { ; add x9, x10, n + 2048 }
    op AddShifted(n: u6) { ; add x9, x10, x11, lsl n }
    op SubShiftedW(n: u5) { ; sub w9, w10, w11, asr n }
    op CmpShifted(n: u6) { ; cmp x9, x10, lsr n }
    op AddExtended(n: u3 in 0..=4) { ; add x9, x10, w11, sxtw n }
    op CompareImmediate(n: u5, flags: u4) { ; ccmp x9, n, flags, ne }
    op CompareImmediateW(n: u5, flags: u4) { ; ccmn w9, n, flags, vs }
    op CompareRegister(flags: u4) { ; ccmp x9, x10, flags, lo }
    op CompareFloat(flags: u4) { ; fccmp d0, d1, flags, gt }
    op Leave { ; ret }
}

#[test]
fn arithmetic() {
    assert_extremes("encoding_arithmetic", Leave.set());
}
