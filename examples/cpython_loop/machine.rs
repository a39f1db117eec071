//! What the loop asks of whatever runs it: a `Host` has a place for objects and for code, and a `Machine`, one for
//! each run, the memory and the registers. There are two: `native.rs` and `emulated.rs`.

use opstitch::FallThrough;

/// The memory that the trace and the runtime share.
pub trait Memory {
    /// Eight bytes of it.
    fn load(&self, address: u64) -> Result<u64, Fault>;
    /// Changes eight bytes of it.
    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault>;
}

/// Why memory could not be accessed, or code not be run.
#[cfg(not(target_arch = "aarch64"))]
pub type Fault = opstitch_emulator::Error;
/// Here nothing stands between the program and its memory.
#[cfg(target_arch = "aarch64")]
pub type Fault = std::convert::Infallible;

/// What a trace left in the registers, and what it took.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// The exit it was left through.
    pub exit: usize,
    /// Which of the micro-ops that share the exit took it.
    pub which: usize,
    /// How many instructions were executed, where they are counted: in the emulator.
    pub instructions: Option<u64>,
}

/// A way to lay the trace out, and where to put it.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// What it is called.
    pub name: &'static str,
    /// What is between the micro-ops.
    pub fall_through: FallThrough,
    /// Whether `bl` reaches the runtime's functions.
    pub near: bool,
}

impl Layout {
    /// An address for the trace, if the functions are at [`FUNCTIONS`].
    pub fn address(&self) -> u64 {
        if self.near { NEAR } else { FAR }
    }
}

/// Where the objects are in the listing and in the emulator.
pub const MEMORY: u64 = 0x7ffe_f7c0_2000;

/// And the functions of the runtime, in the order of `Runtime::FUNCTIONS`.
pub const FUNCTIONS: [u64; 4] = [
    0x5555_556e_8a40,
    0x5555_5567_c1e4,
    0x5555_5564_9f10,
    0x5555_5567_bb08,
];

/// An address from where `bl` reaches them.
pub const NEAR: u64 = 0x5555_5800_0000;
/// An address from where it does not.
pub const FAR: u64 = 0x7fff_e000_0000;
