#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![warn(clippy::missing_errors_doc, clippy::missing_safety_doc)]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What only a slab uses, on systems that have none.
#![cfg_attr(
    not(any(target_os = "linux", target_os = "macos", target_os = "ios")),
    allow(dead_code)
)]

// The macro names this crate by its name, here too.
extern crate self as opstitch;

mod asm;
#[cfg(feature = "check")]
pub mod check;
mod error;
#[cfg(doctest)]
mod guide;
pub mod immediate;
#[cfg(feature = "inspect")]
pub mod inspect;
mod link;
mod op;
// The systems of `slab/os/`.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "ios"))]
#[allow(unsafe_code)]
pub mod slab;
#[cfg(test)]
mod testing;
mod trace;

pub use error::Error;
#[cfg(target_endian = "little")]
pub use link::PlacedTrace;
pub use link::{Link, LinkedTrace, OpAt, Part, Statistics};
pub use op::MicroOp;
pub use op::operand::{Exit, Label, MutLiteral, OperandKind, Reg, Target, VReg};
pub use op::template::{MicroOpInfo, MicroOpSet, OperandInfo, Properties};
#[doc = include_str!("uops.md")]
pub use opstitch_macros::uops;
pub use trace::options::{FallThrough, Options, Reach};
pub use trace::{ExitCode, Trace, TraceBuilder};

/// What the expansion of [`uops!`] names. Not for direct use, and not covered by any promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::op::bake::{
        Baked, Body, Constant, Draft, Flaw, Joint, Local, Recorder, Site, Totals, View, bake,
        holes, references, tables, templates, totals, words,
    };
    pub use crate::op::operand::{OperandKind, OperandValue};
    pub use crate::op::template::{Affine, Hole, MicroOpSet, Operand, Range, Reference, Template};
    pub use crate::op::{Visitor, write_micro_op};
    pub use dynasm::dynasm;
}
