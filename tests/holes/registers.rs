//! Register operands.

use opstitch::{Reg, VReg};

use crate::sweep::{Sweep, sweep_many};

opstitch::uops! {
    registers { base: x20, acc: d8 }

    op Add(a: reg, b: reg, c: reg) { ; add X(a), X(b), X(c) }
    op AddW(a: reg, b: reg, c: reg) { ; add W(a), W(b), W(c), lsl 3 }
    op AddExtended(a: reg, b: reg, c: reg) { ; add XSP(a), X(b), W(c), sxtw 2 }
    op AddImm(a: reg, b: reg, n: u12) { ; add X(a), X(b), n }
    op AddPinned(a: reg) { ; add base, X(a), base_x }
    op Same(a: reg) { ; add X(a), X(a), X(a) }
    op Madd(a: reg, b: reg, c: reg, d: reg) { ; madd X(a), X(b), X(c), X(d) }
    op Umaddl(a: reg, b: reg, c: reg, d: reg) { ; umaddl X(a), W(b), W(c), X(d) }
    op Mov(a: reg, b: reg) { ; mov X(a), X(b) }
    op MovImm(a: reg, n: u16) { ; movz W(a), n }
    op And(a: reg, b: reg, n: logical64) { ; and X(a), X(b), n }
    op Lsl(a: reg, b: reg, n: u6) { ; lsl X(a), X(b), n }
    op Ror(a: reg, b: reg, n: u6) { ; ror X(a), X(b), n }
    op Csel(a: reg, b: reg, c: reg) { ; csel X(a), X(b), X(c), lt }
    op Cset(a: reg) { ; cset W(a), eq }
    op Ccmp(a: reg, n: u5, flags: u4) { ; ccmp X(a), n, flags, ne }
    op Clz(a: reg, b: reg) { ; clz X(a), X(b) }
    op Sxtw(a: reg, b: reg) { ; sxtw X(a), W(b) }
    op Br(a: reg) { ; br X(a) }
    op Blr(a: reg) { ; blr X(a) }
    op Ret(a: reg) { ; ret X(a) }
    op Cbz(a: reg) { ; cbz X(a), >over ; nop ; over: }
    op Tbz(a: reg, n: u6) { ; tbz X(a), n, >over ; nop ; over: }
    op Mrs(a: reg) { ; mrs X(a), 0x5e82 }

    op Ldr(a: reg, b: reg, n: u12) { ; ldr X(a), [X(b), n * 8] }
    op LdrIndexed(a: reg, b: reg, c: reg) { ; ldr X(a), [X(b), X(c), lsl 3] }
    op LdrExtended(a: reg, b: reg, c: reg) { ; ldr W(a), [X(b), W(c), uxtw 2] }
    op StrPost(a: reg, b: reg, n: i9) { ; str X(a), [X(b)], n }
    op Ldp(a: reg, b: reg, c: reg, n: i7) { ; ldp X(a), X(b), [X(c), n * 8]! }
    op LdrFromPinned(a: reg) { ; ldr W(a), [base, 8] }

    op Ldaddal(a: reg, b: reg, c: reg) { ; ldaddal X(a), X(b), [X(c)] }
    op LdaddW(a: reg, b: reg, c: reg) { ; ldadd W(a), W(b), [X(c)] }
    op Ldclr(a: reg, b: reg, c: reg) { ; ldclra X(a), X(b), [X(c)] }
    op Ldsmax(a: reg, b: reg, c: reg) { ; ldsmaxl W(a), W(b), [X(c)] }
    op Stadd(a: reg, b: reg) { ; stadd X(a), [X(b)] }
    op Swp(a: reg, b: reg, c: reg) { ; swpal X(a), X(b), [X(c)] }
    op Swpb(a: reg, b: reg, c: reg) { ; swpb W(a), W(b), [X(c)] }
    op Cas(a: reg, b: reg, c: reg) { ; casal X(a), X(b), [X(c)] }
    op Ldaxr(a: reg, b: reg) { ; ldaxr X(a), [X(b)] }
    op Stlxr(a: reg, b: reg, c: reg) { ; stlxr W(a), X(b), [X(c)] }
    op Ldar(a: reg, b: reg) { ; ldar W(a), [X(b)] }

    op AddV(a: vreg, b: vreg, c: vreg) { ; add V(a).b16, V(b).b16, V(c).b16 }
    op FaddD(a: vreg, b: vreg, c: vreg) { ; fadd D(a), D(b), D(c) }
    op FmaddS(a: vreg, b: vreg, c: vreg, d: vreg) { ; fmadd S(a), S(b), S(c), S(d) }
    op FaddPinned(a: vreg) { ; fadd acc, acc_d, D(a) }
    op FcvtH(a: vreg, b: vreg) { ; fcvt H(a), S(b) }
    op FmovImm(a: vreg, n: fp8) { ; fmov D(a), n }
    op FmovFromX(a: vreg, b: reg) { ; fmov D(a), X(b) }
    op FmovToW(a: reg, b: vreg) { ; fmov W(a), S(b) }
    op Scvtf(a: vreg, b: reg) { ; scvtf D(a), X(b) }
    op InsV(a: vreg, n: u1, b: reg) { ; ins V(a).d[n], X(b) }
    op UmovV(a: reg, b: vreg, n: u4) { ; umov W(a), V(b).b[n] }
    op ShlV(a: vreg, b: vreg, n: u5) { ; shl V(a).s4, V(b).s4, n }
    op LdrQ(a: vreg, b: reg, n: u12) { ; ldr Q(a), [X(b), n * 16] }
    op StrB(a: vreg, b: reg) { ; str B(a), [X(b)] }
    op Ld1(a: vreg, b: reg) { ; ld1 {V(a).b16 * 2}, [X(b)] }
    op Ld1Post(a: vreg, b: reg, c: reg) { ; ld1 {V(a).s4}, [X(b)], X(c) }
    op Tbl(a: vreg, b: vreg, c: vreg) { ; tbl V(a).b16, {V(b).b16 * 4}, V(c).b16 }
    op Sha(a: vreg, b: vreg, c: vreg) { ; sha256h Q(a), Q(b), V(c).s4 }
    op AddWord(a: reg, b: reg, c: reg) { ; .u32 0x8b00_0000 | c << 16 | b << 5 | a }
}

#[test]
fn registers_go_where_they_belong() {
    let mut s = Sweep::new();
    sweep_many! { s:
        Add(a: Reg, b: Reg, c: Reg) "add x{a}, x{b}, x{c}";
        AddW(a: Reg, b: Reg, c: Reg) "add w{a}, w{b}, w{c}, lsl #3";
        AddExtended(a: Reg, b: Reg, c: Reg) "add x{a}, x{b}, w{c}, sxtw #2";
        AddImm(a: Reg, b: Reg, n) "add x{a}, x{b}, #{n}";
        AddPinned(a: Reg) "add x20, x{a}, x20";
        Same(a: Reg) "add x{a}, x{a}, x{a}";
        Madd(a: Reg, b: Reg, c: Reg, d: Reg) "madd x{a}, x{b}, x{c}, x{d}";
        Umaddl(a: Reg, b: Reg, c: Reg, d: Reg) "umaddl x{a}, w{b}, w{c}, x{d}";
        Mov(a: Reg, b: Reg) "mov x{a}, x{b}";
        MovImm(a: Reg, n) "movz w{a}, #{n}";
        Lsl(a: Reg, b: Reg, n) "lsl x{a}, x{b}, #{n}";
        Ror(a: Reg, b: Reg, n) "ror x{a}, x{b}, #{n}";
        Csel(a: Reg, b: Reg, c: Reg) "csel x{a}, x{b}, x{c}, lt";
        Cset(a: Reg) "cset w{a}, eq";
        Ccmp(a: Reg, n, flags) "ccmp x{a}, #{n}, #{flags}, ne";
        Clz(a: Reg, b: Reg) "clz x{a}, x{b}";
        Sxtw(a: Reg, b: Reg) "sxtw x{a}, w{b}";
        Blr(a: Reg) "blr x{a}";
        Cbz(a: Reg) "cbz x{a}, #8; nop";
        Tbz(a: Reg, n) "tbz x{a}, #{n}, #8; nop";
        Mrs(a: Reg) "mrs x{a}, s3_3_c13_c0_2";

        Ldr(a: Reg, b: Reg, n) "ldr x{a}, [x{b}, #{}]", n * 8;
        LdrIndexed(a: Reg, b: Reg, c: Reg) "ldr x{a}, [x{b}, x{c}, lsl #3]";
        LdrExtended(a: Reg, b: Reg, c: Reg) "ldr w{a}, [x{b}, w{c}, uxtw #2]";
        LdrFromPinned(a: Reg) "ldr w{a}, [x20, #8]";

        Ldaddal(a: Reg, b: Reg, c: Reg) "ldaddal x{a}, x{b}, [x{c}]";
        LdaddW(a: Reg, b: Reg, c: Reg) "ldadd w{a}, w{b}, [x{c}]";
        Ldclr(a: Reg, b: Reg, c: Reg) "ldclra x{a}, x{b}, [x{c}]";
        Ldsmax(a: Reg, b: Reg, c: Reg) "ldsmaxl w{a}, w{b}, [x{c}]";
        Stadd(a: Reg, b: Reg) "stadd x{a}, [x{b}]";
        Swp(a: Reg, b: Reg, c: Reg) "swpal x{a}, x{b}, [x{c}]";
        Swpb(a: Reg, b: Reg, c: Reg) "swpb w{a}, w{b}, [x{c}]";
        Cas(a: Reg, b: Reg, c: Reg) "casal x{a}, x{b}, [x{c}]";
        Ldaxr(a: Reg, b: Reg) "ldaxr x{a}, [x{b}]";
        Ldar(a: Reg, b: Reg) "ldar w{a}, [x{b}]";

        AddV(a: VReg, b: VReg, c: VReg) "add v{a}.16b, v{b}.16b, v{c}.16b";
        FaddD(a: VReg, b: VReg, c: VReg) "fadd d{a}, d{b}, d{c}";
        FmaddS(a: VReg, b: VReg, c: VReg, d: VReg) "fmadd s{a}, s{b}, s{c}, s{d}";
        FaddPinned(a: VReg) "fadd d8, d8, d{a}";
        FcvtH(a: VReg, b: VReg) "fcvt h{a}, s{b}";
        FmovFromX(a: VReg, b: Reg) "fmov d{a}, x{b}";
        FmovToW(a: Reg, b: VReg) "fmov w{a}, s{b}";
        Scvtf(a: VReg, b: Reg) "scvtf d{a}, x{b}";
        InsV(a: VReg, n, b: Reg) "ins v{a}.d[{n}], x{b}";
        UmovV(a: Reg, b: VReg, n) "umov w{a}, v{b}.b[{n}]";
        ShlV(a: VReg, b: VReg, n) "shl v{a}.4s, v{b}.4s, #{n}";
        LdrQ(a: VReg, b: Reg, n) "ldr q{a}, [x{b}, #{}]", n * 16;
        StrB(a: VReg, b: Reg) "str b{a}, [x{b}]";
        Ld1(a: VReg, b: Reg) "ld1 {{v{a}.16b, v{}.16b}}, [x{b}]", (a + 1) % 32;
        Ld1Post(a: VReg, b: Reg, c: Reg) "ld1 {{v{a}.4s}}, [x{b}], x{c}";
        Tbl(a: VReg, b: VReg, c: VReg) "tbl v{a}.16b, {{v{b}.16b, v{}.16b, v{}.16b, v{}.16b}}, v{c}.16b",
            (b + 1) % 32, (b + 2) % 32, (b + 3) % 32;
        Sha(a: VReg, b: VReg, c: VReg) "sha256h q{a}, q{b}, v{c}.4s";
        AddWord(a: Reg, b: Reg, c: Reg) "add x{a}, x{b}, x{c}";
    }
    // llvm-mc refuses registers whose meeting the architecture leaves unpredictable.
    for a in (0u8..=30).filter(|&a| a != 18) {
        let (b, c) = ((a + 1) % 17, (a + 2) % 17);
        let n = i64::from(a) * 8 - 64;
        let [ra, rb, rc] = [a, b, c].map(Reg);
        let text = format!("str x{a}, [x{b}], #{n}");
        s.add(StrPost { a: ra, b: rb, n }, &text);
        let text = format!("ldp x{a}, x{b}, [x{c}, #{n}]!");
        s.add(
            Ldp {
                a: ra,
                b: rb,
                c: rc,
                n: n / 8,
            },
            &text,
        );
        let text = format!("stlxr w{a}, x{b}, [x{c}]");
        s.add(
            Stlxr {
                a: ra,
                b: rb,
                c: rc,
            },
            &text,
        );
        let text = format!("and x{a}, x{b}, #0x7f8");
        s.add(
            And {
                a: ra,
                b: rb,
                n: 0x7f8,
            },
            &text,
        );
        let text = format!("fmov d{a}, #-0.125");
        s.add(
            FmovImm {
                a: VReg(a),
                n: -0.125,
            },
            &text,
        );
        // These end the micro-op, not the sweep: nothing runs.
        s.add(Br { a: ra }, &format!("br x{a}"));
        s.add(Ret { a: ra }, &format!("ret x{a}"));
    }
    s.check();
}
