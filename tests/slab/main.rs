//! What slabs promise wherever they are: the traces in here are A64 code on every host, and only looked at.

mod accounting;
mod batch;
mod errors;
mod guarded;
mod install;
mod invalidate;
mod links;
mod literals;
mod reserve;
mod support;
mod threads;
mod trampolines;
