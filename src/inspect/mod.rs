//! Looking at a trace: its listing, linked or in a slab.
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
//!
//! # Traces in a slab
//!
//! A slab made with [`SlabOptions::annotate`](crate::slab::SlabOptions::annotate) keeps what lies where in
//! each of its traces. Then
//!
//! - [`InstalledTrace::listing`](crate::slab::InstalledTrace::listing) shows a trace as it is now, with
//!   its links and patches;
//! - [`Slab::locate`](crate::slab::Slab::locate) tells what lies at an address, so that a fault in a trace is
//!   reported as `trace 12, op 7 AddInt overflow=exit 2`. In a signal handler that is
//!   [`Slab::try_locate`](crate::slab::Slab::try_locate);
//! - a [`Watcher`](crate::slab::Watcher) is told of all code that is published: `Gdb` (feature `gdb`) lets
//!   debuggers know of it, `perf::PerfMap` and `perf::JitDump` (feature `perf`) Linux perf;
//! - `Slab::register_frames` (feature `unwind`) lets backtraces lead through traces.
//!
//! ```
//! # opstitch::uops! { op Return { ; ret } }
//! # let mut builder = opstitch::TraceBuilder::new();
//! use opstitch::slab::SlabOptions;
//!
//! let slab = SlabOptions::new(1 << 20).annotate(true).build()?;
//! builder.set_name("loop at 17");
//! builder.push(Return)?;
//! let trace = slab.install(&builder.finish()?)?;
//!
//! let located = slab.locate(trace.address() + 4).expect("a trace lies there");
//! assert_eq!(located.to_string(), "trace 0 \"loop at 17\", op 0 Return");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aliases;
mod around;
mod corrections;
pub(crate) mod disassemble;
#[cfg(feature = "html")]
mod html;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "ios"))]
mod installed;
mod lines;
mod listing;
mod places;
mod snapshot;
mod symbols;
mod targets;
pub(crate) mod templates;

pub use listing::Listing;
pub use symbols::Symbols;
pub use templates::MicroOpListing;

// What tells other tools of the code in a slab.
#[cfg(all(
    any(target_os = "linux", target_os = "macos", target_os = "ios"),
    any(feature = "gdb", feature = "unwind")
))]
mod frame;
#[cfg(all(
    any(target_os = "linux", target_os = "macos", target_os = "ios"),
    any(feature = "gdb", feature = "perf", feature = "unwind")
))]
#[allow(unsafe_code)]
mod process;
#[cfg(all(
    any(target_os = "linux", target_os = "macos", target_os = "ios"),
    feature = "unwind"
))]
#[allow(unsafe_code)]
mod unwind;

#[cfg(all(any(feature = "gdb", feature = "perf"), target_os = "linux"))]
mod files;
#[cfg(all(any(feature = "gdb", feature = "perf"), target_os = "linux"))]
mod symbol;

#[cfg(all(feature = "perf", target_os = "linux"))]
#[cfg_attr(test, allow(unsafe_code))]
pub mod perf;

#[cfg(all(
    feature = "gdb",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod gdb;
#[cfg(all(
    feature = "gdb",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub use gdb::Gdb;
