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
//! A slab reserves its address range once. A [`Heap`] hands out granules of it, with its bookkeeping kept
//! elsewhere. A [`Writer`] changes the memory in whatever way the system allows ([`Mapping`]) and cleans
//! the caches. Trampolines are shared by all traces and counted. All of this is under one lock,
//! which nothing that runs code takes.
//!
//! **Patching** replaces NOP by `b` or `b` by NOP, one aligned word, and nothing else: these are among the
//! few instructions that may change while other cores run them (Arm ARM B2.2.5, "Concurrent modification
//! and execution of instructions"). A core goes on with the old or the new one. Literals are changed by one
//! aligned 8-byte store.
//!
//! **Freeing takes two steps.** Dropping a trace unlinks what leads to it and retires its space. Threads
//! hold a [`Pin`] while they run code; [`reclaim`](Slab::reclaim) frees what was retired before every
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

pub(crate) mod cache;
mod call;
mod error;
mod heap;
mod install;
mod os;
mod patch;
mod pins;
mod trampolines;
mod writer;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use call::{Argument, Entry, EntryFn};
pub use error::{Mapping, SlabError};
pub use install::{Batch, InstalledTrace, Literal, Pending, TraceId};
pub use patch::Invalidated;

use crate::asm::branch::Field;
use heap::{Block, Heap};
use install::TraceState;
use os::{ForkGuard, Region};
use pins::Epochs;
use trampolines::Trampolines;
use writer::Writer;

/// How far `bl` reaches, in bytes, and so the largest slab: from any of its words to any other.
pub(crate) const JUMP_REACH: usize = Field::Imm26.reach() as usize;

/// The size of the blocks that a slab hands out: lengths are rounded up to a multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Granule {
    /// 16 bytes: the least padding.
    #[default]
    Bytes16,
    /// 32 bytes: entries start at fetch groups of most cores.
    Bytes32,
}

impl Granule {
    const fn bytes(self) -> usize {
        match self {
            Granule::Bytes16 => 16,
            Granule::Bytes32 => 32,
        }
    }
}

/// What a [`Slab`] can be told before it is made.
#[derive(Debug, Clone, Copy)]
pub struct SlabOptions {
    size: usize,
    granule: Granule,
    mapping: Option<Mapping>,
    near: Option<u64>,
}

impl SlabOptions {
    /// A slab of `size` bytes, rounded up to the page size: 128 MiB at most.
    pub fn new(size: usize) -> SlabOptions {
        SlabOptions {
            size,
            granule: Granule::default(),
            mapping: None,
            near: None,
        }
    }

    /// Sets the size of the blocks.
    pub fn granule(mut self, granule: Granule) -> SlabOptions {
        self.granule = granule;
        self
    }

    /// Chooses the way to get executable memory. Without it, the best that works is taken.
    pub fn mapping(mut self, mapping: Mapping) -> SlabOptions {
        self.mapping = Some(mapping);
        self
    }

    /// Sets the address that `bl` should reach from the slab: that of the runtime functions. Without it,
    /// it is the address of opstitch's own code, which is linked into the same program.
    pub fn near(mut self, address: u64) -> SlabOptions {
        self.near = Some(address);
        self
    }

    /// Makes the slab.
    ///
    /// # Errors
    /// [`SlabError::InvalidSize`]; [`SlabError::Map`] if the system gives no executable memory.
    pub fn build(self) -> Result<Slab, SlabError> {
        Slab::with_options(self)
    }
}

/// How far a slab lies from the program's own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distance {
    /// `bl` reaches it from everywhere in the slab: 128 MiB.
    Direct,
    /// Within 4 GiB: calls go through trampolines, and processors predict them.
    Within4GiB,
    /// Further: calls go through trampolines, which some processors never predict.
    Far,
}

/// A reserved range of executable memory that holds many traces and one set of trampolines.
///
/// A slab is a handle: clones share the memory, which is unmapped when the last clone and the last trace of it
/// are gone. It can be used from all threads.
#[derive(Debug, Clone)]
pub struct Slab {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    region: Region,
    fork: ForkGuard,
    granule: usize,
    near: u64,
    epochs: Epochs,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heap: Heap,
    trampolines: Trampolines,
    traces: Vec<Slot>,
    free_slots: Vec<u32>,
    retired: Vec<Retired>,
    scratch: Vec<Range<usize>>,
    /// Bytes that traces and trampolines really have, blocks apart.
    content: usize,
    calls: Calls,
}

/// Calls of the installed traces.
#[derive(Debug, Default, Clone, Copy)]
struct Calls {
    direct: usize,
    far: usize,
}

/// A place for a trace, used again and again; the generation tells its traces apart.
#[derive(Debug)]
struct Slot {
    generation: u32,
    trace: Option<TraceState>,
}

/// Space that threads may still be in.
#[derive(Debug)]
struct Retired {
    blocks: Vec<Block>,
    /// The epoch in which cores were synchronized after it was unlinked.
    since: Option<u64>,
}

/// What a slab holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SlabStatistics {
    /// Its size, in bytes.
    pub size: usize,
    /// Bytes in blocks of traces and trampolines, retired ones not among them.
    pub used: usize,
    /// Bytes that are free.
    pub free: usize,
    /// Bytes that wait for [`Slab::reclaim`].
    pub retired: usize,
    /// The longest trace that could be installed, in bytes.
    pub longest: usize,
    /// Bytes of `used` that rounding up to granules has cost.
    pub padding: usize,
    /// How many traces are installed.
    pub traces: usize,
    /// How many trampolines there are.
    pub trampolines: usize,
    /// How many trampolines were ever made.
    pub trampolines_made: u64,
    /// How often a trace found the trampoline that it needed.
    pub trampolines_saved: u64,
    /// Calls of the installed traces that lead directly to their target.
    pub direct_calls: usize,
    /// Calls of the installed traces that go through a trampoline.
    pub far_calls: usize,
}

/// What [`Slab::reclaim`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reclaimed {
    /// How many traces' space was freed.
    pub traces: usize,
    /// How many bytes were freed.
    pub bytes: usize,
    /// How many traces' space waits for pins that are held.
    pub waiting: usize,
}

/// A thread's word that it may be running code of a slab. While it is held, nothing that is dropped is
/// freed.
///
/// It belongs to its thread: it is not `Send`. Hold it for one call or for many; let go of it now and
/// then, or nothing is ever reclaimed.
#[derive(Debug)]
pub struct Pin<'s> {
    slab: &'s Slab,
    counter: usize,
    _thread: std::marker::PhantomData<*mut ()>,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.slab.shared.epochs.unpin(self.counter);
    }
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
        let region = reserve(kinds, size, near as usize)?;
        let system = |what| move |source| SlabError::System { what, source };
        let shared = region.kind() == Mapping::TwoViews;
        let fork = ForkGuard::new(shared).map_err(system("guard the memory against a fork"))?;
        // Where it is missing, `reclaim` says so; everything else works.
        let _ = os::prepare_to_synchronize();
        let granule = options.granule.bytes();
        Ok(Slab {
            shared: Arc::new(Shared {
                region,
                fork,
                granule,
                near,
                epochs: Epochs::default(),
                state: Mutex::new(State {
                    heap: Heap::new((size / granule) as u32),
                    trampolines: Trampolines::default(),
                    traces: Vec::new(),
                    free_slots: Vec::new(),
                    retired: Vec::new(),
                    scratch: Vec::new(),
                    content: 0,
                    calls: Calls::default(),
                }),
            }),
        })
    }

    /// The way in which the memory is executable.
    pub fn mapping(&self) -> Mapping {
        self.shared.region.kind()
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
        let retired = state.retired.iter().flat_map(|retired| &retired.blocks);
        let retired = retired.map(|block| block.len as usize * granule).sum();
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
            traces: state.traces.len() - state.free_slots.len(),
            trampolines: state.trampolines.len(),
            trampolines_made: state.trampolines.made,
            trampolines_saved: state.trampolines.saved,
            direct_calls: state.calls.direct,
            far_calls: state.calls.far,
        }
    }

    /// Says that this thread may be running code of the slab until the pin is dropped.
    pub fn pin(&self) -> Pin<'_> {
        let counter = self.shared.epochs.pin();
        os::enter();
        Pin {
            slab: self,
            counter,
            _thread: std::marker::PhantomData,
        }
    }

    /// Frees the space of dropped traces that no pin can be in any more. Lets all cores synchronize once
    /// (`membarrier` on Linux), however many traces there are, and does nothing if there are none.
    ///
    /// What is not free yet waits for pins; call again once they are dropped.
    ///
    /// # Errors
    /// [`SlabError::System`] if cores cannot be synchronized (Linux before 4.16); the space waits then.
    /// [`SlabError::Forked`].
    pub fn reclaim(&self) -> Result<Reclaimed, SlabError> {
        let shared = &*self.shared;
        let mut state = shared.lock_to_change()?;
        if state.retired.is_empty() {
            return Ok(Reclaimed {
                traces: 0,
                bytes: 0,
                waiting: 0,
            });
        }
        os::synchronize_cores().map_err(|source| SlabError::System {
            what: "synchronize the cores",
            source,
        })?;
        let now = shared.epochs.now();
        for retired in &mut state.retired {
            retired.since.get_or_insert(now);
        }
        if shared.epochs.step() {
            shared.epochs.step();
        }
        let (mut traces, mut bytes) = (0, 0);
        let all = std::mem::take(&mut state.retired);
        for retired in all {
            if retired
                .since
                .is_some_and(|since| shared.epochs.has_passed(since))
            {
                traces += 1;
                for block in retired.blocks {
                    bytes += block.len as usize * shared.granule;
                    state.heap.give(block);
                }
            } else {
                state.retired.push(retired);
            }
        }
        let waiting = state.retired.len();
        Ok(Reclaimed {
            traces,
            bytes,
            waiting,
        })
    }
}

fn reserve(kinds: &[Mapping], size: usize, near: usize) -> Result<Region, SlabError> {
    let mut last = None;
    for &mapping in kinds {
        match Region::reserve(mapping, size, near) {
            Ok(region) => return Ok(region),
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

    fn lock_to_change(&self) -> Result<MutexGuard<'_, State>, SlabError> {
        if self.fork.is_forked() {
            return Err(SlabError::Forked);
        }
        Ok(self.lock())
    }

    /// The instruction at an offset in bytes.
    fn load_word(&self, at: usize) -> u32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.region.len());
        let place = (self.region.address() + at) as *mut u32;
        // SAFETY: aligned and in the region, which is readable; others change it by atomic stores only.
        u32::from_le(unsafe { AtomicU32::from_ptr(place) }.load(Ordering::Relaxed))
    }

    /// The literal at an offset in bytes.
    fn load_literal(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.region.len());
        let place = (self.region.address() + at) as *mut u64;
        // SAFETY: as in `load_word`.
        u64::from_le(unsafe { AtomicU64::from_ptr(place) }.load(Ordering::Relaxed))
    }

    fn region_bytes(&self, start: usize, len: usize) -> Vec<u8> {
        let words = (start..start + len).step_by(4);
        words
            .flat_map(|at| self.load_word(at).to_le_bytes())
            .collect()
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
        Ok(())
    }
}
