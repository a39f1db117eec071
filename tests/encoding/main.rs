//! What micro-ops are encoded as: every kind of operand in every class of instructions that it can stand in,
//! at its lowest and at its highest value, as snapshots.

#[path = "../common/mod.rs"]
mod common;

mod arithmetic;
mod bits;
mod extremes;
mod loads;
mod logical;
mod moves;
mod pairs;
mod references;
mod registers;
mod stores;
mod system;
mod vectors;
