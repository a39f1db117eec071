//! Arithmetic, logic, shifts, moves, byte swaps and constants.
//!
//! eBPF writes its left operand; these take the result's register apart from it, so that a move
//! and the operation behind it become one instruction.

opstitch::uops! {
    pub enum Op;

    op Add(dst: reg, left: reg, right: reg) { ; add X(dst), X(left), X(right) }
    op Add32(dst: reg, left: reg, right: reg) { ; add W(dst), W(left), W(right) }
    op Sub(dst: reg, left: reg, right: reg) { ; sub X(dst), X(left), X(right) }
    op Sub32(dst: reg, left: reg, right: reg) { ; sub W(dst), W(left), W(right) }
    op Mul(dst: reg, left: reg, right: reg) { ; mul X(dst), X(left), X(right) }
    op Mul32(dst: reg, left: reg, right: reg) { ; mul W(dst), W(left), W(right) }
    op Div(dst: reg, left: reg, right: reg) { ; udiv X(dst), X(left), X(right) }
    op Div32(dst: reg, left: reg, right: reg) { ; udiv W(dst), W(left), W(right) }
    op SignedDiv(dst: reg, left: reg, right: reg) { ; sdiv X(dst), X(left), X(right) }
    op SignedDiv32(dst: reg, left: reg, right: reg) { ; sdiv W(dst), W(left), W(right) }
    op Or(dst: reg, left: reg, right: reg) { ; orr X(dst), X(left), X(right) }
    op Or32(dst: reg, left: reg, right: reg) { ; orr W(dst), W(left), W(right) }
    op And(dst: reg, left: reg, right: reg) { ; and X(dst), X(left), X(right) }
    op And32(dst: reg, left: reg, right: reg) { ; and W(dst), W(left), W(right) }
    op Xor(dst: reg, left: reg, right: reg) { ; eor X(dst), X(left), X(right) }
    op Xor32(dst: reg, left: reg, right: reg) { ; eor W(dst), W(left), W(right) }
    // Shifts by a register use its lowest 6 or 5 bits, here as in the RFC.
    op ShiftLeft(dst: reg, left: reg, right: reg) { ; lsl X(dst), X(left), X(right) }
    op ShiftLeft32(dst: reg, left: reg, right: reg) { ; lsl W(dst), W(left), W(right) }
    op ShiftRight(dst: reg, left: reg, right: reg) { ; lsr X(dst), X(left), X(right) }
    op ShiftRight32(dst: reg, left: reg, right: reg) { ; lsr W(dst), W(left), W(right) }
    op ShiftRightSigned(dst: reg, left: reg, right: reg) { ; asr X(dst), X(left), X(right) }
    op ShiftRightSigned32(dst: reg, left: reg, right: reg) { ; asr W(dst), W(left), W(right) }
    op Neg(dst: reg, right: reg) { ; neg X(dst), X(right) }
    op Neg32(dst: reg, right: reg) { ; neg W(dst), W(right) }

    op Not(dst: reg, right: reg) { ; mvn X(dst), X(right) }
    op Not32(dst: reg, right: reg) { ; mvn W(dst), W(right) }

    /// The remainder; of a division by zero, `left`.
    op Mod(dst: reg, left: reg, right: reg) {
        ; udiv x11, X(left), X(right)
        ; msub X(dst), x11, X(right), X(left)
    }
    op Mod32(dst: reg, left: reg, right: reg) {
        ; udiv w11, W(left), W(right)
        ; msub W(dst), w11, W(right), W(left)
    }
    /// The remainder of a division that rounds towards zero.
    op SignedMod(dst: reg, left: reg, right: reg) {
        ; sdiv x11, X(left), X(right)
        ; msub X(dst), x11, X(right), X(left)
    }
    op SignedMod32(dst: reg, left: reg, right: reg) {
        ; sdiv w11, W(left), W(right)
        ; msub W(dst), w11, W(right), W(left)
    }

    op AddImmediate(dst: reg, left: reg, right: u12) { ; add XSP(dst), XSP(left), right }
    op AddImmediate32(dst: reg, left: reg, right: u12) { ; add WSP(dst), WSP(left), right }
    op SubImmediate(dst: reg, left: reg, right: u12) { ; sub XSP(dst), XSP(left), right }
    op SubImmediate32(dst: reg, left: reg, right: u12) { ; sub WSP(dst), WSP(left), right }
    /// Adds `right` times 4096.
    op AddPages(dst: reg, left: reg, right: u12) { ; add XSP(dst), XSP(left), right, lsl #12 }
    op AddPages32(dst: reg, left: reg, right: u12) { ; add WSP(dst), WSP(left), right, lsl #12 }
    op SubPages(dst: reg, left: reg, right: u12) { ; sub XSP(dst), XSP(left), right, lsl #12 }
    op SubPages32(dst: reg, left: reg, right: u12) { ; sub WSP(dst), WSP(left), right, lsl #12 }
    op OrImmediate(dst: reg, left: reg, mask: logical64) { ; orr XSP(dst), X(left), mask }
    op OrImmediate32(dst: reg, left: reg, mask: logical32) { ; orr WSP(dst), W(left), mask }
    op AndImmediate(dst: reg, left: reg, mask: logical64) { ; and XSP(dst), X(left), mask }
    op AndImmediate32(dst: reg, left: reg, mask: logical32) { ; and WSP(dst), W(left), mask }
    op XorImmediate(dst: reg, left: reg, mask: logical64) { ; eor XSP(dst), X(left), mask }
    op XorImmediate32(dst: reg, left: reg, mask: logical32) { ; eor WSP(dst), W(left), mask }
    op ShiftLeftImmediate(dst: reg, left: reg, by: u6) { ; lsl X(dst), X(left), by }
    op ShiftLeftImmediate32(dst: reg, left: reg, by: u5) { ; lsl W(dst), W(left), by }
    op ShiftRightImmediate(dst: reg, left: reg, by: u6) { ; lsr X(dst), X(left), by }
    op ShiftRightImmediate32(dst: reg, left: reg, by: u5) { ; lsr W(dst), W(left), by }
    op ShiftRightSignedImmediate(dst: reg, left: reg, by: u6) { ; asr X(dst), X(left), by }
    op ShiftRightSignedImmediate32(dst: reg, left: reg, by: u5) { ; asr W(dst), W(left), by }

    op Mov(dst: reg, src: reg) { ; mov X(dst), X(src) }
    /// Moves the lower half, and clears the upper one.
    op Mov32(dst: reg, src: reg) { ; mov W(dst), W(src) }
    op SignExtend8(dst: reg, src: reg) { ; sxtb X(dst), W(src) }
    op SignExtend16(dst: reg, src: reg) { ; sxth X(dst), W(src) }
    op SignExtend32(dst: reg, src: reg) { ; sxtw X(dst), W(src) }
    op SignExtend8To32(dst: reg, src: reg) { ; sxtb W(dst), W(src) }
    op SignExtend16To32(dst: reg, src: reg) { ; sxth W(dst), W(src) }
    op ZeroExtend16(dst: reg, src: reg) { ; uxth W(dst), W(src) }

    op Swap16(dst: reg, src: reg) {
        ; rev W(dst), W(src)
        ; lsr W(dst), W(dst), #16
    }
    /// Swaps the bytes of a number that is known to have 16 bits.
    op SwapShort(dst: reg, src: reg) { ; rev16 W(dst), W(src) }
    op Swap32(dst: reg, src: reg) { ; rev W(dst), W(src) }
    op Swap64(dst: reg, src: reg) { ; rev X(dst), X(src) }

    op ConstantLow(dst: reg, value: u16) { ; movz X(dst), value }
    op ConstantNot(dst: reg, not_value: u16) { ; movn X(dst), not_value }
    /// A constant of any size. Where one `movz`, `movn` or `orr` can make it, that is what it becomes.
    op Constant(dst: reg, value: literal) { ; ldr X(dst), =>value }
    /// A constant of 32 bits.
    op ConstantPair(dst: reg, low: u16, high: u16) {
        ; movz X(dst), low
        ; movk X(dst), high, lsl #16
    }
    /// The complement of a constant of 32 bits. `high` is what bits 31 to 16 shall be.
    op NegativePair(dst: reg, not_low: u16, high: u16) {
        ; movn X(dst), not_low
        ; movk X(dst), high, lsl #16
    }
}
