//! What a run that did not fail says of itself.

use std::fmt;
use std::ops::{AddAssign, SubAssign};

/// How a run ended, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What ended the run.
    pub end: End,
    /// The instructions that completed.
    pub executed: Executed,
    /// How often the traces called a host closure.
    pub calls: u64,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The trace returned to the address that `run` had put in `x30`.
    Returned,
    /// A closure asked for it with [`Cpu::stop`](crate::Cpu::stop).
    Stopped,
}

/// Instructions that completed, by the part of the trace they lie in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executed {
    /// In the hot part.
    pub hot: u64,
    /// In the cold part: side exits and the cold parts of micro-ops.
    pub cold: u64,
    /// In trampolines: two per far call.
    pub trampolines: u64,
}

impl Executed {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.hot + self.cold + self.trampolines
    }
}

impl fmt::Display for Executed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} instructions ({} hot, {} cold, {} in trampolines)",
            self.total(),
            self.hot,
            self.cold,
            self.trampolines
        )
    }
}

impl AddAssign for Executed {
    fn add_assign(&mut self, other: Executed) {
        self.hot += other.hot;
        self.cold += other.cold;
        self.trampolines += other.trampolines;
    }
}

impl SubAssign for Executed {
    fn sub_assign(&mut self, other: Executed) {
        self.hot -= other.hot;
        self.cold -= other.cold;
        self.trampolines -= other.trampolines;
    }
}
