//! Shifts, rotations and bit fields.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

// dynasm-rs 5.1 takes the 64-bit `ubfm` and its kin only with `0 < s <= 64 - r`.
opstitch::uops! {
    op LslX(n: u6) { ; lsl x9, x10, n }
    op LslW(n: u5) { ; lsl w9, w10, n }
    op LsrX(n: u6) { ; lsr x9, x10, n }
    op LsrW(n: u5) { ; lsr w9, w10, n }
    op AsrX(n: u6) { ; asr x9, x10, n }
    op AsrW(n: u5) { ; asr w9, w10, n }
    op RorX(n: u6) { ; ror x9, x10, n }
    op RorW(n: u5) { ; ror w9, w10, n }
    op LslSome(n: u6 in 3..=60) { ; lsl x9, x10, n }
    op ExtractX(n: u6) { ; extr x9, x10, x11, n }
    op ExtractW(n: u5) { ; extr w9, w10, w11, n }
    op UbfmRotation(r: u6) { ; ubfm x9, x10, r, 1 }
    op UbfmLast(s: u6 in 1..=63) { ; ubfm x9, x10, 0, s }
    op UbfmW(r: u5, s: u5) { ; ubfm w9, w10, r, s }
    op SbfmRotation(r: u6) { ; sbfm x9, x10, r, 1 }
    op SbfmLast(s: u6 in 1..=63) { ; sbfm x9, x10, 0, s }
    op SbfmW(r: u5, s: u5) { ; sbfm w9, w10, r, s }
    op BfmRotation(r: u6) { ; bfm x9, x10, r, 1 }
    op BfmLast(s: u6 in 1..=63) { ; bfm x9, x10, 0, s }
    op BfmW(r: u5, s: u5) { ; bfm w9, w10, r, s }
    op UbfxLow(low: u6 in 0..=60) { ; ubfx x9, x10, low, #4 }
    op UbfxWidth(width: u6 in 1..=60) { ; ubfx x9, x10, #4, width }
    op SbfxLowW(low: u5 in 0..=28) { ; sbfx w9, w10, low, #4 }
    op UbfizLow(low: u6 in 0..=60) { ; ubfiz x9, x10, low, #4 }
    op SbfizWidthW(width: u5 in 1..=28) { ; sbfiz w9, w10, #4, width }
    op BfiLow(low: u6 in 0..=60) { ; bfi x9, x10, low, #4 }
    op BfiWidthW(width: u5 in 1..=28) { ; bfi w9, w10, #4, width }
    op BfxilLow(low: u6 in 0..=60) { ; bfxil x9, x10, low, #4 }
    op TestBitX(bit: u6) { ; tbz x9, bit, >clear ; mov x9, xzr ; clear: ; mov x10, x9 }
    op TestBitHigh(bit: u6 in 32..=63) { ; tbnz x9, bit, >set ; mov x9, xzr ; set: ; mov x10, x9 }
    op TestBitW(bit: u5) { ; tbz w9, bit, >clear ; mov x9, xzr ; clear: ; mov x10, x9 }
    op Leave { ; ret }
}

#[test]
fn bits() {
    assert_extremes("encoding_bits", Leave.set());
}
