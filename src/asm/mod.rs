//! What opstitch knows of the A64 instruction set.
//!
//! One file per encoding class. An encoding rule or a range stands here and nowhere else; the
//! layers above speak of words and classes. Nothing here knows a micro-op or a trace.

pub(crate) mod branch;
pub(crate) mod control;
pub(crate) mod literal;
pub(crate) mod moves;

/// Bytes in an A64 instruction. Every length and offset of code is a multiple of it.
pub(crate) const WORD: u32 = 4;

/// `nop` (Arm ARM C6.2, NOP): one of the few instructions that may be rewritten while others run it.
pub(crate) const NOP: u32 = 0xd503_201f;

/// `bti c` (Arm ARM C6.2, BTI; `hint #34`): where `blr`, and `br x16` or `br x17`, may land on guarded pages.
/// A NOP on all others.
pub(crate) const BTI_C: u32 = 0xd503_245f;

/// `udf #0` (Arm ARM C6.2, UDF): fills words that are never run, so that running one traps.
pub(crate) const UDF: u32 = 0;

/// `br x16`, the second half of a trampoline. AAPCS64 6.1.1 leaves x16 to veneers.
const BR_X16: u32 = 0xd61f_0200;

/// `ldr x16, <literal>` with a displacement of zero, the first half of a trampoline.
const LDR_X16_LITERAL: u32 = 0x5800_0010;

/// The two instructions of a trampoline whose word is so many words behind the first.
pub(crate) fn trampoline(words: u32) -> [u8; 8] {
    let load = branch::Field::Imm19.with_displacement(LDR_X16_LITERAL, words.into());
    (u64::from(BR_X16) << 32 | u64::from(load)).to_le_bytes()
}
