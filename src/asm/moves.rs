//! Constants that one instruction can make.
//!
//! | form | bits 31:23 | makes |
//! |---|---|---|
//! | `movn` | sf 00 100101 | the complement of 16 bits, shifted by 0, 16, 32 or 48 |
//! | `movz` | sf 10 100101 | 16 bits, shifted by 0, 16, 32 or 48 |
//! | `orr rd, zr, #imm` | sf 01 100100 | a logical immediate: a repeated, rotated run of ones |
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C4.1.93, "Move wide
//! (immediate)" and "Logical (immediate)".

use dynasmrt::aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit};

const SF: u32 = 1 << 31;
const MOVN: u32 = 0x1280_0000;
const MOVZ: u32 = 0x5280_0000;
const ORR_FROM_ZERO: u32 = 0x3200_03e0;

/// The `hw:imm16` field that makes `value`, if all its ones lie in one 16-bit lane below `lanes`.
#[inline]
fn wide(value: u64, lanes: u32) -> Option<u32> {
    (0..lanes)
        .find(|lane| value & !(0xffff << (16 * lane)) == 0)
        .map(|lane| lane << 21 | ((value >> (16 * lane)) as u32) << 5)
}

/// The one instruction that sets `x<register>` to `value`, if there is one.
///
/// `register` must not be 31: `orr` would write the stack pointer, the other two nothing.
pub(crate) fn move_x(register: u32, value: u64) -> Option<u32> {
    if register == 31 {
        return None;
    }
    let word = if let Some(field) = wide(value, 4) {
        MOVZ | field
    } else if let Some(field) = wide(!value, 4) {
        MOVN | field
    } else {
        ORR_FROM_ZERO | u32::from(encode_logical_immediate_64bit(value)?) << 10
    };
    Some(SF | word | register)
}

/// The one instruction that sets `w<register>` to `value`, if there is one. See [`move_x`].
pub(crate) fn move_w(register: u32, value: u32) -> Option<u32> {
    if register == 31 {
        return None;
    }
    let word = if let Some(field) = wide(value.into(), 2) {
        MOVZ | field
    } else if let Some(field) = wide((!value).into(), 2) {
        MOVN | field
    } else {
        ORR_FROM_ZERO | u32::from(encode_logical_immediate_32bit(value)?) << 10
    };
    Some(word | register)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        assert_eq!(move_x(9, 0), Some(0xd280_0009)); // movz x9, #0
        assert_eq!(move_x(9, 0xabcd), Some(0xd295_79a9)); // movz x9, #0xabcd
        assert_eq!(move_x(9, 0xabcd << 48), Some(0xd2f5_79a9)); // movz x9, #0xabcd, lsl #48
        assert_eq!(move_x(9, u64::MAX), Some(0x9280_0009)); // movn x9, #0
        assert_eq!(move_x(9, !(5 << 16)), Some(0x92a0_00a9)); // movn x9, #5, lsl #16
        assert_eq!(move_x(9, 0x5555_5555_5555_5555), Some(0xb200_f3e9)); // orr x9, xzr, #0x5555555555555555
        assert_eq!(move_x(9, 0x1_0001), None);
        assert_eq!(move_w(9, 0xffff_fffe), Some(0x1280_0029)); // movn w9, #1
        assert_eq!(move_w(9, 0x00ff_ff00), Some(0x3218_3fe9)); // orr w9, wzr, #0xffff00
        assert_eq!(move_w(9, 0x1234_5678), None);
    }

    #[test]
    fn register_31_is_never_written() {
        assert_eq!(move_x(31, 0), None);
        assert_eq!(move_w(31, 0), None);
    }
}
