//! Immediate operands of vector instructions.

use opstitch::VReg;

use crate::sweep::{Sweep, sweep, sweep_many};

opstitch::uops! {
    op UmovB(n: u4) { ; umov w1, v2.b[n] }
    op UmovD(n: u1) { ; umov x1, v2.d[n] }
    op SmovH(n: u3) { ; smov x1, v2.h[n] }
    op InsS(n: u2) { ; ins v1.s[n], w2 }
    op InsBoth(to: u4, from: u4) { ; ins v1.b[to], v2.b[from] }
    op MovH(to: u3, from: u3) { ; mov v1.h[to], v2.h[from] }
    op DupH(n: u3) { ; dup v1.h8, v2.h[n] }
    op DupB(n: u4) { ; dup b1, v2.b[n] }
    op FmlaS(n: u2) { ; fmla v1.s4, v2.s4, v3.s[n] }
    op FmulH(n: u3) { ; fmul v1.h8, v2.h8, v3.h[n] }
    op MulByElement(n: u3, m: vreg in 0..=15) { ; mul v1.h8, v2.h8, V(m).h[n] }
    op Ld1B(n: u4) { ; ld1 {v1.b}[n], [x2] }
    op St2S(n: u2) { ; st2 {v1.s, v2.s}[n], [x2] }
    op Ext(n: u4) { ; ext v1.b16, v2.b16, v3.b16, n }

    op ShlB(n: u3) { ; shl v1.b16, v2.b16, n }
    op ShlS(n: u5) { ; shl v1.s4, v2.s4, n }
    op ShlD(n: u6) { ; shl d1, d2, n }
    op SshrB(n: u4 in 1..=8) { ; sshr v1.b16, v2.b16, n }
    op UshrH(n: u5 in 1..=16) { ; ushr v1.h8, v2.h8, n }
    op UshrS(n: u5) { ; ushr v1.s4, v2.s4, n + 1 }
    op SshrD2(n: u7 in 1..=64) { ; sshr v1.d2, v2.d2, n }
    op UshrD(n: u7 in 1..=64) { ; ushr d1, d2, n }
    op Ssra(n: u6 in 1..=32) { ; ssra v1.s2, v2.s2, n }
    op Shrn(n: u4 in 1..=8) { ; shrn v1.b8, v2.h8, n }
    op Sqrshrun(n: u6 in 1..=32) { ; sqrshrun s1, d2, n }
    op Sshll(n: u4) { ; sshll v1.s4, v2.h4, n }
    op Sqshlu(n: u6) { ; sqshlu v1.d2, v2.d2, n }
    op Sli(n: u5) { ; sli v1.s4, v2.s4, n }
    op Sri(n: u7 in 1..=64) { ; sri v1.d2, v2.d2, n }
    op FcvtzsD(n: u7 in 1..=64) { ; fcvtzs d1, d2, n }
    op FcvtzuW(n: u6 in 1..=32) { ; fcvtzu w1, s2, n }
    op ScvtfX(n: u7 in 1..=64) { ; scvtf d1, x2, n }
    op UcvtfV(n: u6 in 1..=32) { ; ucvtf v1.s4, v2.s4, n }

    op MoviB(n: u8) { ; movi v1.b16, n }
    op MoviS(n: u8, shift: u2) { ; movi v1.s4, n, lsl shift * 8 }
    op MoviMsl(n: u8, shift: u1) { ; movi v1.s4, n, msl shift * 8 + 8 }
    op MvniH(n: u8) { ; mvni v1.h8, n, lsl 8 }
    op OrrH(n: u8) { ; orr v1.h8, n }
    op BicS(n: u8) { ; bic v1.s4, n, lsl 16 }
    op Fcmla(n: u2) { ; fcmla v1.s4, v2.s4, v3.s4, n * 90 }
    op Fcadd(n: u1) { ; fcadd v1.s4, v2.s4, v3.s4, n * 180 + 90 }

    op FmovD(n: fp8) { ; fmov d1, n }
    op FmovS(n: fp8) { ; fmov s1, #n }
    op FmovH(n: fp8) { ; fmov h1, n }
    op FmovD2(n: fp8) { ; fmov v1.d2, n }
    op FmovS4(n: fp8) { ; fmov v1.s4, n }
    op FmovH8(n: fp8) { ; fmov v1.h8, n }
}

#[test]
fn vectors_take_lanes_and_shifts() {
    let mut s = Sweep::new();
    sweep! { s:
        UmovB, |n| "umov w1, v2.b[{n}]";
        UmovD, |n| "umov x1, v2.d[{n}]";
        SmovH, |n| "smov x1, v2.h[{n}]";
        InsS, |n| "ins v1.s[{n}], w2";
        DupH, |n| "dup v1.8h, v2.h[{n}]";
        DupB, |n| "dup b1, v2.b[{n}]";
        FmlaS, |n| "fmla v1.4s, v2.4s, v3.s[{n}]";
        FmulH, |n| "fmul v1.8h, v2.8h, v3.h[{n}]";
        Ld1B, |n| "ld1 {{v1.b}}[{n}], [x2]";
        St2S, |n| "st2 {{v1.s, v2.s}}[{n}], [x2]";
        Ext, |n| "ext v1.16b, v2.16b, v3.16b, #{n}";

        ShlB, |n| "shl v1.16b, v2.16b, #{n}";
        ShlS, |n| "shl v1.4s, v2.4s, #{n}";
        ShlD, |n| "shl d1, d2, #{n}";
        SshrB, |n| "sshr v1.16b, v2.16b, #{n}";
        UshrH, |n| "ushr v1.8h, v2.8h, #{n}";
        UshrS, |n| "ushr v1.4s, v2.4s, #{}", n + 1;
        SshrD2, |n| "sshr v1.2d, v2.2d, #{n}";
        UshrD, |n| "ushr d1, d2, #{n}";
        Ssra, |n| "ssra v1.2s, v2.2s, #{n}";
        Shrn, |n| "shrn v1.8b, v2.8h, #{n}";
        Sqrshrun, |n| "sqrshrun s1, d2, #{n}";
        Sshll, |n| "sshll v1.4s, v2.4h, #{n}";
        Sqshlu, |n| "sqshlu v1.2d, v2.2d, #{n}";
        Sli, |n| "sli v1.4s, v2.4s, #{n}";
        Sri, |n| "sri v1.2d, v2.2d, #{n}";
        FcvtzsD, |n| "fcvtzs d1, d2, #{n}";
        FcvtzuW, |n| "fcvtzu w1, s2, #{n}";
        ScvtfX, |n| "scvtf d1, x2, #{n}";
        UcvtfV, |n| "ucvtf v1.4s, v2.4s, #{n}";

        MoviB, |n| "movi v1.16b, #{n}";
        MvniH, |n| "mvni v1.8h, #{n}, lsl #8";
        OrrH, |n| "orr v1.8h, #{n}";
        BicS, |n| "bic v1.4s, #{n}, lsl #16";
        Fcmla, |n| "fcmla v1.4s, v2.4s, v3.4s, #{}", n * 90;
        Fcadd, |n| "fcadd v1.4s, v2.4s, v3.4s, #{}", n * 180 + 90;
    }
    sweep_many! { s:
        InsBoth(to, from) "ins v1.b[{to}], v2.b[{from}]";
        MovH(to, from) "mov v1.h[{to}], v2.h[{from}]";
        MulByElement(n, m: VReg) "mul v1.8h, v2.8h, v{m}.h[{n}]";
        MoviS(n, shift) "movi v1.4s, #{n}, lsl #{}", shift * 8;
        MoviMsl(n, shift) "movi v1.4s, #{n}, msl #{}", shift * 8 + 8;
    }
    // All 256 floating-point immediates (Arm ARM C2.2.3): -1^a * 2^(NOT(b):c:d - 3) * (16 + efgh) / 16.
    for field in 0u32..256 {
        let exponent = (field >> 4 & 7 ^ 4) as i32 - 3;
        let magnitude = f64::from(16 + (field & 15)) / 16.0 * 2f64.powi(exponent);
        let n = if field >> 7 == 1 {
            -magnitude
        } else {
            magnitude
        };
        s.add(FmovD { n }, &format!("fmov d1, #{n:?}"));
        s.add(FmovS { n }, &format!("fmov s1, #{n:?}"));
        s.add(FmovH { n }, &format!("fmov h1, #{n:?}"));
        s.add(FmovD2 { n }, &format!("fmov v1.2d, #{n:?}"));
        s.add(FmovS4 { n }, &format!("fmov v1.4s, #{n:?}"));
        s.add(FmovH8 { n }, &format!("fmov v1.8h, #{n:?}"));
    }
    s.check();
}
