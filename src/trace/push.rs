//! Pushing a micro-op: the quick way, and the way that can do everything.
//!
//! Nearly every micro-op follows another one that falls through to it, fits in front of the next deadline and
//! needs nothing but copying, patching and noting. For these there is one function that works on tables only.
//! It is compiled once for each micro-op, [`push_one`](TraceBuilder::push_one): the compiler knows the
//! tables then, and leaves of the loops over them a few stores of constants, a comparison for each
//! operand and a shift for each hole. It writes behind the end of the code first and moves the end last, so that
//! a value which does not fit leaves nothing behind. Whatever it is not sure of it leaves to
//! [`push_slowly`](TraceBuilder::push_slowly), which finds out what is wrong, if something is.
//!
//! Two numbers decide whether the quick way is open. `gap` says what comes in front of the next
//! micro-op: the NOP of a fall-through, or nothing. Anything that asks for more sets it to [`BLOCKED`]: a jump to
//! write, an invalidation point, a finished trace. That puts the place behind
//! `quick_end`, in front of which a micro-op has room for itself, for its references, and for an island of
//! everything pending. One comparison covers all.

use super::TraceBuilder;
use super::emit::Part;
use super::options::FallThrough;
use super::state::{ColdItem, ColdPart, Open, Origin, Place, Pushed, Record, UNPLACED};
use crate::asm::NOP;
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::template::{Goal, MOST_PLAIN_WORDS, MicroOpSet, Properties, Reference};
use crate::op::{MicroOp, Visitor};

/// A gap that no micro-op is pushed behind the quick way.
pub(super) const BLOCKED: u32 = 1 << 30;

/// What an island has beside the words for what is pending: the jump around it, which is the last micro-op's
/// slot, and its alignment.
const ISLAND: u32 = 2;

/// Words that are copied at once: most micro-ops are no longer, and copying a number that the compiler
/// knows is quicker than copying as many as there are. What is too many is overwritten by what follows.
const BLOCK: usize = 8;

/// The words of a micro-op that is pushed the quick way, and its slot: a power of two.
const MOST: usize = MOST_PLAIN_WORDS + 1;

/// Pushes the micro-op that it is shown.
pub(super) struct Push<'b> {
    pub(super) to: &'b mut TraceBuilder,
}

impl Visitor for Push<'_> {
    type Output = Result<(), Error>;

    #[inline]
    fn visit<M: MicroOp>(self, op: &M) -> Result<(), Error> {
        self.to.push_one(op)
    }
}

impl TraceBuilder {
    #[inline(never)]
    fn push_one<M: MicroOp>(&mut self, op: &M) -> Result<(), Error> {
        let mut values = op.operands();
        let (set, index) = (op.set(), op.index());
        if self.push_quickly(const { &M::DATA }, set, index, values.as_mut()) {
            return Ok(());
        }
        self.push_slowly(set, index, values.as_mut())
    }

    /// Pushes a micro-op if there is nothing special about it. Otherwise nothing has changed. `data` is what `set`
    /// holds, known to the compiler.
    // Where nothing is optimized there is nothing to gain from a copy for each micro-op.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn push_quickly(
        &mut self,
        data: &MicroOpSet,
        set: &'static MicroOpSet,
        index: usize,
        values: &[u64],
    ) -> bool {
        let Some(template) = data.templates.get(index) else {
            return false;
        };
        let Some((holes, references)) = data.notes(template) else {
            return false;
        };
        let start = self.code.len() as u32 + self.gap;
        let words = usize::from(template.hot_words);
        if template.special || !self.has_room(start, words as u32, references) {
            return false;
        }
        let room = self.code.items_mut().get_mut(start as usize..);
        let Some(code) = room.and_then(<[u32]>::first_chunk_mut::<MOST>) else {
            return false;
        };
        // Not `data`'s: these are needed in memory, and would be there a second time.
        let from = set.words.get(template.words as usize..).unwrap_or(&[]);
        let block = from.first_chunk::<BLOCK>().filter(|_| words <= BLOCK);
        if let (Some(from), Some(code)) = (block, code.first_chunk_mut::<BLOCK>()) {
            *code = *from;
        } else if !copy(from, code, words) {
            return false;
        }
        code[words % MOST] = NOP;
        for hole in holes {
            let Some(&value) = values.get(usize::from(hole.operand)) else {
                return false;
            };
            if !data.fits(hole, value) {
                return false;
            }
            code[usize::from(hole.word) % MOST] ^= data.fill(set, hole, value);
        }
        for reference in references {
            let Some(&value) = values.get(usize::from(reference.argument)) else {
                return false;
            };
            let goal = reference.goal;
            let free = (goal == Goal::Literal) & reference.load.reads_any();
            if !((goal == Goal::Call) | free | self.handles.has(goal as u8, value)) {
                return false;
            }
        }
        if self.options.annotate && !self.annotate(start, set, index, values) {
            return false;
        }

        self.nops += self.gap;
        self.code.advance(self.gap as usize + words);
        if !self.binds.is_empty() {
            self.place_binds(start);
        }
        for reference in references {
            let at = start + u32::from(reference.word);
            let value = values[usize::from(reference.argument)];
            self.note(at, reference, value);
        }
        self.open = if template.properties.contains(Properties::FALLS_THROUGH) {
            Open::Next
        } else {
            Open::Closed
        };
        self.gap = self.plain_gap();
        self.op_count += 1;
        self.last = Some((set, index));
        true
    }

    /// Remembers a micro-op that comes at `at`, if it can be.
    #[inline(never)]
    fn annotate(
        &mut self,
        at: u32,
        set: &'static MicroOpSet,
        index: usize,
        values: &[u64],
    ) -> bool {
        let (Some(op), Some(set)) = (Op::new(set, index), self.sets.number(set)) else {
            return false;
        };
        let Some(values) = values.get(..op.operand_count()) else {
            return false;
        };
        let op = Pushed {
            set,
            index: op.index,
            values: self.values.len() as u32,
        };
        self.values.extend_from_slice(values);
        self.records.push(Record { at, op });
        true
    }

    /// Whether so many words with these references fit at `start`, in front of an island of everything pending and of
    /// what they add to it. Where they do nothing else is done to make room, whichever way the micro-op is pushed.
    #[inline]
    pub(super) fn has_room(&self, start: u32, words: u32, references: &[Reference]) -> bool {
        let needed = words + 2 * references.len() as u32;
        if start + needed >= self.quick_end {
            return false;
        }
        // Its own references must reach beyond that island too.
        let island = needed + self.due.pending + ISLAND;
        references
            .iter()
            .filter_map(|reference| self.needs(reference))
            .all(|(reach, _)| island < reach)
    }

    /// Finds out how far the quick way leads, for the deadline and what is pending now.
    #[inline]
    pub(super) fn find_quick_end(&mut self) {
        self.quick_end = (self.due.deadline).saturating_sub(self.due.pending + ISLAND);
    }

    /// The gap after a micro-op that goes on as `open` says, with nothing else to come in front of the next.
    #[inline]
    pub(super) fn plain_gap(&self) -> u32 {
        match self.open {
            Open::Closed => 0,
            Open::Next => (self.options.fall_through == FallThrough::Nop).into(),
            Open::To(_) => BLOCKED,
        }
    }

    #[inline(never)]
    fn push_slowly(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut [u64],
    ) -> Result<(), Error> {
        let (op, values) = resolve(set, index, values).ok_or_else(unknown)?;
        let pushed = self.check(op, values)?;
        let keep = self.options.annotate || op.has_cold_part();
        if keep {
            self.values.extend_from_slice(values);
        }
        let ready = op
            .encode(values)
            .and_then(|()| self.make_room(op, Part::Hot, values));
        if ready.is_err() {
            self.values.truncate(pushed.values as usize);
            return ready;
        }
        let at = self.settle();
        if self.options.annotate {
            self.records.push(Record { at, op: pushed });
        }
        let mut cold_part = UNPLACED;
        if op.has_cold_part() {
            let hot = self.code.len() as u32;
            cold_part = self.note_cold_part(pushed, hot, Origin::Part(self.op_count));
        }
        self.emit(op, Part::Hot, cold_part, values);
        // For the next one, so that it can be pushed the quick way.
        self.code.reserve(1 + MOST);
        self.op_count += 1;
        self.last = Some((set, index));
        Ok(())
    }

    /// Notes the cold part of a micro-op whose hot part comes at `hot`.
    pub(super) fn note_cold_part(&mut self, op: Pushed, hot: u32, origin: Origin) -> u32 {
        let index = self.cold_parts.len() as u32;
        self.cold_parts.push(ColdPart { op, origin });
        self.places.cold_mut().push(UNPLACED);
        self.places.hot_mut().push(hot);
        self.queue.push(ColdItem::Part(index));
        index
    }

    /// Refuses what does not fit a micro-op's operands, and one micro-op too many. Returns the micro-op as the
    /// builder remembers it, with its operands behind those that are kept already.
    pub(super) fn check(&mut self, op: Op, values: &[u64]) -> Result<Pushed, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        op.check(values, &self.handles)?;
        // No bit at or above the limit in any of them. (What is pushed the quick way fills the trace up long
        // before.)
        let most = self.values.len() | self.op_count as usize | self.exit_code.len();
        if (most | self.cold_parts.len()) >= Place::LIMIT {
            return Err(Error::TooMany { what: "micro-ops" });
        }
        let set = self.sets.number(op.set);
        Ok(Pushed {
            set: set.ok_or(Error::TooMany { what: "sets" })?,
            index: op.index,
            values: self.values.len() as u32,
        })
    }
}

/// Copies so many words, if they are there. Not inlined, or the compiler makes one copy of unknown length of
/// this and that of a block.
#[inline(never)]
fn copy(from: &[u32], to: &mut [u32; MOST], words: usize) -> bool {
    let copied = from.get(..words).zip(to.get_mut(..words));
    if let Some((from, to)) = copied {
        to.copy_from_slice(from);
        return true;
    }
    false
}

/// The micro-op that a value stands for, and its operands.
pub(super) fn resolve<'v>(
    set: &'static MicroOpSet,
    index: usize,
    values: &'v mut [u64],
) -> Option<(Op, &'v mut [u64])> {
    let op = Op::new(set, index)?;
    Some((op, values.get_mut(..op.operand_count())?))
}

/// What is said of a value that stands for no micro-op: only an implementation of `MicroOp` that `uops!`
/// has not written makes one.
#[cold]
pub(super) fn unknown() -> Error {
    Error::TooMany { what: "micro-ops" }
}
