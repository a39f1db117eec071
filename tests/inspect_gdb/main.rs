//! The interface by which debuggers find traces: the list in memory as a debugger reads it, and GDB itself.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod debugger;
mod list;
