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

/// The loads of one word that read only its lower half: they limit what it may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HalfLoads {
    zero_extended: bool,
    sign_extended: bool,
}

impl HalfLoads {
    /// Takes one more load into account.
    pub(crate) fn add(&mut self, load: Load) {
        match load {
            Load::W | Load::S => self.zero_extended = true,
            Load::Sw => self.sign_extended = true,
            Load::X | Load::D | Load::Q | Load::Prefetch => {}
        }
    }

    /// What the word may hold; `None` if anything.
    pub(crate) fn range(self) -> Option<(i64, i64)> {
        let (unsigned, signed) = (u32::MAX.into(), i32::MAX.into());
        match (self.zero_extended, self.sign_extended) {
            (false, false) => None,
            (true, false) => Some((0, unsigned)),
            (false, true) => Some((i32::MIN.into(), signed)),
            (true, true) => Some((0, signed)),
        }
    }

    /// The range that `value` is outside of, if it is.
    pub(crate) fn refuses(self, value: u64) -> Option<(i64, i64)> {
        let value = value as i64;
        self.range()
            .filter(|&(min, max)| value < min || value > max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_what_all_its_loads_read() {
        let of = |loads: &[Load]| {
            let mut all = HalfLoads::default();
            loads.iter().for_each(|&load| all.add(load));
            all
        };
        let low = -0x8000_0000i64 as u64;
        for (loads, right, wrong) in [
            (
                &[Load::X, Load::D, Load::Prefetch][..],
                &[0, u64::MAX][..],
                &[][..],
            ),
            (
                &[Load::W, Load::X],
                &[0, 0xffff_ffff],
                &[1 << 32, u64::MAX, 1 << 63],
            ),
            (&[Load::S], &[0, 0xffff_ffff], &[1 << 32]),
            (
                &[Load::Sw],
                &[0x7fff_ffff, low, u64::MAX],
                &[1 << 31, low - 1, 1 << 63],
            ),
            (
                &[Load::Sw, Load::W],
                &[0, 0x7fff_ffff],
                &[1 << 31, u64::MAX],
            ),
        ] {
            for &value in right {
                assert_eq!(of(loads).refuses(value), None, "{loads:?} {value:#x}");
            }
            for &value in wrong {
                assert!(of(loads).refuses(value).is_some(), "{loads:?} {value:#x}");
            }
        }
    }

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
