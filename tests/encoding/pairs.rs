//! Offsets of loads and stores of pairs.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

opstitch::uops! {
    op LoadX(slot: i7) { ; ldp x9, x10, [x20, slot * 8] }
    op LoadW(slot: i7) { ; ldp w9, w10, [x20, slot * 4] }
    op LoadSignedW(slot: i7) { ; ldpsw x9, x10, [x20, slot * 4] }
    op LoadQ(slot: i7) { ; ldp q0, q1, [x20, slot * 16] }
    op LoadD(slot: i7) { ; ldp d0, d1, [x20, slot * 8] }
    op LoadS(slot: i7) { ; ldp s0, s1, [x20, slot * 4] }
    op LoadOnceX(slot: i7) { ; ldnp x9, x10, [x20, slot * 8] }
    op StoreX(slot: i7) { ; stp x9, x10, [x20, slot * 8] }
    op StoreW(slot: i7) { ; stp w9, w10, [x20, slot * 4] }
    op StoreQ(slot: i7) { ; stp q0, q1, [x20, slot * 16] }
    op StoreOnceQ(slot: i7) { ; stnp q0, q1, [x20, slot * 16] }
    op LoadBefore(slot: i7) { ; ldp x9, x10, [x20, slot * 8]! }
    op LoadBehind(slot: i7) { ; ldp x9, x10, [x20], slot * 8 }
    op LoadBehindW(slot: i7) { ; ldp w9, w10, [x20], slot * 4 }
    op StoreBefore(slot: i7) { ; stp x9, x10, [x20, slot * 8]! }
    op StoreBefore16(slot: i7) { ; stp q0, q1, [x20, slot * 16]! }
    op StoreBehind(slot: i7) { ; stp x9, x10, [x20], slot * 8 }
    op Below(slot: u6 in 1..=63) { ; ldp x9, x10, [x20, slot * -8] }
    op Leave { ; ret }
}

#[test]
fn pairs() {
    assert_extremes("encoding_pairs", Leave.set());
}
