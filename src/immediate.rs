//! Which constants an instruction can hold, for choosing between micro-ops before one is pushed.

use dynasmrt::aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit};

use crate::asm::moves;

/// Whether a `logical32` operand can be `mask`: a run of ones, rotated, and repeated every 2, 4, 8, 16 or 32
/// bits (Arm ARM C4.1.93, "Logical (immediate)"). Neither 0 nor all ones is one.
///
/// ```
/// assert!(opstitch::immediate::is_logical32(0xff00));
/// assert!(!opstitch::immediate::is_logical32(0xff01));
/// ```
pub fn is_logical32(mask: u32) -> bool {
    encode_logical_immediate_32bit(mask).is_some()
}

/// Whether a `logical64` operand can be `mask`. See [`is_logical32`].
pub fn is_logical64(mask: u64) -> bool {
    encode_logical_immediate_64bit(mask).is_some()
}

/// Whether the load of a `literal` into an `x` register turns into one `movz`, `movn` or `orr`.
pub fn is_one_move(value: u64) -> bool {
    moves::move_x(0, value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_micro_op_takes_is_what_is_said() {
        assert!(is_logical32(0x5555_5555) && is_logical64(0x5555_5555_5555_5555));
        assert!(is_logical32(0x8000_0001) && !is_logical64(0x8000_0001));
        for all_or_none in [0, u64::MAX] {
            assert!(!is_logical32(all_or_none as u32) && !is_logical64(all_or_none));
            assert!(is_one_move(all_or_none));
        }
        assert!(is_one_move(0xabcd_0000) && is_one_move(0xff0) && !is_one_move(0x1_0001));
    }
}
