//! The micro-ops: every instruction of RFC 9669 in A64 assembly, by class.
//!
//! | eBPF | A64 | why |
//! |---|---|---|
//! | r0 | x0 | what a helper returns is there already |
//! | r1 to r5 | x1 to x5 | the arguments of a helper, whose first parameter, in x0, is the context |
//! | r6 to r9 | x19 to x22 | kept across helpers by AAPCS64, across local functions by [`frame`] |
//! | r10 | x23 | the top of the function's 512 bytes of stack |
//!
//! x24 to x28 belong to the checks ([`guard`]), x9 to x15 are scratch within one eBPF instruction, and
//! x29 is the frame record of a program that has a frame: whatever it has pushed, `mov sp, x29` leaves it.
//!
//! A micro-op names its registers as operands, so one template serves all of them. 32-bit operations work
//! on `w` registers, which clears the upper half as the RFC wants it. Division gives what
//! the RFC wants too: `udiv` and `sdiv` by zero give 0, `sdiv` of the least number by -1 gives the least
//! number, and `msub` makes the remainder from that.

pub mod alu;
pub mod atomics;
pub mod frame;
pub mod guard;
pub mod jumps;
pub mod memory;

use opstitch::Reg;

/// Where r0 to r10 are, by their numbers.
pub const REGISTERS: [Reg; 11] = [
    Reg(0),
    Reg(1),
    Reg(2),
    Reg(3),
    Reg(4),
    Reg(5),
    Reg(19),
    Reg(20),
    Reg(21),
    Reg(22),
    Reg(23),
];

/// A scratch register for addresses. [`guard`]'s checks leave the address in it.
pub const ADDRESS: Reg = Reg(9);

/// A scratch register for constants that do not fit an instruction.
pub const CONSTANT: Reg = Reg(10);
