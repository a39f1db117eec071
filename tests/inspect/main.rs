//! Traces in a slab, seen from outside: what lies at an address, listings, and who watches.
#![cfg(unix)]

mod allocations;
mod listing;
mod locate;
mod micro_ops;
#[path = "../slab/support.rs"]
mod support;
mod watch;
