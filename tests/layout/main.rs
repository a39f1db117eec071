//! How traces are laid out and linked: each case as a snapshot of its listing.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod cold;
mod exits;
mod flow;
mod islands;
mod literals;
mod ops;
mod plain;
mod points;
