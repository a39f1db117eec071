//! A decoder of the few instructions that the checks look at, independent of the library's.

use std::collections::HashMap;
use std::sync::OnceLock;

pub(crate) const NOP: u32 = 0xd503_201f;
pub(crate) const BR_X16: u32 = 0xd61f_0200;

/// An instruction that names a place by its distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    B,
    Bl,
    /// `b.cond`, `cbz`, `cbnz`.
    Conditional,
    /// `tbz`, `tbnz`.
    Test,
    /// `ldr` from a literal and its kin.
    Load,
}

/// What `word` is, and how far away its place is, in bytes.
pub(crate) fn decode(word: u32) -> Option<(Kind, i64)> {
    let signed = |lowest: u32, width: u32| {
        let field = word << (32 - lowest - width);
        i64::from(field as i32 >> (32 - width)) * 4
    };
    Some(match word >> 24 {
        0x14..=0x17 => (Kind::B, signed(0, 26)),
        0x94..=0x97 => (Kind::Bl, signed(0, 26)),
        0x54 | 0x34 | 0x35 | 0xb4 | 0xb5 => (Kind::Conditional, signed(5, 19)),
        0x36 | 0x37 | 0xb6 | 0xb7 => (Kind::Test, signed(5, 14)),
        0x18 | 0x58 | 0x98 | 0xd8 | 0x1c | 0x5c | 0x9c => (Kind::Load, signed(5, 19)),
        _ => return None,
    })
}

/// The value that `word` puts into its register: `movz`, `movn`, or `orr` of the zero register.
pub(crate) fn moved(word: u32) -> Option<u64> {
    let lanes = u64::from(word >> 5 & 0xffff) << (16 * (word >> 21 & 3));
    let logical = || {
        let field = word >> 10 & 0x1fff;
        let masks = logical_immediates();
        masks
            .iter()
            .find(|&(_, &f)| f == field)
            .map(|(&mask, _)| mask)
    };
    let (value, wide) = match word >> 23 {
        0x1a5 => (lanes, true),
        0x0a5 => (lanes, false),
        0x125 => (!lanes, true),
        0x025 => (!lanes, false),
        0x164 if word >> 5 & 31 == 31 => (logical()?, true),
        0x064 if word >> 5 & 31 == 31 => (logical()?, false),
        _ => return None,
    };
    Some(if wide { value } else { value & 0xffff_ffff })
}

/// Whether one instruction puts a value into a register of 64 or of 32 bits.
pub(crate) fn is_movable(value: u64, wide: bool) -> bool {
    let (lanes, ones) = if wide {
        (4, u64::MAX)
    } else {
        (2, 0xffff_ffff)
    };
    let in_one_lane = |value: u64| (0..lanes).any(|lane| value & !(0xffff << (16 * lane)) == 0);
    let twice = if wide { value } else { value | value << 32 };
    in_one_lane(value) || in_one_lane(!value & ones) || logical_immediates().contains_key(&twice)
}

/// Every value that is a rotated run of ones, repeated, and its field `N:immr:imms`.
fn logical_immediates() -> &'static HashMap<u64, u32> {
    static ALL: OnceLock<HashMap<u64, u32>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = HashMap::new();
        for size in [2u32, 4, 8, 16, 32, 64] {
            for ones in 1..size {
                for rotation in 0..size {
                    let run = (1u64 << ones) - 1;
                    let mask = if size == 64 {
                        u64::MAX
                    } else {
                        (1 << size) - 1
                    };
                    let turned = if rotation == 0 {
                        run
                    } else {
                        (run >> rotation | run << (size - rotation)) & mask
                    };
                    let value = (0..64 / size).fold(0, |value, n| value | turned << (n * size));
                    let sizes = !(2 * size - 1) & 0x3f;
                    let n = u32::from(size == 64);
                    all.insert(value, n << 12 | rotation << 6 | sizes | (ones - 1));
                }
            }
        }
        all
    })
}

#[test]
fn there_are_5334_logical_immediates() {
    assert_eq!(logical_immediates().len(), 5334);
    assert_eq!(moved(0xb200_f3e9), Some(0x5555_5555_5555_5555)); // orr x9, xzr, #0x5555555555555555
    assert_eq!(moved(0x3218_3fe9), Some(0x00ff_ff00)); // orr w9, wzr, #0xffff00
    assert_eq!(moved(0x92a0_00a9), Some(!(5 << 16))); // movn x9, #5, lsl #16
    assert_eq!(moved(0xd295_79a9), Some(0xabcd)); // movz x9, #0xabcd
}
