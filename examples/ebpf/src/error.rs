//! What can be wrong with a program.

use thiserror::Error;

/// Why a program is refused. `pc` is the number of an instruction, in slots from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum Invalid {
    #[error("the program has no instructions")]
    Empty,
    #[error("the program has {slots} slots; the most are {max}")]
    TooLong { slots: usize, max: usize },
    #[error("instruction {pc}: unknown {instruction}")]
    UnknownOpcode { pc: usize, instruction: String },
    #[error(
        "instruction {pc}: {name} is not supported; RFC 9669 leaves it to the platform or deprecates it"
    )]
    Unsupported { pc: usize, name: &'static str },
    #[error("instruction {pc}: a field that must be zero is not: {instruction}")]
    Reserved { pc: usize, instruction: String },
    #[error("instruction {pc}: there is no register r{register}; the last is r10")]
    NoSuchRegister { pc: usize, register: u8 },
    #[error("instruction {pc}: r10 is read-only")]
    FrameWritten { pc: usize },
    #[error("instruction {pc}: lddw needs a second slot, with a zero opcode, and there is none")]
    TruncatedLoad { pc: usize },
    #[error(
        "instruction {pc}: lddw with source {kind} names a map, variable or function of some platform; there are none here"
    )]
    PlatformLoad { pc: usize, kind: u8 },
    #[error("instruction {pc}: the jump leads to {to}, outside of its function or into an lddw")]
    JumpTarget { pc: usize, to: i64 },
    #[error("instruction {pc}: the call leads to {to}, where no function can be")]
    CallTarget { pc: usize, to: i64 },
    #[error("instruction {pc} is the last of its function, and goes on to the next one")]
    FallsOffEnd { pc: usize },
    #[error("no way through the program leads to an exit")]
    NoExit,
    #[error(
        "instruction {pc}: r{register} is read, but on some way to it nothing was written there"
    )]
    Uninitialized { pc: usize, register: u8 },
    #[error(
        "instruction {pc}: the access of {size} bytes at r10{offset:+} is not in the function's {frame} bytes of stack"
    )]
    OutOfFrame {
        pc: usize,
        offset: i16,
        size: u8,
        frame: u64,
    },
    #[error("instruction {pc}: a function calls itself, directly or by others")]
    Recursion { pc: usize },
    #[error("instruction {pc}: functions call each other more than {max} deep")]
    TooDeep { pc: usize, max: usize },
    #[error("instruction {pc}: there is no helper {number}")]
    NoSuchHelper { pc: usize, number: i32 },
}
