//! The handle of an installed trace, and its literals.

use super::{NotLinkable, Slab, SlabError, State, TraceId};
use crate::link::Statistics;
use crate::op::operand::{Exit, MutLiteral};
use crate::trace::state::MutableWord;

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
    /// Whether it has been retired.
    gone: bool,
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

impl InstalledTrace {
    pub(super) fn new(slab: Slab, id: TraceId, address: u64, len: usize) -> InstalledTrace {
        InstalledTrace {
            slab,
            id,
            address,
            len,
            gone: false,
        }
    }

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

    /// Its length in bytes, the slab's trampolines apart.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a trace has an entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes as they are now. Other threads may patch them at any time.
    pub fn bytes(&self) -> Vec<u8> {
        let start = self.start();
        self.slab.shared.region.read(start..start + self.len)
    }

    /// What it consists of.
    pub fn statistics(&self) -> Statistics {
        // As long as there is a handle, there is a trace.
        let mut state = self.slab.shared.lock();
        let trace = state.trace(self.id);
        trace.map_or_else(|_| Statistics::default(), |trace| trace.statistics)
    }

    /// Unlinks the exits that lead to the trace and retires its space, as dropping it does, and says what
    /// went wrong if something did.
    ///
    /// # Errors
    /// [`SlabError::Forked`]: the trace is the parent's, and stays. [`SlabError::System`]: some links to
    /// the trace are left, and it stays installed until [`reclaim`](Slab::reclaim) succeeds in undoing them.
    pub fn retire(mut self) -> Result<(), SlabError> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), SlabError> {
        if std::mem::replace(&mut self.gone, true) {
            return Ok(());
        }
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let unlinked = state.unlink_all(shared, self.id);
        match unlinked {
            Ok(()) => state.retire(self.id),
            Err(_) => state.orphans.push(self.id),
        }
        unlinked
    }

    /// Where it starts, in bytes from the slab's start.
    pub(super) fn start(&self) -> usize {
        (self.address - self.slab.shared.region.address() as u64) as usize
    }

    /// The literals, in their order: those at the end of the trace, and the changeable ones wherever they
    /// are.
    pub fn literals(&self) -> Vec<Literal> {
        let region = &self.slab.shared.region;
        let mut state = self.slab.shared.lock();
        let Ok(trace) = state.trace(self.id) else {
            return Vec::new();
        };
        let mutable = trace.mutables.iter().flatten();
        let mutable = mutable.map(|word| (word.at, true));
        let at_end = trace.literals.clone().step_by(8).map(|at| (at, false));
        let mut all: Vec<(u32, bool)> = mutable.chain(at_end).collect();
        // Of those that are both, the changeable one comes first and stays.
        all.sort_unstable_by_key(|&(at, mutable)| (at, !mutable));
        all.dedup_by_key(|&mut (at, _)| at);
        let literal = |(offset, mutable)| Literal {
            offset,
            value: region.load_literal(self.start() + offset as usize),
            mutable,
        };
        all.into_iter().map(literal).collect()
    }

    /// What a changeable literal holds now.
    ///
    /// # Errors
    /// [`SlabError::UnknownLiteral`].
    pub fn literal(&self, literal: MutLiteral) -> Result<u64, SlabError> {
        let word = self.word_of(&mut self.slab.shared.lock(), literal)?;
        Ok(self.slab.shared.region.load_literal(self.place(word)))
    }

    /// Changes a changeable literal by one aligned store: a thread that loads it gets the old value or
    /// the new one.
    ///
    /// # Errors
    /// [`SlabError::UnknownLiteral`]; [`SlabError::LiteralOutOfRange`] if it is loaded into 32 bits that do not hold the
    /// value; [`SlabError::Forked`], [`SlabError::System`].
    pub fn set_literal(&self, literal: MutLiteral, value: u64) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let word = self.word_of(&mut state, literal)?;
        check(word, value)?;
        let mut writer = shared.writer(&mut state);
        writer.store_literal(self.place(word), value);
        shared.commit(&mut state, writer)
    }

    /// Visits every changeable literal in its order, and stores what `visit` returns in its place: how a
    /// moving garbage collector follows the objects that traces name. (Objects that move must be `mut`
    /// literals: others may be merged, or made by an instruction.)
    ///
    /// The slab is locked meanwhile, so `visit` must not call it. If it panics, nothing has changed.
    ///
    /// # Errors
    /// [`SlabError::LiteralOutOfRange`], and nothing has changed; [`SlabError::Forked`], [`SlabError::System`].
    pub fn update_literals(&self, mut visit: impl FnMut(u64) -> u64) -> Result<(), SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let words = state.trace(self.id)?.mutables.iter().flatten();
        let mut changed = Vec::new();
        for &word in words {
            let at = self.place(word);
            let old = shared.region.load_literal(at);
            let new = visit(old);
            if new != old {
                check(word, new)?;
                changed.push((at, new));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let mut writer = shared.writer(&mut state);
        for (at, value) in changed {
            writer.store_literal(at, value);
        }
        shared.commit(&mut state, writer)
    }

    fn word_of(&self, state: &mut State, literal: MutLiteral) -> Result<MutableWord, SlabError> {
        let trace = state.trace(self.id)?;
        let word = trace.mutables.get(literal.0.index() as usize);
        let own = trace.tag == literal.0.tag();
        let word = word.copied().flatten().filter(|_| own);
        word.ok_or(SlabError::UnknownLiteral)
    }

    /// Where a word is, in bytes from the slab's start.
    fn place(&self, word: MutableWord) -> usize {
        self.start() + word.at as usize
    }

    /// The place of an exit's NOP among the trace's sites.
    pub(super) fn site(&self, state: &mut State, exit: Exit) -> Result<u32, SlabError> {
        let trace = state.trace(self.id)?;
        let number = exit.0.index();
        let refuse = |why| SlabError::NotLinkable { exit: number, why };
        if trace.tag != exit.0.tag() {
            return Err(refuse(NotLinkable::OfAnotherTrace));
        }
        let found = trace.exits.binary_search_by_key(&number, |&(exit, _)| exit);
        let found = found.map_err(|_| refuse(NotLinkable::NotMadeToBe))?;
        let at = trace.exits[found].1;
        at.and_then(|at| trace.sites.binary_search_by_key(&at, |site| site.at).ok())
            .map(|site| site as u32)
            .ok_or(refuse(NotLinkable::NothingLeadsThere))
    }
}

/// Refuses a value of which a load would read only a part.
fn check(word: MutableWord, value: u64) -> Result<(), SlabError> {
    let refused = word.loads.refuses(value);
    refused.map_or(Ok(()), |(min, max)| {
        Err(SlabError::LiteralOutOfRange { value, min, max })
    })
}

impl Drop for InstalledTrace {
    fn drop(&mut self) {
        // `retire` reports what goes wrong here; in a forked child the memory is the parent's.
        let _ = self.leave();
    }
}
