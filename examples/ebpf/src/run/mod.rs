//! Running programs: natively on AArch64, under an emulator elsewhere.

#[cfg(not(target_arch = "aarch64"))]
mod emulated;
#[cfg(target_arch = "aarch64")]
mod native;

#[cfg(not(target_arch = "aarch64"))]
pub use emulated::Machine;
#[cfg(not(target_arch = "aarch64"))]
use emulated::share;
#[cfg(target_arch = "aarch64")]
pub use native::Machine;
#[cfg(target_arch = "aarch64")]
pub(crate) use native::entry_of;
#[cfg(target_arch = "aarch64")]
use native::share;

use std::fmt;

use opstitch::{FallThrough, LinkedTrace, Options};
use thiserror::Error;

use crate::error::Invalid;
use crate::helpers::HelperCall;
use crate::translate::Origin;

/// How programs are translated and run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether accesses are checked and the budget holds.
    pub checks: Checks,
    /// What opstitch is told.
    pub options: Options,
    /// The instructions that a program may execute: see [`translate`](crate::translate). Without checks
    /// there is no limit.
    pub budget: u64,
}

/// Whether programs are checked while they run. Without checks, running one is as safe as the program is, so whoever leaves
/// them out vouches for it: there, not where it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks(bool);

impl Checks {
    /// They are.
    pub const ON: Checks = Checks(true);

    /// They are not.
    ///
    /// # Safety
    /// Every program that is run with these settings accesses no memory but what it is given.
    #[allow(unsafe_code)]
    pub const unsafe fn off() -> Checks {
        Checks(false)
    }

    fn are_on(self) -> bool {
        self.0
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            checks: Checks::ON,
            options: Options::new().fall_through(FallThrough::Elide),
            budget: 1 << 30,
        }
    }
}

/// A program that is ready to run.
#[derive(Debug)]
pub struct Loaded {
    linked: LinkedTrace,
    #[cfg(target_arch = "aarch64")]
    installed: opstitch::slab::InstalledTrace,
    origins: Vec<Origin>,
    slots: usize,
    shared: Vec<Shared>,
    helpers: Vec<HelperCall>,
}

impl Loaded {
    /// Gives the program one more region, and returns its address. It stays between runs.
    pub fn share(&mut self, bytes: &[u8]) -> u64 {
        share(&mut self.shared, bytes)
    }

    /// The addresses of the program's data, and of the regions that were shared with it.
    pub fn addresses(&self) -> impl Iterator<Item = u64> {
        self.shared.iter().map(|shared| shared.address)
    }

    /// The bytes of the region at one of these addresses.
    pub fn shared(&self, address: u64) -> Option<Vec<u8>> {
        let mut shared = self.shared.iter();
        let found = shared.find(|shared| shared.address == address)?;
        Some(found.bytes.to_vec())
    }

    /// The program's code.
    pub fn linked(&self) -> &LinkedTrace {
        &self.linked
    }

    /// Which micro-op each instruction begins at.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Where a helper is.
    pub fn helper_address(&self, number: i32) -> Option<u64> {
        let mut helpers = self.helpers.iter();
        let helper = helpers.find(|helper| helper.number == number)?;
        Some(helper.target.address())
    }

    /// The slots of the program.
    pub fn slots(&self) -> usize {
        self.slots
    }
}

/// A run that has come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The A64 instructions that were executed. Natively nobody counts them.
    pub executed: Option<u64>,
    /// Where the input was: r1 at the entry.
    pub input: u64,
    /// Where the stack ended: r10 at the entry.
    pub stack_top: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With r0.
    Returned(u64),
    /// By a check.
    Stopped(Stop),
}

/// What a program was not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// To access memory that was not given to it.
    OutOfBounds {
        /// The instruction, in slots from 0.
        pc: usize,
        /// The first byte of the access.
        address: u64,
    },
    /// An atomic operation at an address that is not a multiple of its size.
    Misaligned {
        /// The instruction, in slots from 0.
        pc: usize,
        /// The address.
        address: u64,
    },
    /// To jump backwards, or to call a function, with too little of its budget left.
    OutOfBudget {
        /// The instruction, in slots from 0.
        pc: usize,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::OutOfBounds { pc, address } => {
                write!(
                    f,
                    "instruction {pc} accesses {address:#x}, which is not the program's memory"
                )
            }
            Stop::Misaligned { pc, address } => {
                write!(
                    f,
                    "instruction {pc} is an atomic operation at the misaligned address {address:#x}"
                )
            }
            Stop::OutOfBudget { pc } => write!(f, "instruction {pc} exceeds the budget"),
        }
    }
}

/// Why a program was not run to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is refused.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// It is not translated.
    #[error("the program cannot be translated: {0}")]
    Translate(#[from] opstitch::Error),
    /// The emulator failed, or without checks the program did.
    #[cfg(not(target_arch = "aarch64"))]
    #[error("{0}")]
    Emulator(#[from] opstitch_emulator::Error),
    /// There is no executable memory for it.
    #[cfg(target_arch = "aarch64")]
    #[error("{0}")]
    Slab(#[from] opstitch::slab::SlabError),
}

/// How a run ended, from x0 and x1. See [`uops::guard`](crate::uops::guard).
fn end([x0, x1]: [u64; 2]) -> End {
    let Some(pc) = (x1 as u32 as usize).checked_sub(1) else {
        return End::Returned(x0);
    };
    End::Stopped(match x1 >> 32 {
        0 => Stop::OutOfBounds { pc, address: x0 },
        1 => Stop::Misaligned { pc, address: x0 },
        _ => Stop::OutOfBudget { pc },
    })
}

/// A piece of memory that a loaded program may access in every run.
#[derive(Debug)]
struct Shared {
    address: u64,
    bytes: Bytes,
}

/// Bytes at a multiple of 8, which stay where they are.
#[derive(Debug)]
struct Bytes {
    words: Box<[u64]>,
    len: usize,
}

impl Bytes {
    fn new(bytes: &[u8]) -> Bytes {
        let mut words = Vec::with_capacity(bytes.len().div_ceil(8));
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            words.push(u64::from_ne_bytes(word));
        }
        Bytes {
            words: words.into(),
            len: bytes.len(),
        }
    }

    fn to_vec(&self) -> Vec<u8> {
        let bytes = self.words.iter().flat_map(|word| word.to_ne_bytes());
        bytes.take(self.len).collect()
    }
}
