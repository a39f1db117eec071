//! What opstitch is measured with and against.
//!
//! A [`Script`] says which micro-ops of a [`Mix`] a trace consists of. Every [`peer`] turns it into code, and all but
//! Cranelift into the same bytes.
//!
//! What is measured is the way from the first `push` to the linked bytes. What comes before is prepared: for opstitch
//! a `Vec` of the mix's enum, one value for each micro-op.

pub mod guards;
pub mod install;
pub mod memory;
pub mod mix;
pub mod peer;
pub mod script;

pub use mix::Mix;
pub use script::{Order, Script, Step};
