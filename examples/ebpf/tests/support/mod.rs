//! What the tests share: an interpreter and an assembler.

#![allow(dead_code)] // each test uses its part

pub(crate) mod generator;
pub(crate) mod interpreter;

use ebpf::instruction::*;
use ebpf::program::Program;
use ebpf::run::Checks;

/// With checks or without.
pub(crate) fn checks(on: bool) -> Checks {
    match on {
        true => Checks::ON,
        // SAFETY: the programs of the tests keep to their memory, or run in the emulator.
        false => unsafe { Checks::off() },
    }
}

/// An instruction.
pub(crate) fn slot(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Instruction {
    let registers = src << 4 | dst;
    Instruction {
        opcode,
        registers,
        offset,
        imm,
    }
}

/// `dst = imm`, sign-extended.
pub(crate) fn mov(dst: u8, imm: i32) -> Instruction {
    slot(ALU64 | MOV, dst, 0, 0, imm)
}

/// `dst = src`
pub(crate) fn copy(dst: u8, src: u8) -> Instruction {
    slot(ALU64 | MOV | X, dst, src, 0, 0)
}

/// `dst += imm`
pub(crate) fn add(dst: u8, imm: i32) -> Instruction {
    slot(ALU64 | ADD, dst, 0, 0, imm)
}

/// `dst = value`, in two slots.
pub(crate) fn lddw(dst: u8, value: u64) -> [Instruction; 2] {
    let high = slot(0, 0, 0, 0, (value >> 32) as i32);
    [slot(LDDW, dst, 0, 0, value as i32), high]
}

pub(crate) fn load(size: u8, dst: u8, src: u8, offset: i16) -> Instruction {
    slot(LDX | MEM | size, dst, src, offset, 0)
}

pub(crate) fn store(size: u8, dst: u8, src: u8, offset: i16) -> Instruction {
    slot(STX | MEM | size, dst, src, offset, 0)
}

pub(crate) fn exit() -> Instruction {
    slot(JMP | EXIT, 0, 0, 0, 0)
}

/// A call of the function `distance` slots behind the next.
pub(crate) fn call(distance: i32) -> Instruction {
    slot(JMP | CALL, 0, LOCAL, 0, distance)
}

pub(crate) fn call_helper(number: i32) -> Instruction {
    slot(JMP | CALL, 0, HELPER, 0, number)
}

pub(crate) fn program(code: impl IntoIterator<Item = Instruction>) -> Program {
    Program {
        code: code.into_iter().collect(),
        ..Program::default()
    }
}

/// Values at which something changes: signs, widths, the ranges of A64 immediates.
pub(crate) const BOUNDARIES: [u64; 30] = [
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x0102_0304_0506_0708,
    0x5555_5555_5555_5555,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    u64::MAX - 1,
    u64::MAX,
];

pub(crate) const IMMEDIATES: [i32; 31] = [
    0,
    1,
    -1,
    2,
    -2,
    7,
    16,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    -0x80,
    0xff00,
    0xffff,
    0x1_0000,
    4095,
    -4095,
    4096,
    -4096,
    4097,
    -4097,
    0xff_f000,
    -0xff_f000,
    0x1234_5678,
    0x5555_5555,
    i32::MAX,
    i32::MIN,
];
