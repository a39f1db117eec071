//! Which registers each instruction reads and writes: one row a class of encodings.
//!
//! A word belongs to the first row whose bits it has: `word & mask == value`. Rows that need to be more
//! special stand before the general ones. Not here, and so not checked: SVE, SME, memory tagging, system
//! calls, `eret`, and what the architecture got after Armv8.6.
//!
//! Instructions that keep a part of their destination (`movk`, `bfm`, `ins`, `mla`) read it.
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C4.1, "A64 instruction set
//! encoding", in that order.

use Field::*;

/// Where in a word a register stands, and what kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A general register from this bit on; 31 is the zero register.
    X(u8),
    /// A general register from this bit on; 31 is the stack pointer.
    Sp(u8),
    /// A vector register from this bit on.
    V(u8),
    /// Two general registers: that from this bit on, and the next.
    Pair(u8),
    /// As many vector registers, from bit 0 on, as `opcode` (15:12) of "Advanced SIMD load/store multiple
    /// structures" says.
    Many,
    /// As many vector registers, from bit 0 on, as bits 21 and 13 of "Advanced SIMD load/store single
    /// structure" say.
    Lanes,
    /// As many vector registers, from bit 5 on, as `len` (14:13) of "Advanced SIMD table lookup" says.
    Table,
    /// The vector register from bit 16 on whose element is named: 16 registers where elements have 16
    /// bits (size is 00 or 01), else 32.
    Element,
    /// The same where elements have 16 bits though size is 10: `fmlal`.
    Half,
    /// This general register.
    Fixed(u8),
    /// The stack pointer.
    Stack,
    /// The condition flags.
    Flags,
}

/// A class of encodings.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) mask: u32,
    pub(super) value: u32,
    /// Some of its instructions.
    #[cfg_attr(
        not(all(test, not(target_arch = "aarch64"))),
        expect(dead_code, reason = "says what the row is about")
    )]
    pub(super) name: &'static str,
    pub(super) reads: &'static [Field],
    pub(super) writes: &'static [Field],
}

/// The class of `word`.
pub(super) fn class(word: u32) -> Option<&'static Class> {
    CLASSES.iter().find(|c| word & c.mask == c.value)
}

const D: Field = X(0);
const N: Field = X(5);
const A: Field = X(10);
const M: Field = X(16);
const DS: Field = Sp(0);
const NS: Field = Sp(5);
const VD: Field = V(0);
const VN: Field = V(5);
const VA: Field = V(10);
const VM: Field = V(16);

macro_rules! classes {
    ($($mask:literal $value:literal $name:literal [$($read:expr),*] [$($write:expr),*];)*) => {
        &[$(Class {
            mask: $mask,
            value: $value,
            name: $name,
            reads: &[$($read),*],
            writes: &[$($write),*],
        }),*]
    };
}

/// All rows: mask, value, some of the instructions, what they read, what they write.
#[rustfmt::skip]
pub(super) static CLASSES: &[Class] = classes! {
    0xffff_0000 0x0000_0000 "udf" [] [];

    // Data processing: immediate.
    0x1f00_0000 0x1000_0000 "adr, adrp" [] [D];
    0x3f80_0000 0x1100_0000 "add, sub (immediate)" [NS] [DS];
    0x3f80_0000 0x3100_0000 "adds, subs (immediate)" [NS] [D, Flags];
    0x7f80_0000 0x7200_0000 "ands (immediate)" [N] [D, Flags];
    0x1f80_0000 0x1200_0000 "and, orr, eor (immediate)" [N] [DS];
    0x7f80_0000 0x7280_0000 "movk" [D] [D];
    0x3f80_0000 0x1280_0000 "movn, movz" [] [D];
    0x7f80_0000 0x3300_0000 "bfm" [N, D] [D];
    0x3f80_0000 0x1300_0000 "sbfm, ubfm" [N] [D];
    0x7fa0_0000 0x1380_0000 "extr" [N, M] [D];

    // Branches, exception generating and system instructions.
    0xff00_0010 0x5400_0000 "b.cond" [Flags] [];
    0xffe0_001f 0xd420_0000 "brk" [] [];
    0xffe0_001f 0xd440_0000 "hlt" [] [];
    0xffff_ffff 0xd503_20ff "xpaclri" [Fixed(30)] [Fixed(30)];
    0xffff_ff3f 0xd503_211f "pacia1716, pacib1716, autia1716, autib1716" [Fixed(16), Fixed(17)] [Fixed(17)];
    0xffff_ff1f 0xd503_231f "paciaz, paciasp, autiaz, autiasp and so on" [Fixed(30), Stack] [Fixed(30)];
    0xffff_ff1f 0xd503_201f "nop, yield, wfe, wfi, sev, sevl, dgh" [] [];
    0xffff_ff1f 0xd503_221f "esb, psb, tsb, csdb" [] [];
    0xffff_ff3f 0xd503_241f "bti" [] [];
    0xffff_f0ff 0xd503_305f "clrex" [] [];
    0xffff_f0ff 0xd503_309f "dsb" [] [];
    0xffff_f0ff 0xd503_30bf "dmb" [] [];
    0xffff_f0ff 0xd503_30df "isb" [] [];
    0xffff_ffff 0xd503_30ff "sb" [] [];
    0xffff_ffff 0xd500_401f "cfinv" [Flags] [Flags];
    0xffff_ffbf 0xd500_401f "axflag" [Flags] [Flags];
    0xffff_ffff 0xd500_403f "xaflag" [Flags] [Flags];
    0xfff8_0000 0xd508_0000 "sys: dc, ic, at, tlbi" [D] [];
    0xffff_ffe0 0xd51b_4200 "msr nzcv" [D] [Flags];
    0xffff_ffe0 0xd53b_4200 "mrs nzcv" [Flags] [D];
    0xfff0_0000 0xd510_0000 "msr" [D] [];
    0xfff0_0000 0xd530_0000 "mrs" [] [D];
    0xffff_fc1f 0xd61f_0000 "br" [N] [];
    0xffff_fc1f 0xd63f_0000 "blr" [N] [Fixed(30)];
    0xffff_fc1f 0xd65f_0000 "ret" [N] [];
    0xffff_fbff 0xd65f_0bff "retaa, retab" [Fixed(30), Stack] [];
    0xffff_f81f 0xd61f_081f "braaz, brabz" [N] [];
    0xffff_f81f 0xd63f_081f "blraaz, blrabz" [N] [Fixed(30)];
    0xffff_f800 0xd71f_0800 "braa, brab" [N, DS] [];
    0xffff_f800 0xd73f_0800 "blraa, blrab" [N, DS] [Fixed(30)];
    0xfc00_0000 0x1400_0000 "b" [] [];
    0xfc00_0000 0x9400_0000 "bl" [] [Fixed(30)];
    0x7e00_0000 0x3400_0000 "cbz, cbnz" [D] [];
    0x7e00_0000 0x3600_0000 "tbz, tbnz" [D] [];

    // Data processing: register.
    0x7fe0_f800 0x1ac0_0800 "udiv, sdiv" [N, M] [D];
    0x7fe0_f000 0x1ac0_2000 "lslv, lsrv, asrv, rorv" [N, M] [D];
    0x7fe0_e000 0x1ac0_4000 "crc32, crc32c" [N, M] [D];
    0xffe0_fc00 0x9ac0_3000 "pacga" [N, Sp(16)] [D];
    0x7fff_e000 0x5ac0_0000 "rbit, rev16, rev, clz, cls" [N] [D];
    0xffff_e000 0xdac1_0000 "pacia, pacda, autia, autda and so on" [D, NS] [D];
    0xffff_e3e0 0xdac1_23e0 "paciza, pacdza, autiza, autdza and so on" [D] [D];
    0xffff_fbe0 0xdac1_43e0 "xpaci, xpacd" [D] [D];
    0x7f00_0000 0x6a00_0000 "ands, bics (shifted register)" [N, M] [D, Flags];
    0x1f00_0000 0x0a00_0000 "and, bic, orr, orn, eor, eon (shifted register)" [N, M] [D];
    0x3f20_0000 0x0b00_0000 "add, sub (shifted register)" [N, M] [D];
    0x3f20_0000 0x2b00_0000 "adds, subs (shifted register)" [N, M] [D, Flags];
    0x3fe0_0000 0x0b20_0000 "add, sub (extended register)" [NS, M] [DS];
    0x3fe0_0000 0x2b20_0000 "adds, subs (extended register)" [NS, M] [D, Flags];
    0x3fe0_fc00 0x1a00_0000 "adc, sbc" [N, M, Flags] [D];
    0x3fe0_fc00 0x3a00_0000 "adcs, sbcs" [N, M, Flags] [D, Flags];
    0xffe0_7c10 0xba00_0400 "rmif" [N, Flags] [Flags];
    0xffff_bc1f 0x3a00_080d "setf8, setf16" [N, Flags] [Flags];
    0x3fe0_0c10 0x3a40_0000 "ccmn, ccmp (register)" [N, M, Flags] [Flags];
    0x3fe0_0c10 0x3a40_0800 "ccmn, ccmp (immediate)" [N, Flags] [Flags];
    0x3fe0_0800 0x1a80_0000 "csel, csinc, csinv, csneg" [N, M, Flags] [D];
    0x7fe0_0000 0x1b00_0000 "madd, msub" [N, M, A] [D];
    0xffe0_0000 0x9b20_0000 "smaddl, smsubl" [N, M, A] [D];
    0xffe0_0000 0x9ba0_0000 "umaddl, umsubl" [N, M, A] [D];
    0xff60_fc00 0x9b40_7c00 "smulh, umulh" [N, M] [D];

    // Loads and stores: Advanced SIMD structures.
    0xbfff_0000 0x0c00_0000 "st1 to st4" [NS, Many] [];
    0xbfff_0000 0x0c40_0000 "ld1 to ld4" [NS] [Many];
    0xbfe0_0000 0x0c80_0000 "st1 to st4 (post-index)" [NS, M, Many] [NS];
    0xbfe0_0000 0x0cc0_0000 "ld1 to ld4 (post-index)" [NS, M] [Many, NS];
    0xbfdf_0000 0x0d00_0000 "st1 to st4 (lane)" [NS, Lanes] [];
    0xbfdf_c000 0x0d40_c000 "ld1r to ld4r" [NS] [Lanes];
    0xbfdf_0000 0x0d40_0000 "ld1 to ld4 (lane)" [NS, Lanes] [Lanes];
    0xbfc0_0000 0x0d80_0000 "st1 to st4 (lane, post-index)" [NS, M, Lanes] [NS];
    0xbfc0_c000 0x0dc0_c000 "ld1r to ld4r (post-index)" [NS, M] [Lanes, NS];
    0xbfc0_0000 0x0dc0_0000 "ld1 to ld4 (lane, post-index)" [NS, M, Lanes] [Lanes, NS];

    // Loads and stores: exclusive and ordered, compare and swap.
    0x3fe0_7c00 0x0800_7c00 "stxr, stlxr" [D, NS] [M];
    0x3fff_7c00 0x085f_7c00 "ldxr, ldaxr" [NS] [D];
    0x3fff_7c00 0x089f_7c00 "stlr, stllr" [D, NS] [];
    0x3fff_7c00 0x08df_7c00 "ldar, ldlar" [NS] [D];
    0xbfe0_0000 0x8820_0000 "stxp, stlxp" [D, A, NS] [M];
    0xbfff_0000 0x887f_0000 "ldxp, ldaxp" [NS] [D, A];
    0xbfa0_7c00 0x0820_7c00 "casp" [Pair(0), Pair(16), NS] [Pair(16)];
    0x3fa0_7c00 0x08a0_7c00 "cas" [D, M, NS] [M];
    0x3fe0_0c00 0x1900_0000 "stlur" [D, NS] [];
    0x3f20_0c00 0x1900_0000 "ldapur" [NS] [D];

    // Loads and stores: literals and pairs.
    0xff00_0000 0xd800_0000 "prfm (literal)" [] [];
    0x3f00_0000 0x1800_0000 "ldr, ldrsw (literal)" [] [D];
    0x3f00_0000 0x1c00_0000 "ldr (literal, vector)" [] [VD];
    0x7fc0_0000 0x2800_0000 "stnp" [D, A, NS] [];
    0x7fc0_0000 0x2900_0000 "stp" [D, A, NS] [];
    0x7ec0_0000 0x2880_0000 "stp (pre-index, post-index)" [D, A, NS] [NS];
    0x3fc0_0000 0x2840_0000 "ldnp" [NS] [D, A];
    0x3fc0_0000 0x2940_0000 "ldp, ldpsw" [NS] [D, A];
    0x3ec0_0000 0x28c0_0000 "ldp, ldpsw (pre-index, post-index)" [NS] [D, A, NS];
    0x3fc0_0000 0x2c00_0000 "stnp (vector)" [VD, VA, NS] [];
    0x3fc0_0000 0x2d00_0000 "stp (vector)" [VD, VA, NS] [];
    0x3ec0_0000 0x2c80_0000 "stp (vector, pre-index, post-index)" [VD, VA, NS] [NS];
    0x3fc0_0000 0x2c40_0000 "ldnp (vector)" [NS] [VD, VA];
    0x3fc0_0000 0x2d40_0000 "ldp (vector)" [NS] [VD, VA];
    0x3ec0_0000 0x2cc0_0000 "ldp (vector, pre-index, post-index)" [NS] [VD, VA, NS];

    // Loads and stores: one register; unscaled and unprivileged, pre-index and post-index.
    0xffe0_0c00 0xf880_0000 "prfum" [NS] [];
    0x3fe0_0400 0x3800_0000 "stur, sttr" [D, NS] [];
    0x3fe0_0400 0x3800_0400 "str (pre-index, post-index)" [D, NS] [NS];
    0x3f20_0400 0x3800_0000 "ldur, ldursw, ldtr" [NS] [D];
    0x3f20_0400 0x3800_0400 "ldr, ldrsw (pre-index, post-index)" [NS] [D, NS];
    0x3f60_0c00 0x3c00_0000 "stur (vector)" [VD, NS] [];
    0x3f60_0400 0x3c00_0400 "str (vector, pre-index, post-index)" [VD, NS] [NS];
    0x3f60_0c00 0x3c40_0000 "ldur (vector)" [NS] [VD];
    0x3f60_0400 0x3c40_0400 "ldr (vector, pre-index, post-index)" [NS] [VD, NS];
    // Register offset, atomics, pointer authentication.
    0xffe0_0c00 0xf8a0_0800 "prfm (register)" [NS, M] [];
    0x3fe0_0c00 0x3820_0800 "str (register)" [D, NS, M] [];
    0x3f20_0c00 0x3820_0800 "ldr, ldrsw (register)" [NS, M] [D];
    0x3f60_0c00 0x3c20_0800 "str (vector, register)" [VD, NS, M] [];
    0x3f60_0c00 0x3c60_0800 "ldr (vector, register)" [NS, M] [VD];
    0x3fff_fc00 0x38bf_c000 "ldapr" [NS] [D];
    0x3f20_8c00 0x3820_0000 "ldadd, ldclr, ldeor, ldset, ldsmax, ldumin and so on" [M, NS] [D];
    0x3f20_fc00 0x3820_8000 "swp" [M, NS] [D];
    0xff20_0c00 0xf820_0400 "ldraa, ldrab" [NS] [D];
    0xff20_0c00 0xf820_0c00 "ldraa, ldrab (pre-index)" [NS] [D, NS];
    // Unsigned offset.
    0xffc0_0000 0xf980_0000 "prfm" [NS] [];
    0x3fc0_0000 0x3900_0000 "str" [D, NS] [];
    0x3f00_0000 0x3900_0000 "ldr, ldrsw" [NS] [D];
    0x3f40_0000 0x3d00_0000 "str (vector)" [VD, NS] [];
    0x3f40_0000 0x3d40_0000 "ldr (vector)" [NS] [VD];

    // Scalar floating point.
    0xffff_fc00 0x1e7e_0000 "fjcvtzs" [VN] [D, Flags];
    0xffff_fc00 0x9eaf_0000 "fmov v.d[1], x" [N, VD] [VD];
    0x7f26_fc00 0x1e20_0000 "fcvtns, fcvtms, fcvtzs and so on" [VN] [D];
    0x7f26_fc00 0x1e22_0000 "scvtf, ucvtf" [N] [VD];
    0x7f26_fc00 0x1e24_0000 "fcvtas, fcvtau" [VN] [D];
    0x7f27_fc00 0x1e26_0000 "fmov (to general)" [VN] [D];
    0x7f27_fc00 0x1e27_0000 "fmov (from general)" [N] [VD];
    0x7f3e_0000 0x1e02_0000 "scvtf, ucvtf (fixed point)" [N] [VD];
    0x7f3e_0000 0x1e18_0000 "fcvtzs, fcvtzu (fixed point)" [VN] [D];
    0xff20_7c00 0x1e20_4000 "fmov, fabs, fneg, fsqrt, fcvt, frint" [VN] [VD];
    0xff20_fc0f 0x1e20_2000 "fcmp, fcmpe" [VN, VM] [Flags];
    0xff20_fc0f 0x1e20_2008 "fcmp, fcmpe (with zero)" [VN] [Flags];
    0xff20_1fe0 0x1e20_1000 "fmov (immediate)" [] [VD];
    0xff20_0c00 0x1e20_0400 "fccmp, fccmpe" [VN, VM, Flags] [Flags];
    0xff20_0c00 0x1e20_0800 "fmul, fdiv, fadd, fsub, fmax, fmin, fnmul" [VN, VM] [VD];
    0xff20_0c00 0x1e20_0c00 "fcsel" [VN, VM, Flags] [VD];
    0xff00_0000 0x1f00_0000 "fmadd, fmsub, fnmadd, fnmsub" [VN, VM, VA] [VD];

    // Advanced SIMD: cryptography.
    0xffff_ec00 0x4e28_4800 "aese, aesd" [VD, VN] [VD];
    0xffff_ec00 0x4e28_6800 "aesmc, aesimc" [VN] [VD];
    0xffe0_8c00 0x5e00_0000 "sha1c, sha1p, sha256h and so on" [VD, VN, VM] [VD];
    0xffff_fc00 0x5e28_0800 "sha1h" [VN] [VD];
    0xffff_cc00 0x5e28_0800 "sha1su1, sha256su0" [VD, VN] [VD];
    0xffc0_8000 0xce00_0000 "eor3, bcax" [VN, VM, VA] [VD];
    0xffe0_0000 0xce80_0000 "xar" [VN, VM] [VD];
    0xffe0_fc00 0xce60_8c00 "rax1" [VN, VM] [VD];
    0xffe0_f000 0xce60_8000 "sha512h, sha512h2, sha512su1" [VD, VN, VM] [VD];
    0xffff_fc00 0xcec0_8000 "sha512su0" [VD, VN] [VD];

    // Advanced SIMD: tables, permutations, copies.
    0xbfe0_9c00 0x0e00_0000 "tbl" [Table, VM] [VD];
    0xbfe0_9c00 0x0e00_1000 "tbx" [Table, VM, VD] [VD];
    0xbf20_8c00 0x0e00_0800 "uzp1, trn1, zip1 and so on" [VN, VM] [VD];
    0xbfe0_8400 0x2e00_0000 "ext" [VN, VM] [VD];
    0xbfe0_fc00 0x0e00_0400 "dup (element)" [VN] [VD];
    0xffe0_fc00 0x5e00_0400 "dup (element, scalar)" [VN] [VD];
    0xbfe0_fc00 0x0e00_0c00 "dup (general)" [N] [VD];
    0xffe0_fc00 0x4e00_1c00 "ins (general)" [N, VD] [VD];
    0xbfe0_ec00 0x0e00_2c00 "smov, umov" [VN] [D];
    0xffe0_8400 0x6e00_0400 "ins (element)" [VN, VD] [VD];

    // Advanced SIMD: three registers of one arrangement.
    0xbf60_fc00 0x0e40_0c00 "fmla, fmls (half)" [VD, VN, VM] [VD];
    0x9f60_c400 0x0e40_0400 "fadd, fmul, fcmeq and so on (half)" [VN, VM] [VD];
    0xdf60_c400 0x5e40_0400 "fmulx, fcmeq and so on (half, scalar)" [VN, VM] [VD];
    0xbf20_ec00 0x2e00_e400 "fcadd" [VN, VM] [VD];
    0x9f20_8400 0x0e00_8400 "sqrdmlah, sdot, udot, fcmla and so on" [VD, VN, VM] [VD];
    0xff20_8400 0x7e00_8400 "sqrdmlah, sqrdmlsh (scalar)" [VD, VN, VM] [VD];
    0x9f20_fc00 0x0e20_9400 "mla, mls" [VD, VN, VM] [VD];
    0x9f20_fc00 0x0e20_7c00 "saba, uaba" [VD, VN, VM] [VD];
    0x9f20_fc00 0x0e20_cc00 "fmla, fmls, fmlal2" [VD, VN, VM] [VD];
    0xbf20_fc00 0x0e20_ec00 "fmlal, fmlsl" [VD, VN, VM] [VD];
    0xbfe0_fc00 0x2e60_1c00 "bsl" [VD, VN, VM] [VD];
    0xbfa0_fc00 0x2ea0_1c00 "bit, bif" [VD, VN, VM] [VD];
    0x9f20_0400 0x0e20_0400 "add, mul, cmeq, fadd and so on" [VN, VM] [VD];
    0xdf20_0400 0x5e20_0400 "add, cmeq, sqadd and so on (scalar)" [VN, VM] [VD];

    // Advanced SIMD: three registers, of two arrangements. Those that end in 2 keep the lower half.
    0x9f20_fc00 0x0e20_5000 "sabal, uabal" [VD, VN, VM] [VD];
    0x9f20_cc00 0x0e20_8000 "smlal, smlsl, sqdmlal, sqdmlsl" [VD, VN, VM] [VD];
    0xdf20_dc00 0x4e20_4000 "addhn2, raddhn2, subhn2, rsubhn2" [VD, VN, VM] [VD];
    0x9f20_0c00 0x0e20_0000 "saddl, smull, pmull, addhn and so on" [VN, VM] [VD];
    0xff20_dc00 0x5e20_9000 "sqdmlal, sqdmlsl (scalar)" [VD, VN, VM] [VD];
    0xff20_fc00 0x5e20_d000 "sqdmull (scalar)" [VN, VM] [VD];

    // Advanced SIMD: two registers.
    0x9f3f_fc00 0x0e20_3800 "suqadd, usqadd" [VD, VN] [VD];
    0xdf3f_fc00 0x5e20_3800 "suqadd, usqadd (scalar)" [VD, VN] [VD];
    0x9f3f_fc00 0x0e20_6800 "sadalp, uadalp" [VD, VN] [VD];
    0xdf3f_fc00 0x4e21_2800 "xtn2, sqxtun2" [VD, VN] [VD];
    0xdf3f_fc00 0x4e21_4800 "sqxtn2, uqxtn2" [VD, VN] [VD];
    0xdf3f_fc00 0x4e21_6800 "fcvtn2, fcvtxn2" [VD, VN] [VD];
    0x9f3e_0c00 0x0e20_0800 "rev64, cls, not, abs, fsqrt, fcvtn and so on" [VN] [VD];
    0x9f7e_0c00 0x0e78_0800 "fabs, frintn, fcvtzs and so on (half)" [VN] [VD];
    0xdf3e_0c00 0x5e20_0800 "abs, cmeq, sqxtn and so on (scalar)" [VN] [VD];
    0xdf7e_0c00 0x5e78_0800 "fcvtzs, frecpe and so on (half, scalar)" [VN] [VD];
    0x9f3e_0c00 0x0e30_0800 "addv, smaxv, fmaxv and so on" [VN] [VD];
    0xdf3e_0c00 0x5e30_0800 "addp, faddp, fmaxp and so on (scalar)" [VN] [VD];

    // Advanced SIMD: immediates and shifts by an immediate. Those that end in 2 keep the lower half.
    0x9ff8_9c00 0x0f00_1400 "orr, bic (32-bit immediate)" [VD] [VD];
    0x9ff8_dc00 0x0f00_9400 "orr, bic (16-bit immediate)" [VD] [VD];
    0x9ff8_0400 0x0f00_0400 "movi, mvni, fmov (immediate)" [] [VD];
    0x9f80_dc00 0x0f00_1400 "ssra, usra, srsra, ursra" [VD, VN] [VD];
    0xbf80_ec00 0x2f00_4400 "sri, sli" [VD, VN] [VD];
    0xdf80_e400 0x4f00_8400 "shrn2, rshrn2, sqshrn2 and so on" [VD, VN] [VD];
    0x9f80_0400 0x0f00_0400 "sshr, shl, sshll, scvtf and so on (immediate)" [VN] [VD];
    0xdf80_dc00 0x5f00_1400 "ssra, usra, srsra, ursra (scalar)" [VD, VN] [VD];
    0xff80_ec00 0x7f00_4400 "sri, sli (scalar)" [VD, VN] [VD];
    0xdf80_0400 0x5f00_0400 "sshr, shl, sqshrn and so on (immediate, scalar)" [VN] [VD];

    // Advanced SIMD: by an element.
    0xbfc0_b400 0x0f80_0000 "fmlal, fmlsl (element)" [VD, VN, Half] [VD];
    0xbfc0_b400 0x2f80_8000 "fmlal2, fmlsl2 (element)" [VD, VN, Half] [VD];
    0xbf00_9400 0x2f00_0000 "mla, mls, umlal, umlsl (element)" [VD, VN, Element] [VD];
    0xbf00_8400 0x0f00_0000 "fmla, fmls, smlal, sqdmlal and so on (element)" [VD, VN, Element] [VD];
    0xbf00_f400 0x0f00_8000 "mul (element)" [VN, Element] [VD];
    0x9f00_f400 0x0f00_9000 "fmul, fmulx (element)" [VN, Element] [VD];
    0x9f00_f400 0x0f00_a000 "smull, umull (element)" [VN, Element] [VD];
    0xbf00_f400 0x0f00_b000 "sqdmull (element)" [VN, Element] [VD];
    0xbf00_e400 0x0f00_c000 "sqdmulh, sqrdmulh (element)" [VN, Element] [VD];
    0xbf00_d400 0x2f00_d000 "sqrdmlah, sqrdmlsh (element)" [VD, VN, Element] [VD];
    0x9fc0_f400 0x0f80_e000 "sdot, udot (element)" [VD, VN, Element] [VD];
    0xff00_9400 0x5f00_1000 "fmla, fmls, sqdmlal, sqdmlsl (scalar, element)" [VD, VN, Element] [VD];
    0xdf00_f400 0x5f00_9000 "fmul, fmulx (scalar, element)" [VN, Element] [VD];
    0xff00_f400 0x5f00_b000 "sqdmull (scalar, element)" [VN, Element] [VD];
    0xff00_e400 0x5f00_c000 "sqdmulh, sqrdmulh (scalar, element)" [VN, Element] [VD];
    0xff00_d400 0x7f00_d000 "sqrdmlah, sqrdmlsh (scalar, element)" [VD, VN, Element] [VD];
};
