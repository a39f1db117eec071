//! What differs between operating systems: one file each, with the same functions.
//!
//! - `page_size()`, in bytes, asked at run time;
//! - `Region`: an address range of the slab that threads may run, and how it is written to: through a
//!   `writable()` view, or by pages that it `stage`s aside and that are `Staged::publish`ed;
//! - `prepare_to_synchronize()`: whether `synchronize_cores()` works, which lets every core of the process see
//!   the instructions written so far. Where it does not, threads do that for themselves when they pin;
//! - `WriteSwitch`: held by a thread that writes;
//! - `ForkGuard`: whether this process is a fork of the one that made the slab.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(any(target_os = "macos", target_os = "ios"))]
mod macos;
#[cfg(any(target_os = "macos", target_os = "ios"))]
pub(crate) use macos::*;
