//! Islands: veneers and literals at an op boundary, before a deadline runs out, and trampolines of [`calls`](super::calls).

use std::ops::Range;

use super::emit::Pieces;
use super::options::FallThrough;
use super::push::{BLOCKED, ROOM};
use super::state::{Island, Literal, Mutable, Note, Open, PlaceKind, UNPLACED};
use super::{Due, MAX_LEN, TraceBuilder};
use crate::asm::branch::{self, Field};
use crate::asm::{NOP, UDF, WORD};
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::template::LOADS;

/// Words that can come in front of a part: the slot of the last micro-op, and the NOP of an invalidation
/// point or of an exit that can be linked.
pub(super) const BEFORE: u32 = 2;

impl TraceBuilder {
    /// Makes sure that after one part of `op` everything pending, and what the part adds to it, can
    /// still be served by an island at the next boundary. Emits an island now if not.
    ///
    /// # Errors
    /// [`Error::OpTooLong`] if not even an island directly in front would do; nothing is changed then.
    #[inline]
    pub(super) fn make_room(
        &mut self,
        op: Op,
        pieces: &Pieces,
        values: &[u64],
    ) -> Result<(), Error> {
        let before = if self.gap == BLOCKED {
            BEFORE
        } else {
            self.gap
        };
        let start = self.code.cursor() as u32 + before;
        let (words, references) = (pieces.words.len() as u32, pieces.references);
        self.loads_come |= pieces.class >= LOADS;
        let is_quick = words < ROOM as u32 && self.is_quick(start, words, pieces.class);
        debug_assert!(!is_quick || self.has_room(start, words, references));
        if is_quick || self.has_room(start, words, references) {
            return match op.template.special {
                true => self
                    .check_mutables(op, pieces, values, BEFORE, false)
                    .map(drop),
                false => Ok(()),
            };
        }
        self.make_room_slowly(op, pieces, values, start)
    }

    /// An upper bound of the words of an island for everything pending, without the jump around it.
    pub(super) fn worst_island(&self) -> u32 {
        self.pending() + 1
    }

    /// An upper bound of the words that an island needs for what is pending: a veneer for each branch, and no more than
    /// there are places that branches may lead to, and a literal for each load.
    pub(super) fn pending(&self) -> u32 {
        let [tests, conditionals] = [Field::Imm14, Field::Imm19]
            .map(|field| self.notes.count(field) - self.due.cursor(field));
        let veneers = (tests + conditionals).min(self.places_to_lead_to());
        (veneers + 2 * (self.loads.cursor() - self.due.loads)) as u32
    }

    /// How many places there are that branches may lead to.
    pub(super) fn places_to_lead_to(&self) -> usize {
        self.places.count(PlaceKind::Label) + self.other_places as usize
    }

    /// The nearest deadline of what is pending: the last word that it reaches, from the start of the trace.
    pub(super) fn deadline(&self) -> u32 {
        let mut deadline = super::MAX_LEN;
        for field in [Field::Imm14, Field::Imm19] {
            if let Some(branch) = self.notes.of(field).get(self.due.cursor(field)) {
                deadline = deadline.min(branch.at + self.reach[field as usize] - 1);
            }
        }
        if let Some(load) = self.loads.get(self.due.loads) {
            deadline = deadline.min(load.at() + self.literal_reach - 1);
        }
        deadline
    }

    #[inline(never)]
    fn make_room_slowly(
        &mut self,
        op: Op,
        pieces: &Pieces,
        values: &[u64],
        start: u32,
    ) -> Result<(), Error> {
        let words = pieces.words.len() as u32;
        let (mut added, mut own) = (0, u32::MAX);
        for reference in pieces.references {
            if let Some((reach, serve)) = self.options.reach.needs(reference) {
                added += serve;
                own = own.min(u32::from(reference.word) + reach - 1);
            }
        }
        // The part alone, with its own references pending and nothing else.
        let alone = words + 1 + added + 1;
        if alone > own {
            return Err(Error::OpTooLong {
                op: op.name(),
                distance: alone * WORD,
                reach: own * WORD,
            });
        }
        // Nothing that can be observed depends on when the cursors move.
        self.sweep();
        // An island in front of the part, with a jump around it, and room for one behind it.
        let before = 1 + self.worst_island() + BEFORE;
        let distance = u64::from(self.code.len() as u32 + before + alone) * 4;
        if distance > u64::from(Field::Imm26.reach()) {
            return Err(Error::TraceTooLong {
                distance,
                reach: Field::Imm26.reach(),
            });
        }
        let fits = |builder: &Self| {
            let after = words + 1 + added + builder.worst_island();
            let start = builder.code.len() as u32 + BEFORE;
            after <= own && start.saturating_add(after) <= builder.deadline()
        };
        // Asked once more, or what comes would depend on when the cursors have moved.
        if self.has_room(start, words, pieces.references) || fits(self) {
            return self
                .check_mutables(op, pieces, values, BEFORE, false)
                .map(drop);
        }
        let more = self.check_mutables(op, pieces, values, before, true)?;
        // What remains after the island must fit beside the part's own.
        let horizon =
            self.code.len() as u32 + 1 + BEFORE + 2 * self.worst_island() + words + 1 + added;
        let crowded = words + 1 + added + self.worst_island() > own;
        self.island(if crowded { u32::MAX } else { horizon }, more);
        debug_assert!(fits(self), "an island has not made room");
        Ok(())
    }

    /// Moves the cursors over what is done, or can be done now.
    pub(super) fn sweep(&mut self) {
        for field in [Field::Imm14, Field::Imm19] {
            let mut next = self.due.cursor(field);
            while let Some(&branch) = self.notes.of(field).get(next) {
                if !self.try_branch(branch, field) {
                    break;
                }
                next += 1;
            }
            self.due.pass(field, next);
        }
    }

    /// Emits an island for everything whose deadline comes before `horizon`, and a margin behind it. It may be longer than
    /// what is pending takes by `more` words.
    pub(super) fn island(&mut self, horizon: u32, more: u32) {
        let jump = match self.open {
            Open::Closed => false,
            // The slot of the last micro-op is the jump around the island.
            Open::Next => true,
            Open::To(place) if self.places.offset(place) == super::HERE => true,
            Open::To(place) => {
                self.emit_jump(place);
                false
            }
        };
        let most = 1 + self.worst_island();
        self.code.reserve(most as usize);
        let around = self.code.len();
        if jump {
            self.code.push(NOP);
        }
        let first = self.code.cursor() as u32;
        self.veneers.clear();
        self.veneers_of.resize_like(&self.places);
        self.serve_branches(Field::Imm14, first, horizon);
        self.serve_branches(Field::Imm19, first, horizon);
        self.collect_loads(horizon);
        self.lead_calls(horizon, more);
        let literals = self.emit_literals();
        let empty = self.code.len() == around + usize::from(jump);
        if !empty {
            let end = self.code.len() as u32;
            if jump {
                self.code[around] = branch::b(i64::from(end) - around as i64);
            }
            self.islands.push(Island {
                start: around as u32,
                literals: literals.min(end),
                end,
            });
        } else if jump && self.options.fall_through == FallThrough::Elide {
            self.code.truncate(around);
        } else if jump {
            self.nops += 1;
        }
        self.settle_binds();
        self.sweep();
    }

    /// Lets the due branches of a class lead to a `b` in the island, one for each place, or to the place itself where
    /// that is in reach now.
    // With a constant field: this is what a long trace consists of.
    #[inline(always)]
    fn serve_branches(&mut self, field: Field, first: u32, horizon: u32) {
        let reach = self.reach[field as usize];
        let last = last_due(horizon, reach);
        let start = self.due.cursor(field);
        let pending = self.notes.since(field, start);
        let due = pending.partition_point(|branch| branch.at + reach <= last);
        // The veneers of this class begin here.
        let own = self.code.cursor() as u32;
        let mut next = start;
        let end = start + due;
        while next < end {
            next += self.lead_to_veneers(field, next..end, own);
            let Some(&branch) = self.notes.of(field).get(next..end).and_then(<[_]>::first) else {
                break;
            };
            self.serve_branch(branch, field, first);
            next += 1;
        }
        self.due.pass(field, next);
    }

    /// Lets these branches lead to veneers, up to the first whose place has none from `own` on, and returns how many those
    /// are.
    ///
    /// A place that has a veneer for a branch of the same class is out of reach of those behind it, too: it lies further back
    /// than the class reaches, or nowhere so far. (In front of the island all would reach it.) So most of the time
    /// the veneer is all that has to be looked at.
    #[inline(always)]
    fn lead_to_veneers(&mut self, field: Field, branches: Range<usize>, own: u32) -> usize {
        let veneers_of = &self.veneers_of;
        let code = &mut self.code[..];
        let branches = self.notes.of(field).get(branches).unwrap_or(&[]);
        let other = branches.iter().position(|branch| {
            let veneer = veneers_of.offset(branch.place());
            let leads_there = branch.inner() == 0 && veneer.wrapping_sub(own) < MAX_LEN;
            if leads_there {
                let word = &mut code[branch.at as usize];
                *word = field.with_displacement(*word, i64::from(veneer) - i64::from(branch.at));
            }
            !leads_there
        });
        other.unwrap_or(branches.len())
    }

    /// Lets a branch lead to its place, if that is in reach, or to a veneer, if need be a new one.
    #[inline(never)]
    fn serve_branch(&mut self, branch: Note, field: Field, first: u32) {
        if !self.try_branch(branch, field) {
            let words = i64::from(self.veneer(branch, first)) - i64::from(branch.at);
            let word = &mut self.code[branch.at as usize];
            *word = field.with_displacement(*word, words);
        }
    }

    /// The `b` to a branch's place in the island whose veneers begin at `first`.
    #[inline(never)]
    fn veneer(&mut self, branch: Note, first: u32) -> u32 {
        let place = self.representative(branch.place());
        let inner = branch.inner();
        let veneer = first + self.veneers.intern(place.key(inner));
        if veneer == self.code.cursor() as u32 {
            self.code.push(branch::b(0));
            self.refer(branch.moved(veneer, place), Field::Imm26);
        }
        if inner == 0 {
            self.veneers_of.set(branch.place(), veneer);
        }
        veneer
    }

    /// Gathers the due loads.
    fn collect_loads(&mut self, horizon: u32) {
        let reach = self.literal_reach;
        let last = last_due(horizon, reach);
        self.scratch_loads.clear();
        while let Some(load) = self.loads.get(self.due.loads) {
            if load.at() + reach > last {
                break;
            }
            self.scratch_loads.push((load.literal(), load.at()));
            self.due.loads += 1;
        }
    }

    /// Writes one word for each literal that is due, and lets the due loads read it. Returns where the
    /// literals start.
    fn emit_literals(&mut self) -> u32 {
        let notes = std::mem::take(&mut self.scratch_loads);
        let is_new = |&(literal, _): &(Literal, u32)| match literal {
            Literal::Constant(_) => true,
            Literal::Mutable(index) => self.mutables[index as usize].island == UNPLACED,
        };
        if !self.code.len().is_multiple_of(2) && notes.iter().any(is_new) {
            self.code.push(UDF);
        }
        let start = self.code.len() as u32;
        self.veneers.clear();
        for &(literal, at) in &notes {
            if let Literal::Constant(value) = literal {
                let word = start + 2 * self.veneers.intern(value);
                if word == self.code.len() as u32 {
                    self.emit_pair(value);
                }
                self.write_load(at, word);
            }
        }
        for &(literal, at) in &notes {
            if let Literal::Mutable(index) = literal {
                let Mutable { value, island, .. } = self.mutables[index as usize];
                let word = match island {
                    UNPLACED => self.emit_pair(value),
                    word => word,
                };
                self.mutables[index as usize].island = word;
                self.write_load(at, word);
            }
        }
        self.scratch_loads = notes;
        start
    }

    /// Writes two words, the lower half first, and returns where they are.
    pub(super) fn emit_pair(&mut self, words: u64) -> u32 {
        let at = self.code.len() as u32;
        self.code.push(words as u32);
        self.code.push((words >> 32) as u32);
        at
    }
}

/// The last deadline that an island serves: a margin behind the horizon, so that the next island is not needed soon. What
/// is younger than a quarter of its reach, less what lies up to the horizon, waits: its place may be near.
fn last_due(horizon: u32, reach: u32) -> u32 {
    horizon.saturating_add(reach - reach / 4)
}

impl Due {
    /// The first branch of a class that is not done.
    pub(super) fn cursor(&self, field: Field) -> usize {
        match field {
            Field::Imm14 => self.tests,
            Field::Imm19 => self.conditionals,
            // These are only done by `finish`.
            Field::Imm26 => 0,
        }
    }

    /// Moves the cursor: the branches of a class before `next` are done.
    pub(super) fn pass(&mut self, field: Field, next: usize) {
        match field {
            Field::Imm14 => self.tests = next,
            _ => self.conditionals = next,
        }
    }
}
