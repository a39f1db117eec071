//! Sets of registers.

use std::fmt;

/// A register, or what is treated like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    /// x0 to x30.
    X(u8),
    /// The stack pointer.
    Sp,
    /// v0 to v31.
    V(u8),
    /// The condition flags.
    Flags,
    /// The register that a `reg` or `vreg` operand names when the micro-op is pushed.
    Operand(u8),
}

const SP: u32 = 31;
const V: u32 = 32;
const FLAGS: u32 = 64;
const OPERANDS: u32 = 65;

impl Register {
    /// How many operands have a place in a [`Set`].
    pub(super) const OPERANDS: u8 = (u128::BITS - OPERANDS) as u8;

    const fn bit(self) -> u32 {
        match self {
            Register::X(number) => number as u32 & 31,
            Register::Sp => SP,
            Register::V(number) => V + (number as u32 & 31),
            Register::Flags => FLAGS,
            Register::Operand(index) => OPERANDS + (index % Self::OPERANDS) as u32,
        }
    }

    const fn from_bit(bit: u32) -> Register {
        match bit {
            SP => Register::Sp,
            FLAGS => Register::Flags,
            0..SP => Register::X(bit as u8),
            V..FLAGS => Register::V((bit - V) as u8),
            _ => Register::Operand((bit - OPERANDS) as u8),
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Register::X(number) => write!(f, "x{number}"),
            Register::Sp => f.write_str("sp"),
            Register::V(number) => write!(f, "v{number}"),
            Register::Flags => f.write_str("the flags"),
            Register::Operand(index) => write!(f, "operand {index}"),
        }
    }
}

/// A set of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set(u128);

impl Set {
    pub(super) const EMPTY: Set = Set(0);

    /// What a call may change (AAPCS64 6.1.1 and 6.1.2): x0 to x17, x30, v0 to v7, v16 to v31 and the
    /// flags. x18 is not to be used at all. Of v8 to v15 the lower halves are kept.
    pub(super) const CHANGED_BY_CALLS: Set = Set(0x4003_ffff | (0xffff_00ff << V) | (1 << FLAGS));

    /// In what a function returns its result (AAPCS64 6.9).
    pub(super) const RESULTS: Set = Set(0b11 | (0b1111 << V));

    pub(super) const fn with(self, register: Register) -> Set {
        Set(self.0 | 1 << register.bit())
    }

    pub(super) const fn union(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    pub(super) const fn contains(self, register: Register) -> bool {
        self.0 >> register.bit() & 1 == 1
    }

    pub(super) const fn meets(self, other: Set) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Register> {
        let bits = (0..u128::BITS).filter(move |bit| self.0 >> bit & 1 == 1);
        bits.map(Register::from_bit)
    }
}

impl FromIterator<Register> for Set {
    fn from_iter<I: IntoIterator<Item = Register>>(registers: I) -> Set {
        registers.into_iter().fold(Set::EMPTY, Set::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_it_was_made_of() {
        let all = (0..31).map(Register::X).chain((0..32).map(Register::V));
        let others = [Register::Sp, Register::Flags];
        let operands = (0..Register::OPERANDS).map(Register::Operand);
        let all: Vec<_> = all.chain(others).chain(operands).collect();
        let set: Set = all.iter().copied().collect();
        assert_eq!(set.iter().count(), 128);
        assert!(all.iter().all(|&register| set.contains(register)));
    }

    #[test]
    fn what_calls_change_is_what_aapcs64_says() {
        for register in Set::CHANGED_BY_CALLS.iter() {
            assert!(match register {
                Register::X(number) => number <= 17 || number == 30,
                Register::V(number) => number <= 7 || number >= 16,
                Register::Flags => true,
                Register::Sp | Register::Operand(_) => false,
            });
        }
        assert_eq!(Set::CHANGED_BY_CALLS.iter().count(), 18 + 1 + 24 + 1);
    }
}
