//! Everything that can be wrong with what a user hands in.

use thiserror::Error;

/// What was wrong with a micro-op, a trace or a link, and what to do about it.
///
/// No call that returns one has changed anything: the builder is as it was before the call and can be used
/// further. (Some are several calls: what [`push_all`](crate::TraceBuilder::push_all) pushed before the error stays, and
/// [`finish_at`](crate::TraceBuilder::finish_at) may have finished the trace, which can be linked to another address.)
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An operand's value lies outside the range declared for it.
    #[error(
        "{op}: {operand}={value} is outside {min}..={max}; give a value in that range, or declare a micro-op whose operand is wider"
    )]
    OperandOutOfRange {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// The value that was given.
        value: i128,
        /// The lowest value allowed.
        min: i128,
        /// The highest value allowed.
        max: i128,
    },
    /// A mask or floating-point number has no encoding as an immediate.
    #[error("{op}: {operand}={value} is no {kind}; load it as a `literal` instead")]
    NotEncodable {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// The value that was given, printed.
        value: String,
        /// What was asked for: a 32- or 64-bit logical immediate, or an 8-bit floating-point one.
        kind: &'static str,
    },
    /// A number that is no general-purpose register's: there are x0 to x30.
    #[error(
        "{op}: {operand}=x{number} is no register that an operand can name; use x0 to x17 or x19 to x30, or write `xzr` or `sp` in a micro-op of its own"
    )]
    NoRegister {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// The number that was given.
        number: u8,
    },
    /// A number that is no vector register's, or none that the operand is declared to name.
    #[error("{op}: {operand}=v{number} is no register that the operand can name; use v0 to v{max}")]
    NoVectorRegister {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// The number that was given.
        number: u8,
        /// The highest number allowed.
        max: u8,
    },
    /// Register x18, which belongs to the platform (AAPCS64 6.1.1).
    #[error("{op}: {operand}=x18 belongs to the platform; use x0 to x17 or x19 to x30")]
    PlatformRegister {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
    },
    /// A label, exit or literal that another builder made, or this one before `clear`.
    #[error(
        "{op}: {operand} belongs to another trace; make the {what} with the builder it is used in, behind its last `clear`"
    )]
    Foreign {
        /// The micro-op's name, or the builder's method.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// `label`, `exit` or `literal`.
        what: &'static str,
    },
    /// A call target that is not a multiple of 4.
    #[error(
        "call target {address:#x} is not a multiple of 4, so it is no A64 instruction; check where the address comes from"
    )]
    MisalignedTarget {
        /// The address that was given.
        address: u64,
    },
    /// A label that already has its place.
    #[error("label {label} is bound already; make a new label for the second place")]
    LabelBoundTwice {
        /// The label's number in its builder, from 0.
        label: u32,
    },
    /// A label that something leads to and that has no place.
    #[error("label {label} is used but never bound; call `bind` where it belongs")]
    LabelNeverBound {
        /// The label's number in its builder, from 0.
        label: u32,
    },
    /// An exit without code: one that something leads to, or one whose code was to be written and is empty.
    #[error("exit {exit} has no code; give it at least one micro-op")]
    ExitWithoutCode {
        /// The exit's number in its builder, from 0.
        exit: u32,
    },
    /// An exit that already has its code.
    #[error("exit {exit} has its code already; declare a new exit for other code")]
    ExitDefinedTwice {
        /// The exit's number in its builder, from 0.
        exit: u32,
    },
    /// The last micro-op of an exit goes on to a next one, and there is none.
    #[error(
        "exit {exit} falls off its end after {op}; end it with a micro-op that leaves the trace, or with `jump`"
    )]
    ExitFallsOffEnd {
        /// The exit's number in its builder, from 0.
        exit: u32,
        /// The exit's last micro-op.
        op: &'static str,
    },
    /// A micro-op behind an exit's `jump`.
    #[error("exit {exit} has jumped already, so {op} would never run; push it before the `jump`")]
    BehindExitsJump {
        /// The exit's number in its builder, from 0.
        exit: u32,
        /// The micro-op that was to be pushed.
        op: &'static str,
    },
    /// The last micro-op of a trace goes on to a next one, and there is none.
    #[error(
        "the trace falls off its end after {op}; end it with a micro-op that leaves the trace, or with `jump`"
    )]
    FallsOffEnd {
        /// The trace's last micro-op.
        op: &'static str,
    },
    /// A label that something leads to and that is bound behind the last micro-op.
    #[error(
        "label {label} is bound behind the last micro-op, where there is no code; push what it leads to, or bind it elsewhere"
    )]
    LabelBehindEnd {
        /// The label's number in its builder, from 0.
        label: u32,
    },
    /// A trace without micro-ops, or a jump in front of the first.
    #[error("the trace has no micro-op yet; push one first")]
    Empty,
    /// A jump behind a micro-op that does not go on, or has been redirected already.
    #[error(
        "{op} does not go on to a next micro-op, or jumps already, so there is nothing to redirect; leave `jump` out"
    )]
    NothingToRedirect {
        /// The micro-op before the jump.
        op: &'static str,
    },
    /// A jump behind a label: it redirects a micro-op, and there is none behind the label yet.
    #[error(
        "label {label} is bound in front of the next micro-op, and `jump` would only redirect the one before; push a micro-op first, if only one without instructions: `op Here {{}}`"
    )]
    JumpBehindLabel {
        /// The label's number in its builder, from 0.
        label: u32,
    },
    /// A trace longer than an unconditional branch reaches, or with more distant call targets than a
    /// trampoline's load reaches over.
    #[error(
        "the trace is too long: an instruction would have to reach over {distance} bytes, and it reaches {reach}; split the trace"
    )]
    TraceTooLong {
        /// How far the instruction would have to reach, in bytes.
        distance: u64,
        /// How far it reaches, in bytes.
        reach: u32,
    },
    /// A micro-op whose own length keeps one of its branches from reaching anything outside it.
    #[error(
        "{op} is too long for its branches: an instruction in it reaches {reach} bytes, and what it refers to cannot come nearer than {distance}; move the branch to the end or split the micro-op"
    )]
    OpTooLong {
        /// The micro-op's name.
        op: &'static str,
        /// How far away the nearest place for what it refers to is, in bytes.
        distance: u32,
        /// How far the instruction reaches, in bytes.
        reach: u32,
    },
    /// A second use of a changeable literal too far from the first.
    #[error(
        "{op}: {operand} lies {distance} bytes away, and a literal load reaches {reach}; it has one word only, so use another `mut literal` there"
    )]
    LiteralOutOfReach {
        /// The micro-op's name.
        op: &'static str,
        /// The operand's name.
        operand: &'static str,
        /// How far away the literal's word is, in bytes.
        distance: u64,
        /// How far the load reaches, in bytes.
        reach: u32,
    },
    /// A change to a trace that is finished.
    #[error("the trace is finished; call `clear` before building the next one")]
    Finished,
    /// A reach that no branch can have.
    #[error(
        "a reach of {bytes} bytes for {class} is not a multiple of 4 between 16 and {max}; choose one"
    )]
    InvalidReach {
        /// The class of instructions.
        class: &'static str,
        /// The reach that was asked for, in bytes.
        bytes: u32,
        /// The reach of the architecture, in bytes.
        max: u32,
    },
    /// An address that a trace cannot be linked to.
    #[error(
        "a trace cannot be linked to {address:#x}: it must be a multiple of {alignment} and leave room for {length} bytes below 2^64; choose another address"
    )]
    InvalidAddress {
        /// The address that was given.
        address: u64,
        /// What it must be a multiple of, in bytes.
        alignment: u64,
        /// The trace's length, in bytes.
        length: u64,
    },
    /// A destination of another length than the trace.
    #[error(
        "the linked trace has {expected} bytes, and the destination {actual}; ask `linked_len` first"
    )]
    WrongLength {
        /// The trace's length, in bytes.
        expected: usize,
        /// The destination's length, in bytes.
        actual: usize,
    },
    /// More micro-ops, or sets of them, than a builder can number: 2^29 and 2^16.
    #[error("there are more {what} in one trace than can be numbered; split it into several")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::Error;

    /// One of each. A new one is missing here until it is in [`next`].
    fn all() -> Vec<Error> {
        let mut all = vec![Error::OperandOutOfRange {
            op: "Load",
            operand: "slot",
            value: 4096,
            min: 0,
            max: 4095,
        }];
        while let Some(error) = all.last().and_then(next) {
            all.push(error);
        }
        all
    }

    /// The error that is declared behind this one.
    fn next(error: &Error) -> Option<Error> {
        let (op, operand) = ("Load", "slot");
        Some(match error {
            Error::OperandOutOfRange { .. } => Error::NotEncodable {
                op: "Mask",
                operand: "bits",
                value: "0x5".to_owned(),
                kind: "64-bit logical immediate",
            },
            Error::NotEncodable { .. } => Error::NoRegister {
                op,
                operand,
                number: 31,
            },
            Error::NoRegister { .. } => Error::NoVectorRegister {
                op,
                operand,
                number: 32,
                max: 31,
            },
            Error::NoVectorRegister { .. } => Error::PlatformRegister { op, operand },
            Error::PlatformRegister { .. } => Error::Foreign {
                op: "Guard",
                operand: "otherwise",
                what: "exit",
            },
            Error::Foreign { .. } => Error::MisalignedTarget { address: 0x1_0002 },
            Error::MisalignedTarget { .. } => Error::LabelBoundTwice { label: 3 },
            Error::LabelBoundTwice { .. } => Error::LabelNeverBound { label: 3 },
            Error::LabelNeverBound { .. } => Error::ExitWithoutCode { exit: 2 },
            Error::ExitWithoutCode { .. } => Error::ExitDefinedTwice { exit: 2 },
            Error::ExitDefinedTwice { .. } => Error::ExitFallsOffEnd { exit: 2, op },
            Error::ExitFallsOffEnd { .. } => Error::BehindExitsJump { exit: 2, op },
            Error::BehindExitsJump { .. } => Error::FallsOffEnd { op },
            Error::FallsOffEnd { .. } => Error::LabelBehindEnd { label: 3 },
            Error::LabelBehindEnd { .. } => Error::Empty,
            Error::Empty => Error::NothingToRedirect { op: "Leave" },
            Error::NothingToRedirect { .. } => Error::JumpBehindLabel { label: 3 },
            Error::JumpBehindLabel { .. } => Error::TraceTooLong {
                distance: 0x900_0000,
                reach: 0x800_0000,
            },
            Error::TraceTooLong { .. } => Error::OpTooLong {
                op: "Unrolled",
                distance: 40_000,
                reach: 32_768,
            },
            Error::OpTooLong { .. } => Error::LiteralOutOfReach {
                op: "Cached",
                operand: "cache",
                distance: 0x20_0000,
                reach: 0x10_0000,
            },
            Error::LiteralOutOfReach { .. } => Error::Finished,
            Error::Finished => Error::InvalidReach {
                class: "`tbz` and `tbnz`",
                bytes: 10,
                max: 32_768,
            },
            Error::InvalidReach { .. } => Error::InvalidAddress {
                address: 0x1_0004,
                alignment: 8,
                length: 64,
            },
            Error::InvalidAddress { .. } => Error::WrongLength {
                expected: 64,
                actual: 60,
            },
            Error::WrongLength { .. } => Error::TooMany { what: "micro-ops" },
            Error::TooMany { .. } => return None,
        })
    }

    #[test]
    fn every_message_says_what_to_do() {
        crate::testing::assert_messages("errors", all());
    }
}
