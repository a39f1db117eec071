//! The table against a second source, and the rules.

#[cfg(not(target_arch = "aarch64"))]
mod second_source;
