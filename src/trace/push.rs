//! Pushing a micro-op: two quick ways, and the way that can do everything.
//!
//! Nearly every micro-op follows another one that falls through to it, fits in front of the next deadline and
//! needs nothing but copying, patching and noting. How that is done best depends on who knows which micro-op it is.
//!
//! **The compiler**, where a struct is pushed. [`push_known`](TraceBuilder::push_known) is compiled once for each of them:
//! of the loops over the tables remain a few stores of constants, a comparison for each operand and a shift for each
//! hole. The same where an enum is pushed whose micro-ops have little in common: to take one apart is a branch to what is
//! only its own, so it leads on to that code.
//!
//! **The processor**, where an enum is pushed whose micro-ops mostly look alike, so that there is no such branch. No other
//! is to depend on which of them comes either, because it could not foresee it. So they are pushed by their
//! [rows](super::row), in a [run](super::run): several at once, or a run of [one](TraceBuilder::push_by_row).
//!
//! Both write behind the ends first and move them last, so that a value which does not fit leaves nothing behind.
//! Whatever they are not sure of they leave to [`push_slowly`](TraceBuilder::push_slowly), which finds out what is wrong,
//! if something is.
//!
//! Two numbers decide whether the quick ways are open. `gap` says what comes in front of the next micro-op: the NOP of a
//! fall-through, or nothing. Anything that asks for more sets it to [`BLOCKED`]: a jump to write, an invalidation point, a
//! finished trace. That puts the place of the next micro-op behind every `quick_end`: up to there micro-ops have room
//! for themselves, for their references, and for an island of everything pending, whatever they are, as long as their
//! class is open (the first `tbz` and the first load of a literal go the general way). So one comparison covers all.
//! Behind the end [`push_by_tables`](TraceBuilder::push_by_tables) looks whether it is only a jump
//! that is to be written, and the general way looks closer, and finds the next end.

use super::emit::Part;
use super::island::BEFORE;
use super::run::Run;
use super::state::{
    ColdItem, ColdPart, HERE, Note, NoteKind, Open, Origin, Place, PlaceKind, Pushed, Record,
    UNPLACED,
};
use super::{MAX_LEN, TraceBuilder};
use crate::asm::branch::Field;
use crate::asm::literal::HalfLoads;
use crate::asm::{NOP, WORD};
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::operand::Handle;
use crate::op::template::{
    CLASSES, Goal, LOADS, MOST_PLAIN_WORDS, MicroOpSet, Properties, Reference,
};
use crate::op::{MicroOp, Visitor};

/// A gap that says that more comes in front of the next micro-op, or that there is none.
pub(super) const BLOCKED: u32 = 1 << 30;

/// What an island has beside the words for what is pending: the jump around it, which is the last micro-op's
/// slot, and its alignment.
const ISLAND: u32 = 2;

/// For how many words at the least there is room for notes before a [run](super::run), of whatever kinds they are: an eighth of
/// the words that the trace has so far, in these bounds.
const WORDS_AHEAD: std::ops::RangeInclusive<usize> = 64..=16384;

/// A guess at how many words micro-ops have: for how many there is room ahead to annotate them.
const WORDS_OF_OP: usize = 4;

/// From how many branches on it is worth while to forget those that are done.
const MANY_DONE: usize = 1024;

/// What is kept at most of micro-ops up to a quick end: so many operands for each word that conditional branches reach.
const KEPT: usize = u8::MAX as usize * (Field::Imm19.reach() / WORD) as usize;

/// The most words with references that a quick way moves over at once.
const SPARE_WORDS: u32 = BEFORE + ROOM as u32;

/// What a micro-op that is pushed a quick way writes at most, with its slot: a power of two.
pub(super) const ROOM: usize = MOST_PLAIN_WORDS + 1;

/// Pushes a micro-op by code of its own, if nothing stands in the way. Otherwise nothing has changed.
struct Quickly<'b>(&'b mut TraceBuilder);

impl Visitor for Quickly<'_> {
    type Output = bool;

    #[inline]
    fn visit<M: MicroOp>(self, op: &M) -> bool {
        self.0.push_quickly(op)
    }
}

/// How long the code was before the way was cleared for a micro-op, and how many notes there were.
struct Cleared {
    code: usize,
    notes: [usize; NoteKind::COUNT],
}

impl TraceBuilder {
    /// Pushes a micro-op that is known to the compiler, or to an arm of the `match` that every enum is taken apart by.
    #[inline]
    pub(super) fn push_one<M: MicroOp>(&mut self, op: &M) -> Result<(), Error> {
        if op.visit(Quickly(self)) {
            return Ok(());
        }
        self.push_hard(op)
    }

    /// Pushes a micro-op that the compiler knows, if nothing stands in the way. Otherwise nothing has changed.
    #[inline(never)]
    fn push_quickly<M: MicroOp>(&mut self, op: &M) -> bool {
        let (data, set, index) = (const { &M::DATA }, op.set(), op.index());
        let mut values = op.operands();
        let mut encoded = values.clone();
        let encodes = data.templates.get(index).is_some_and(|it| it.encoded);
        let ready =
            !encodes || Op::new(set, index).is_some_and(|op| op.encode(encoded.as_mut()).is_ok());
        let (values, encoded) = (values.as_mut(), encoded.as_mut());
        let pushed = ready.then(|| self.push_known(data, set, index, values, encoded));
        let Some((start, kept)) = pushed.flatten() else {
            return false;
        };
        if self.watch {
            // Not those from above, which need not be in memory.
            self.watched(start, op.operands().as_mut(), kept);
        }
        true
    }

    /// Pushes a micro-op that something stood in the way of, most often a jump to write.
    #[cold]
    #[inline(never)]
    fn push_hard<M: MicroOp>(&mut self, op: &M) -> Result<(), Error> {
        if let Some(way) = self.clear_way() {
            if op.visit(Quickly(self)) {
                return Ok(());
            }
            self.block_way(way);
        }
        let mut values = op.operands();
        let (op, values) = resolve(op.set(), op.index(), values.as_mut()).ok_or_else(unknown)?;
        self.push_by_tables(op, values)
    }

    /// Pushes a micro-op of which the compiler knows only what others it may be.
    #[inline]
    pub(super) fn push_any<M: MicroOp>(&mut self, op: &M) -> Result<(), Error> {
        let (set, index, mut values) = (op.set(), op.index(), arranged(op));
        if self.push_by_row(set, index, &mut values) {
            return Ok(());
        }
        self.push_arranged(set, index, values.as_mut())
    }

    /// Pushes a micro-op that its row was not enough for.
    #[inline(never)]
    pub(super) fn push_left<M: MicroOp>(&mut self, op: &M) -> Result<(), Error> {
        self.push_without_row(op.set(), op.index(), operands(op).as_mut())
    }

    /// Pushes a micro-op that its row was not enough for, with its operands arranged.
    #[inline(never)]
    fn push_arranged(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut [u64],
    ) -> Result<(), Error> {
        put_in_order(set, index, values);
        self.push_without_row(set, index, values)
    }

    /// Pushes a micro-op that has no row, or not yet, or of which something stands in the way. Then makes its row, if it
    /// has not been made.
    #[inline(never)]
    fn push_without_row(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut [u64],
    ) -> Result<(), Error> {
        // As many as there can be, not as this one has.
        let most = values.len();
        let (op, values) = resolve(set, index, values).ok_or_else(unknown)?;
        self.push_by_tables(op, values)?;
        if !self.rows.has_made(set, index)
            && let Some(number) = self.sets.number(set)
        {
            self.rows.prepare(op, number, self.slot);
        }
        let ahead = (self.code.cursor() / 8).clamp(*WORDS_AHEAD.start(), *WORDS_AHEAD.end());
        self.notes
            .reserve(ahead.div_ceil(self.rows.words_of_note()));
        if self.options.annotate {
            let ops = ahead.div_ceil(WORDS_OF_OP);
            self.records.reserve(ops);
            self.values.reserve(ops * most);
        }
        self.queue.reserve(1);
        Ok(())
    }

    /// Pushes a micro-op over the tables themselves, the way of those that the compiler knows, or the general one.
    #[inline(never)]
    fn push_by_tables(&mut self, op: Op, values: &mut [u64]) -> Result<(), Error> {
        let Op { set, index, .. } = op;
        let index = usize::from(index);
        self.notes.reserve(usize::from(op.template.hot_references));
        let mut encoded = std::mem::take(&mut self.scratch_values);
        encoded.clear();
        encoded.extend_from_slice(values);
        let (ready, way) = (op.encode(&mut encoded), self.clear_way());
        let pushed = ready.map(|()| self.push_known(set, set, index, values, &encoded));
        self.scratch_values = encoded;
        let Ok(Some((start, kept))) = pushed else {
            if let Some(way) = way {
                self.block_way(way);
            }
            return self.push_slowly(op, values);
        };
        if self.watch {
            self.watched(start, values, kept);
        }
        Ok(())
    }

    /// Pushes a micro-op if nothing stands in the way, but for what [`watched`](TraceBuilder::watched) does, and returns
    /// what that is to be told. Otherwise nothing has changed. `data` is what `set` holds, known to the compiler; `encoded`
    /// are the values as they are patched in.
    // Most of what is compiled of it calls nothing, so a function that is this alone saves no registers. Where nothing is
    // optimized there is nothing to gain from a copy for each micro-op.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn push_known(
        &mut self,
        data: &MicroOpSet,
        set: &'static MicroOpSet,
        index: usize,
        values: &[u64],
        encoded: &[u64],
    ) -> Option<(u32, Option<Pushed>)> {
        let template = data.templates.get(index)?;
        let (holes, references) = data.notes(template)?;
        let operands = data.operands_of(template)?;
        let words = usize::from(template.hot_words);
        let start = self.code.cursor() + self.gap as usize;
        if template.special || !self.is_quick(start as u32, words as u32, template.classes[0]) {
            return None;
        }
        debug_assert!(self.has_room(start as u32, words as u32, references));
        for (operand, &value) in operands.iter().zip(values) {
            let is_known = !operand.kind.is_handle() || self.handles.has(operand.kind, value);
            if !(is_known && data.is_in_range(operand, value)) {
                return None;
            }
        }
        // One without words does not fill a trace up. And a set beyond what can be counted keeps nothing.
        if (words == 0 && self.is_full(0)) || !self.can_note(references) {
            return None;
        }
        let has_cold_part = template.properties.contains(Properties::COLD);
        let number = match has_cold_part {
            true => self.sets.number(set)?,
            false => 0,
        };
        let room = self.code.items_mut().get_mut(start..)?;
        let code = room.first_chunk_mut::<ROOM>()?;
        // Not `data`'s: these are needed in memory, and would be there a second time.
        let from = set.words.get(template.words as usize..)?;
        code[..words].copy_from_slice(from.get(..words)?);
        code[words] = NOP;
        for hole in holes {
            let value = *encoded.get(usize::from(hole.operand))?;
            code[usize::from(hole.word) % ROOM] ^= data.fill(set, hole, value);
        }

        let goes_on = template.properties.contains(Properties::FALLS_THROUGH);
        self.pass(start as u32, words as u32, goes_on.into());
        self.last = (set, index);
        if let Some(&label) = values.get(usize::from(template.closing)) {
            self.open = Open::To(Place::label(Handle::from_raw(label).index()));
            self.gap = BLOCKED;
        }
        let mut cold_part = UNPLACED;
        let kept = has_cold_part.then(|| self.keep(number, index as u16, values));
        if let Some(kept) = kept {
            let origin = Origin::Part(self.op_count - 1);
            cold_part = self.note_cold_part(kept, start as u32, origin);
        }
        for reference in references {
            let (at, argument) = (start as u32 + u32::from(reference.word), reference.argument);
            if reference.goal == Goal::OtherPart {
                self.other_places += 1;
                self.count_place();
                let part = Note::branch(at, Place::cold(cold_part), argument);
                self.open_branch(part, reference.field);
            } else {
                self.note(at, reference, values[usize::from(argument)]);
            }
        }
        Some((start as u32, kept))
    }

    /// Whether there is room for the notes of these references.
    #[inline(always)]
    fn can_note(&self, references: &[Reference]) -> bool {
        let mut notes = [0; NoteKind::COUNT];
        for reference in references {
            match reference.goal {
                Goal::Call => notes[NoteKind::Call as usize] += 1,
                Goal::Label | Goal::Exit | Goal::OtherPart => notes[reference.field as usize] += 1,
                Goal::Literal | Goal::MutLiteral => {}
            }
        }
        self.notes.can_take(notes)
    }

    /// Pushes a micro-op if it has a row and nothing else stands in the way. Otherwise nothing has changed. Compiled once
    /// for each number of operands.
    #[inline(never)]
    fn push_by_row<V: AsMut<[u64]>>(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut V,
    ) -> bool {
        let Some(mut run) = Run::<false>::new(self, 0).filter(|run| run.can_take::<V>(set)) else {
            return false;
        };
        let start = run.at();
        let pushed = run.step(index, values, false);
        drop(run);
        if pushed && self.options.annotate {
            let values = values.as_mut();
            put_in_order(set, index, values);
            self.watched(start, values, None);
        }
        pushed
    }

    /// Clears the way for the next micro-op, if it is only a jump that blocks it: writes the jump, or makes it a slot.
    /// Unless a micro-op follows, the way must be [blocked](TraceBuilder::block_way) again.
    #[inline(never)]
    fn clear_way(&mut self) -> Option<Cleared> {
        let Open::To(place) = self.open else {
            return None;
        };
        // As much as the general way makes room for.
        let is_quick = self.is_quick(self.code.cursor() as u32, SPARE_WORDS, Field::Imm26 as u8);
        if self.gap != BLOCKED || self.next_point.is_some() || !is_quick {
            return None;
        }
        let cleared = Cleared {
            code: self.code.cursor(),
            notes: self.notes.counts(),
        };
        self.gap = match self.places.offset(place) {
            HERE => self.slot,
            _ => {
                self.emit_jump(place);
                self.code.reserve(ROOM);
                0
            }
        };
        Some(cleared)
    }

    /// Takes back what was done to clear the way.
    #[inline(never)]
    fn block_way(&mut self, cleared: Cleared) {
        self.code.truncate(cleared.code);
        // Behind every micro-op that goes on there is the NOP that may become its slot.
        if let Some(slot) = self.code.next_mut() {
            *slot = NOP;
        }
        self.notes.truncate(cleared.notes);
        self.gap = BLOCKED;
    }

    /// Moves over a micro-op of so many words that is written at `start`. `goes_on` is 1 if it goes on to the next.
    #[inline(always)]
    fn pass(&mut self, start: u32, words: u32, goes_on: u32) {
        self.nops += self.gap;
        self.code.move_to((start + words) as usize);
        self.open = if goes_on != 0 {
            Open::Next
        } else {
            Open::Closed
        };
        self.gap = goes_on & self.slot;
        self.op_count += 1;
    }

    /// Places the labels in front of the last micro-op, which was pushed a quick way to `at`, and remembers the micro-op if
    /// it is to be annotated. `kept` is what has been kept of it already.
    #[inline(never)]
    fn watched(&mut self, at: u32, values: &[u64], kept: Option<Pushed>) {
        if !self.binds.is_empty() {
            self.place_binds(at);
        }
        if self.options.annotate
            && let (Some(op), Some(set)) = (self.last_op(), self.sets.number(self.last.0))
        {
            let values = values.get(..op.operand_count()).unwrap_or(values);
            let op = kept.unwrap_or_else(|| self.keep(set, op.index, values));
            self.records.push(Record { at, op });
        }
    }

    /// Keeps the operands of a micro-op. `set` is the number of its set.
    #[inline(always)]
    fn keep(&mut self, set: u16, index: u16, values: &[u64]) -> Pushed {
        let start = self.values.len() as u32;
        self.values.extend_from_slice(values);
        Pushed {
            set,
            index,
            values: start,
        }
    }

    /// Whether so many words, [`SPARE_WORDS`] at the most, lie before the quick ways' end, at `start`. `class` is that of
    /// the micro-op's part.
    #[inline]
    pub(super) fn is_quick(&self, start: u32, words: u32, class: u8) -> bool {
        start + words <= self.quick_end[usize::from(class) % self.quick_end.len()]
    }

    /// Takes note of one more place to lead to (a label, an exit that is wanted, a micro-op's other part), which makes the
    /// islands to come longer by a veneer at most.
    #[inline]
    pub(super) fn count_place(&mut self) {
        match self.spare_places.checked_sub(1) {
            Some(left) => self.spare_places = left,
            // The next micro-op is pushed the general way, which finds the end anew.
            None => self.quick_end = [0; CLASSES],
        }
    }

    /// Whether so many words with these references fit at `start`, in front of an island of everything pending and of
    /// what they add to it. Where they do nothing else is done to make room, whichever way the micro-op is pushed.
    pub(super) fn has_room(&self, start: u32, words: u32, references: &[Reference]) -> bool {
        let needed = words + 2 * references.len() as u32;
        let island = needed + self.pending() + ISLAND;
        // Its own references must reach beyond that island too.
        let mut own = references
            .iter()
            .filter_map(|reference| self.options.reach.needs(reference));
        start + island < self.deadline() && own.all(|(reach, _)| island < reach)
    }

    /// The gap after a micro-op that goes on as `open` says, with nothing else to come in front of the next.
    pub(super) fn plain_gap(&self) -> u32 {
        match self.open {
            Open::Closed => 0,
            Open::Next => self.slot,
            Open::To(_) => BLOCKED,
        }
    }

    /// Opens the quick ways for the next micro-ops, unless they are: makes room, and finds out how far it reaches.
    #[inline]
    pub(super) fn make_ready(&mut self) {
        self.code.reserve(1 + ROOM);
        let [end, _, tests, _, loads, ..] = self.quick_end;
        let first_test = tests == 0 && self.notes.count(Field::Imm14) > self.due.tests;
        let first_load = loads == 0 && self.loads_come;
        if first_test || first_load || self.code.cursor() >= end as usize {
            self.find_quick_end();
        }
    }

    /// Finds out how far the room for the quick ways reaches.
    #[inline(never)]
    pub(super) fn find_quick_end(&mut self) {
        // A reference to come has a later deadline than those of its class that are noted, or than one noted here.
        // Only for `tbz` and `tbnz`, which few use, this would be near; so there must be one already. And without loads of
        // literals an island is not as long by far as it may be with them; so there must have been one, too.
        let here = self.code.cursor() as u32;
        let tests = self.notes.count(Field::Imm14) > self.due.tests;
        let soonest = self
            .options
            .reach
            .branch_words(Field::Imm19)
            .min(self.options.reach.literal_words());
        let deadline = self.deadline().min(here + soonest - 1).min(MAX_LEN);
        let pending = self.pending();
        let room = deadline.checked_sub(pending + ISLAND + here + 1);
        let Some(room) = room.filter(|_| !self.is_full(KEPT)) else {
            (self.quick_end, self.spare_places) = ([0; CLASSES], 0);
            return;
        };
        self.spare_places = (room / 16).min(1 << 12);
        // A place more to lead to makes the island longer by a word, a word of a micro-op by two at most, if it loads a literal.
        let left = room - self.spare_places;
        let mut words = left / 3;
        if !self.loads_come {
            // A branch by one; and an island has no more veneers than there are places to lead to, however many branches.
            // `has_room` counts the last micro-op's own as if they were literals.
            let places = self.places_to_lead_to() as u32;
            let more = places.saturating_sub(pending) + 2 * SPARE_WORDS;
            words = words.max(left.saturating_sub(more));
        }
        let end = here + words;
        self.quick_end = std::array::from_fn(|class| {
            let is_open = (tests || class % usize::from(LOADS) != Field::Imm14 as usize)
                && (self.loads_come || class < usize::from(LOADS));
            if is_open { end } else { 0 }
        });
    }

    #[inline(never)]
    pub(super) fn push_slowly(&mut self, op: Op, values: &mut [u64]) -> Result<(), Error> {
        let pushed = self.check(op, values)?;
        let keep = self.options.annotate || op.has_cold_part();
        if keep {
            self.values.extend_from_slice(values);
        }
        let pieces = Part::Hot.of(op);
        let encoded = op.encode(values);
        let ready = encoded.and_then(|()| self.make_room(op, &pieces, values));
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
        self.emit(op, Part::Hot, &pieces, cold_part, values);
        self.make_ready();
        self.forget_done();
        self.op_count += 1;
        self.last = (op.set, op.index.into());
        Ok(())
    }

    /// Forgets the branches that are done, where they are many and more than the others: in a long trace the room that they
    /// took is better used again, as long as it is in the caches. (Not while a trace is finished, which goes back to
    /// them if it fails.)
    fn forget_done(&mut self) {
        for field in [Field::Imm14, Field::Imm19] {
            let done = self.due.cursor(field);
            if done >= MANY_DONE && done >= self.notes.count(field) / 2 {
                self.notes.forget(field, done);
                self.due.pass(field, 0);
            }
        }
    }

    /// Notes the cold part of a micro-op whose hot part comes at `hot`.
    pub(super) fn note_cold_part(&mut self, op: Pushed, hot: u32, origin: Origin) -> u32 {
        let index = self.cold_parts.len() as u32;
        self.cold_parts.push(ColdPart { op, origin });
        self.places.add(PlaceKind::Cold, UNPLACED);
        self.places.add(PlaceKind::Hot, hot);
        self.queue.push(ColdItem::Part(index));
        index
    }

    /// Whether with `more` there are as many micro-ops, or as many operands of them are kept, as can be told apart.
    #[inline]
    pub(super) fn is_full(&self, more: usize) -> bool {
        let most = self.values.len().max(self.op_count as usize);
        let most = most.max(self.exit_code.len()).max(self.cold_parts.len());
        most + more >= Place::LIMIT
    }

    /// Refuses what does not fit a micro-op's operands, and one micro-op too many. Returns the micro-op as the
    /// builder remembers it, with its operands behind those that are kept already.
    pub(super) fn check(&mut self, op: Op, values: &[u64]) -> Result<Pushed, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        op.check(values, &self.handles)?;
        if op.template.special {
            self.check_halves(op, values)?;
        }
        if self.is_full(0) {
            return Err(Error::TooMany { what: "micro-ops" });
        }
        let set = self.sets.number(op.set);
        Ok(Pushed {
            set: set.ok_or(Error::TooMany { what: "sets" })?,
            index: op.index,
            values: self.values.len() as u32,
        })
    }

    /// Refuses changeable literals of which a load would read only a part of what they hold.
    fn check_halves(&self, op: Op, values: &[u64]) -> Result<(), Error> {
        for part in [Part::Hot, Part::Cold] {
            for reference in part.of(op).references {
                let argument = usize::from(reference.argument);
                if reference.goal != Goal::MutLiteral {
                    continue;
                }
                let index = Handle::from_raw(values[argument]).index();
                let (mut loads, value) =
                    (HalfLoads::default(), self.mutables[index as usize].value);
                loads.add(reference.load);
                if let Some((min, max)) = loads.refuses(value) {
                    let range = (min.into(), max.into());
                    return Err(op.outside(argument, value, false, range));
                }
            }
        }
        Ok(())
    }
}

/// Takes a micro-op apart, where that need not be compiled anew each time: for large enums it is a long table.
#[inline]
pub(super) fn operands<M: MicroOp>(op: &M) -> M::Operands {
    op.operands()
}

/// The same, for a row.
#[inline]
fn arranged<M: MicroOp>(op: &M) -> M::Operands {
    op.arranged()
}

/// Puts operands that come [arranged](MicroOp::arranged) in the order in which they are declared.
fn put_in_order(set: &'static MicroOpSet, index: usize, values: &mut [u64]) {
    if let Some(op) = Op::new(set, index) {
        op.put_in_order(values);
    }
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

#[cfg(test)]
mod tests;
