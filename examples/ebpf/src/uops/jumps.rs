//! Jumps and calls. A conditional jump is a comparison and a branch on its flags, or one instruction
//! where a register is compared with zero or a single bit is tested.

opstitch::uops! {
    pub enum Op;
    registers { r0: x0, context: x28 }

    op Compare(left: reg, right: reg) { ; cmp X(left), X(right) }
    op Compare32(left: reg, right: reg) { ; cmp W(left), W(right) }
    op CompareImmediate(left: reg, right: u12) { ; cmp XSP(left), right }
    op CompareImmediate32(left: reg, right: u12) { ; cmp WSP(left), right }
    /// Compares with the negative of `right`. (Not for zero: there the carry would differ.)
    op CompareNegative(left: reg, right: u12 in 1..=4095) { ; cmn XSP(left), right }
    op CompareNegative32(left: reg, right: u12 in 1..=4095) { ; cmn WSP(left), right }
    op Test(left: reg, right: reg) { ; tst X(left), X(right) }
    op Test32(left: reg, right: reg) { ; tst W(left), W(right) }
    op TestImmediate(left: reg, mask: logical64) { ; tst X(left), mask }
    op TestImmediate32(left: reg, mask: logical32) { ; tst W(left), mask }

    op BranchEqual(to: label) { ; b.eq =>to }
    op BranchNotEqual(to: label) { ; b.ne =>to }
    op BranchAbove(to: label) { ; b.hi =>to }
    op BranchAboveOrEqual(to: label) { ; b.hs =>to }
    op BranchBelow(to: label) { ; b.lo =>to }
    op BranchBelowOrEqual(to: label) { ; b.ls =>to }
    op BranchGreater(to: label) { ; b.gt =>to }
    op BranchGreaterOrEqual(to: label) { ; b.ge =>to }
    op BranchLess(to: label) { ; b.lt =>to }
    op BranchLessOrEqual(to: label) { ; b.le =>to }

    op BranchZero(value: reg, to: label) { ; cbz X(value), =>to }
    op BranchZero32(value: reg, to: label) { ; cbz W(value), =>to }
    op BranchNotZero(value: reg, to: label) { ; cbnz X(value), =>to }
    op BranchNotZero32(value: reg, to: label) { ; cbnz W(value), =>to }
    op BranchBitSet(value: reg, bit: u6, to: label) { ; tbnz X(value), bit, =>to }
    op BranchBitClear(value: reg, bit: u6, to: label) { ; tbz X(value), bit, =>to }

    op Jump(to: label) { ; b =>to }

    /// Calls a helper: `extern "C" fn(context, r1, r2, r3, r4, r5) -> r0`.
    op CallHelper(helper: call) {
        ; mov x0, context
        ; bl =>helper
    }
    /// Calls a helper that ends the program by returning 0.
    op CallEndingHelper(helper: call, ended: exit) {
        ; mov x0, context
        ; bl =>helper
        ; cbz r0, =>ended
    }
    /// Calls a function of the program.
    op CallLocal(function: label) { ; bl =>function }
}
