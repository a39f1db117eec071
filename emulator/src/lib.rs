//! Runs linked opstitch traces on any host, under [Unicorn](https://www.unicorn-engine.org).
//!
//! A trace is AArch64 machine code; most of its authors sit in front of an x86-64 machine. This
//! crate loads the trace into an emulated core (Unicorn's model `MAX`, so LSE atomics work), calls
//! host closures where the trace calls its targets, counts the instructions it executes, and names
//! the micro-op when something goes wrong. It is meant for tests and examples.
//!
//! ```
//! use opstitch_emulator::{Emulator, End, Error};
//! # use opstitch::LinkedTrace;
//! # fn example(linked: &LinkedTrace, print: u64) -> Result<(), Error> {
//! let mut printed = Vec::new();
//! let mut emulator = Emulator::new()?;
//! emulator.load(linked)?;
//! let locals = emulator.allocate(64)?;
//! emulator.set_x(21, locals)?;
//! emulator.on_call(print, |cpu| {
//!     printed.push(cpu.x(0)?);
//!     cpu.set_x(0, 0)
//! })?;
//! let outcome = emulator.run(linked.address(), 1_000_000)?;
//! assert_eq!(outcome.end, End::Returned);
//! println!("{}", outcome.executed); // 31 instructions (25 hot, 4 cold, 2 in trampolines)
//! # Ok(())
//! # }
//! ```
//!
//! # What is exact
//!
//! - **Counts.** [`Executed`] holds the instructions that completed, to the last one, whether the
//!   run returned, was stopped or failed. An instruction that faults has not completed. The
//!   trampolines of a trace are counted apart; what a host closure stands for is not counted.
//! - **The limit.** A run executes at most `limit` instructions of its traces, and fails with
//!   [`Error::Limit`] only where there is one more to execute. (A host call that comes straight from
//!   another one counts as an instruction here, so that closures cannot go round in circles.)
//! - **State after a fault.** Registers and memory are those of the moment before the instruction
//!   that faulted. Only an access that straddles two pages may have done its first half.
//!
//! # Call targets
//!
//! [`Emulator::on_call`] gives an address a closure. Whichever way the trace gets there (`bl`,
//! `blr`, `b`, `br`, its own trampoline), the closure runs, and the guest goes on at the address in
//! `x30`, as after any AAPCS64 function. Unless [`Emulator::set_clobber`] turns it off, every
//! register that AAPCS64 lets a function change, and that the closure did not set, then holds junk:
//! a trace that relies on one of them is caught here instead of on the day the function is
//! recompiled.
//!
//! # Slabs
//!
//! With the feature `slab`, `Emulator::load_slab` loads all that is installed in an `opstitch::slab::Slab`, which is there
//! on Linux and macOS, whatever the processor: so links between traces, invalidation, changeable literals and retargeted functions can be tried.
//!
//! # What the emulator cannot check
//!
//! - **BTI.** Unicorn cannot mark pages as guarded, so an indirect branch may land anywhere. A
//!   `bti` is a no-op here.
//! - **Instruction cache maintenance.** There is no instruction cache: code that the host changes
//!   is seen at once, flushed or not.
//! - **Memory order**: there is one core. **Alignment of sp**: not checked either.
//!
//! Use QEMU or hardware for those.
//!
//! # Licence
//!
//! The source of this crate is MIT OR Apache-2.0, like that of opstitch. **Unicorn is GPL-2.0**, and
//! this crate links it: a program that links this crate falls under GPL-2.0 as a whole. opstitch
//! itself never depends on it; keep it among your dev-dependencies.

#![deny(missing_docs)]
#![warn(clippy::missing_errors_doc, clippy::missing_safety_doc)]
#![deny(unsafe_code)]

mod access;
mod clobber;
mod cpu;
mod emulator;
mod engine;
mod error;
mod memory;
mod outcome;
mod registers;
mod run;
// Where opstitch has slabs.
#[cfg(all(
    feature = "slab",
    any(target_os = "linux", target_os = "macos", target_os = "ios")
))]
mod slab;
mod trace;

pub use cpu::Cpu;
pub use emulator::Emulator;
pub use error::{Error, FaultKind, Location, Occupant};
pub use outcome::{End, Executed, Outcome};
pub use registers::Nzcv;
