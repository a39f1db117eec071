//! Offsets of stores: scaled by every size, unscaled, before and behind the access.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

opstitch::uops! {
    op StoreX(slot: u12) { ; str x9, [x20, slot * 8] }
    op StoreW(slot: u12) { ; str w9, [x20, slot * 4] }
    op StoreH(slot: u12) { ; strh w9, [x20, slot * 2] }
    op StoreB(slot: u12) { ; strb w9, [x20, slot] }
    op StoreQ(slot: u12) { ; str q0, [x20, slot * 16] }
    op StoreD(slot: u12) { ; str d0, [x20, slot * 8] }
    op StoreS(slot: u12) { ; str s0, [x20, slot * 4] }
    op StoreHalf(slot: u12) { ; str h0, [x20, slot * 2] }
    op StoreByte(slot: u12) { ; str b0, [x20, slot] }
    op UnscaledX(offset: i9) { ; stur x9, [x20, offset] }
    op UnscaledW(offset: i9) { ; stur w9, [x20, offset] }
    op UnscaledH(offset: i9) { ; sturh w9, [x20, offset] }
    op UnscaledB(offset: i9) { ; sturb w9, [x20, offset] }
    op UnscaledQ(offset: i9) { ; stur q0, [x20, offset] }
    op UnscaledRelease(offset: i9) { ; stlur x9, [x20, offset] }
    op BeforeX(step: i9) { ; str x9, [x20, step]! }
    op BeforeB(step: i9) { ; strb w9, [x20, step]! }
    op BeforeQ(step: i9) { ; str q0, [x20, step]! }
    op BehindX(step: i9) { ; str x9, [x20], step }
    op BehindW(step: i9) { ; str w9, [x20], step }
    op BehindD(step: i9) { ; str d0, [x20], step }
    op TwoSlots(a: u8, b: u8) { ; ldr x9, [x20, a * 8] ; str x9, [x20, b * 8] }
    op Leave { ; ret }
}

#[test]
fn stores() {
    assert_extremes("encoding_stores", Leave.set());
}
