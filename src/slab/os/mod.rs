//! What differs between operating systems: one file each, with the same functions.
//!
//! - `page_size()`, in bytes, asked at run time;
//! - `Region`: an address range of the slab that threads may run, and how it is written to;
//! - `synchronize_cores()`: every core of the process has seen the instructions written so far;
//! - `ForkGuard`: whether this process is a fork of the one that made the slab.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::*;

#[cfg(any(target_os = "macos", target_os = "ios"))]
mod macos;
#[cfg(any(target_os = "macos", target_os = "ios"))]
pub(crate) use macos::*;
