//! Finishing a trace: cold code, the displacements that are still open, the pool.

use super::emit::Part;
use super::state::{
    ColdItem, HERE, Literal, OFF_END, Open, Origin, Place, PlaceKind, PoolLoad, PoolWord, Record,
    is_placed,
};
use super::{Due, Trace, TraceBuilder};
use crate::asm::WORD;
use crate::asm::branch::Field;
use crate::error::Error;
use crate::op::encode::Op;
use crate::trace::state::{Pushed, UNPLACED};

/// What `finish` may have to go back to.
struct Mark {
    code: usize,
    open: Open,
    branches: usize,
    calls: usize,
    loads: usize,
    due: Due,
    cold_parts: usize,
    queue: usize,
    islands: usize,
    nops: u32,
    next_point: Option<u32>,
}

impl TraceBuilder {
    /// Lays out the trace: emits the cold parts and the exits that something leads to, and writes every
    /// displacement inside it. Nothing can be pushed afterwards, until [`clear`](TraceBuilder::clear);
    /// a second call returns the same trace.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::FallsOffEnd`], [`Error::LabelNeverBound`],
    /// [`Error::ExitWithoutCode`], or what is out of reach: [`Error::TraceTooLong`],
    /// [`Error::OpTooLong`], [`Error::LiteralOutOfReach`]. The trace is then as it was before, and
    /// can be mended and finished again.
    pub fn finish(&mut self) -> Result<Trace<'_>, Error> {
        if !self.finished {
            self.check_end()?;
            let mark = self.mark();
            // Out of the way of the cold code, or its first micro-op would give them a place.
            let behind = std::mem::take(&mut self.binds);
            self.place_all(&behind, OFF_END);
            let laid_out = self.lay_out();
            if laid_out.is_err() {
                self.wind_back(mark);
                self.place_all(&behind, HERE);
            }
            self.binds = behind;
            laid_out?;
            self.finished = true;
        }
        Ok(Trace::new(self))
    }

    fn place_all(&mut self, labels: &[u32], offset: u32) {
        for &label in labels {
            self.labels[label as usize] = offset;
        }
    }

    /// The trace must end by going somewhere.
    fn check_end(&self) -> Result<(), Error> {
        let Some(last) = self.last else {
            return Err(Error::Empty);
        };
        let off_end = match self.open {
            Open::Closed => false,
            Open::Next => true,
            Open::To(place) => self.offset(place) == HERE,
        };
        if off_end {
            let op = self.sets.op(last).map_or("?", Op::name);
            return Err(Error::FallsOffEnd { op });
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
        let mut next = 0;
        while let Some(&item) = self.queue.get(next) {
            match item {
                ColdItem::Part(part) => self.emit_cold_part(part)?,
                ColdItem::Exit(exit) => self.emit_exit(exit)?,
            }
            next += 1;
        }
        for index in 0..self.calls.len() {
            self.calls[index].number = self.targets.intern(self.calls[index].target.key());
        }
        self.finish_loads();
        self.finish_branches()?;
        self.make_pool();
        Ok(())
    }

    fn emit_cold_part(&mut self, index: u32) -> Result<(), Error> {
        let part = self.cold_parts[index as usize];
        self.emit_cold(part.op, Part::Cold, index, |builder, at| {
            builder.cold_parts[index as usize].offset = at;
            part.origin
        })
    }

    fn emit_exit(&mut self, index: u32) -> Result<(), Error> {
        let exit = self.exits[self.exits[index as usize].same_as as usize];
        if exit.len == 0 {
            return Err(Error::ExitWithoutCode { exit: index });
        }
        if exit.offset != UNPLACED {
            return Ok(());
        }
        for number in exit.start..exit.start + exit.len {
            let pushed = self.exit_code[number as usize];
            self.emit_cold(pushed, Part::Hot, UNPLACED, |builder, at| {
                if number == exit.start {
                    builder.exits[exit.same_as as usize].offset = at;
                    if exit.linkable {
                        builder.emit_nop();
                    }
                }
                Origin::Exit(exit.same_as)
            })?;
        }
        let jump = match (exit.jump, self.open) {
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

    /// Emits a micro-op, or the cold part of one, in the cold section.
    fn emit_cold(
        &mut self,
        pushed: Pushed,
        part: Part,
        mut cold_part: u32,
        placed: impl FnOnce(&mut Self, u32) -> Origin,
    ) -> Result<(), Error> {
        let Some(op) = self.sets.op(pushed) else {
            return Ok(());
        };
        let mut values = std::mem::take(&mut self.scratch_values);
        values.clear();
        values.extend_from_slice(self.operands_of(pushed));
        let ready = self
            .check(op, &mut values)
            .and_then(|()| self.make_room(op, part, &values));
        if ready.is_ok() {
            // An exit that can be linked starts at its NOP.
            let at = self.settle();
            let origin = placed(self, at);
            if self.options.annotate {
                self.cold_records.push((Record { at, op: pushed }, origin));
            }
            if part == Part::Hot {
                let hot = self.code.len() as u32;
                cold_part = self.note_cold_part(op, pushed, hot, origin);
            }
            self.emit(op, part, cold_part, &values);
        }
        self.scratch_values = values;
        ready
    }

    /// Loads that still wait read the pool at the end, if it is in reach wherever the address puts it;
    /// otherwise an island of their own in front of the trampolines.
    fn finish_loads(&mut self) {
        self.sweep();
        let waiting = (self.loads.len() - self.due.loads) as u32;
        if waiting == 0 {
            return;
        }
        let trampolines = 2 * self.targets.keys().len() as u32;
        // Two kinds of padding, trampolines with their targets' words, and the loads' words.
        let end = self.code.len() as u32 + 2 + 2 * trampolines + 2 * waiting + self.due.pending;
        let first = self.loads[self.due.loads].at();
        if end >= first + self.options.reach.literal_words() {
            self.island(u32::MAX);
        }
    }

    /// Writes the displacements that are still open. Everything has its place by now; what is out of
    /// reach still, a branch backwards, gets a veneer in a last island.
    fn finish_branches(&mut self) -> Result<(), Error> {
        let mut veneers = false;
        for index in 0..self.branches.len() {
            let branch = self.branches[index];
            if branch.done {
                continue;
            }
            if !is_placed(self.offset(branch.place)) {
                return Err(self.never_placed(branch.place));
            }
            veneers |= branch.field != Field::Imm26
                && !self.try_branch(branch.at, branch.place, branch.inner, branch.field);
        }
        if veneers {
            self.island(u32::MAX);
        }
        for index in 0..self.branches.len() {
            let branch = self.branches[index];
            if !branch.done && !self.try_branch(branch.at, branch.place, branch.inner, branch.field)
            {
                let distance = self.offset(branch.place).abs_diff(branch.at);
                return Err(Error::TraceTooLong {
                    distance: u64::from(distance) * u64::from(WORD),
                    reach: self.options.reach.branch_words(branch.field) * WORD,
                });
            }
        }
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

    fn never_placed(&self, place: Place) -> Error {
        match place.kind() {
            // Labels that are bound behind the last micro-op have no place; using one is an error.
            PlaceKind::Label(label) if self.labels[label] == OFF_END => {
                let last = self.last.and_then(|pushed| self.sets.op(pushed));
                let op = last.map_or("?", Op::name);
                Error::FallsOffEnd { op }
            }
            PlaceKind::Label(label) => Error::LabelNeverBound {
                label: label as u32,
            },
            PlaceKind::Exit(exit) => Error::ExitWithoutCode { exit: exit as u32 },
            PlaceKind::Cold(_) | PlaceKind::Hot(_) => Error::Empty,
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
            branches: self.branches.len(),
            calls: self.calls.len(),
            loads: self.loads.len(),
            due: self.due,
            cold_parts: self.cold_parts.len(),
            queue: self.queue.len(),
            islands: self.islands.len(),
            nops: self.nops,
            next_point: self.next_point,
        }
    }

    /// Undoes `lay_out`. Displacements that it wrote stay in the words; they are written again.
    fn wind_back(&mut self, mark: Mark) {
        self.code.truncate(mark.code);
        self.open = mark.open;
        self.branches.truncate(mark.branches);
        for (index, branch) in self.branches.iter_mut().enumerate() {
            let cursor = *mark.due.clone().cursor(branch.field);
            if index >= cursor && branch.field != Field::Imm26 {
                branch.done = false; // invariant 2
            }
        }
        self.calls.truncate(mark.calls);
        self.loads.truncate(mark.loads);
        self.due = mark.due;
        self.cold_parts.truncate(mark.cold_parts);
        for item in self.queue.drain(mark.queue..) {
            if let ColdItem::Exit(exit) = item {
                self.exits[exit as usize].wanted = false;
            }
        }
        self.islands.truncate(mark.islands);
        self.nops = mark.nops;
        self.next_point = mark.next_point;
        let end = mark.code as u32;
        for exit in &mut self.exits {
            exit.offset = UNPLACED;
        }
        for part in &mut self.cold_parts {
            part.offset = UNPLACED;
        }
        for mutable in &mut self.mutables {
            if mutable.island >= end {
                mutable.island = UNPLACED;
            }
        }
        self.cold_records.clear();
        self.targets.clear();
        self.constants.clear();
        self.pool.clear();
        self.pool_loads.clear();
    }
}
