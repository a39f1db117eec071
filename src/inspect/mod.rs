//! Looking at a linked trace: its listing.
//!
//! The listing is made from the bytes. What a branch or a load leads to is decoded from its word, and only
//! then given the name of what lies there; the operands of the micro-op decide nothing but which
//! name to use where a place has several. So a listing shows what the trace does, not what it was meant
//! to do.
//!
//! ```
//! # opstitch::uops! {
//! #     registers { vm: x19 }
//! #     op CallRuntime(function: call) { ; mov x0, vm ; bl =>function }
//! #     op Return { ; ret }
//! # }
//! use opstitch::inspect::Symbols;
//!
//! let mut builder = opstitch::TraceBuilder::new();
//! let function = opstitch::Target::new(0x1_0400)?;
//! builder.push(CallRuntime { function })?;
//! builder.push(Return)?;
//! let linked = builder.finish()?.link(0x1_0000)?;
//!
//! let symbols = Symbols::new().with("rt_push", function.address());
//! assert_eq!(
//!     linked.listing(&symbols).to_string(),
//!     "\
//! trace at 0x10000, 20 bytes
//!
//! hot, 20 bytes
//!   10000  d503201f  nop                             ; entry
//! op 0 CallRuntime function=rt_push
//!   10004  aa1303e0  mov x0, x19
//!   10008  940000fe  bl rt_push
//!   1000c  d503201f  nop                             ; fall-through
//! op 1 Return
//!   10010  d65f03c0  ret
//! "
//! );
//! # Ok::<(), opstitch::Error>(())
//! ```

mod aliases;
mod corrections;
mod disassemble;
mod listing;
mod places;
mod symbols;
mod targets;

pub use listing::Listing;
pub use symbols::Symbols;
