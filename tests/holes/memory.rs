//! Offsets of loads and stores.

use crate::sweep::{Sweep, sweep, sweep_many};

opstitch::uops! {
    op LdrB(n: u12) { ; ldrb w1, [x2, n] }
    op LdrH(n: u12) { ; ldrh w1, [x2, n * 2] }
    op LdrW(n: u12) { ; ldr w1, [x2, n * 4] }
    op LdrX(n: u12) { ; ldr x1, [x2, n * 8] }
    op LdrXByte(n: u15 in 0..=32760) { ; ldr x1, [x2, n & !7] }
    op LdrXTimes24(n: u11 in 0..=1365) { ; ldr x1, [x2, n * 24] }
    op LdrXPast(n: u12 in 0..=4093) { ; ldr x1, [x2, 16 + n * 8] }
    op LdrQ(n: u12) { ; ldr q1, [x2, #n * 16] }
    op LdrScalarB(n: u12) { ; ldr b1, [x2, n] }
    op LdrScalarH(n: u12) { ; ldr h1, [x2, n * 2] }
    op LdrS(n: u12) { ; ldr s1, [x2, n << 2] }
    op LdrD(n: u12) { ; ldr d1, [x2, n << 3] }
    op Ldrsb(n: u12) { ; ldrsb x1, [x2, n] }
    op Ldrsh(n: u12) { ; ldrsh w1, [x2, n * 2] }
    op Ldrsw(n: u12) { ; ldrsw x1, [x2, n * 4] }
    op StrB(n: u12) { ; strb w1, [x2, n] }
    op StrX(n: u12) { ; str x1, [sp, n * 8] }
    op StrQ(n: u12) { ; str q1, [x2, n * 16] }

    op LdurX(n: i9) { ; ldur x1, [x2, n] }
    op LdurQ(n: i9) { ; ldur q1, [x2, n] }
    op SturH(n: i9) { ; sturh w1, [x2, n] }
    op Ldursw(n: i9) { ; ldursw x1, [x2, n] }
    op LdurNegative(n: u8) { ; ldur x1, [x2, -n] }
    op Ldtr(n: i9) { ; ldtr x1, [x2, n] }
    op Ldapur(n: i9) { ; ldapur x1, [x2, n] }
    op Prfum(kind: u5, n: i9) { ; prfum kind, [x2, n] }

    op Pre(n: i9) { ; ldr x1, [x2, n]! }
    op Post(n: i9) { ; str x1, [x2], n }
    op PreQ(n: i9) { ; str q1, [x2, n]! }
    op PostB(n: i9) { ; ldrsb w1, [x2], #n }

    op Ldp(n: i7) { ; ldp x1, x2, [x3, n * 8] }
    op LdpW(n: i7) { ; ldp w1, w2, [x3, n * 4] }
    op LdpQ(n: i7) { ; ldp q1, q2, [x3, n * 16] }
    op Ldpsw(n: i7) { ; ldpsw x1, x2, [x3, n * 4] }
    op StpPre(n: i7) { ; stp x1, x2, [x3, n * 8]! }
    op LdpPost(n: i7) { ; ldp d1, d2, [x3], n * 8 }
    op Stnp(n: i7) { ; stnp x1, x2, [x3, n * 8] }
    op Ldraa(n: i10) { ; ldraa x1, [x2, n * 8] }
    op LdraaPre(n: i10) { ; ldraa x1, [x2, n * 8]! }

    op LdrIndexed(n: u1) { ; ldr x1, [x2, x3, lsl n * 3] }
    op LdrIndexedW(n: u1) { ; ldr w1, [x2, w3, sxtw n * 2] }
    op PrfmIndexed(n: u5) { ; prfm n, [x2, x3] }
}

#[test]
fn loads_and_stores_take_offsets() {
    let mut s = Sweep::new();
    sweep! { s:
        LdrB, |n| "ldrb w1, [x2, #{n}]";
        LdrH, |n| "ldrh w1, [x2, #{}]", n * 2;
        LdrW, |n| "ldr w1, [x2, #{}]", n * 4;
        LdrX, |n| "ldr x1, [x2, #{}]", n * 8;
        LdrXByte, |n| "ldr x1, [x2, #{}]", n / 8 * 8;
        LdrXTimes24, |n| "ldr x1, [x2, #{}]", n * 24;
        LdrXPast, |n| "ldr x1, [x2, #{}]", 16 + n * 8;
        LdrQ, |n| "ldr q1, [x2, #{}]", n * 16;
        LdrScalarB, |n| "ldr b1, [x2, #{n}]";
        LdrScalarH, |n| "ldr h1, [x2, #{}]", n * 2;
        LdrS, |n| "ldr s1, [x2, #{}]", n * 4;
        LdrD, |n| "ldr d1, [x2, #{}]", n * 8;
        Ldrsb, |n| "ldrsb x1, [x2, #{n}]";
        Ldrsh, |n| "ldrsh w1, [x2, #{}]", n * 2;
        Ldrsw, |n| "ldrsw x1, [x2, #{}]", n * 4;
        StrB, |n| "strb w1, [x2, #{n}]";
        StrX, |n| "str x1, [sp, #{}]", n * 8;
        StrQ, |n| "str q1, [x2, #{}]", n * 16;

        LdurX, |n| "ldur x1, [x2, #{n}]";
        LdurQ, |n| "ldur q1, [x2, #{n}]";
        SturH, |n| "sturh w1, [x2, #{n}]";
        Ldursw, |n| "ldursw x1, [x2, #{n}]";
        LdurNegative, |n| "ldur x1, [x2, #{}]", -n;
        Ldtr, |n| "ldtr x1, [x2, #{n}]";
        Ldapur, |n| "ldapur x1, [x2, #{n}]";

        Pre, |n| "ldr x1, [x2, #{n}]!";
        Post, |n| "str x1, [x2], #{n}";
        PreQ, |n| "str q1, [x2, #{n}]!";
        PostB, |n| "ldrsb w1, [x2], #{n}";

        Ldp, |n| "ldp x1, x2, [x3, #{}]", n * 8;
        LdpW, |n| "ldp w1, w2, [x3, #{}]", n * 4;
        LdpQ, |n| "ldp q1, q2, [x3, #{}]", n * 16;
        Ldpsw, |n| "ldpsw x1, x2, [x3, #{}]", n * 4;
        StpPre, |n| "stp x1, x2, [x3, #{}]!", n * 8;
        LdpPost, |n| "ldp d1, d2, [x3], #{}", n * 8;
        Stnp, |n| "stnp x1, x2, [x3, #{}]", n * 8;
        Ldraa, |n| "ldraa x1, [x2, #{}]", n * 8;
        LdraaPre, |n| "ldraa x1, [x2, #{}]!", n * 8;

        LdrIndexed, |n| "ldr x1, [x2, x3, lsl #{}]", n * 3;
        LdrIndexedW, |n| "ldr w1, [x2, w3, sxtw #{}]", n * 2;
        PrfmIndexed, |n| "prfm #{n}, [x2, x3]";
    }
    sweep_many! { s:
        Prfum(kind, n) "prfum #{kind}, [x2, #{n}]";
    }
    s.check();
}
