//! Two sets of micro-ops that meet in one trace: every kind of reference, in short bodies and long
//! ones, hot and cold.
//!
//! They keep their state in registers that AAPCS64 lets no function change: x20 to x23 are what they
//! compute with, `fuel` bounds the loops, `link` is where the trace returns to.

pub(crate) mod alpha {
    opstitch::uops! {
        pub(crate) enum Alpha;

        registers { memory: x24, fuel: x25, link: x28 }

        op Add(d: reg, n: u12) { ; add XSP(d), XSP(d), n }
        op Mix(d: reg, a: reg, b: reg) {
            ; eor x9, X(a), X(b), lsl 7
            ; madd X(d), X(d), x9, X(a)
        }
        op Store(s: reg, slot: u3) { ; str X(s), [memory, slot * 8] }
        op Load(d: reg, slot: u3) { ; ldr X(d), [memory, slot * 8] }
        op Constant(d: reg, value: literal) { ; ldr X(d), =>value }
        op Constants(d: reg, one: literal, other: literal) {
            ; ldr x9, =>one
            ; ldr x10, =>other
            ; eor x9, x9, x10
            ; add X(d), X(d), x9
        }

        // Out of the trace.
        op Leave(id: u16) {
            ; movz x0, id
            ; br link
        }
        op Spend(out: exit) {
            ; cbz fuel, =>out
            ; sub fuel, fuel, 1
        }
        op GuardZero(s: reg, out: exit) { ; cbz X(s), =>out }
        op GuardBit(s: reg, bit: u6, out: exit) { ; tbnz X(s), bit, =>out }
        op GuardLess(a: reg, b: reg, out: exit) {
            ; cmp X(a), X(b)
            ; b.lo =>out
        }

        // Elsewhere in the trace.
        op SkipZero(s: reg, to: label) { ; cbz X(s), =>to }
        op SkipBit(s: reg, bit: u6, to: label) { ; tbz X(s), bit, =>to }
        op SkipLess(a: reg, b: reg, to: label) {
            ; cmp X(a), X(b)
            ; b.lo =>to
        }
        op Loop(top: label) {
            ; cbz fuel, >out
            ; sub fuel, fuel, 1
            ; b =>top
            ; out:
        }
        op LoopLess(top: label) {
            ; subs x9, fuel, 1
            ; csel fuel, x9, fuel, hs
            ; b.hs =>top
        }
        op LoopBit(top: label) {
            ; mov x9, 1
            ; cbz fuel, >out
            ; sub fuel, fuel, 1
            ; tbnz x9, 0, =>top
            ; out:
        }
        op Go(to: label) { ; b =>to }
        op GoBy(s: reg, to: label) {
            ; tbz X(s), 0, >end
            ; add XSP(s), XSP(s), 3
            ; end:
            ; b =>to
        }
        op Fork(s: reg, yes: label, no: label) {
            ; tbnz X(s), 1, =>yes
            ; b =>no
        }

        op Call(function: call, d: reg, a: reg) {
            ; mov x0, X(a)
            ; mov x1, X(d)
            ; bl =>function
            ; mov X(d), x0
        }

        op Nothing { }

        // Room between the others.
        op Pad(d: reg) {
            ; add XSP(d), XSP(d), 1
            ; add XSP(d), XSP(d), 2
            ; add XSP(d), XSP(d), 3
            ; add XSP(d), XSP(d), 4
            ; add XSP(d), XSP(d), 5
            ; add XSP(d), XSP(d), 6
        }
    }
}

pub(crate) mod beta {
    opstitch::uops! {
        pub(crate) enum Beta;

        registers { memory: x24, fuel: x25, link: x28 }

        op Word(d: reg, value: literal) { ; ldr W(d), =>value }
        op Signed(d: reg, value: literal) { ; ldrsw X(d), =>value }
        op Double(d: reg, value: literal) {
            ; ldr d0, =>value
            ; fmov x9, d0
            ; add X(d), X(d), x9
        }
        op Cell(d: reg, cell: mut literal) { ; ldr X(d), =>cell }
        op CellLate(d: reg, cell: mut literal) {
            ; add XSP(d), XSP(d), 1
            ; add XSP(d), XSP(d), 2
            ; add XSP(d), XSP(d), 3
            ; add XSP(d), XSP(d), 4
            ; add XSP(d), XSP(d), 5
            ; ldr x9, =>cell
            ; eor X(d), X(d), x9
        }

        op TailCall(function: call, a: reg) {
            ; mov x30, link
            ; mov x0, X(a)
            ; mov x1, 0
            ; b =>function
        }

        // Cold parts.
        op Slow(d: reg, n: u12) {
            ; tbz X(d), 0, >slow
            ; back:
            ; add XSP(d), XSP(d), 1
        } cold {
            ; slow:
            ; add XSP(d), XSP(d), n
            ; b <back
        }
        op SlowCall(function: call, d: reg, value: literal) {
            ; cbnz X(d), >slow
            ; done:
        } cold {
            ; slow:
            ; ldr x0, =>value
            ; mov x1, X(d)
            ; bl =>function
            ; mov X(d), x0
            ; cbnz x0, <done
            ; b <done
        }
        op SlowCell(d: reg, cell: mut literal) {
            ; tbz X(d), 5, >slow
            ; back:
        } cold {
            ; slow:
            ; ldr x9, =>cell
            ; add X(d), X(d), x9
            ; b <back
        }
        op SlowWays(d: reg, out: exit, to: label) {
            ; cmp X(d), fuel
            ; b.hi >slow
            ; again:
            ; add XSP(d), XSP(d), 5
        } cold {
            ; slow:
            ; tbz X(d), 3, =>out
            ; lsr X(d), X(d), 1
            ; tbz X(d), 2, <again
            ; cbz fuel, <again
            ; sub fuel, fuel, 1
            ; b =>to
        }
        op SlowLeave(s: reg, id: u16) {
            ; tbnz X(s), 4, >slow
        } cold {
            ; slow:
            ; movz x0, id
            ; br link
        }

        // Many references in one body.
        op Everything(d: reg, value: literal, cell: mut literal, out: exit, to: label, function: call) {
            ; ldr x9, =>value
            ; ldr x10, =>cell
            ; tbnz X(d), 6, =>out
            ; add x0, x9, x10
            ; mov x1, X(d)
            ; bl =>function
            ; cbz x0, =>to
            ; add X(d), X(d), x0
            ; tbz X(d), 7, >slow
            ; end:
        } cold {
            ; slow:
            ; ldr x9, =>value
            ; add X(d), X(d), x9
            ; cbnz x9, =>to
            ; b <end
        }
        op Long(d: reg, out: exit) {
            ; cbz X(d), =>out
            ; add XSP(d), XSP(d), 1
            ; add XSP(d), XSP(d), 2
            ; add XSP(d), XSP(d), 3
            ; add XSP(d), XSP(d), 4
            ; add XSP(d), XSP(d), 5
            ; add XSP(d), XSP(d), 6
            ; add XSP(d), XSP(d), 7
            ; add XSP(d), XSP(d), 8
            ; add XSP(d), XSP(d), 9
            ; add XSP(d), XSP(d), 10
            ; add XSP(d), XSP(d), 11
            ; add XSP(d), XSP(d), 12
        }
    }
}
