//! Which instructions leave the straight line.
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C4.1.92,
//! "Unconditional branch (register)" (`opc` in bits 24:21) and "Exception generation".

use super::branch;

/// What comes after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next instruction, always or if a condition fails.
    Next,
    /// A call through a register; then the next instruction.
    Call,
    /// Never the next instruction, and the way on cannot be seen here: `ret`, `br`, `brk`, `udf`.
    Leaves,
    /// Never the next instruction: `b`.
    Jump,
}

/// What comes after `word`.
pub(crate) const fn flow(word: u32) -> Flow {
    if branch::is_b(word) {
        return Flow::Jump;
    }
    if word & 0xfe00_0000 == 0xd600_0000 {
        return match word >> 21 & 0b1111 {
            0b0001 | 0b1001 => Flow::Call, // blr, blraa, blrab
            _ => Flow::Leaves, // br, ret, eret, drps and their pointer-authenticating kin
        };
    }
    let traps = word & 0xffe0_001f == 0xd420_0000 // brk
        || word & 0xffe0_001f == 0xd440_0000 // hlt
        || word >> 16 == 0; // udf
    if traps { Flow::Leaves } else { Flow::Next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_of_each_class() {
        assert_eq!(flow(0x1400_0000), Flow::Jump); // b
        assert_eq!(flow(0x9400_0000), Flow::Next); // bl
        assert_eq!(flow(0x5400_0006), Flow::Next); // b.vs
        assert_eq!(flow(0xd61f_0200), Flow::Leaves); // br x16
        assert_eq!(flow(0xd63f_0200), Flow::Call); // blr x16
        assert_eq!(flow(0xd65f_03c0), Flow::Leaves); // ret
        assert_eq!(flow(0xd65f_0bff), Flow::Leaves); // retaa
        assert_eq!(flow(0xd71f_0a11), Flow::Leaves); // braa x16, x17
        assert_eq!(flow(0xd73f_0a11), Flow::Call); // blraa x16, x17
        assert_eq!(flow(0xd69f_03e0), Flow::Leaves); // eret
        assert_eq!(flow(0xd420_0020), Flow::Leaves); // brk #1
        assert_eq!(flow(0x0000_0001), Flow::Leaves); // udf #1
        assert_eq!(flow(0xd400_0001), Flow::Next); // svc #0
        assert_eq!(flow(super::super::NOP), Flow::Next);
    }
}
