//! Freeing the space of dropped traces.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use super::heap::Block;
use super::{Shared, Slab, SlabError, State, cache, os};

/// A block that threads may still be in.
#[derive(Debug)]
pub(super) struct Retired {
    pub(super) block: Block,
    /// Whether it is a trace's, and not a trampoline's.
    pub(super) trace: bool,
    /// The epoch in which cores were synchronized after it was unlinked.
    since: Option<u64>,
}

impl Retired {
    pub(super) fn new(block: Block, trace: bool) -> Retired {
        Retired {
            block,
            trace,
            since: None,
        }
    }
}

/// What [`Slab::reclaim`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reclaimed {
    /// How many traces' space was freed.
    pub traces: usize,
    /// How many bytes were freed, trampolines among them.
    pub bytes: usize,
    /// How many dropped traces' space waits: for pins that are held, or for a system that failed to unlink
    /// them.
    pub waiting: usize,
}

/// A thread's word that it may be running code of a slab. Nothing that is dropped while it is held is freed before it is
/// let go.
///
/// It belongs to its thread: it is not `Send`. Hold it for one call or for many; let go of it now and
/// then, or nothing is ever reclaimed.
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<opstitch::slab::Pin<'static>>();
/// ```
#[derive(Debug)]
pub struct Pin<'s> {
    pub(super) slab: &'s Slab,
    counter: usize,
    /// What of the slab was published when this thread synchronized last; `None` if it has not.
    pub(super) seen: Cell<Option<u64>>,
    _thread: PhantomData<*mut ()>,
}

impl Pin<'_> {
    /// Lets this core fetch nothing that is older than what this thread knows to be published: a context synchronization
    /// event, unless nothing was published since the last one under this pin.
    ///
    /// A thread may have fetched, by a wrong guess, what was at a trace's address before the trace. That the address is its
    /// own now the thread knows by the trace's handle, and whoever handed that on had added to the number before.
    pub(super) fn synchronize(&self) {
        let published = Some(self.slab.shared.published.load(Ordering::Acquire));
        if self.seen.replace(published) != published {
            cache::synchronize_this_core();
        }
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.slab.shared.epochs.unpin(self.counter);
    }
}

impl Slab {
    /// Says that this thread may be running code of the slab until the pin is dropped.
    pub fn pin(&self) -> Pin<'_> {
        let counter = self.shared.epochs.pin();
        let pin = Pin {
            slab: self,
            counter,
            seen: Cell::new(None),
            _thread: PhantomData,
        };
        if !self.shared.barrier {
            pin.synchronize();
        }
        pin
    }

    /// Frees the space of dropped traces that no pin can be in any more. Lets all cores synchronize once
    /// (`membarrier` on Linux), however many traces there are, and does nothing if there are none.
    ///
    /// What is not free yet waits for every pin that was held when this was first called after the drop, whether it is older
    /// than the drop or not, and where pins overlap it may wait for some that were taken later. Call again once they are
    /// dropped.
    ///
    /// # Errors
    /// [`SlabError::System`] if cores cannot be synchronized; the space waits then. [`SlabError::Forked`].
    pub fn reclaim(&self) -> Result<Reclaimed, SlabError> {
        let shared = &*self.shared;
        // Dropped after the lock is free: who watches gets to run.
        #[cfg(feature = "inspect")]
        let mut gone = Vec::new();
        let mut guard = shared.lock_to_change()?;
        let state = &mut *guard;
        state.leave_orphans(shared);
        let mut reclaimed = Reclaimed {
            waiting: state.orphans.len(),
            ..Reclaimed::default()
        };
        if state.retired.is_empty() {
            return Ok(reclaimed);
        }
        if shared.barrier {
            os::synchronize_cores().map_err(|source| SlabError::System {
                what: "synchronize the cores",
                source,
            })?;
        }
        // Whoever pins the slab from now on sees what was unlinked.
        let now = shared.epochs.now();
        for retired in &mut state.retired {
            retired.since.get_or_insert(now);
        }
        if shared.epochs.step() {
            shared.epochs.step();
        }
        let free = |since: Option<u64>| since.is_some_and(|since| shared.epochs.has_passed(since));
        for retired in state.retired.extract_if(.., |retired| free(retired.since)) {
            reclaimed.traces += usize::from(retired.trace);
            reclaimed.bytes += retired.block.len as usize * shared.granule;
            #[cfg(feature = "inspect")]
            gone.extend(
                state
                    .table
                    .as_mut()
                    .and_then(|t| t.remove(retired.block.start)),
            );
            state.heap.give(retired.block);
        }
        reclaimed.waiting += state.retired.iter().filter(|retired| retired.trace).count();
        Ok(reclaimed)
    }
}

impl State {
    /// Tries again to retire the traces that could not be unlinked when they were dropped.
    fn leave_orphans(&mut self, shared: &Shared) {
        for index in (0..self.orphans.len()).rev() {
            let id = self.orphans[index];
            if self.unlink_all(shared, id).is_ok() {
                self.retire(id);
                self.orphans.swap_remove(index);
            }
        }
    }
}
