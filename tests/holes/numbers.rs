//! Immediate operands outside of addresses.

use crate::sweep::{Sweep, sweep, sweep_many};

opstitch::uops! {
    const WIDE = 1 << 16;

    // Addition and subtraction.
    op AddX(n: u12) { ; add x1, x2, n }
    op AddXShifted(n: u12) { ; add x1, x2, #n, lsl #12 }
    op AddXByShift(n: u1) { ; add x1, x2, 5, lsl n * 12 }
    op AddW(n: u12) { ; add w1, w2, n }
    op AddSp(n: u12) { ; add sp, x3, n }
    op AddsX(n: u12) { ; adds x1, x2, n }
    op SubX(n: u12) { ; sub x1, x2, n }
    op SubFromSp(n: u12) { ; sub sp, sp, n }
    op SubsW(n: u12) { ; subs w1, w2, n }
    op SubsWShifted(n: u12) { ; subs w1, w2, n, lsl 12 }
    op CmpX(n: u12) { ; cmp x1, n }
    op CmnW(n: u12) { ; cmn w1, n }
    op AddByNegative(n: i13 in -4095..=0) { ; add x1, x2, -n }

    // Expressions.
    op Plus(n: u12 in 0..=4094) { ; add x1, x2, n + 1 }
    op PlusWithCarry(n: u12 in 0..=2080) { ; add x1, x2, n + 64 }
    op PlusHigh(n: u12 in 1..=1095) { ; add x1, x2, 3000 + n }
    op Minus(n: u12) { ; add x1, x2, 4095 - n }
    op Times(n: u8 in 0..=170) { ; add x1, x2, n * 24 }
    op TimesPlus(n: u8 in 3..=169) { ; add x1, x2, n * 24 + 7 }
    op TimesOdd(n: u10 in 0..=584) { ; add x1, x2, 7 * n }
    op Inverted(n: u12) { ; add x1, x2, !n & 0xfff }
    op Mixed(n: u12) { ; add x1, x2, n ^ 0x555 }
    op Swapped(n: u8) { ; add x1, x2, (n & 0xf) << 4 | n >> 4 }
    op RoundedUp(n: u14 in 0..=16368) { ; add x1, x2, (n + 15) >> 4 }
    op Scaled(n: u15) { ; add x1, x2, n >> 3 }
    op Divided(n: u15) { ; add x1, x2, n / 8 }
    op Modulo(n: u16) { ; add x1, x2, n % 4096 }
    op Squared(n: u6) { ; add x1, x2, n * n }
    op Offset(n: u12 in 100..=4000) { ; add x1, x2, n }
    op Window(n: u12 in 1000..=1100) { ; add x1, x2, n - 1 }
    op Single(n: u12 in 77..=77) { ; add x1, x2, n }
    op Twice(n: u5 in 0..=31) { ; ccmp x1, n, n & 0xf, ne }

    // Moves.
    op MovzX(n: u16) { ; movz x1, n }
    op MovzXLsl(n: u16) { ; movz x1, n, lsl 32 }
    op MovzXByShift(n: u2) { ; movz x1, 0xabc, lsl n * 16 }
    op MovzBoth(n: u16, shift: u2) { ; movz x1, n, lsl shift * 16 }
    op MovzW(n: u16) { ; movz w1, n, lsl 16 }
    op MovkX(n: u16) { ; movk x1, n, lsl 48 }
    op MovkWByShift(n: u1) { ; movk w1, 9, lsl n * 16 }
    op MovnX(n: u16) { ; movn x1, n, lsl 16 }
    op MovnW(n: u16) { ; movn w1, n }
    op MovX(n: u16) { ; mov x1, n }
    op MovXHigh(n: u16 in 1..=0xffff) { ; mov x1, n * WIDE }
    op Low(n: u32) { ; movz x1, n & 0xffff }
    op High(n: u32) { ; movz x1, n >> 16, lsl 16 }
    op Lane0(n: u64) { ; movz x1, n & 0xffff }
    op Lane3(n: u64) { ; movk x1, n >> 48, lsl 48 }
    op Lane2OfSigned(n: i64) { ; movk x1, n >> 32 & 0xffff, lsl 32 }
    op Next(n: u16 in 0..=0xfffe) { ; movz x1, n + 1 }

    // Shifts.
    op LslX(n: u6) { ; lsl x1, x2, n }
    op LslW(n: u5) { ; lsl w1, w2, n }
    op LslXFrom1(n: u6 in 1..=63) { ; lsl x1, x2, n }
    op LslXComplement(n: u6) { ; lsl x1, x2, 63 - n }
    op LsrX(n: u6) { ; lsr x1, x2, n }
    op LsrW(n: u5) { ; lsr w1, w2, n }
    op AsrX(n: u6) { ; asr x1, x2, n }
    op AsrW(n: u5) { ; asr w1, w2, n }
    op RorX(n: u6) { ; ror x1, x2, n }
    op RorW(n: u5) { ; ror w1, w2, n }
    op ExtrX(n: u6) { ; extr x1, x2, x3, n }
    op ExtrW(n: u5) { ; extr w1, w2, w3, n }
    op AddLsl(n: u6) { ; add x1, x2, x3, lsl n }
    op SubAsr(n: u5) { ; sub w1, w2, w3, asr n }
    op OrrRor(n: u6) { ; orr x1, x2, x3, ror n }
    op BicLsr(n: u6) { ; bic x1, x2, x3, lsr n }
    op AddUxtw(n: u3 in 0..=4) { ; add x1, x2, w3, uxtw n }
    op CmpSxtb(n: u3 in 0..=4) { ; cmp x2, w3, sxtb n }
    op SubSxtx(n: u3 in 0..=4) { ; sub x1, sp, x3, sxtx n }

    // Bit fields.
    op UbfxLsb(n: u6) { ; ubfx x1, x2, n, 1 }
    op UbfxWidth(n: u6 in 1..=61) { ; ubfx x1, x2, 3, n }
    op SbfxWLsb(n: u5 in 0..=28) { ; sbfx w1, w2, n, 4 }
    op BfiLsb(n: u6) { ; bfi x1, x2, n, 1 }
    op BfiWidth(n: u6 in 1..=60) { ; bfi x1, x2, 4, n }
    op BfiWidthFrom0(n: u6) { ; bfi x1, x2, 0, n + 1 }
    op BfxilLsb(n: u5) { ; bfxil w1, w2, n, 1 }
    op UbfizLsb(n: u6 in 0..=56) { ; ubfiz x1, x2, n, 8 }
    op SbfizWidth(n: u5 in 1..=30) { ; sbfiz w1, w2, 2, n }
    op BfcLsb(n: u6) { ; bfc x1, n, 1 }
    op UbfmW(r: u5, s: u5) { ; ubfm w1, w2, r, s }
    op SbfmW(r: u5, s: u5) { ; sbfm w1, w2, r, s }
    op BfmW(r: u5, s: u5) { ; bfm w1, w2, r, s }
    op SbfmXLsb(n: u6 in 0..=60) { ; sbfm x1, x2, n, 4 }
    op UbfmWord(r: u6, s: u6) { ; .u32 0xd340_0000 | r << 16 | s << 10 | 2 << 5 | 1 }

    // Tests and branches over an instruction.
    op TbzX(n: u6) { ; tbz x1, n, >over ; nop ; over: }
    op TbnzW(n: u5) { ; tbnz w1, n, >over ; nop ; over: }
    op TbnzBack(n: u6) { ; back: ; nop ; tbnz x1, n, <back }

    // Conditional compares.
    op CcmpImm(n: u5) { ; ccmp x1, n, 3, eq }
    op CcmpFlags(n: u4) { ; ccmp x1, 7, n, ne }
    op CcmnBoth(n: u5, flags: u4) { ; ccmn w1, n, flags, hs }
    op CcmpRegister(n: u4) { ; ccmp w1, w2, n, ge }
    op FccmpFlags(n: u4) { ; fccmp d1, d2, n, lt }
    op RmifBoth(n: u6, mask: u4) { ; rmif x1, n, mask }

    // The system.
    op Hint(n: u7) { ; hint n }
    op Svc(n: u16) { ; svc n }
    op Brk(n: u16) { ; brk n }
    op Hlt(n: u16) { ; hlt n }
    op Hvc(n: u16) { ; hvc n }
    op Udf(n: u16) { ; udf n }
    op Dmb(n: u4) { ; dmb n }
    op Dsb(n: u4) { ; dsb n }
    op Isb(n: u4) { ; isb n }
    op Clrex(n: u4) { ; clrex n }
    op MsrField(n: u4) { ; msr daifset, n }
    op MsrRegister(n: u15) { ; msr n, x1 }
    op MrsRegister(n: u15) { ; mrs x1, n }
    op Sys(op1: u3, op2: u3) { ; sys op1, c7, c5, op2, x1 }

    // Words.
    op PrfmWord(kind: u5, offset: u12) { ; .u32 0xf980_0000 | offset << 10 | 2 << 5 | kind }
    op AddWord(n: u12) { ; .u32 0x9100_0041 + n * 0x400 }
    op BtiWord(n: u2) { ; .u32 0xd503_241f + (n << 6) }
}

#[test]
fn numbers_go_where_they_belong() {
    let mut s = Sweep::new();
    sweep! { s:
        AddX, |n| "add x1, x2, #{n}";
        AddXShifted, |n| "add x1, x2, #{n}, lsl #12";
        AddXByShift, |n| "add x1, x2, #5, lsl #{}", n * 12;
        AddW, |n| "add w1, w2, #{n}";
        AddSp, |n| "add sp, x3, #{n}";
        AddsX, |n| "adds x1, x2, #{n}";
        SubX, |n| "sub x1, x2, #{n}";
        SubFromSp, |n| "sub sp, sp, #{n}";
        SubsW, |n| "subs w1, w2, #{n}";
        SubsWShifted, |n| "subs w1, w2, #{n}, lsl #12";
        CmpX, |n| "cmp x1, #{n}";
        CmnW, |n| "cmn w1, #{n}";
        AddByNegative, |n| "add x1, x2, #{}", -n;

        Plus, |n| "add x1, x2, #{}", n + 1;
        PlusWithCarry, |n| "add x1, x2, #{}", n + 64;
        PlusHigh, |n| "add x1, x2, #{}", n + 3000;
        Minus, |n| "add x1, x2, #{}", 4095 - n;
        Times, |n| "add x1, x2, #{}", n * 24;
        TimesPlus, |n| "add x1, x2, #{}", n * 24 + 7;
        TimesOdd, |n| "add x1, x2, #{}", n * 7;
        Inverted, |n| "add x1, x2, #{}", 4095 - n;
        Mixed, |n| "add x1, x2, #{}", n ^ 0x555;
        Swapped, |n| "add x1, x2, #{}", n % 16 * 16 + n / 16;
        RoundedUp, |n| "add x1, x2, #{}", (n + 15) / 16;
        Scaled, |n| "add x1, x2, #{}", n / 8;
        Divided, |n| "add x1, x2, #{}", n / 8;
        Modulo, |n| "add x1, x2, #{}", n % 4096;
        Squared, |n| "add x1, x2, #{}", n * n;
        Offset, |n| "add x1, x2, #{n}";
        Window, |n| "add x1, x2, #{}", n - 1;
        Single, |n| "add x1, x2, #{n}";
        Twice, |n| "ccmp x1, #{n}, #{}, ne", n % 16;

        MovzX, |n| "movz x1, #{n}";
        MovzXLsl, |n| "movz x1, #{n}, lsl #32";
        MovzXByShift, |n| "movz x1, #0xabc, lsl #{}", n * 16;
        MovzW, |n| "movz w1, #{n}, lsl #16";
        MovkX, |n| "movk x1, #{n}, lsl #48";
        MovkWByShift, |n| "movk w1, #9, lsl #{}", n * 16;
        MovnX, |n| "movn x1, #{n}, lsl #16";
        MovnW, |n| "movn w1, #{n}";
        MovX, |n| "movz x1, #{n}";
        MovXHigh, |n| "movz x1, #{n}, lsl #16";
        Low, |n| "movz x1, #{}", n % 0x10000;
        High, |n| "movz x1, #{}, lsl #16", n / 0x10000;
        Lane0, |n| "movz x1, #{}", n as u16;
        Lane3, |n| "movk x1, #{}, lsl #48", (n as u64) >> 48;
        Lane2OfSigned, |n| "movk x1, #{}, lsl #32", (n >> 32) as u16;
        Next, |n| "movz x1, #{}", n + 1;

        LslX, |n| "lsl x1, x2, #{n}";
        LslW, |n| "lsl w1, w2, #{n}";
        LslXFrom1, |n| "lsl x1, x2, #{n}";
        LslXComplement, |n| "lsl x1, x2, #{}", 63 - n;
        LsrX, |n| "lsr x1, x2, #{n}";
        LsrW, |n| "lsr w1, w2, #{n}";
        AsrX, |n| "asr x1, x2, #{n}";
        AsrW, |n| "asr w1, w2, #{n}";
        RorX, |n| "ror x1, x2, #{n}";
        RorW, |n| "ror w1, w2, #{n}";
        ExtrX, |n| "extr x1, x2, x3, #{n}";
        ExtrW, |n| "extr w1, w2, w3, #{n}";
        AddLsl, |n| "add x1, x2, x3, lsl #{n}";
        SubAsr, |n| "sub w1, w2, w3, asr #{n}";
        OrrRor, |n| "orr x1, x2, x3, ror #{n}";
        BicLsr, |n| "bic x1, x2, x3, lsr #{n}";
        AddUxtw, |n| "add x1, x2, w3, uxtw #{n}";
        CmpSxtb, |n| "cmp x2, w3, sxtb #{n}";
        SubSxtx, |n| "sub x1, sp, x3, sxtx #{n}";

        UbfxLsb, |n| "ubfx x1, x2, #{n}, #1";
        UbfxWidth, |n| "ubfx x1, x2, #3, #{n}";
        SbfxWLsb, |n| "sbfx w1, w2, #{n}, #4";
        BfiLsb, |n| "bfi x1, x2, #{n}, #1";
        BfiWidth, |n| "bfi x1, x2, #4, #{n}";
        BfiWidthFrom0, |n| "bfm x1, x2, #0, #{n}";
        BfxilLsb, |n| "bfxil w1, w2, #{n}, #1";
        UbfizLsb, |n| "ubfiz x1, x2, #{n}, #8";
        SbfizWidth, |n| "sbfiz w1, w2, #2, #{n}";
        BfcLsb, |n| "bfc x1, #{n}, #1";
        SbfmXLsb, |n| "sbfm x1, x2, #{n}, #4";

        TbzX, |n| "tbz x1, #{n}, #8; nop";
        TbnzW, |n| "tbnz w1, #{n}, #8; nop";
        TbnzBack, |n| "nop; tbnz x1, #{n}, #-4";

        CcmpImm, |n| "ccmp x1, #{n}, #3, eq";
        CcmpFlags, |n| "ccmp x1, #7, #{n}, ne";
        CcmpRegister, |n| "ccmp w1, w2, #{n}, ge";
        FccmpFlags, |n| "fccmp d1, d2, #{n}, lt";

        Hint, |n| "hint #{n}";
        Svc, |n| "svc #{n}";
        Brk, |n| "brk #{n}";
        Hlt, |n| "hlt #{n}";
        Hvc, |n| "hvc #{n}";
        Udf, |n| "udf #{n}";
        Dmb, |n| "dmb #{n}";
        Dsb, |n| "dsb #{n}";
        Isb, |n| "isb #{n}";
        Clrex, |n| "clrex #{n}";
        MsrField, |n| "msr daifset, #{n}";
        MsrRegister, |n| "msr {}, x1", system_register(n);
        MrsRegister, |n| "mrs x1, {}", system_register(n);

        AddWord, |n| "add x1, x2, #{n}";
        BtiWord, |n| "bti {}", ["", "c", "j", "jc"][n as usize];
    }
    sweep_many! { s:
        MovzBoth(n, shift) "movz x1, #{n}, lsl #{}", shift * 16;
        UbfmW(r, s) "ubfm w1, w2, #{r}, #{s}";
        SbfmW(r, s) "sbfm w1, w2, #{r}, #{s}";
        BfmW(r, s) "bfm w1, w2, #{r}, #{s}";
        UbfmWord(r, s) "ubfm x1, x2, #{r}, #{s}";
        CcmnBoth(n, flags) "ccmn w1, #{n}, #{flags}, hs";
        RmifBoth(n, mask) "rmif x1, #{n}, #{mask}";
        Sys(op1, op2) "sys #{op1}, c7, c5, #{op2}, x1";
        PrfmWord(kind, offset) "prfm #{kind}, [x2, #{}]", offset * 8;
    }
    s.check();
}

fn system_register(n: i128) -> String {
    let (op0, op1, crn, crm, op2) = (n >> 14, n >> 11 & 7, n >> 7 & 15, n >> 3 & 15, n & 7);
    format!("s{}_{op1}_c{crn}_c{crm}_{op2}", 2 + op0)
}
