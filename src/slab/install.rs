//! The slab's list of traces: how they get into it and out of it.

use std::fmt;
use std::ops::Range;
#[cfg(feature = "inspect")]
use std::sync::Arc;

use super::heap::Block;
use super::reclaim::Retired;
use super::trampolines::{self, Use};
use super::{InstalledTrace, Shared, Slab, SlabError, State, Writer};
use crate::asm::WORD;
#[cfg(feature = "inspect")]
use crate::link::Map;
use crate::link::Statistics;
use crate::trace::Trace;
use crate::trace::state::MutableWord;

/// What a slab knows of a trace.
#[derive(Debug)]
pub(super) struct TraceState {
    pub(super) block: Block,
    pub(super) len: usize,
    /// How much of that is hot and cold code, which trampolines and literals come behind.
    pub(super) code_len: u32,
    /// Where islands have literals in there.
    pub(super) island_literals: Option<Box<[Range<u32>]>>,
    pub(super) uses: Vec<Use>,
    pub(super) statistics: Statistics,
    pub(super) tag: u32,
    /// The exits that can be linked, in their order, and where the NOPs of those are that something leads to, in bytes from
    /// the trace's start. Exits with the same code share one.
    pub(super) exits: Vec<(u32, Option<u32>)>,
    /// These NOPs, in their order.
    pub(super) sites: Vec<Site>,
    /// Invalidation points: the NOP and the exit's code, in bytes from the trace's start.
    pub(super) points: Vec<(u32, u32)>,
    /// The sites of traces that lead here.
    pub(super) incoming: Vec<Incoming>,
    pub(super) invalidated: bool,
    /// The words of the changeable literals, by their numbers.
    pub(super) mutables: Vec<Option<MutableWord>>,
    /// Where the literals at the end are.
    pub(super) literals: Range<u32>,
}

/// A NOP that becomes `b` when its exit is linked.
#[derive(Debug)]
pub(super) struct Site {
    /// In bytes from the trace's start.
    pub(super) at: u32,
    /// The trace it leads into, and its place among what comes in there.
    pub(super) leads_to: Option<(TraceId, u32)>,
}

/// A site, by its place among its trace's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming {
    pub(super) from: TraceId,
    pub(super) site: u32,
}

/// The sites of these exits.
pub(super) fn sites(exits: &[(u32, Option<u32>)]) -> Vec<Site> {
    // Of most traces.
    if exits.is_empty() {
        return Vec::new();
    }
    let mut places: Vec<u32> = exits.iter().filter_map(|&(_, at)| at).collect();
    places.sort_unstable();
    places.dedup();
    let unlinked = |at| Site { at, leads_to: None };
    places.into_iter().map(unlinked).collect()
}

/// A place for a trace, used again and again; the generation tells its traces apart.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) generation: u32,
    trace: Option<TraceState>,
}

/// The name of an installed trace in its slab. It stays valid, and becomes an error, when the trace is
/// dropped; names are not used again, and other slabs refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId {
    slab: u32,
    slot: u32,
    generation: u32,
}

/// A trace that has its space but is not in the slab's list yet.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) state: TraceState,
    pub(super) address: u64,
    /// What lies where in it, if that is to be kept.
    #[cfg(feature = "inspect")]
    pub(super) map: Option<Arc<Map>>,
}

impl Slab {
    /// Links a trace into the slab and publishes it.
    ///
    /// # Errors
    /// [`SlabError::Full`], [`SlabError::Trace`], [`SlabError::NoLandingPad`], [`SlabError::Forked`],
    /// [`SlabError::System`]. The slab is then as it was.
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
        let installed = self.enlist(&mut state, written);
        #[cfg(feature = "inspect")]
        self.tell(state);
        Ok(installed)
    }

    /// Makes a trace that is in memory known, and its trampolines.
    pub(super) fn enlist(&self, state: &mut State, written: Written) -> InstalledTrace {
        let (address, len) = (written.address, written.state.len);
        #[cfg(feature = "inspect")]
        let (start, map) = (written.state.block.start, written.map);
        #[cfg(feature = "inspect")]
        state.note_trampolines(&written.state.uses);
        state.trampolines.mark_written(&written.state.uses);
        let id = state.enlist(self.shared.tag, written.state);
        #[cfg(feature = "inspect")]
        if let Some(map) = map {
            state.note_trace(start, len, id, map);
        }
        InstalledTrace::new(self.clone(), id, address, len)
    }
}

/// Takes a range of the slab, and what fills it.
pub(super) type Fill<'f> = dyn FnMut(Range<usize>, &mut dyn FnMut(&mut [u8])) + 'f;

impl State {
    /// Takes a block of at least `len` bytes.
    pub(super) fn take(&mut self, shared: &Shared, len: usize) -> Result<Block, SlabError> {
        let granules = u32::try_from(len.div_ceil(shared.granule));
        let block = granules.ok().and_then(|granules| self.heap.take(granules));
        block.ok_or_else(|| SlabError::Full {
            needed: len,
            longest: self.heap.longest() as usize * shared.granule,
        })
    }

    /// Gives a trace its space and its trampolines, and has its bytes written.
    pub(super) fn place(
        &mut self,
        shared: &Shared,
        trace: &Trace<'_>,
        fill: &mut Fill<'_>,
    ) -> Result<Written, SlabError> {
        if shared.landing_pads && !trace.has_landing_pad() {
            return Err(SlabError::NoLandingPad);
        }
        let len = trace.shared_len();
        let block = self.take(shared, len)?;
        let start = block.start as usize * shared.granule;
        let base = shared.region.address() as u64;
        let address = base + start as u64;
        let (mut uses, mut ways) = (Vec::new(), Vec::with_capacity(trace.targets().len()));
        for target in trace.targets() {
            if trace.reaches(address, target) {
                ways.push(None);
                continue;
            }
            let granules = trampolines::LEN.div_ceil(shared.granule) as u32;
            let Some(acquired) = self.trampolines.acquire(target, granules, &mut self.heap) else {
                let longest = self.heap.longest() as usize * shared.granule;
                self.free(block, uses);
                return Err(SlabError::Full {
                    needed: trampolines::LEN,
                    longest,
                });
            };
            let at = acquired.start as usize * shared.granule;
            self.content += if acquired.new { trampolines::LEN } else { 0 };
            uses.push(acquired.using);
            ways.push(Some(base + at as u64));
        }
        let link = match trace.link_shared(address, &ways) {
            Ok(link) => link,
            Err(error) => {
                self.free(block, uses);
                return Err(error.into());
            }
        };
        fill(start..start + len, &mut |to| link.write(to));
        self.content += len;
        let exits: Vec<_> = trace.link_sites().collect();
        Ok(Written {
            address,
            #[cfg(feature = "inspect")]
            map: self.table.is_some().then(|| Arc::new(link.map())),
            state: TraceState {
                block,
                len,
                code_len: trace.code().len() as u32 * WORD,
                island_literals: trace.island_literals(),
                uses,
                statistics: link.statistics(),
                tag: trace.tag(),
                sites: sites(&exits),
                exits,
                points: trace.points().collect(),
                incoming: Vec::new(),
                invalidated: false,
                mutables: link.mutable_words(),
                literals: link.literals(),
            },
        })
    }

    /// Writes the trampolines that a trace is the first to publish.
    pub(super) fn write_trampolines(
        &self,
        shared: &Shared,
        written: &Written,
        writer: &mut Writer<'_>,
    ) {
        for (start, bytes) in self.trampolines.unwritten(&written.state.uses) {
            let at = start as usize * shared.granule;
            writer.fill(at..at + bytes.len(), |to| to.copy_from_slice(&bytes));
        }
    }

    /// Takes back a trace that was never published.
    pub(super) fn unplace(&mut self, written: Written) {
        self.content -= written.state.len;
        self.free(written.state.block, written.state.uses);
    }

    /// Gives back the block of a trace that was never published, and the trampolines that it used.
    fn free(&mut self, block: Block, uses: Vec<Use>) {
        self.heap.give(block);
        self.release(uses);
    }

    /// Gives trampolines back. One that was published for another trace may still be run on that one's
    /// behalf, though it has been dropped.
    fn release(&mut self, uses: Vec<Use>) {
        for using in uses {
            let Some(released) = self.trampolines.release(using) else {
                continue;
            };
            self.content -= trampolines::LEN;
            if released.written {
                self.retired.push(Retired::new(released.block, false));
            } else {
                self.heap.give(released.block);
            }
        }
    }

    fn enlist(&mut self, slab: u32, trace: TraceState) -> TraceId {
        self.calls.direct += trace.statistics.direct_calls;
        self.calls.far += trace.statistics.far_calls;
        self.installed += 1;
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
            slab,
            slot,
            generation: place.generation,
        }
    }

    /// The trace of that name, if it is installed. The name is one of this slab's.
    pub(super) fn trace(&mut self, id: TraceId) -> Result<&mut TraceState, SlabError> {
        let slot = self.traces.get_mut(id.slot as usize);
        slot.filter(|slot| slot.generation == id.generation)
            .and_then(|slot| slot.trace.as_mut())
            .ok_or(SlabError::DroppedTrace)
    }

    /// Takes a trace out of the list, unlinked, and retires its space.
    pub(super) fn retire(&mut self, id: TraceId) {
        if self.trace(id).is_err() {
            return;
        }
        let slot = &mut self.traces[id.slot as usize];
        let Some(trace) = slot.trace.take() else {
            return;
        };
        // A name is used once. After 2^32 traces the slot is given up.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free_slots.push(id.slot);
        }
        self.installed -= 1;
        self.calls.direct -= trace.statistics.direct_calls;
        self.calls.far -= trace.statistics.far_calls;
        self.content -= trace.len;
        #[cfg(feature = "inspect")]
        self.note_dropped(trace.block.start);
        self.retired.push(Retired::new(trace.block, true));
        self.release(trace.uses);
    }
}

impl TraceId {
    /// Whether it is a name in that slab.
    pub(super) fn is_of(self, shared: &Shared) -> bool {
        self.slab == shared.tag
    }
}

/// `trace 12`; or `trace 12.3`, if three traces had that number before and are gone.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace {}", self.slot)?;
        match self.generation {
            0 => Ok(()),
            generation => write!(f, ".{generation}"),
        }
    }
}
