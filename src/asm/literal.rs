//! The literal loads: `ldr <register>, =>literal` and its kin.
//!
//! | bits 31:30 (opc) | bit 26 (V) | instruction |
//! |---|---|---|
//! | 00 | 0 | `ldr w` |
//! | 01 | 0 | `ldr x` |
//! | 10 | 0 | `ldrsw x` |
//! | 11 | 0 | `prfm` |
//! | 00, 01, 10 | 1 | `ldr s`, `ldr d`, `ldr q` |
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C4.1.94,
//! "Load register (literal)".

use super::moves;

/// What a literal load reads from its word, and into what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Load {
    /// `ldr w`: the lower 32 bits.
    W,
    /// `ldr x`: all 64 bits.
    X,
    /// `ldrsw x`: the lower 32 bits, sign-extended.
    Sw,
    /// `prfm`: nothing; only the place counts.
    Prefetch,
    /// `ldr s`: the lower 32 bits.
    S,
    /// `ldr d`: all 64 bits.
    D,
    /// `ldr q`: 128 bits, which no literal operand has.
    Q,
}

impl Load {
    /// The literal load that `word` is, if it is one.
    pub(crate) const fn of(word: u32) -> Option<Load> {
        if word & 0x3b00_0000 != 0x1800_0000 {
            return None;
        }
        Some(match (word >> 30, word >> 26 & 1) {
            (0b00, 0) => Load::W,
            (0b01, 0) => Load::X,
            (0b10, 0) => Load::Sw,
            (0b11, 0) => Load::Prefetch,
            (0b00, _) => Load::S,
            (0b01, _) => Load::D,
            (0b10, _) => Load::Q,
            _ => return None,
        })
    }

    /// The one instruction that puts what this load would read from a word holding `value` into
    /// `word`'s register, if there is one. It takes the place of the load, and the word is not
    /// needed.
    pub(crate) fn relaxed(self, word: u32, value: u64) -> Option<u32> {
        let register = word & 0x1f;
        match self {
            Load::X => moves::move_x(register, value),
            Load::Sw => moves::move_x(register, value as u32 as i32 as i64 as u64),
            Load::W => moves::move_w(register, value as u32),
            Load::S | Load::D | Load::Q | Load::Prefetch => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_told_apart() {
        assert_eq!(Load::of(0x1800_0009), Some(Load::W));
        assert_eq!(Load::of(0x5800_0009), Some(Load::X));
        assert_eq!(Load::of(0x9800_0009), Some(Load::Sw));
        assert_eq!(Load::of(0xd800_0009), Some(Load::Prefetch));
        assert_eq!(Load::of(0x1c00_0009), Some(Load::S));
        assert_eq!(Load::of(0x5c00_0009), Some(Load::D));
        assert_eq!(Load::of(0x9c00_0009), Some(Load::Q));
        assert_eq!(Load::of(0xdc00_0009), None); // unallocated
        assert_eq!(Load::of(0xf940_0009), None); // ldr x9, [x0]
    }

    #[test]
    fn a_load_relaxes_to_what_it_would_have_read() {
        assert_eq!(Load::X.relaxed(0x5800_0009, 1), Some(0xd280_0029)); // movz x9, #1
        assert_eq!(Load::W.relaxed(0x1800_0009, 1), Some(0x5280_0029)); // movz w9, #1
        assert_eq!(
            Load::Sw.relaxed(0x9800_0009, 0xffff_ffff),
            Some(0x9280_0009)
        ); // movn x9, #0
        assert_eq!(Load::X.relaxed(0x5800_0009, 0xffff_ffff), Some(0xb240_7fe9)); // mov x9, #0xffffffff
        assert_eq!(Load::X.relaxed(0x5800_0009, 0x1234_5678), None);
        assert_eq!(Load::D.relaxed(0x5c00_0009, 0), None);
        assert_eq!(Load::Prefetch.relaxed(0xd800_0000, 0), None);
    }
}
