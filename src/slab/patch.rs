//! Patch sites: instructions that are rewritten while other threads run them.
//!
//! Every site is a NOP while it is not in use, and `b` while it is. [`Patch`] knows these two and no
//! others, so a pair that the architecture does not allow cannot be written down.

use super::install::Incoming;
use super::{InstalledTrace, Shared, Slab, SlabError, State, TraceId, Writer, os};
use crate::asm::{NOP, WORD, branch};
use crate::op::operand::{Exit, Target};

/// What a patch site can hold: two of the instructions that may be exchanged while others run them (Arm ARM
/// B2.2.5; Linux keeps the same list in `aarch64_insn_hotpatch_safe`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patch {
    /// Not in use: on to the next instruction.
    Nop,
    /// In use: on to this place, in bytes from the site.
    Jump(i64),
}

impl Patch {
    fn word(self) -> u32 {
        match self {
            Patch::Nop => NOP,
            // A slab is no longer than `b` reaches.
            Patch::Jump(distance) => branch::b(distance / 4),
        }
    }
}

/// Whether [`InstalledTrace::invalidate`] changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidated {
    /// The trace is invalid from now on.
    Now,
    /// It was already.
    Already,
}

impl InstalledTrace {
    /// Lets an exit lead to the entry of another trace instead of running its own code. The link is weak: it
    /// does not keep the other trace, and is undone when that is dropped. An exit that is linked
    /// already is linked anew.
    ///
    /// Threads that run the trace take the old or the new way; both are right at that moment. Exits with
    /// the same code are one, and linked together.
    ///
    /// # Errors
    /// [`SlabError::NotLinkable`] if the exit was not made with
    /// [`linkable_exit`](crate::TraceBuilder::linkable_exit), [`SlabError::ForeignTrace`],
    /// [`SlabError::DroppedTrace`], [`SlabError::Forked`], [`SlabError::System`].
    pub fn link(&self, exit: Exit, to: &InstalledTrace) -> Result<(), SlabError> {
        self.link_id(exit, to.id)
    }

    /// As [`link`](InstalledTrace::link), into the middle of the other trace: to the instruction so many bytes from its
    /// start, most often where [`label_offset`](crate::Trace::label_offset) said that a loop begins, behind the micro-ops
    /// that load the pinned registers. What comes in front of that, such as an invalidation point at the entry, is passed by.
    ///
    /// # Errors
    /// As `link`; [`SlabError::NoSuchPlace`] if no instruction of the trace begins there.
    pub fn link_at(&self, exit: Exit, to: &InstalledTrace, offset: u32) -> Result<(), SlabError> {
        self.link_id_at(exit, to.id, offset)
    }

    /// As [`link`](InstalledTrace::link), to a trace of the same slab that is known by name.
    ///
    /// # Errors
    /// As `link`; [`SlabError::DroppedTrace`] if there is no such trace any more.
    pub fn link_id(&self, exit: Exit, to: TraceId) -> Result<(), SlabError> {
        self.link_id_at(exit, to, 0)
    }

    /// As [`link_at`](InstalledTrace::link_at), to a trace of the same slab that is known by name.
    ///
    /// # Errors
    /// As `link_at`; [`SlabError::DroppedTrace`] if there is no such trace any more.
    pub fn link_id_at(&self, exit: Exit, to: TraceId, offset: u32) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        if !to.is_of(shared) {
            return Err(SlabError::ForeignTrace);
        }
        let mut state = shared.lock_to_change()?;
        let site = self.site(&mut state, exit)?;
        let place = state.instruction(shared, to, offset)?;
        let at = state.site_start(shared, self.id, site)?;
        state.patch(shared, [(at, Patch::Jump(place as i64 - at as i64))])?;
        state.forget_link(self.id, site);
        state.note_link(self.id, site, to)
    }

    /// Lets an exit run its own code again. Does nothing if it is not linked.
    ///
    /// # Errors
    /// [`SlabError::NotLinkable`], [`SlabError::Forked`], [`SlabError::System`].
    pub fn unlink(&self, exit: Exit) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let site = self.site(&mut state, exit)?;
        if state.trace(self.id)?.sites[site as usize]
            .leads_to
            .is_some()
        {
            let at = state.site_start(shared, self.id, site)?;
            state.patch(shared, [(at, Patch::Nop)])?;
            state.forget_link(self.id, site);
        }
        Ok(())
    }

    /// The trace that an exit is linked to, wherever in it the exit leads.
    ///
    /// # Errors
    /// [`SlabError::NotLinkable`].
    pub fn linked_to(&self, exit: Exit) -> Result<Option<TraceId>, SlabError> {
        let mut state = self.slab.shared.lock();
        let site = self.site(&mut state, exit)?;
        let leads_to = state.trace(self.id)?.sites[site as usize].leads_to;
        Ok(leads_to.map(|(to, _)| to))
    }

    /// Makes the trace leave at every invalidation point, the entry's among them if it is one. Does not
    /// wait: a thread that is past a point goes on to the next.
    ///
    /// # Errors
    /// [`SlabError::NotInvalidatable`] if the trace was built without
    /// [`invalidation_point`](crate::TraceBuilder::invalidation_point), [`SlabError::Forked`],
    /// [`SlabError::System`].
    pub fn invalidate(&self) -> Result<Invalidated, SlabError> {
        self.switch_points(true)
    }

    /// Undoes [`invalidate`](InstalledTrace::invalidate).
    ///
    /// # Errors
    /// As `invalidate`.
    pub fn revalidate(&self) -> Result<(), SlabError> {
        self.switch_points(false).map(drop)
    }

    fn switch_points(&self, invalid: bool) -> Result<Invalidated, SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let start = self.start();
        let trace = state.trace(self.id)?;
        if trace.points.is_empty() {
            return Err(SlabError::NotInvalidatable);
        }
        if trace.invalidated == invalid {
            return Ok(Invalidated::Already);
        }
        let patches: Vec<_> = trace
            .points
            .iter()
            .map(|&(at, exit)| {
                let leave = Patch::Jump(i64::from(exit) - i64::from(at));
                let patch = if invalid { leave } else { Patch::Nop };
                (start + at as usize, patch)
            })
            .collect();
        state.patch(shared, patches)?;
        state.trace(self.id)?.invalidated = invalid;
        Ok(Invalidated::Now)
    }
}

impl Slab {
    /// Lets all calls of a retargetable target end up at `address` from now on, in traces that are
    /// installed and in those to come: one 8-byte store. Threads take the old or the new way. (A
    /// trace that was dropped and that threads are still in may keep the old one: `reclaim` tells.)
    ///
    /// # Errors
    /// [`SlabError::NotRetargetable`], [`SlabError::Trace`] if `address` is not a multiple of 4,
    /// [`SlabError::Forked`], [`SlabError::System`].
    pub fn retarget(&self, target: Target, address: u64) -> Result<(), SlabError> {
        if !target.is_retargetable() {
            let address = target.address();
            return Err(SlabError::NotRetargetable { address });
        }
        Target::new(address)?;
        let shared = &*self.shared;
        let mut state = shared.lock_to_change()?;
        if let Some(start) = state.trampolines.written(target) {
            let at = start as usize * shared.granule + super::trampolines::WORD_AT;
            let mut writer = shared.writer(&mut state);
            writer.store_literal(at, address);
            shared.commit(&mut state, writer)?;
        }
        state.trampolines.redirect(target, address);
        Ok(())
    }
}

impl State {
    /// Rewrites patch sites, given in bytes from the slab's start. Each is one aligned word; together they
    /// are published once.
    fn patch(
        &mut self,
        shared: &Shared,
        patches: impl IntoIterator<Item = (usize, Patch)>,
    ) -> Result<(), SlabError> {
        let mut writer: Writer<'_> = shared.writer(self);
        for (at, patch) in patches {
            debug_assert!(
                is_patch_word(shared.region.load_word(at)),
                "a patch site holds NOP or `b`, and nothing else"
            );
            writer.store_word(at, patch.word());
        }
        shared.commit(self, writer)
    }

    /// Where a trace starts, in bytes from the slab's start.
    fn start(&mut self, shared: &Shared, id: TraceId) -> Result<usize, SlabError> {
        Ok(self.trace(id)?.block.start as usize * shared.granule)
    }

    /// Where an instruction of a trace is, in bytes from the slab's start.
    fn instruction(
        &mut self,
        shared: &Shared,
        id: TraceId,
        offset: u32,
    ) -> Result<usize, SlabError> {
        let trace = self.trace(id)?;
        let len = trace.code_len;
        let mut literals = trace.island_literals.iter().flatten();
        let is_literal = literals.any(|range| range.contains(&offset));
        if offset >= len || !offset.is_multiple_of(WORD) || is_literal {
            return Err(SlabError::NoSuchPlace { offset, len });
        }
        Ok(self.start(shared, id)? + offset as usize)
    }

    /// Where a site is, in bytes from the slab's start.
    fn site_start(&mut self, shared: &Shared, id: TraceId, site: u32) -> Result<usize, SlabError> {
        let at = self.trace(id)?.sites[site as usize].at;
        Ok(self.start(shared, id)? + at as usize)
    }

    fn note_link(&mut self, from: TraceId, site: u32, to: TraceId) -> Result<(), SlabError> {
        let incoming = &mut self.trace(to)?.incoming;
        let place = incoming.len() as u32;
        incoming.push(Incoming { from, site });
        self.trace(from)?.sites[site as usize].leads_to = Some((to, place));
        Ok(())
    }

    /// Takes a link out of the books on both sides.
    fn forget_link(&mut self, from: TraceId, site: u32) {
        let Ok(trace) = self.trace(from) else {
            return;
        };
        let Some((to, place)) = trace.sites[site as usize].leads_to.take() else {
            return;
        };
        let Ok(target) = self.trace(to) else {
            return;
        };
        target.incoming.swap_remove(place as usize);
        // The last one has taken the place.
        if let Some(&moved) = target.incoming.get(place as usize)
            && let Ok(trace) = self.trace(moved.from)
        {
            trace.sites[moved.site as usize].leads_to = Some((to, place));
        }
    }

    /// Undoes every link to and from a trace that is about to go. If there is an error, some of them may be
    /// left: in the memory and in the books.
    pub(super) fn unlink_all(&mut self, shared: &Shared, id: TraceId) -> Result<(), SlabError> {
        let incoming = self.trace(id)?.incoming.iter();
        let mut sites = incoming
            .map(|&Incoming { from, site }| (0, from, site))
            .collect::<Vec<_>>();
        for (at, from, site) in &mut sites {
            *at = self.site_start(shared, *from, *site)?;
        }
        sites.sort_unstable_by_key(|&(at, ..)| at);
        let page = os::page_size();
        for neighbours in sites.chunk_by(|(a, ..), (b, ..)| a / page == b / page) {
            self.patch(shared, neighbours.iter().map(|&(at, ..)| (at, Patch::Nop)))?;
            for &(_, from, site) in neighbours {
                self.forget_link(from, site);
            }
        }
        let sites = self.trace(id)?.sites.len() as u32;
        (0..sites).for_each(|site| self.forget_link(id, site));
        Ok(())
    }
}

fn is_patch_word(word: u32) -> bool {
    word == NOP || branch::is_b(word)
}
