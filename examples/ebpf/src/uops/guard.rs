//! The checks of the safe default, and the ways out when one fails.
//!
//! An access is first held against the program's input, which is where most go: two instructions and a branch.
//! Everything else is looked up in the list of regions, out of line. `limit` is a register: [`ONE`] for
//! accesses of one byte, [`EIGHT`] for the others. That is too strict for 2 and 4 bytes at the input's
//! very end, which the list then allows.
//!
//! A check leaves the address in x9, and the micro-op of the access then uses that.

use opstitch::Reg;

use crate::context;

/// The number of offsets in the input at which one byte can be accessed: its length.
pub const ONE: Reg = Reg(26);
/// The number of offsets at which eight bytes can be accessed.
pub const EIGHT: Reg = Reg(27);

opstitch::uops! {
    pub enum Op;
    registers { budget: x24, input: x25, one: x26, eight: x27, context: x28 }

    const BUDGET: u12 * 8 = context::BUDGET;
    const INPUT: u6 * 8 = context::INPUT;
    const EIGHT_LIMIT: u12 * 8 = context::EIGHT_LIMIT;
    const REGIONS: u12 = context::REGIONS;
    const MISALIGNED = 0x1_0000_0000;
    const OUT_OF_BUDGET = 0x2_0000_0000;

    /// Loads what the checks need, at the entry.
    op LoadGuards {
        ; ldr budget, [context, BUDGET]
        ; ldp input, one, [context, INPUT]
        ; ldr eight, [context, EIGHT_LIMIT]
    }

    /// Checks an access of `size` bytes at `base`.
    op Check(base: reg, limit: reg, size: u4, pc: literal, search: label) {
        ; sub x10, X(base), input
        ; cmp x10, X(limit)
        ; b.hs >elsewhere
        ; done:
    } cold {
        ; elsewhere:
        ; mov x9, X(base)
        ; movz w10, size
        ; ldr w11, =>pc
        ; bl =>search
        ; b <done
    }
    /// The same at `base + offset`.
    op CheckAbove(base: reg, offset: u12, limit: reg, size: u4, pc: literal, search: label) {
        ; add x9, XSP(base), offset
        ; sub x10, x9, input
        ; cmp x10, X(limit)
        ; b.hs >elsewhere
        ; done:
    } cold {
        ; elsewhere:
        ; movz w10, size
        ; ldr w11, =>pc
        ; bl =>search
        ; b <done
    }
    /// The same at `base - offset`.
    op CheckBelow(base: reg, offset: u12, limit: reg, size: u4, pc: literal, search: label) {
        ; sub x9, XSP(base), offset
        ; sub x10, x9, input
        ; cmp x10, X(limit)
        ; b.hs >elsewhere
        ; done:
    } cold {
        ; elsewhere:
        ; movz w10, size
        ; ldr w11, =>pc
        ; bl =>search
        ; b <done
    }

    /// An address further from its base than a micro-op can say.
    op FarAddress(base: reg, offset: literal) {
        ; ldr x9, =>offset
        ; add x9, X(base), x9
    }

    /// Atomic operations want addresses that are multiples of their size, of which `mask` is one less.
    op CheckAligned(address: reg, mask: logical64, pc: literal, misaligned: exit) {
        ; tst X(address), mask
        ; b.ne >bad
    } cold {
        ; bad:
        ; mov x9, X(address)
        ; ldr w11, =>pc
        ; b =>misaligned
    }

    /// Looks for a region in which x10 bytes at x9 lie. Called by the checks; returns if there is one.
    op SearchRegions(outside: exit) {
        ; add x12, context, REGIONS
        ; next:
        ; ldp x13, x14, [x12], #16
        ; cbz x14, =>outside // the list's end: a length of 0
        ; sub x13, x9, x13
        ; subs x14, x14, x13 // what is left of the region behind the address
        ; ccmp x14, x10, #0, hs
        ; b.lo <next
        ; ret
    }

    /// A jump backwards over `cost` instructions, or the call of a function that has so many.
    op Draw(cost: u12, pc: literal, exhausted: exit) {
        ; subs budget, budget, cost
        ; b.lo >none
    } cold {
        ; none:
        ; ldr w11, =>pc
        ; b =>exhausted
    }
    op DrawMuch(cost: literal, pc: literal, exhausted: exit) {
        ; ldr x9, =>cost
        ; subs budget, budget, x9
        ; b.lo >none
    } cold {
        ; none:
        ; ldr w11, =>pc
        ; b =>exhausted
    }

    /// An exit: the instruction at w11 accessed what it may not, at x9. In x1 goes one more than the
    /// instruction's number, since 0 says that the program has ended.
    op OutOfBounds {
        ; mov x0, x9
        ; add w1, w11, #1
    }
    /// An exit: the address x9 is not a multiple of the size.
    op Misaligned {
        ; mov x0, x9
        ; add w1, w11, #1
        ; orr x1, x1, MISALIGNED
    }
    /// An exit: the budget does not allow the jump or call at w11.
    op OutOfBudget {
        ; add w1, w11, #1
        ; orr x1, x1, OUT_OF_BUDGET
    }
}
