//! Indices of vector elements, and shifts of vectors.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

mod elements {
    use super::*;

    opstitch::uops! {
        op TakeB(i: u4) { ; umov w9, v1.b[i] }
        op TakeH(i: u3) { ; umov w9, v1.h[i] }
        op TakeS(i: u2) { ; umov w9, v1.s[i] }
        op TakeD(i: u1) { ; umov x9, v1.d[i] }
        op TakeSignedH(i: u3) { ; smov x9, v1.h[i] }
        op PutB(i: u4) { ; ins v0.b[i], w9 }
        op PutS(i: u2) { ; ins v0.s[i], w9 }
        op PutD(i: u1) { ; ins v0.d[i], x9 }
        op Insert(to: u2, from: u2) { ; ins v0.s[to], v1.s[from] }
        op InsertB(to: u4, from: u4) { ; ins v0.b[to], v1.b[from] }
        op Repeat(i: u4) { ; dup v0.b16, v1.b[i] }
        op RepeatD(i: u1) { ; dup v0.d2, v1.d[i] }
        op Scalar(i: u2) { ; dup s0, v1.s[i] }
        op MultiplyS(i: u2) { ; fmla v0.s4, v1.s4, v2.s[i] }
        op MultiplyD(i: u1) { ; fmla v0.d2, v1.d2, v2.d[i] }
        op Window(n: u4) { ; ext v0.b16, v1.b16, v2.b16, n }
        op Window8(n: u3) { ; ext v0.b8, v1.b8, v2.b8, n }
        op LoadElement(i: u2) { ; ld1 {v0.s}[i], [x20] }
        op LoadWhole(i: u4) { ; ld1 {v0.b16}, [x20] ; umov w9, v0.b[i] }
        op StoreElement(i: u4) { ; st1 {v0.b}[i], [x20] }
        op Leave { ; ret }
    }

    #[test]
    fn elements() {
        assert_extremes("encoding_vector_elements", Leave.set());
    }
}

mod shifts {
    use super::*;

    opstitch::uops! {
        op LeftB(n: u3) { ; shl v0.b16, v1.b16, n }
        op LeftH(n: u4) { ; shl v0.h8, v1.h8, n }
        op LeftS(n: u5) { ; shl v0.s4, v1.s4, n }
        op LeftD(n: u6) { ; shl v0.d2, v1.d2, n }
        op LeftScalar(n: u6) { ; shl d0, d1, n }
        op RightB(n: u4 in 1..=8) { ; ushr v0.b16, v1.b16, n }
        op RightH(n: u5 in 1..=16) { ; sshr v0.h8, v1.h8, n }
        op RightS(n: u6 in 1..=32) { ; ushr v0.s4, v1.s4, n }
        op RightD(n: u7 in 1..=64) { ; sshr v0.d2, v1.d2, n }
        op Narrow(n: u6 in 1..=32) { ; shrn v0.s2, v1.d2, n }
        op Widen(n: u5) { ; sshll v0.d2, v1.s2, n }
        op InsertRight(n: u7 in 1..=64) { ; sri v0.d2, v1.d2, n }
        op InsertLeft(n: u6) { ; sli v0.d2, v1.d2, n }
        op ToFixed(n: u7 in 1..=64) { ; fcvtzs x9, d0, n }
        op ToFixedW(n: u6 in 1..=32) { ; fcvtzs w9, s0, n }
        op FromFixed(n: u7 in 1..=64) { ; scvtf d0, x9, n }
        op Rotate(n: u2) { ; fcmla v0.s4, v1.s4, v2.s4, n * 90 }
        op Leave { ; ret }
    }

    #[test]
    fn shifts() {
        assert_extremes("encoding_vector_shifts", Leave.set());
    }
}
