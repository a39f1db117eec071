//! Slabs: executable memory that holds many traces and one set of trampolines.
//!
//! # The problem
//!
//! A trace must become executable without any address ever being writable and executable at once, and
//! without taking the right to execute from code that threads are running. It should lie where `bl`
//! reaches the program's own functions. Traces are small, thousands of them share pages, and they
//! come and go; one that goes may be linked from others, and threads may still be in it.
//!
//! # The strategy
//!
//! A slab reserves its address range once. A `Heap` hands out granules of it, with its bookkeeping kept
//! elsewhere. A `Writer` changes the memory in whatever way the system allows ([`Mapping`]) and cleans
//! the caches. Trampolines are shared by all traces and counted. All of this is under one lock,
//! which nothing that runs code takes.
//!
//! **Patching** replaces NOP by `b` or `b` by NOP, one aligned word, and nothing else: these are among the
//! few instructions that may change while other cores run them (Arm ARM B2.2.5, "Concurrent modification
//! and execution of instructions"). A core goes on with the old or the new one. Literals are changed by one
//! aligned 8-byte store.
//!
//! **Freeing takes two steps.** Dropping a trace unlinks what leads to it and retires its space. Threads
//! hold a [`Pin`] while they run code; [`reclaim`](Slab::reclaim) frees what it found retired before every
//! pin that is left, and lets all cores synchronize before, once for the whole batch.
//!
//! # Invariants
//!
//! 1. A block belongs to the heap's free part, to one installed trace, to one trampoline with users, or to
//!    the retired.
//! 2. Links are kept on both sides: a trace's exit knows where it leads, and that trace knows the exit. A
//!    linked exit leads to a trace that is installed.
//! 3. Memory is changed under the lock, and only if this process is not a fork that shares it.
//! 4. What an error is returned for has not happened.

mod batch;
pub(crate) mod cache;
mod call;
mod error;
mod heap;
mod install;
mod installed;
#[cfg(feature = "inspect")]
mod locate;
mod options;
mod os;
mod patch;
mod pins;
mod reclaim;
mod reserve;
#[cfg(feature = "inspect")]
pub(crate) mod table;
mod trampolines;
#[cfg(feature = "inspect")]
mod watch;
mod writer;

#[cfg(test)]
mod tests;

#[cfg(feature = "unwind")]
use std::any::Any;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use batch::{Batch, Pending};
pub use call::{Argument, Entry, EntryFn, ExitTaken, ReturnValue, RunsHere};
pub use error::{Mapping, NotLinkable, SlabError};
pub use install::TraceId;
pub use installed::{InstalledTrace, Literal};
#[cfg(feature = "inspect")]
pub use locate::Located;
pub use options::{Distance, Granule, SlabOptions, SlabStatistics};
pub use patch::Invalidated;
pub use reclaim::{Pin, Reclaimed};
pub use reserve::Reservation;
#[cfg(feature = "inspect")]
pub use watch::{Kept, Snapshot, Watcher};

use crate::asm::branch::Field;
use heap::Heap;
use install::Slot;
use os::{ForkGuard, Region};
use pins::Epochs;
use reclaim::Retired;
use trampolines::Trampolines;
use writer::Writer;

/// How far `bl` reaches, in bytes, and so the largest slab: from any of its words to any other.
pub(crate) const JUMP_REACH: usize = Field::Imm26.reach() as usize;

/// A reserved range of executable memory that holds many traces and one set of trampolines.
///
/// A slab is a handle: clones share the memory, which is unmapped when the last clone and the last trace of it
/// are gone. It can be used from all threads.
///
/// A forked child shares the memory of [`Mapping::TwoViews`] with its parent. What would change it returns
/// [`SlabError::Forked`] there, and drops leave it alone. Its pins are its own, so its parent does not wait for them: the
/// child may run a trace only as long as the parent keeps it, and sees what the parent patches. With the other mappings the child
/// has a copy, in which nothing is reclaimed that was pinned by another thread when it was made. Whatever takes the slab's
/// lock ([`statistics`](Slab::statistics), say, and with a copy installing and dropping too) waits for ever if a thread that the child
/// does not have held it at that moment. A child that needs code of its own had better make a slab of its own.
#[derive(Debug, Clone)]
pub struct Slab {
    shared: Arc<Shared>,
}

/// What may speak of the memory comes before it, for fields are dropped in their order.
#[derive(Debug)]
struct Shared {
    #[cfg(feature = "inspect")]
    watchers: watch::Watchers,
    #[cfg(feature = "unwind")]
    kept: Mutex<Option<Box<dyn Any + Send + Sync>>>,
    state: Mutex<State>,
    region: Region,
    fork: ForkGuard,
    granule: usize,
    near: u64,
    /// Whether every trace must have one.
    landing_pads: bool,
    /// Tells this slab's names of traces from other slabs'.
    tag: u32,
    /// Whether `reclaim` can synchronize the cores, or pins have to.
    barrier: bool,
    epochs: Epochs,
    /// How often something was published: who has seen the present number since the last context synchronization event has
    /// fetched nothing older.
    published: AtomicU64,
}

#[derive(Debug)]
struct State {
    heap: Heap,
    trampolines: Trampolines,
    traces: Vec<Slot>,
    free_slots: Vec<u32>,
    installed: usize,
    retired: Vec<Retired>,
    /// Traces without a handle that the system failed to unlink.
    orphans: Vec<TraceId>,
    scratch: Vec<Range<usize>>,
    /// Bytes that traces and trampolines really have, blocks apart.
    content: usize,
    calls: Calls,
    #[cfg(feature = "inspect")]
    table: Option<table::Table>,
}

/// Calls of the installed traces.
#[derive(Debug, Default, Clone, Copy)]
struct Calls {
    direct: usize,
    far: usize,
}

impl Slab {
    /// A slab of `size` bytes with the default options.
    ///
    /// # Errors
    /// As [`SlabOptions::build`].
    pub fn new(size: usize) -> Result<Slab, SlabError> {
        SlabOptions::new(size).build()
    }

    fn with_options(options: SlabOptions) -> Result<Slab, SlabError> {
        let page = os::page_size();
        let invalid = || SlabError::InvalidSize {
            size: options.size,
            max: JUMP_REACH,
        };
        let size = options
            .size
            .checked_next_multiple_of(page)
            .ok_or_else(invalid)?;
        if size == 0 || size > JUMP_REACH {
            return Err(invalid());
        }
        let near = options.near.unwrap_or(Slab::new as *const () as u64);
        let kinds = options
            .mapping
            .as_ref()
            .map_or(os::KINDS, std::slice::from_ref);
        let (region, fork) = reserve(kinds, size, near as usize, options.guarded)?;
        let granule = options.granule.bytes();
        Ok(Slab {
            shared: Arc::new(Shared {
                #[cfg(feature = "inspect")]
                watchers: watch::Watchers::default(),
                #[cfg(feature = "unwind")]
                kept: Mutex::default(),
                region,
                fork,
                granule,
                near,
                landing_pads: options.guarded,
                tag: RandomState::new().build_hasher().finish() as u32,
                barrier: os::prepare_to_synchronize(),
                epochs: Epochs::default(),
                published: AtomicU64::new(0),
                state: Mutex::new(State {
                    heap: Heap::new((size / granule) as u32),
                    trampolines: Trampolines::default(),
                    traces: Vec::new(),
                    free_slots: Vec::new(),
                    installed: 0,
                    retired: Vec::new(),
                    orphans: Vec::new(),
                    scratch: Vec::new(),
                    content: 0,
                    calls: Calls::default(),
                    #[cfg(feature = "inspect")]
                    table: options.annotate.then(table::Table::default),
                }),
            }),
        })
    }

    /// Makes something the first time, and keeps it until the memory is about to be unmapped.
    #[cfg(feature = "unwind")]
    pub(crate) fn keep_once(&self, make: impl FnOnce() -> Box<dyn Any + Send + Sync>) {
        let kept = self.shared.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(make);
    }

    /// The way in which the memory is executable.
    pub fn mapping(&self) -> Mapping {
        self.shared.region.kind()
    }

    /// Whether the processor checks that indirect branches into the slab land on landing pads.
    pub fn is_guarded(&self) -> bool {
        self.shared.region.is_guarded()
    }

    /// The addresses of the slab.
    pub fn addresses(&self) -> Range<u64> {
        let start = self.shared.region.address() as u64;
        start..start + self.shared.region.len() as u64
    }

    /// How far the slab lies from the program's own code, or from the address it was to be near to.
    pub fn distance(&self) -> Distance {
        let Range { start, end } = self.addresses();
        let farthest = self
            .shared
            .near
            .abs_diff(start)
            .max(self.shared.near.abs_diff(end));
        match farthest {
            near if near < JUMP_REACH as u64 => Distance::Direct,
            middle if middle < 1 << 32 => Distance::Within4GiB,
            _ => Distance::Far,
        }
    }

    /// What the slab holds.
    pub fn statistics(&self) -> SlabStatistics {
        let (state, granule) = (self.shared.lock(), self.shared.granule);
        let retired = state.retired.iter();
        let retired = retired
            .map(|retired| retired.block.len as usize * granule)
            .sum();
        let size = state.heap.len() as usize * granule;
        let free = state.heap.free_granules() as usize * granule;
        let used = size - free - retired;
        SlabStatistics {
            size,
            used,
            free,
            retired,
            longest: state.heap.longest() as usize * granule,
            padding: used - state.content,
            traces: state.installed,
            trampolines: state.trampolines.len(),
            trampolines_made: state.trampolines.made,
            trampolines_saved: state.trampolines.saved,
            direct_calls: state.calls.direct,
            far_calls: state.calls.far,
        }
    }
}

fn reserve(
    kinds: &[Mapping],
    size: usize,
    near: usize,
    guarded: bool,
) -> Result<(Region, ForkGuard), SlabError> {
    let mut last = None;
    for &mapping in kinds {
        let region = Region::reserve(mapping, size, near, guarded);
        // Only memory of which a child gets no copy has to be guarded.
        match region.and_then(|region| Ok((region, ForkGuard::new(mapping == Mapping::TwoViews)?)))
        {
            Ok(reserved) => return Ok(reserved),
            Err(source) => last = Some(SlabError::Map { mapping, source }),
        }
    }
    Err(last.unwrap_or(SlabError::Map {
        mapping: Mapping::TwoViews,
        source: std::io::Error::from(std::io::ErrorKind::Unsupported),
    }))
}

impl Shared {
    /// The state is whole whenever the lock is free, a panic in between notwithstanding: nothing in here
    /// panics half-way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A forked child gets an error before it waits for a lock that a thread of its parent may have held.
    fn lock_to_change(&self) -> Result<MutexGuard<'_, State>, SlabError> {
        if self.fork.is_forked() {
            return Err(SlabError::Forked);
        }
        Ok(self.lock())
    }

    fn writer<'r>(&'r self, state: &mut State) -> Writer<'r> {
        Writer::new(&self.region, std::mem::take(&mut state.scratch))
    }

    /// Publishes what was written.
    fn commit(&self, state: &mut State, writer: Writer<'_>) -> Result<(), SlabError> {
        state.scratch = writer.commit().map_err(|source| SlabError::System {
            what: "publish the changed pages",
            source,
        })?;
        // Before anybody gets a handle.
        self.published.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
