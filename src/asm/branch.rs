//! PC-relative instructions: their displacement fields, and how far they reach.
//!
//! | class | field | bits | reach |
//! |---|---|---|---|
//! | `b`, `bl` | imm26 | 25:0 | +-128 MiB |
//! | `b.cond`, `cbz`, `cbnz`, `ldr` (literal) | imm19 | 23:5 | +-1 MiB |
//! | `tbz`, `tbnz` | imm14 | 18:5 | +-32 KiB |
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C4.1.92
//! "Branches, Exception Generating and System instructions" and C4.1.94 "Loads and Stores".

/// A displacement field, counted in words from the instruction itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Field {
    /// `b`, `bl`.
    #[default]
    Imm26,
    /// `b.cond`, `cbz`, `cbnz` and the literal loads.
    Imm19,
    /// `tbz`, `tbnz`.
    Imm14,
}

impl Field {
    const fn width(self) -> u32 {
        match self {
            Field::Imm26 => 26,
            Field::Imm19 => 19,
            Field::Imm14 => 14,
        }
    }

    /// The field's bits, where they are in the word.
    const fn mask(self) -> u32 {
        const MASKS: [u32; 3] = [0x03ff_ffff, 0x7_ffff << 5, 0x3fff << 5];
        MASKS[self as usize]
    }

    const fn shift(self) -> u32 {
        match self {
            Field::Imm26 => 0,
            Field::Imm19 | Field::Imm14 => 5,
        }
    }

    /// How far the architecture lets this class reach: displacements of `-reach ..= reach - 4` bytes.
    pub(crate) const fn reach(self) -> u32 {
        super::WORD << (self.width() - 1)
    }

    /// `word` with its displacement replaced by `words`.
    ///
    /// The caller has checked the range; a displacement outside it would lose its upper bits, so
    /// a debug build stops.
    pub(crate) const fn with_displacement(self, word: u32, words: i64) -> u32 {
        debug_assert!(
            words >= -(1 << (self.width() - 1)) && words < 1 << (self.width() - 1),
            "displacement out of the field's range"
        );
        let mask = self.mask();
        word & !mask | (words as u32) << self.shift() & mask
    }

    /// Writes a displacement into a word that has none yet, which takes less: the same as
    /// [`with_displacement`](Field::with_displacement) if what the word carries is zero.
    #[inline(always)]
    pub(crate) fn displace(self, word: &mut u32, words: i64) {
        debug_assert!(*word & self.mask() == 0, "there is a displacement");
        *word |= self.with_displacement(0, words);
    }

    /// The displacement that `word` carries, in words.
    #[cfg(any(test, feature = "inspect"))]
    pub(crate) const fn displacement(self, word: u32) -> i64 {
        let unused = 32 - self.width();
        (((word >> self.shift()) << unused) as i32 >> unused) as i64
    }
}

/// `b` over `words` words, counted from the branch itself.
pub(crate) const fn b(words: i64) -> u32 {
    Field::Imm26.with_displacement(0x1400_0000, words)
}

/// Which PC-relative branch `word` is, if it is one.
#[cfg(any(test, feature = "inspect"))]
pub(crate) const fn branch_field(word: u32) -> Option<Field> {
    if word >> 26 == 0b00_0101 || word >> 26 == 0b10_0101 {
        Some(Field::Imm26)
    } else if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        Some(Field::Imm19)
    } else if word & 0x7e00_0000 == 0x3600_0000 {
        Some(Field::Imm14)
    } else {
        None
    }
}

/// Whether `word` is `bl`.
pub(crate) const fn is_bl(word: u32) -> bool {
    word >> 26 == 0b10_0101
}

/// Whether `word` is `b`.
pub(crate) const fn is_b(word: u32) -> bool {
    word >> 26 == 0b00_0101
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_what_the_architecture_says() {
        assert_eq!(Field::Imm26.reach(), 128 << 20);
        assert_eq!(Field::Imm19.reach(), 1 << 20);
        assert_eq!(Field::Imm14.reach(), 32 << 10);
    }

    #[test]
    fn branches_over_two_words() {
        assert_eq!(b(2), 0x1400_0002);
        assert_eq!(b(-1), 0x17ff_ffff);
        assert_eq!(Field::Imm19.with_displacement(0x5400_0006, 2), 0x5400_0046); // b.vs #8
        assert_eq!(Field::Imm14.with_displacement(0xb6f8_0009, -2), 0xb6ff_ffc9); // tbz x9, #63, #-8
    }

    #[test]
    fn a_displacement_read_back_is_the_one_written() {
        for field in [Field::Imm26, Field::Imm19, Field::Imm14] {
            let limit = i64::from(field.reach() / 4);
            for words in [-limit, -1, 0, 1, limit - 1] {
                let word = field.with_displacement(0, words);
                assert_eq!(field.displacement(word), words);
                assert_eq!(field.with_displacement(word, 0), 0);
            }
        }
    }

    #[test]
    fn classes_are_told_apart() {
        assert_eq!(branch_field(0x1400_0000), Some(Field::Imm26)); // b
        assert_eq!(branch_field(0x9400_0000), Some(Field::Imm26)); // bl
        assert_eq!(branch_field(0x5400_0006), Some(Field::Imm19)); // b.vs
        assert_eq!(branch_field(0xb400_0009), Some(Field::Imm19)); // cbz x9
        assert_eq!(branch_field(0x3500_0009), Some(Field::Imm19)); // cbnz w9
        assert_eq!(branch_field(0xb6f8_0009), Some(Field::Imm14)); // tbz x9, #63
        assert_eq!(branch_field(0x3700_0009), Some(Field::Imm14)); // tbnz w9, #0
        assert_eq!(branch_field(0xd61f_0200), None); // br x16
        assert_eq!(branch_field(0x5800_0010), None); // ldr x16, literal
    }
}
