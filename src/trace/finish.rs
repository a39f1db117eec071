//! Finishing a trace: cold code, the displacements that are still open, the pool.

use super::emit::{Part, displacement};
use super::island::BEFORE;
use super::push::BLOCKED;
use super::state::{
    ColdItem, ExitForm, ExitState, HERE, Literal, NoteKind, OFF_END, Open, Origin, Place,
    PlaceKind, PoolLoad, PoolWord, Pushed, Record, UNPLACED, UNWANTED, is_placed,
};
use super::tape::Tape;
use super::{Due, Trace, TraceBuilder};
use crate::asm::branch::Field;
use crate::asm::{TRAMPOLINE, WORD};
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::template::CLASSES;

/// What `finish` may have to go back to.
struct Mark {
    code: usize,
    open: Open,
    gap: u32,
    notes: [usize; NoteKind::COUNT],
    loads: usize,
    due: Due,
    other_places: u32,
    cold_parts: usize,
    queue: usize,
    islands: usize,
    nops: u32,
    next_point: Option<u32>,
}

/// Words of an exit that are copied at once: most have no more, and copying a number that the compiler knows is quicker
/// than copying as many as there are.
const FEW: usize = 4;

impl TraceBuilder {
    /// Lays out the trace: emits the cold parts and the exits that something leads to, and writes every
    /// displacement inside it. Nothing can be pushed afterwards, until [`clear`](TraceBuilder::clear);
    /// a second call returns the same trace.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::FallsOffEnd`], [`Error::LabelNeverBound`], [`Error::LabelBehindEnd`],
    /// [`Error::ExitWithoutCode`], or what is out of reach: [`Error::TraceTooLong`],
    /// [`Error::OpTooLong`], [`Error::LiteralOutOfReach`]. The trace is then as it was before, and
    /// can be mended and finished again.
    pub fn finish(&mut self) -> Result<Trace<'_>, Error> {
        if !self.finished {
            self.check_end()?;
            let mark = self.mark();
            // Out of the way of the cold code, or its first micro-op would give them a place.
            let behind = std::mem::take(&mut self.binds);
            self.places.bind(&behind, OFF_END);
            let laid_out = self.lay_out();
            if laid_out.is_err() {
                self.wind_back(mark);
                self.places.bind(&behind, HERE);
            }
            self.binds = behind;
            laid_out?;
            self.finished = true;
            self.code_len = self.code.len() as u32;
            self.gap = BLOCKED;
        }
        Ok(Trace::new(self))
    }

    /// Lets `link` have the code of a finished trace, as many words of it as are asked for: behind those that there are come
    /// whatever they were before. Meanwhile the trace has none. `all_far` says whether all of its calls lead to trampolines of
    /// its own afterwards.
    #[cfg(target_endian = "little")]
    pub(crate) fn link_code(
        &mut self,
        words: u32,
        all_far: bool,
        link: impl FnOnce(Trace<'_>, &mut [u32]),
    ) {
        let (words, len) = (words as usize, self.code_len as usize);
        let mut code = std::mem::replace(&mut self.code, Tape::new());
        code.truncate(len);
        code.reserve(words.saturating_sub(len));
        code.move_to(words);
        link(Trace::new(self), &mut code);
        self.code = code;
        self.calls_lead = all_far;
    }

    /// The trace must end by going somewhere.
    fn check_end(&self) -> Result<(), Error> {
        let Some(last) = self.last_op() else {
            return Err(Error::Empty);
        };
        let off_end = match self.open {
            Open::Closed => false,
            Open::Next => true,
            Open::To(place) => self.places.offset(place) == HERE,
        };
        if off_end {
            return Err(Error::FallsOffEnd { op: last.name() });
        }
        Ok(())
    }

    fn lay_out(&mut self) -> Result<(), Error> {
        if let Open::To(place) = self.open {
            self.emit_jump(place);
        }
        self.open = Open::Closed;
        self.next_point = None;
        self.hot_len = self.code.len() as u32;
        // What the micro-ops' operands are is read while their code is written; none are added.
        let values = std::mem::replace(&mut self.values, Tape::new());
        let emitted = self.emit_queue(&values);
        self.values = values;
        emitted?;
        self.finish_loads();
        self.finish_branches()?;
        self.make_pool();
        self.finish_calls();
        Ok(())
    }

    fn emit_queue(&mut self, values: &[u64]) -> Result<(), Error> {
        let mut next = self.copy_exits(0);
        while let Some(&item) = self.queue.get(next) {
            match item {
                ColdItem::Part(part) => self.emit_cold_part(part, values)?,
                ColdItem::Exit(exit) => self.emit_exit(exit, values)?,
            }
            next = self.copy_exits(next + 1);
        }
        Ok(())
    }

    fn emit_cold_part(&mut self, index: u32, values: &[u64]) -> Result<(), Error> {
        let part = self.cold_parts[index as usize];
        self.emit_cold(part.op, Part::Cold, values, index, |builder, at| {
            builder.places.set(Place::cold(index), at);
            part.origin
        })
    }

    fn emit_exit(&mut self, index: u32, values: &[u64]) -> Result<(), Error> {
        let exit = self.exits[self.exits[index as usize].same_as as usize];
        if exit.len == 0 {
            return Err(Error::ExitWithoutCode { exit: index });
        }
        let first = Place::exit(exit.same_as);
        if !is_placed(self.places.offset(first)) {
            self.emit_exit_code(exit, values)?;
        }
        self.places
            .set(Place::exit(index), self.places.offset(first));
        Ok(())
    }

    fn emit_exit_code(&mut self, exit: ExitState, values: &[u64]) -> Result<(), Error> {
        for number in exit.start..exit.start + exit.len {
            let pushed = self.exit_code[number as usize].op;
            self.emit_cold(pushed, Part::Hot, values, UNPLACED, |builder, at| {
                if number == exit.start {
                    builder.places.set(Place::exit(exit.same_as), at);
                    if exit.linkable {
                        builder.emit_nop();
                    }
                }
                Origin::Exit(exit.same_as)
            })?;
        }
        let jump = match (exit.jump(), self.open) {
            (Some(place), _) => Some(place),
            (None, Open::To(place)) => Some(place),
            _ => None,
        };
        if let Some(place) = jump {
            self.emit_jump(place);
        }
        self.open = Open::Closed;
        Ok(())
    }

    /// Emits exits whose words are ready, up to the first of the queue that is none, or in front of which or among whose
    /// micro-ops anything else may come. Returns how far that was.
    fn copy_exits(&mut self, first: usize) -> usize {
        let is_exit = matches!(self.queue.get(first), Some(ColdItem::Exit(_)));
        if !(is_exit && self.is_settled()) {
            return first;
        }
        // As many as there are at the most, for one look at whether there is room.
        self.code.reserve(self.exit_words.len());
        let [end, ..] = self.quick_end;
        let (code, cursor) = self.code.parts_mut();
        let (queue, exits, exit_words) = (&self.queue[..], &self.exits[..], &self.exit_words[..]);
        let annotate = self.options.annotate;
        let mut next = first;
        while let Some(&ColdItem::Exit(index)) = queue.get(next) {
            let Some(exit) = exits.get(index as usize) else {
                break;
            };
            let place = Place::exit(exit.same_as);
            let mut offset = self.places.offset(place);
            if !is_placed(offset) {
                let Some(exit) = exits.get(exit.same_as as usize) else {
                    break;
                };
                let ExitForm::Ready(ready) = exit.form else {
                    break;
                };
                let Some(words) = exit_words.get(ready.start as usize..) else {
                    break;
                };
                let (len, at) = (usize::from(ready.len), *cursor);
                if at + BEFORE as usize + len > end as usize {
                    break;
                }
                let to = &mut code[at..];
                match (to.first_chunk_mut::<FEW>(), words.first_chunk()) {
                    // What is too many is overwritten by what follows, or is behind the end.
                    (Some(to), Some(words)) if len <= FEW => *to = *words,
                    _ => to[..len].copy_from_slice(&words[..len]),
                }
                offset = at as u32;
                if annotate {
                    let ops = self.exit_code.get(exit.start as usize..).unwrap_or(&[]);
                    let records = ops.iter().take(exit.len as usize).map(|record| Record {
                        at: offset + record.at,
                        ..*record
                    });
                    let origin = Origin::Exit(exit.same_as);
                    self.cold_records
                        .extend(records.map(|record| (record, origin)));
                }
                *cursor += len;
                self.nops += u32::from(ready.nops);
                self.places.set(place, offset);
            }
            if exit.same_as != index {
                self.places.set(Place::exit(index), offset);
            }
            next += 1;
        }
        if next > first {
            self.gap = 0;
            self.make_ready();
        }
        next
    }

    /// Emits a micro-op, or the cold part of one, in the cold section. Its operands are among `all`.
    #[inline]
    fn emit_cold(
        &mut self,
        pushed: Pushed,
        part: Part,
        all: &[u64],
        cold_part: u32,
        placed: impl FnOnce(&mut Self, u32) -> Origin,
    ) -> Result<(), Error> {
        let Some(op) = self.sets.op(pushed) else {
            return Ok(());
        };
        let values = all.get(pushed.values as usize..).unwrap_or(&[]);
        if op.template.encoded {
            return self.emit_after_encoding(op, pushed, part, values, cold_part, placed);
        }
        self.emit_encoded(op, pushed, part, values, cold_part, placed)
    }

    #[inline(never)]
    fn emit_after_encoding(
        &mut self,
        op: Op,
        pushed: Pushed,
        part: Part,
        values: &[u64],
        cold_part: u32,
        placed: impl FnOnce(&mut Self, u32) -> Origin,
    ) -> Result<(), Error> {
        let mut scratch = std::mem::take(&mut self.scratch_values);
        scratch.clear();
        scratch.extend_from_slice(values.get(..op.operand_count()).unwrap_or(&[]));
        let emitted = op
            .encode(&mut scratch)
            .and_then(|()| self.emit_encoded(op, pushed, part, &scratch, cold_part, placed));
        self.scratch_values = scratch;
        emitted
    }

    #[inline(always)]
    fn emit_encoded(
        &mut self,
        op: Op,
        pushed: Pushed,
        part: Part,
        values: &[u64],
        mut cold_part: u32,
        placed: impl FnOnce(&mut Self, u32) -> Origin,
    ) -> Result<(), Error> {
        let pieces = part.of(op);
        self.make_room(op, &pieces, values)?;
        // An exit that can be linked starts at its NOP.
        let at = self.settle();
        let origin = placed(self, at);
        if self.options.annotate {
            self.cold_records.push((Record { at, op: pushed }, origin));
        }
        if part == Part::Hot && op.has_cold_part() {
            let hot = self.code.len() as u32;
            cold_part = self.note_cold_part(pushed, hot, origin);
        }
        self.emit(op, part, &pieces, cold_part, values);
        self.make_ready();
        Ok(())
    }

    /// Loads that still wait read the pool at the end, if it is in reach wherever the address puts it;
    /// otherwise an island of their own in front of the trampolines.
    fn finish_loads(&mut self) {
        if self.due.loads == self.loads.len() {
            return;
        }
        self.sweep();
        let trampolines = self.count_targets();
        let waiting = (self.loads.len() - self.due.loads) as u32;
        // Two kinds of padding, trampolines with their targets' words, and the loads' words.
        let end = self.code.len() as u32
            + 2
            + (TRAMPOLINE + 2) * trampolines
            + 2 * waiting
            + self.pending();
        let first = self.loads[self.due.loads].at();
        if end >= first + self.literal_reach {
            self.island(u32::MAX, 0);
        }
    }

    /// Writes the displacements that are still open. Everything has its place by now; what is out of
    /// reach still, a branch backwards, gets a veneer in a last island.
    fn finish_branches(&mut self) -> Result<(), Error> {
        let tests = self.write_branches(Field::Imm14)?;
        let all = self.write_branches(Field::Imm19)?;
        if !(tests && all) {
            self.sweep();
            self.island(u32::MAX, 0);
        }
        self.write_branches(Field::Imm26)?;
        // The jumps around islands: only where the options make `b` reach less than it does.
        let reach = self.options.reach.branch_words(Field::Imm26);
        let longest = self.islands.iter().map(|island| island.end - island.start);
        match longest.max() {
            Some(words) if words >= reach => Err(Error::TraceTooLong {
                distance: u64::from(words) * u64::from(WORD),
                reach: reach * WORD,
            }),
            _ => Ok(()),
        }
    }

    /// Writes the displacements of the branches of a class that are not done. Returns whether all were in reach;
    /// where an island can serve the others, they are left to it.
    // With constant fields, this is a third of what finishing a trace takes.
    #[inline(always)]
    fn write_branches(&mut self, field: Field) -> Result<bool, Error> {
        let (first, reach) = (self.due.cursor(field), self.reach[field as usize]);
        let (code, places) = (&mut self.code[..], &self.places);
        let branches = self.notes.since(field, first);
        let all = branches.iter().all(|&branch| {
            let offset = places.get(branch.place().number());
            let words = offset.and_then(|offset| displacement(branch, offset, reach));
            let word = code.get_mut(branch.at as usize);
            match (words, word) {
                (Some(words), Some(word)) => field.displace(word, words),
                _ => return false,
            }
            true
        });
        if !all {
            self.write_those_in_reach(field)?;
        }
        Ok(all)
    }

    /// Writes the displacements of those branches of a class that are in reach, where not all are. Fails if an island cannot
    /// serve the others.
    #[cold]
    fn write_those_in_reach(&mut self, field: Field) -> Result<(), Error> {
        let (first, reach) = (self.due.cursor(field), self.reach[field as usize]);
        for &branch in self.notes.since(field, first) {
            let offset = self.places.offset(branch.place());
            if !is_placed(offset) {
                return Err(self.never_placed(branch.place()));
            }
            match displacement(branch, offset, reach) {
                // Some have been written: to these it makes no difference.
                Some(words) => {
                    let word = &mut self.code[branch.at as usize];
                    *word = field.with_displacement(*word, words);
                }
                None if field == Field::Imm26 => {
                    let target = offset + branch.inner();
                    return Err(Error::TraceTooLong {
                        distance: u64::from(target.abs_diff(branch.at)) * u64::from(WORD),
                        reach: reach * WORD,
                    });
                }
                None => {}
            }
        }
        Ok(())
    }

    fn never_placed(&self, place: Place) -> Error {
        match place.kind() {
            // Labels that are bound behind the last micro-op have no place; using one is an error.
            PlaceKind::Label if self.places.offset(place) == OFF_END => Error::LabelBehindEnd {
                label: place.index() as u32,
            },
            PlaceKind::Label => Error::LabelNeverBound {
                label: place.index() as u32,
            },
            PlaceKind::Exit => Error::ExitWithoutCode {
                exit: place.index() as u32,
            },
            PlaceKind::Cold | PlaceKind::Hot => Error::Empty,
        }
    }

    /// The words of the pool at the end: one for each constant, one for each changeable literal.
    fn make_pool(&mut self) {
        let mut words_of_mutables = std::mem::take(&mut self.scratch_mutables);
        words_of_mutables.clear();
        words_of_mutables.resize(self.mutables.len(), u32::MAX);
        let mut words_of_constants = std::mem::take(&mut self.scratch_constants);
        words_of_constants.clear();
        for index in self.due.loads..self.loads.len() {
            let load = self.loads[index];
            let new = self.pool.len() as u32;
            let (word, value, mutable) = match load.literal() {
                Literal::Constant(value) => {
                    let number = self.constants.intern(value) as usize;
                    if number == words_of_constants.len() {
                        words_of_constants.push(new);
                    }
                    (words_of_constants[number], value, None)
                }
                Literal::Mutable(mutable) => {
                    let state = self.mutables[mutable as usize];
                    if state.island != UNPLACED {
                        self.write_load(load.at(), state.island);
                        continue;
                    }
                    let word = &mut words_of_mutables[mutable as usize];
                    if *word == u32::MAX {
                        *word = new;
                    }
                    (*word, state.value, Some(mutable))
                }
            };
            if word == new {
                self.pool.push(PoolWord { value, mutable });
            }
            self.pool_loads.push(PoolLoad {
                at: load.at(),
                word,
            });
        }
        self.scratch_mutables = words_of_mutables;
        self.scratch_constants = words_of_constants;
    }

    fn mark(&self) -> Mark {
        Mark {
            code: self.code.len(),
            open: self.open,
            gap: self.gap,
            notes: self.notes.counts(),
            loads: self.loads.len(),
            due: self.due,
            other_places: self.other_places,
            cold_parts: self.cold_parts.len(),
            queue: self.queue.len(),
            islands: self.islands.len(),
            nops: self.nops,
            next_point: self.next_point,
        }
    }

    /// Undoes `lay_out`.
    fn wind_back(&mut self, mark: Mark) {
        self.code.truncate(mark.code);
        self.open = mark.open;
        self.gap = mark.gap;
        self.notes.truncate(mark.notes);
        self.loads.truncate(mark.loads);
        (self.due, self.other_places) = (mark.due, mark.other_places);
        for field in [Field::Imm14, Field::Imm19, Field::Imm26] {
            for branch in self.notes.since(field, self.due.cursor(field)) {
                let word = &mut self.code[branch.at as usize];
                *word = field.with_displacement(*word, 0);
            }
        }
        // The next micro-op is pushed the general way, which finds its end anew.
        self.quick_end = [0; CLASSES];
        self.cold_parts.truncate(mark.cold_parts);
        self.places.truncate(PlaceKind::Hot, mark.cold_parts);
        self.places.truncate(PlaceKind::Cold, mark.cold_parts);
        self.places.fill(PlaceKind::Cold, UNPLACED);
        self.queue.truncate(mark.queue);
        self.places.fill(PlaceKind::Exit, UNWANTED);
        for item in self.queue.iter() {
            if let ColdItem::Exit(exit) = *item {
                self.places.set(Place::exit(exit), UNPLACED);
            }
        }
        self.islands.truncate(mark.islands);
        self.veneers_of.clear();
        self.nops = mark.nops;
        self.hot_len = 0;
        self.next_point = mark.next_point;
        let end = mark.code as u32;
        for mutable in &mut self.mutables {
            if mutable.island >= end {
                mutable.island = UNPLACED;
            }
        }
        self.cold_records.clear();
        self.forget_targets();
        self.constants.clear();
        self.pool.clear();
        self.pool_loads.clear();
    }
}
