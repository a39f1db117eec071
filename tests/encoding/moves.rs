//! Immediates of moves.

use super::common::assert_listing;
use super::extremes::assert_extremes;
use opstitch::inspect::Symbols;
use opstitch::{FallThrough, MicroOp, Options, TraceBuilder};

opstitch::uops! {
    op MovzX(n: u16) { ; movz x9, n }
    op MovzX16(n: u16) { ; movz x9, n, lsl #16 }
    op MovzX48(n: u16) { ; movz x9, n, lsl #48 }
    op MovzW(n: u16) { ; movz w9, n }
    op MovzW16(n: u16) { ; movz w9, n, lsl #16 }
    op MovnX(n: u16) { ; movn x9, n }
    op MovnW(n: u16) { ; movn w9, n }
    op MovkX(n: u16) { ; movk x9, n }
    op MovkX32(n: u16) { ; movk x9, n, lsl #32 }
    op MovkW16(n: u16) { ; movk w9, n, lsl #16 }
    op Move64(value: u64) {
        ; movz x9, value & 0xffff
        ; movk x9, (value >> 16) & 0xffff, lsl #16
        ; movk x9, (value >> 32) & 0xffff, lsl #32
        ; movk x9, value >> 48, lsl #48
    }
    op Negative(n: u16) { ; movn x9, 0xffff - n }
    op FloatD(value: fp8) { ; fmov d0, value }
    op FloatS(value: fp8) { ; fmov s0, value }
    op FloatVector(value: fp8) { ; fmov v0.d2, value }
    op FloatVectorS(value: fp8) { ; fmov v0.s4, value }
    op Bytes(n: u8) { ; movi v0.b16, n }
    op Shorts(n: u8) { ; movi v0.h8, n, lsl #8 }
    op Leave { ; ret }
}

#[test]
fn moves() {
    assert_extremes("encoding_moves", Leave.set());
}

/// The smallest, what lies around one, and what uses every bit of the fraction.
#[test]
fn floats() {
    let options = Options::new().fall_through(FallThrough::Elide);
    let mut builder = TraceBuilder::with_options(options);
    for value in [0.125, -0.125, 1.0, -1.0, 1.9375, 2.0, 0.2421875, 20.0] {
        builder.push(FloatD { value }).unwrap();
        builder.push(FloatS { value }).unwrap();
        builder.push(FloatVector { value }).unwrap();
    }
    builder.push(Leave).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    assert_listing("encoding_floats", &linked, &Symbols::new());
}
