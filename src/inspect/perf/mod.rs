//! Linux perf: the map of symbols, and the dump of code with lines.
//!
//! Both are [watchers](crate::slab::Watcher) of a slab. [`PerfMap`] is the simple one: names for addresses, read by
//! `perf report` as it is, if the slab is one of [`Mapping::MovedPages`](crate::slab::Mapping::MovedPages).
//! [`JitDump`] has the code itself, so that `perf annotate` can show it, and knows when each trace came: where space is
//! reclaimed and used again, its answers are right and the map's are not. It is right for every mapping.

mod jitdump;
mod map;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

pub use jitdump::JitDump;
pub use map::PerfMap;
