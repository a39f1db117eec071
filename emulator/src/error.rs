//! Everything that can go wrong, each with what to do about it.

use std::fmt;

use unicorn_engine::uc_error;

/// Why the emulator could not do what it was asked to, or what the trace did wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A register number that does not exist.
    #[error("there is no register {bank}{number}: use x0 to x30, v0 to v31, or `sp`")]
    NoSuchRegister {
        /// `x` or `v`.
        bank: char,
        /// The number that was asked for.
        number: u8,
    },

    /// Two things are to lie at one address.
    #[error(
        "{len} bytes at {address:#x} overlap {occupant}: choose another address, or make room \
         with `unload` or `clear`"
    )]
    Overlap {
        /// Where the new thing was to lie.
        address: u64,
        /// How long it is.
        len: u64,
        /// What is there already.
        occupant: Occupant,
    },

    /// A range that leaves the address space.
    #[error("{len} bytes do not fit at {address:#x}: choose a lower address or a shorter range")]
    TooLong {
        /// Where the range begins.
        address: u64,
        /// How long it is.
        len: u64,
    },

    /// More guest memory than the emulator gives out.
    #[error(
        "{len} bytes are more than is left of the {most} that a guest can have: ask for fewer, or \
         `clear` the emulator first"
    )]
    OutOfMemory {
        /// How much was asked for.
        len: u64,
        /// How much there is altogether.
        most: u64,
    },

    /// The host read or wrote guest memory that is not there.
    #[error(
        "no guest memory is mapped at {address:#x}: get it from `allocate`, or `map` it, before \
         the host reads or writes it"
    )]
    NotMapped {
        /// The lowest byte that is missing.
        address: u64,
    },

    /// A call target that is not 4-aligned, as every instruction is.
    #[error("{address:#x} is not 4-aligned, so no instruction can lie there: align the address")]
    Unaligned {
        /// The address.
        address: u64,
    },

    /// No trace begins at an address.
    #[error("no trace is loaded at {address:#x}: pass the `address()` of one that is")]
    NoSuchTrace {
        /// The address.
        address: u64,
    },

    /// A run was to begin where there is no code.
    #[error(
        "no loaded trace has an instruction at {entry:#x}: `load` the trace first and run it from \
         its `address()`"
    )]
    NoEntry {
        /// The entry.
        entry: u64,
    },

    /// The trace did not come to an end.
    #[error(
        "the trace went on beyond {limit} instructions, {at}: raise the limit if it is meant to \
         run that long, else look for the loop it is caught in"
    )]
    Limit {
        /// The limit.
        limit: u64,
        /// The instruction it would have executed next.
        at: Location,
    },

    /// The trace did not come to an end, because it returns to itself.
    #[error(
        "the trace went on beyond {limit} instructions, {at}: it returns to where its last call came from, \
         because that is in x30; begin the way out with `ldr x30, [sp]`"
    )]
    ReturnsIntoItself {
        /// The limit.
        limit: u64,
        /// The instruction it would have executed next.
        at: Location,
    },

    /// The trace returned with another x29 than it began with, which has to point to the frame record.
    #[error(
        "the trace returned with {x29:#x} in x29, {at}: leave x29 alone, or load it again from where it was stored"
    )]
    FrameRecord {
        /// What is in it.
        x29: u64,
        /// The instruction that returned.
        at: Location,
    },

    /// The trace returned with another stack pointer than it began with.
    #[error(
        "the trace returned with `sp` {by:+} bytes from where it was, {at}: give back on every way \
         out what was taken of the stack, and no more"
    )]
    Unbalanced {
        /// How far `sp` is above where it was, in bytes; below, if it is negative.
        by: i64,
        /// The instruction that returned.
        at: Location,
    },

    /// An instruction could not be executed.
    #[error("{} {address:#x}, {at}: {}", .kind.what(), .kind.advice())]
    Fault {
        /// What it did.
        kind: FaultKind,
        /// The address it read, wrote or jumped to; for kinds that access no memory, its own.
        address: u64,
        /// The instruction.
        at: Location,
    },

    /// The trace jumped to an address where there is nothing.
    #[error(
        "the trace went to {target:#x}, where there is neither a call target nor a trace, {at}: \
         give the address a closure with `on_call` or `load` the trace that lies there; if it is \
         neither, look at how this micro-op comes by the address"
    )]
    NoTarget {
        /// Where it went.
        target: u64,
        /// The instruction that went there.
        at: Location,
    },

    /// A closure returned an error.
    #[error("the closure of call target {target:#x} failed, called {at}: {source}")]
    InCall {
        /// The target.
        target: u64,
        /// The instruction that called it.
        at: Location,
        /// What the closure returned.
        source: Box<Error>,
    },

    /// A slab that does not know what lies where in it.
    #[error("the slab keeps no annotations: make it with `SlabOptions::annotate`")]
    NotAnnotated,

    /// Unicorn refused something that should have worked.
    #[error(
        "Unicorn failed to {action} ({code}): if memory is not short, this is a bug in \
         opstitch-emulator; please report it"
    )]
    Unicorn {
        /// What it was to do.
        action: &'static str,
        /// Its error code, by name.
        code: String,
    },
}

impl Error {
    /// For `map_err`.
    pub(crate) fn unicorn(action: &'static str) -> impl Fn(uc_error) -> Error {
        move |code| Error::Unicorn {
            action,
            code: format!("{code:?}"),
        }
    }
}

/// What lies at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occupant {
    /// The trace that begins at this address.
    Trace(u64),
    /// The call target at this address.
    Target(u64),
    /// A page with traces or call targets, which is read-only and executable.
    Code,
    /// Guest memory from `allocate` or `map`.
    Memory,
    /// The emulator's own stack or return address.
    Emulator,
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Occupant::Trace(address) => write!(f, "the trace at {address:#x}"),
            Occupant::Target(address) => write!(f, "the call target at {address:#x}"),
            Occupant::Code => f.write_str("a page that holds code"),
            Occupant::Memory => f.write_str("guest memory"),
            Occupant::Emulator => f.write_str("the emulator's own stack or return page"),
        }
    }
}

/// What an instruction did that it may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Read memory that is not mapped.
    ReadUnmapped,
    /// Wrote memory that is not mapped.
    WriteUnmapped,
    /// Wrote to code, which the guest may only read and execute.
    WriteProtected,
    /// Jumped into guest memory, which is not executable.
    FetchProtected,
    /// Accessed memory atomically or exclusively at an address that is not aligned for it.
    Unaligned,
    /// Jumped to an address that is not 4-aligned.
    UnalignedJump,
    /// Went on into a literal pool, or into padding.
    NotCode,
    /// This word, which is no instruction that the core knows; `udf` is one of those.
    Undefined(u32),
    /// `brk` with this number.
    Breakpoint(u16),
    /// `svc` with this number: there is no kernel below.
    SystemCall(u16),
    /// `wfi`: no interrupt will ever come.
    Halted,
    /// An exception that this list does not name.
    Exception(u32),
}

impl FaultKind {
    fn what(&self) -> Box<str> {
        match self {
            FaultKind::ReadUnmapped => "the trace read unmapped memory at".into(),
            FaultKind::WriteUnmapped => "the trace wrote to unmapped memory at".into(),
            FaultKind::WriteProtected => "the trace wrote to code at".into(),
            FaultKind::FetchProtected => "the trace jumped into data at".into(),
            FaultKind::Unaligned => "the trace made an unaligned atomic access to".into(),
            FaultKind::UnalignedJump => "the trace jumped to the unaligned address".into(),
            FaultKind::NotCode => "the trace went on into something that is not code at".into(),
            FaultKind::Undefined(word) => {
                format!("the trace met the undefined instruction {word:08x} at").into()
            }
            FaultKind::Breakpoint(number) => format!("the trace met `brk {number}` at").into(),
            FaultKind::SystemCall(number) => format!("the trace met `svc {number}` at").into(),
            FaultKind::Halted => "the trace waited for an interrupt at".into(),
            FaultKind::Exception(number) => {
                format!("the trace raised exception {number} (in QEMU's numbering) at").into()
            }
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            FaultKind::ReadUnmapped | FaultKind::WriteUnmapped => {
                "check the registers it computes the address from, or `allocate` or `map` the \
                 memory it is to use"
            }
            FaultKind::WriteProtected => {
                "keep what a trace changes in memory of its own; to patch code, use \
                 `Emulator::write` or `Cpu::write`"
            }
            FaultKind::FetchProtected => {
                "check where this micro-op has the address from; code is loaded with `load`"
            }
            FaultKind::Unaligned => "align the address to the size of the access",
            FaultKind::UnalignedJump => "check where this micro-op has the address from",
            FaultKind::NotCode => {
                "check where this micro-op has the address from or, if it does not jump, end it \
                 with a branch"
            }
            FaultKind::Undefined(_) => {
                "check the encoding, and whether Unicorn's model MAX knows the instruction"
            }
            FaultKind::Breakpoint(_) => "find out why the trace came this way",
            FaultKind::SystemCall(_) => {
                "call a target instead, and do the system call in its closure"
            }
            FaultKind::Halted => "no interrupt ever comes here; leave `wfi` out",
            FaultKind::Exception(_) => "check what the instruction needs to run in user mode",
        }
    }
}

/// Where in the code something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The guest's program counter.
    pub pc: u64,
    /// The address of the trace it is in. Where it is at no instruction of a trace: of the trace
    /// that it came from.
    pub trace: Option<u64>,
    /// The offset in that trace; where `pc` is at no instruction, of the one that led there.
    pub offset: Option<u32>,
    /// The micro-op at that offset, as the trace prints it. `None` in a trampoline, or where the
    /// trace was built without annotations.
    pub op: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(trace), Some(offset)) = (self.trace, self.offset) else {
            return write!(f, "at pc {:#x}", self.pc);
        };
        write!(f, "at offset {offset:#x} of the trace at {trace:#x}")?;
        if trace.wrapping_add(offset.into()) != self.pc {
            write!(f, " (pc {:#x})", self.pc)?;
        }
        match &self.op {
            Some(op) => write!(f, " in {op}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Location {
        Location {
            pc: 0x1_0008,
            trace: Some(0x1_0000),
            offset: Some(8),
            op: Some("op 0 Load slot=1".to_owned()),
        }
    }

    /// One of each. A new one is missing here until it is in [`next`].
    fn all() -> Vec<Error> {
        let mut all = vec![Error::NoSuchRegister {
            bank: 'x',
            number: 31,
        }];
        while let Some(error) = all.last().and_then(next) {
            all.push(error);
        }
        all
    }

    /// The error that is declared behind this one; of faults one of each kind.
    fn next(error: &Error) -> Option<Error> {
        let address = 0x2_0000;
        let fault = |kind| Error::Fault {
            kind,
            address,
            at: here(),
        };
        Some(match error {
            Error::NoSuchRegister { .. } => Error::Overlap {
                address,
                len: 64,
                occupant: Occupant::Trace(0x1_fff0),
            },
            Error::Overlap { len, occupant, .. } => Error::Overlap {
                address,
                len: *len,
                occupant: match occupant {
                    Occupant::Trace(at) => Occupant::Target(*at),
                    Occupant::Target(_) => Occupant::Code,
                    Occupant::Code => Occupant::Memory,
                    Occupant::Memory => Occupant::Emulator,
                    Occupant::Emulator => return Some(Error::TooLong { address, len: 64 }),
                },
            },
            Error::TooLong { .. } => Error::OutOfMemory {
                len: 1 << 40,
                most: 1 << 32,
            },
            Error::OutOfMemory { .. } => Error::NotMapped { address },
            Error::NotMapped { .. } => Error::Unaligned { address: 0x2_0002 },
            Error::Unaligned { .. } => Error::NoSuchTrace { address },
            Error::NoSuchTrace { .. } => Error::NoEntry { entry: address },
            Error::NoEntry { .. } => Error::Limit {
                limit: 1000,
                at: here(),
            },
            Error::Limit { .. } => Error::ReturnsIntoItself {
                limit: 1000,
                at: here(),
            },
            Error::ReturnsIntoItself { .. } => Error::FrameRecord {
                x29: 0x17,
                at: here(),
            },
            Error::FrameRecord { .. } => Error::Unbalanced {
                by: -16,
                at: here(),
            },
            Error::Unbalanced { .. } => fault(FaultKind::ReadUnmapped),
            Error::Fault { kind, .. } => fault(match kind {
                FaultKind::ReadUnmapped => FaultKind::WriteUnmapped,
                FaultKind::WriteUnmapped => FaultKind::WriteProtected,
                FaultKind::WriteProtected => FaultKind::FetchProtected,
                FaultKind::FetchProtected => FaultKind::Unaligned,
                FaultKind::Unaligned => FaultKind::UnalignedJump,
                FaultKind::UnalignedJump => FaultKind::NotCode,
                FaultKind::NotCode => FaultKind::Undefined(0),
                FaultKind::Undefined(_) => FaultKind::Breakpoint(1),
                FaultKind::Breakpoint(_) => FaultKind::SystemCall(0),
                FaultKind::SystemCall(_) => FaultKind::Halted,
                FaultKind::Halted => FaultKind::Exception(3),
                FaultKind::Exception(_) => {
                    return Some(Error::NoTarget {
                        target: address,
                        at: here(),
                    });
                }
            }),
            Error::NoTarget { .. } => Error::InCall {
                target: address,
                at: here(),
                source: Box::new(Error::NotMapped { address }),
            },
            Error::InCall { .. } => Error::NotAnnotated,
            Error::NotAnnotated => Error::Unicorn {
                action: "map memory",
                code: "NOMEM".to_owned(),
            },
            Error::Unicorn { .. } => return None,
        })
    }

    #[test]
    fn every_message_says_what_to_do() {
        let messages: Vec<_> = all().iter().map(Error::to_string).collect();
        assert!(messages.iter().all(|message| message.contains(": ")));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("emulator_errors", messages.join("\n")));
    }
}
