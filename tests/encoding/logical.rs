//! Masks, and shifts of registers in logical instructions.

use super::common::assert_listing;
use super::extremes::assert_extremes;
use opstitch::inspect::Symbols;
use opstitch::{FallThrough, MicroOp, Options, TraceBuilder};

opstitch::uops! {
    op And64(mask: logical64) { ; and x9, x10, mask }
    op And32(mask: logical32) { ; and w9, w10, mask }
    op Orr64(mask: logical64) { ; orr x9, x10, mask }
    op Orr32(mask: logical32) { ; orr w9, w10, mask }
    op Eor64(mask: logical64) { ; eor x9, x10, mask }
    op Eor32(mask: logical32) { ; eor w9, w10, mask }
    op Ands64(mask: logical64) { ; ands x9, x10, mask }
    op Ands32(mask: logical32) { ; ands w9, w10, mask }
    op Tst64(mask: logical64) { ; tst x9, mask }
    op Tst32(mask: logical32) { ; tst w9, mask }
    op AndShifted(n: u6) { ; and x9, x10, x11, ror n }
    op OrrShiftedW(n: u5) { ; orr w9, w10, w11, lsl n }
    op BicShifted(n: u6) { ; bic x9, x10, x11, lsr n }
    op Leave { ; ret }
}

#[test]
fn logical() {
    assert_extremes("encoding_logical", Leave.set());
}

/// Every size of element, runs of every kind: at either end, in the middle, around the end.
#[test]
fn masks() {
    let options = Options::new().fall_through(FallThrough::Elide);
    let mut builder = TraceBuilder::with_options(options);
    for mask in [
        0x5555_5555_5555_5555,
        0xeeee_eeee_eeee_eeee,
        0x7e7e_7e7e_7e7e_7e7e,
        0xff01_ff01_ff01_ff01,
        0x0000_0001_0000_0001,
        0x8000_0000_0000_0000,
        0x8000_0000_0000_0001,
        0x7fff_ffff_ffff_ffff,
        0x0000_ffff_0000_0000,
        0xffff_ffff_0000_0000,
    ] {
        builder.push(And64 { mask }).unwrap();
    }
    for mask in [
        0x5555_5555,
        0xbbbb_bbbb,
        0x8181_8181,
        0x00ff_00ff,
        0x8000_0000,
        0x8000_0001,
        0x7fff_ffff,
        0x00ff_ff00,
    ] {
        builder.push(And32 { mask }).unwrap();
    }
    builder.push(Leave).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    assert_listing("encoding_masks", &linked, &Symbols::new());
}
