//! Offsets of loads: scaled by every size, unscaled, before and behind the access.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

mod scaled {
    use super::*;

    opstitch::uops! {
        op LoadX(slot: u12) { ; ldr x9, [x20, slot * 8] }
        op LoadW(slot: u12) { ; ldr w9, [x20, slot * 4] }
        op LoadH(slot: u12) { ; ldrh w9, [x20, slot * 2] }
        op LoadB(slot: u12) { ; ldrb w9, [x20, slot] }
        op LoadSignedW(slot: u12) { ; ldrsw x9, [x20, slot * 4] }
        op LoadSignedH(slot: u12) { ; ldrsh x9, [x20, slot * 2] }
        op LoadSignedB(slot: u12) { ; ldrsb w9, [x20, slot] }
        op LoadQ(slot: u12) { ; ldr q0, [x20, slot * 16] }
        op LoadD(slot: u12) { ; ldr d0, [x20, slot * 8] }
        op LoadS(slot: u12) { ; ldr s0, [x20, slot * 4] }
        op LoadHalf(slot: u12) { ; ldr h0, [x20, slot * 2] }
        op LoadByte(slot: u12) { ; ldr b0, [x20, slot] }
        op LoadField(field: u8) { ; ldr x9, [x20, field * 16 + 24] }
        op LoadOne(slot: u12 in 7..=7) { ; ldr x9, [x20, slot * 8] }
        op LoadFromEnd(slot: u12) { ; ldr x9, [x20, (4095 - slot) * 8] }
        op Leave { ; ret }
    }

    #[test]
    fn scaled() {
        assert_extremes("encoding_loads_scaled", Leave.set());
    }
}

mod unscaled {
    use super::*;

    opstitch::uops! {
        op LoadX(offset: i9) { ; ldur x9, [x20, offset] }
        op LoadW(offset: i9) { ; ldur w9, [x20, offset] }
        op LoadH(offset: i9) { ; ldurh w9, [x20, offset] }
        op LoadB(offset: i9) { ; ldurb w9, [x20, offset] }
        op LoadSignedW(offset: i9) { ; ldursw x9, [x20, offset] }
        op LoadQ(offset: i9) { ; ldur q0, [x20, offset] }
        op LoadD(offset: i9) { ; ldur d0, [x20, offset] }
        op LoadAcquire(offset: i9) { ; ldapur x9, [x20, offset] }
        op LoadBelow(slot: u5) { ; ldur x9, [x20, slot * -8] }
        op LoadUser(offset: i9) { ; ldtr x9, [x20, offset] }
        op Leave { ; ret }
    }

    #[test]
    fn unscaled() {
        assert_extremes("encoding_loads_unscaled", Leave.set());
    }
}

mod moving {
    use super::*;

    opstitch::uops! {
        op BeforeX(step: i9) { ; ldr x9, [x20, step]! }
        op BeforeW(step: i9) { ; ldr w9, [x20, step]! }
        op BeforeB(step: i9) { ; ldrb w9, [x20, step]! }
        op BeforeQ(step: i9) { ; ldr q0, [x20, step]! }
        op BehindX(step: i9) { ; ldr x9, [x20], step }
        op BehindH(step: i9) { ; ldrh w9, [x20], step }
        op BehindSignedW(step: i9) { ; ldrsw x9, [x20], step }
        op BehindD(step: i9) { ; ldr d0, [x20], step }
        op BehindSlots(slots: i6) { ; ldr x9, [x20], slots * 8 }
        op AfterIndexed(slot: u12) { ; ldr x9, [x20, x10, lsl #3] ; ldr w9, [x20, slot * 4] }
        op Leave { ; ret }
    }

    #[test]
    fn moving() {
        assert_extremes("encoding_loads_moving", Leave.set());
    }
}
