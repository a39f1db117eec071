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

/// Words of a trampoline.
pub(crate) const TRAMPOLINE: u32 = 2;

/// The two instructions of a trampoline whose word is so many words behind the first, the first in the lower half.
pub(crate) fn trampoline(words: u32) -> u64 {
    let load = branch::Field::Imm19.with_displacement(LDR_X16_LITERAL, words.into());
    u64::from(BR_X16) << 32 | u64::from(load)
}

/// A word of code as whoever keeps it has it.
pub(crate) trait CodeWord: Copy {
    fn of(word: u32) -> Self;

    /// Two of them, the lower half first, as words are in a literal.
    fn pair(words: u64) -> [Self; 2];

    fn word(self) -> u32;
}

impl CodeWord for u32 {
    #[inline(always)]
    fn of(word: u32) -> u32 {
        word
    }

    #[inline(always)]
    fn pair(words: u64) -> [u32; 2] {
        [words as u32, (words >> 32) as u32]
    }

    #[inline(always)]
    fn word(self) -> u32 {
        self
    }
}

/// As it is in memory: instructions are little-endian whatever data are (Arm ARM, "Instruction endianness").
impl CodeWord for [u8; WORD as usize] {
    #[inline(always)]
    fn of(word: u32) -> Self {
        word.to_le_bytes()
    }

    #[inline(always)]
    fn pair(words: u64) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = words.to_le_bytes();
        [[a, b, c, d], [e, f, g, h]]
    }

    #[inline(always)]
    fn word(self) -> u32 {
        u32::from_le_bytes(self)
    }
}

/// Words of code as they are in memory, where that is as the host has its integers.
#[cfg(target_endian = "little")]
#[allow(unsafe_code)]
pub(crate) fn bytes_of(words: &[u32]) -> &[u8] {
    // SAFETY: the bytes of integers are bytes, which lie anywhere; their borrow is that of the words.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
