//! What can go wrong with executable memory.

use std::io;

use thiserror::Error;

/// Why a slab could not be made or did not do what it was asked. The slab is then as it was before and
/// can be used further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SlabError {
    /// The trace cannot be linked.
    #[error(transparent)]
    Trace(#[from] crate::Error),
    /// A size that no slab can have.
    #[error(
        "a slab of {size} bytes cannot be: choose between 1 and {max} bytes, what `bl` reaches"
    )]
    InvalidSize {
        /// The size that was asked for, in bytes.
        size: usize,
        /// The largest size, in bytes.
        max: usize,
    },
    /// The system does not give executable memory in this way.
    #[error(
        "the system refuses executable memory ({mapping:?}): {source}; on macOS the entitlement com.apple.security.cs.allow-jit is needed, on Linux a policy may forbid it: choose another `Mapping` or allow it"
    )]
    Map {
        /// The way that was tried last.
        mapping: Mapping,
        /// What the system said.
        source: io::Error,
    },
    /// The system failed to change or synchronize memory that it had given.
    #[error(
        "the system could not {what}: {source}; what was asked for has not happened, so try again later"
    )]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No hole is long enough, or none that was found: among holes that are nearly as short as what is needed (by a
    /// sixteenth), only the first few are looked at.
    #[error(
        "the slab is full: {needed} bytes are needed, and the longest hole has {longest}; drop traces and call `reclaim`, or use another slab"
    )]
    Full {
        /// What was needed, in bytes.
        needed: usize,
        /// The longest hole, in bytes.
        longest: usize,
    },
    /// A trace without a landing pad, for a guarded slab.
    #[error(
        "the slab is guarded, and the trace has no landing pad; build it with `Options::landing_pad`"
    )]
    NoLandingPad,
    /// This process is a fork of the one that made the slab and shares its memory.
    #[error(
        "this process is a fork and shares the slab's memory with its parent, which would see every change; make a slab of its own here"
    )]
    Forked,
    /// A trace that was linked to another address than the one reserved for it.
    #[error(
        "the trace is linked to {linked:#x}, and the room for it is at {reserved:#x}; link it to that address"
    )]
    WrongAddress {
        /// Where the trace is linked to.
        linked: u64,
        /// Where the room for it is.
        reserved: u64,
    },
    /// A retargetable target in a trace that brings its own trampolines.
    #[error(
        "{address:#x} is retargetable, and the trace was linked with a trampoline of its own for it; install it with `Slab::install`"
    )]
    OwnTrampoline {
        /// The target's address.
        address: u64,
    },
    /// A snapshot of an installed trace, to be installed again.
    #[error(
        "the bytes are a snapshot of an installed trace, which may lead to trampolines and traces that are gone; link the trace anew with `Trace::link`"
    )]
    Snapshot,
    /// A trace of another slab.
    #[error(
        "the trace is installed in another slab, and links do not cross slabs; install it in this one too"
    )]
    ForeignTrace,
    /// A trace that has been dropped.
    #[error("the trace has been dropped; install it again before linking to it")]
    DroppedTrace,
    /// A place that is not in a trace's code, or no multiple of 4, or that of a literal.
    #[error(
        "no instruction begins {offset:#x} bytes into the trace, whose code has {len:#x}; ask `Trace::label_offset` for a place"
    )]
    NoSuchPlace {
        /// The place, in bytes from the trace's start.
        offset: u32,
        /// The length of the trace's code, in bytes.
        len: u32,
    },
    /// An exit that is not one of the trace's, or cannot be linked.
    #[error("exit {exit} cannot be linked: {why}")]
    NotLinkable {
        /// The exit's number.
        exit: u32,
        /// Why not.
        why: NotLinkable,
    },
    /// A trace without invalidation points.
    #[error("the trace has no invalidation point; call `invalidation_point` while building it")]
    NotInvalidatable,
    /// A literal that is not one of the trace's.
    #[error(
        "the literal is not one of this trace's, or nothing loads it; ask for one that `mut_literal` made while this trace was built and that a micro-op names"
    )]
    UnknownLiteral,
    /// A value that a literal does not hold, because instructions load 32 bits of it.
    #[error(
        "the literal is loaded as 32 bits, and {value:#x} is outside {min}..={max}; give a value in that range, or load the literal into an `x` register"
    )]
    LiteralOutOfRange {
        /// The value that was given.
        value: u64,
        /// The lowest value allowed.
        min: i64,
        /// The highest value allowed.
        max: i64,
    },
    /// A slab that does not keep what is asked for.
    #[cfg(feature = "inspect")]
    #[error("the slab keeps no annotations; make it with `SlabOptions::annotate`")]
    NotAnnotated,
    /// A target that was not declared retargetable.
    #[error(
        "{address:#x} may be called directly, so it cannot be retargeted; make its target with `Target::retargetable` before building what calls it"
    )]
    NotRetargetable {
        /// The target's address.
        address: u64,
    },
}

/// Why an exit cannot be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum NotLinkable {
    /// Another builder made it, or the trace's before or after it built the trace.
    #[error("it is of another trace; link it in the trace that was being built when it was made")]
    OfAnotherTrace,
    /// No micro-op of the trace names it, so its code is not there.
    #[error("nothing in the trace leads to it; name it in a micro-op that is pushed")]
    NothingLeadsThere,
    /// It has no place for the branch to another trace.
    #[error("it was not made to be; make it with `linkable_exit`")]
    NotMadeToBe,
}

/// How a slab's memory is executable for some and writable for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mapping {
    /// Two views of one memory object, one executable, one writable (Linux). Installing and patching need
    /// no system call. Shared with a forked child.
    TwoViews,
    /// One view and a switch that each thread has for itself (`MAP_JIT`, Apple Silicon).
    Jit,
    /// Changed pages are built aside and moved over the old ones (Linux): for systems that forbid the
    /// first. A few system calls for each run of pages that changes.
    MovedPages,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each. A new one is missing here until it is in [`next`].
    fn all() -> Vec<SlabError> {
        let mut all = vec![SlabError::Trace(crate::Error::Empty)];
        while let Some(error) = all.last().and_then(next) {
            all.push(error);
        }
        all
    }

    fn refused() -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")
    }

    /// The error that is declared behind this one.
    fn next(error: &SlabError) -> Option<SlabError> {
        let address = 0x1_0000;
        Some(match error {
            SlabError::Trace(_) => SlabError::InvalidSize {
                size: 0,
                max: 128 << 20,
            },
            SlabError::InvalidSize { .. } => SlabError::Map {
                mapping: Mapping::TwoViews,
                source: refused(),
            },
            SlabError::Map { .. } => SlabError::System {
                what: "synchronize the cores",
                source: refused(),
            },
            SlabError::System { .. } => SlabError::Full {
                needed: 4096,
                longest: 512,
            },
            SlabError::Full { .. } => SlabError::NoLandingPad,
            SlabError::NoLandingPad => SlabError::Forked,
            SlabError::Forked => SlabError::WrongAddress {
                linked: address,
                reserved: 0x2_0000,
            },
            SlabError::WrongAddress { .. } => SlabError::OwnTrampoline { address },
            SlabError::OwnTrampoline { .. } => SlabError::Snapshot,
            SlabError::Snapshot => SlabError::ForeignTrace,
            SlabError::ForeignTrace => SlabError::DroppedTrace,
            SlabError::DroppedTrace => SlabError::NoSuchPlace { offset: 6, len: 64 },
            SlabError::NoSuchPlace { .. } => SlabError::NotLinkable {
                exit: 2,
                why: NotLinkable::OfAnotherTrace,
            },
            SlabError::NotLinkable { exit, why } => match why {
                NotLinkable::OfAnotherTrace => SlabError::NotLinkable {
                    exit: *exit,
                    why: NotLinkable::NothingLeadsThere,
                },
                NotLinkable::NothingLeadsThere => SlabError::NotLinkable {
                    exit: *exit,
                    why: NotLinkable::NotMadeToBe,
                },
                NotLinkable::NotMadeToBe => SlabError::NotInvalidatable,
            },
            SlabError::NotInvalidatable => SlabError::UnknownLiteral,
            SlabError::UnknownLiteral => SlabError::LiteralOutOfRange {
                value: 1 << 32,
                min: 0,
                max: u32::MAX.into(),
            },
            #[cfg(feature = "inspect")]
            SlabError::LiteralOutOfRange { .. } => SlabError::NotAnnotated,
            #[cfg(feature = "inspect")]
            SlabError::NotAnnotated => SlabError::NotRetargetable { address },
            #[cfg(not(feature = "inspect"))]
            SlabError::LiteralOutOfRange { .. } => SlabError::NotRetargetable { address },
            SlabError::NotRetargetable { .. } => return None,
        })
    }

    #[test]
    fn every_message_says_what_to_do() {
        crate::testing::assert_messages("slab_errors", all());
    }
}
