//! An eBPF JIT for AArch64: all of [RFC 9669](https://www.rfc-editor.org/rfc/rfc9669), on opstitch.
//!
//! ```text
//! load        ELF objects, raw bytecode -> Program
//! verify      instructions -> Verified: nothing in them that the translation cannot rely on
//! translate   Verified -> a trace of the micro-ops in uops
//! run         where it is executed: natively on AArch64, under an emulator elsewhere
//! ```

pub mod conformance;
pub mod context;
pub mod disassemble;
pub mod error;
/// The page of the guide that shows this example: compiled and run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/src/porting.md")]
mod guide {}
pub mod helpers;
pub mod instruction;
pub mod interpret;
pub mod listing;
pub mod load;
pub mod program;
pub mod run;
pub mod statistics;
pub mod translate;
pub mod uops;
pub mod verify;
