//! Installing traces, one at a time or many at once, and dropping them.

use std::ops::Range;
use std::sync::Arc;

use super::heap::Block;
use super::trampolines::{self, Use};
use super::{Retired, Shared, Slab, SlabError, Slot, State, Writer};
use crate::link::Statistics;
use crate::op::operand::{Exit, MutLiteral};
use crate::trace::Trace;

/// What a slab knows of a trace.
#[derive(Debug)]
pub(super) struct TraceState {
    block: Block,
    len: usize,
    uses: Vec<Use>,
    statistics: Statistics,
    tag: u32,
    pub(super) exits: Vec<ExitSite>,
    /// Invalidation points: the NOP and the exit's code, in bytes from the trace's start.
    pub(super) points: Vec<(u32, u32)>,
    /// The exits of traces that lead here.
    pub(super) incoming: Vec<Incoming>,
    pub(super) invalidated: bool,
    mutables: Vec<Option<u32>>,
    literals: Range<u32>,
}

/// An exit that can be linked.
#[derive(Debug)]
pub(super) struct ExitSite {
    /// Its number in the trace.
    pub(super) exit: u32,
    /// Its NOP, in bytes from the trace's start.
    pub(super) at: u32,
    /// Where it leads, and its place among what comes in there.
    pub(super) leads_to: Option<(TraceId, u32)>,
}

/// An exit, by its place among its trace's sites.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming {
    pub(super) from: TraceId,
    pub(super) site: u32,
}

/// The name of an installed trace in its slab. It stays valid, and becomes an error, when the trace is
/// dropped; names are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId {
    pub(super) slot: u32,
    generation: u32,
}

/// A trace in executable memory. Dropping it unlinks the exits that lead to it and retires its space,
/// which [`Slab::reclaim`] frees.
///
/// The handle keeps the slab's memory mapped.
#[derive(Debug)]
pub struct InstalledTrace {
    pub(super) slab: Slab,
    pub(super) id: TraceId,
    address: u64,
    len: usize,
}

/// A word of an installed trace's literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Literal {
    /// Where it is, in bytes from the trace's start; a multiple of 8.
    pub offset: u32,
    /// What it holds.
    pub value: u64,
    /// Whether it may be changed: it is the word of a `mut literal`.
    pub mutable: bool,
}

/// Traces that are written but not yet published: none of them can be run.
///
/// Made by [`Slab::batch`]. Dropping it without [`publish`](Batch::publish) gives their space back.
#[derive(Debug)]
pub struct Batch<'s> {
    slab: &'s Slab,
    written: Vec<Written>,
    writes: Vec<(usize, Vec<u8>)>,
}

/// A trace of a [`Batch`], by its number: what [`Batch::publish`] returns in this place is its handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending(pub usize);

/// A trace that has its space but is not in the slab's list yet.
#[derive(Debug)]
struct Written {
    state: TraceState,
    address: u64,
}

impl Slab {
    /// Links a trace into the slab and publishes it.
    ///
    /// # Errors
    /// [`SlabError::Full`], [`SlabError::Trace`], [`SlabError::Forked`], [`SlabError::System`]. The slab
    /// is then as it was.
    pub fn install(&self, trace: &Trace<'_>) -> Result<InstalledTrace, SlabError> {
        let shared = &*self.shared;
        let mut state = shared.lock_to_change()?;
        let mut writer = shared.writer(&mut state);
        let placed = state.place(shared, trace, &mut |range, fill| writer.fill(range, fill));
        let written = match placed {
            Ok(written) => written,
            Err(error) => {
                state.scratch = writer.abort();
                return Err(error);
            }
        };
        state.write_trampolines(shared, &written, &mut writer);
        if let Err(error) = shared.commit(&mut state, writer) {
            state.unplace(written);
            return Err(error);
        }
        Ok(self.enlist(&mut state, written))
    }

    /// Starts to install many traces with one publication.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            slab: self,
            written: Vec::new(),
            writes: Vec::new(),
        }
    }

    fn enlist(&self, state: &mut State, written: Written) -> InstalledTrace {
        let (address, len) = (written.address, written.state.len);
        state.trampolines.mark_written(&written.state.uses);
        InstalledTrace {
            slab: self.clone(),
            id: state.enlist(written.state),
            address,
            len,
        }
    }
}

impl Batch<'_> {
    /// Links a trace to its place in the slab, without publishing it.
    ///
    /// # Errors
    /// As [`Slab::install`]; the traces added before stay.
    pub fn add(&mut self, trace: &Trace<'_>) -> Result<Pending, SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let writes = &mut self.writes;
        let written = state.place(shared, trace, &mut |range, fill| {
            let mut bytes = vec![0; range.len()];
            fill(&mut bytes);
            writes.push((range.start, bytes));
        })?;
        self.written.push(written);
        Ok(Pending(self.written.len() - 1))
    }

    /// Publishes all traces: one session of writing, one cleaning of caches. The handles come in the
    /// order in which the traces were added.
    ///
    /// # Errors
    /// [`SlabError::System`] or [`SlabError::Forked`]; nothing is installed then.
    pub fn publish(mut self) -> Result<Vec<InstalledTrace>, SlabError> {
        let slab = self.slab;
        let shared = &*slab.shared;
        let mut state = shared.lock_to_change()?;
        let mut writer = shared.writer(&mut state);
        for (start, bytes) in &self.writes {
            writer.fill(*start..start + bytes.len(), |to| to.copy_from_slice(bytes));
        }
        for written in &self.written {
            state.write_trampolines(shared, written, &mut writer);
        }
        shared.commit(&mut state, writer)?;
        let written = std::mem::take(&mut self.written);
        Ok(written
            .into_iter()
            .map(|w| slab.enlist(&mut state, w))
            .collect())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.written.is_empty() || self.slab.shared.fork.is_forked() {
            return;
        }
        let mut state = self.slab.shared.lock();
        self.written
            .drain(..)
            .for_each(|written| state.unplace(written));
    }
}

/// Takes a range of the slab, and what fills it.
type Fill<'f> = dyn FnMut(Range<usize>, &mut dyn FnMut(&mut [u8])) + 'f;

impl TraceState {
    /// Where it starts, in granules.
    pub(super) fn first_granule(&self) -> u32 {
        self.block.start
    }
}

impl State {
    /// Gives a trace its space and its trampolines, and has their bytes written.
    fn place(
        &mut self,
        shared: &Shared,
        trace: &Trace<'_>,
        fill: &mut Fill<'_>,
    ) -> Result<Written, SlabError> {
        let len = trace.shared_len();
        let granules = len.div_ceil(shared.granule);
        let full = |heap: &super::Heap, needed: usize| SlabError::Full {
            needed,
            longest: heap.longest() as usize * shared.granule,
        };
        let block = u32::try_from(granules)
            .ok()
            .and_then(|granules| self.heap.take(granules));
        let Some(block) = block else {
            return Err(full(&self.heap, len));
        };
        let start = block.start as usize * shared.granule;
        let base = shared.region.address() as u64;
        let address = base + start as u64;
        let (mut uses, mut shared_ways) = (Vec::new(), Vec::new());
        for target in trace.targets() {
            if trace.reaches(address, target) {
                shared_ways.push(None);
                continue;
            }
            let granules = trampolines::LEN.div_ceil(shared.granule) as u32;
            let Some(acquired) = self.trampolines.acquire(target, granules, &mut self.heap) else {
                let error = full(&self.heap, trampolines::LEN);
                self.free(block, uses);
                return Err(error);
            };
            let at = acquired.start as usize * shared.granule;
            self.content += if acquired.new { trampolines::LEN } else { 0 };
            uses.push(acquired.using);
            shared_ways.push(Some(base + at as u64));
        }
        let link = match trace.link_shared(address, &shared_ways) {
            Ok(link) => link,
            Err(error) => {
                self.free(block, uses);
                return Err(error.into());
            }
        };
        fill(start..start + len, &mut |to| link.write(to));
        self.content += len;
        let sites = trace.link_sites().map(|(exit, at)| ExitSite {
            exit,
            at,
            leads_to: None,
        });
        Ok(Written {
            address,
            state: TraceState {
                block,
                len,
                uses,
                statistics: link.statistics(),
                tag: trace.tag(),
                exits: sites.collect(),
                points: trace.points().collect(),
                incoming: Vec::new(),
                invalidated: false,
                mutables: link.mutable_words(),
                literals: link.literals(),
            },
        })
    }

    /// Writes the trampolines that a trace is the first to publish.
    fn write_trampolines(&self, shared: &Shared, written: &Written, writer: &mut Writer<'_>) {
        for (start, bytes) in self.trampolines.unwritten(&written.state.uses) {
            let at = start as usize * shared.granule;
            writer.fill(at..at + bytes.len(), |to| to.copy_from_slice(&bytes));
        }
    }

    /// Takes back what nobody can have run.
    fn unplace(&mut self, written: Written) {
        self.content -= written.state.len;
        self.free(written.state.block, written.state.uses);
    }

    /// Gives blocks back that nobody can have run.
    fn free(&mut self, block: Block, uses: Vec<Use>) {
        self.heap.give(block);
        for using in uses {
            if let Some(block) = self.trampolines.release(using) {
                self.content -= trampolines::LEN;
                self.heap.give(block);
            }
        }
    }

    fn enlist(&mut self, trace: TraceState) -> TraceId {
        self.calls.direct += trace.statistics.direct_calls;
        self.calls.far += trace.statistics.far_calls;
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.traces.push(Slot {
                generation: 0,
                trace: None,
            });
            self.traces.len() as u32 - 1
        });
        let place = &mut self.traces[slot as usize];
        place.trace = Some(trace);
        TraceId {
            slot,
            generation: place.generation,
        }
    }

    /// The trace of that name, if it is installed.
    pub(super) fn trace(&mut self, id: TraceId) -> Result<&mut TraceState, SlabError> {
        let slot = self.traces.get_mut(id.slot as usize);
        slot.filter(|slot| slot.generation == id.generation)
            .and_then(|slot| slot.trace.as_mut())
            .ok_or(SlabError::DroppedTrace)
    }

    /// Takes a trace out of the list, unlinked, and retires its space.
    fn retire(&mut self, id: TraceId) {
        let Some(slot) = self.traces.get_mut(id.slot as usize) else {
            return;
        };
        let Some(trace) = slot.trace.take() else {
            return;
        };
        // A name is used once. After 2^32 traces the slot is given up.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free_slots.push(id.slot);
        }
        self.calls.direct -= trace.statistics.direct_calls;
        self.calls.far -= trace.statistics.far_calls;
        self.content -= trace.len;
        let mut blocks = vec![trace.block];
        for using in trace.uses {
            if let Some(block) = self.trampolines.release(using) {
                self.content -= trampolines::LEN;
                blocks.push(block);
            }
        }
        self.retired.push(Retired {
            blocks,
            since: None,
        });
    }
}

impl InstalledTrace {
    /// Its name in the slab.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The slab it is in.
    pub fn slab(&self) -> &Slab {
        &self.slab
    }

    /// The address of its entry.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Its length in bytes, trampolines apart.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a trace has an entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes as they are now. Other threads may patch them at any time.
    pub fn bytes(&self) -> Vec<u8> {
        self.slab.shared.region_bytes(self.start(), self.len)
    }

    /// What it consists of.
    ///
    /// # Errors
    /// None today; a trace that has a handle is installed.
    pub fn statistics(&self) -> Result<Statistics, SlabError> {
        Ok(self.slab.shared.lock().trace(self.id)?.statistics)
    }

    pub(super) fn start(&self) -> usize {
        (self.address - self.slab.shared.region.address() as u64) as usize
    }

    /// The literals: those at the end of the trace, and the changeable ones wherever they are.
    pub fn literals(&self) -> Vec<Literal> {
        let (words, mutables) = {
            let mut state = self.slab.shared.lock();
            match state.trace(self.id) {
                Ok(trace) => (trace.literals.clone(), trace.mutables.clone()),
                Err(_) => return Vec::new(),
            }
        };
        let mut mutable: Vec<u32> = mutables.into_iter().flatten().collect();
        mutable.sort_unstable();
        let at_end = words.step_by(8);
        let mut all: Vec<u32> = at_end.chain(mutable.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter()
            .map(|offset| Literal {
                offset,
                value: self
                    .slab
                    .shared
                    .load_literal(self.start() + offset as usize),
                mutable: mutable.binary_search(&offset).is_ok(),
            })
            .collect()
    }

    /// What a changeable literal holds now.
    ///
    /// # Errors
    /// [`SlabError::UnknownLiteral`].
    pub fn literal(&self, literal: MutLiteral) -> Result<u64, SlabError> {
        let at = self.literal_at(&mut self.slab.shared.lock(), literal)?;
        Ok(self.slab.shared.load_literal(at))
    }

    /// Changes a changeable literal by one aligned store: a thread that loads it gets the old value or
    /// the new one.
    ///
    /// # Errors
    /// [`SlabError::UnknownLiteral`], [`SlabError::Forked`], [`SlabError::System`].
    pub fn set_literal(&self, literal: MutLiteral, value: u64) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let at = self.literal_at(&mut state, literal)?;
        let mut writer = shared.writer(&mut state);
        writer.store_literal(at, value);
        shared.commit(&mut state, writer)
    }

    /// Visits every changeable literal, and stores what `visit` returns in its place: how a moving garbage
    /// collector follows the objects that traces name. (Objects that move must be `mut` literals: others
    /// may be merged, or made by an instruction.)
    ///
    /// # Errors
    /// [`SlabError::Forked`], [`SlabError::System`].
    pub fn update_literals(&self, mut visit: impl FnMut(u64) -> u64) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let words: Vec<u32> = state
            .trace(self.id)?
            .mutables
            .iter()
            .flatten()
            .copied()
            .collect();
        let mut writer = shared.writer(&mut state);
        for word in words {
            let at = self.start() + word as usize;
            let old = shared.load_literal(at);
            let new = visit(old);
            if new != old {
                writer.store_literal(at, new);
            }
        }
        shared.commit(&mut state, writer)
    }

    fn literal_at(&self, state: &mut State, literal: MutLiteral) -> Result<usize, SlabError> {
        let trace = state.trace(self.id)?;
        let own = trace.tag == literal.0.tag;
        let word = trace
            .mutables
            .get(literal.0.index as usize)
            .copied()
            .flatten();
        let word = word.filter(|_| own).ok_or(SlabError::UnknownLiteral)?;
        Ok(self.start() + word as usize)
    }

    /// The place of an exit among the trace's sites.
    pub(super) fn site(&self, state: &mut State, exit: Exit) -> Result<u32, SlabError> {
        let trace = state.trace(self.id)?;
        let own = trace.tag == exit.0.tag;
        let site = trace
            .exits
            .binary_search_by_key(&exit.0.index, |site| site.exit);
        match site {
            Ok(site) if own => Ok(site as u32),
            _ => Err(SlabError::NotLinkable { exit: exit.0.index }),
        }
    }

    /// Unlinks and retires the trace, as dropping it does, and says what went wrong if something did.
    ///
    /// # Errors
    /// [`SlabError::Forked`]: the trace belongs to the parent, and stays. [`SlabError::System`]: the trace
    /// could not be unlinked, and its space is never used again.
    pub fn retire(self) -> Result<(), SlabError> {
        let result = self.leave();
        // Dropping it now finds nothing left to do, or fails in the same way.
        drop(self);
        result
    }

    fn leave(&self) -> Result<(), SlabError> {
        let shared = Arc::clone(&self.slab.shared);
        let mut state = shared.lock_to_change()?;
        state.unlink_all(&shared, self.id)?;
        state.retire(self.id);
        Ok(())
    }
}

impl Drop for InstalledTrace {
    fn drop(&mut self) {
        // In a forked child the memory is the parent's. Where the system fails to unlink, the space stays
        // taken: safe, if wasteful. `retire` reports both.
        let _ = self.leave();
    }
}
