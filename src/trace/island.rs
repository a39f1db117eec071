//! Islands: veneers and literals at an op boundary, before a deadline runs out.

use super::emit::Part;
use super::options::FallThrough;
use super::state::{Branch, Island, Literal, Open, UNPLACED, reserve};
use super::{Due, TraceBuilder};
use crate::asm::branch::{self, Field};
use crate::asm::{NOP, UDF, WORD};
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::template::{Goal, Reference};

/// Words that can come in front of a part: the slot of the last micro-op, and the NOP of an invalidation
/// point or of an exit that can be linked.
pub(super) const BEFORE: u32 = 2;

impl TraceBuilder {
    /// Makes sure that after one part of `op` everything pending, and what the part adds to it, can
    /// still be served by an island at the next boundary. Emits an island now if not.
    ///
    /// # Errors
    /// [`Error::OpTooLong`] if not even an island directly in front would do; nothing is changed then.
    pub(super) fn make_room(&mut self, op: Op, part: Part, values: &[u64]) -> Result<(), Error> {
        let (len, words) = (self.code.len() as u32, part.words(op).len() as u32);
        let references = part.references(op).len() as u32;
        let after = len + BEFORE + words + 1 + 2 * references + self.worst_island();
        let nearest = len + self.options.reach.least_words();
        if after < self.due.deadline.min(nearest) {
            return self.check_mutables(op, part, values, BEFORE, false);
        }
        self.make_room_slowly(op, part, values)
    }

    /// An upper bound of the words of an island for everything pending, without the jump around it.
    pub(super) fn worst_island(&self) -> u32 {
        self.due.pending + 1
    }

    #[cold]
    fn make_room_slowly(&mut self, op: Op, part: Part, values: &[u64]) -> Result<(), Error> {
        let words = part.words(op).len() as u32;
        let (mut added, mut own) = (0, u32::MAX);
        for reference in part.references(op) {
            if let Some((reach, serve)) = self.needs(reference) {
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
            after <= own && start.saturating_add(after) <= builder.due.deadline
        };
        if fits(self) {
            return self.check_mutables(op, part, values, BEFORE, false);
        }
        self.check_mutables(op, part, values, before, true)?;
        // What remains after the island must fit beside the part's own.
        let horizon =
            self.code.len() as u32 + 1 + BEFORE + 2 * self.worst_island() + words + 1 + added;
        let crowded = words + 1 + added + self.worst_island() > own;
        self.island(if crowded { u32::MAX } else { horizon });
        debug_assert!(fits(self), "an island has not made room");
        Ok(())
    }

    /// The reach, in words, of a reference that an island may have to serve, and the words it takes.
    fn needs(&self, reference: &Reference) -> Option<(u32, u32)> {
        let reach = self.options.reach;
        match reference.goal {
            Goal::Call => None,
            Goal::Exit(field) | Goal::Label(field) | Goal::OtherPart(field) => {
                (field != Field::Imm26).then(|| (reach.branch_words(field), 1))
            }
            Goal::Literal(_) | Goal::MutLiteral => Some((reach.literal_words(), 2)),
        }
    }

    /// Moves the cursors over what is done, or can be done now, and finds the nearest deadline anew.
    pub(super) fn sweep(&mut self) {
        let mut due = self.due;
        due.deadline = super::MAX_LEN;
        for field in [Field::Imm14, Field::Imm19] {
            let mut cursor = *due.cursor(field);
            while let Some(&branch) = self.branches.get(cursor) {
                if branch.field == field && !branch.done {
                    if !self.finish_branch(cursor, branch) {
                        let last = branch.at + self.options.reach.branch_words(field) - 1;
                        due.deadline = due.deadline.min(last);
                        break;
                    }
                    due.pending -= 1;
                }
                cursor += 1;
            }
            *due.cursor(field) = cursor;
        }
        if let Some(load) = self.loads.get(due.loads) {
            let last = load.at() + self.options.reach.literal_words() - 1;
            due.deadline = due.deadline.min(last);
        }
        self.due = due;
    }

    fn finish_branch(&mut self, index: usize, branch: Branch) -> bool {
        let done = self.try_branch(branch.at, branch.place, branch.inner, branch.field);
        self.branches[index].done = done;
        done
    }

    /// Emits an island for everything whose deadline comes before `horizon` and a margin of half
    /// the reach, so that the next island is not needed at once.
    pub(super) fn island(&mut self, horizon: u32) {
        let jump = match self.open {
            Open::Closed => false,
            // The slot of the last micro-op is the jump around the island.
            Open::Next => true,
            Open::To(place) if self.offset(place) == super::HERE => true,
            Open::To(place) => {
                self.emit_jump(place);
                false
            }
        };
        let most = 1 + self.worst_island();
        reserve(&mut self.code, most as usize);
        let around = self.code.len();
        if jump {
            self.code.push(NOP);
        }
        self.collect_due(horizon);
        self.emit_veneers();
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
            self.code.pop();
        } else if jump {
            self.nops += 1;
        }
        self.settle_binds();
        self.sweep();
    }

    /// Gathers the due branches and loads, leaving out what can be written without an island.
    fn collect_due(&mut self, horizon: u32) {
        let mut due = self.due;
        self.scratch_branches.clear();
        for field in [Field::Imm14, Field::Imm19] {
            let reach = self.options.reach.branch_words(field);
            let mut cursor = *due.cursor(field);
            while let Some(&branch) = self.branches.get(cursor) {
                if branch.field == field && !branch.done {
                    if branch.at + reach > horizon.saturating_add(reach / 2) {
                        break;
                    }
                    if !self.finish_branch(cursor, branch) {
                        let place = self.representative(branch.place);
                        let note = (place, branch.inner, cursor as u32);
                        self.scratch_branches.push(note);
                    }
                    due.pending -= 1;
                }
                cursor += 1;
            }
            *due.cursor(field) = cursor;
        }
        let reach = self.options.reach.literal_words();
        self.scratch_loads.clear();
        while let Some(load) = self.loads.get(due.loads) {
            if load.at() + reach > horizon.saturating_add(reach / 2) {
                break;
            }
            self.scratch_loads.push((load.literal(), load.at()));
            due.loads += 1;
            due.pending -= 2;
        }
        self.due = due;
    }

    /// Writes one `b` for each place that is due, and lets the due branches lead there.
    fn emit_veneers(&mut self) {
        let mut notes = std::mem::take(&mut self.scratch_branches);
        notes.sort_unstable();
        let (mut last, mut veneer) = (None, 0);
        for &(place, inner, index) in &notes {
            if last != Some((place, inner)) {
                last = Some((place, inner));
                veneer = self.code.len() as u32;
                self.code.push(branch::b(0));
                self.refer(veneer, place, inner, Field::Imm26);
            }
            let Branch { at, field, .. } = self.branches[index as usize];
            let word = &mut self.code[at as usize];
            *word = field.with_displacement(*word, i64::from(veneer) - i64::from(at));
            self.branches[index as usize].done = true;
        }
        self.scratch_branches = notes;
    }

    /// Writes one word for each literal that is due, and lets the due loads read it. Returns where the
    /// literals start.
    fn emit_literals(&mut self) -> u32 {
        let mut notes = std::mem::take(&mut self.scratch_loads);
        notes.sort_unstable();
        let (mut start, mut last, mut at_word) = (u32::MAX, None, 0);
        for &(literal, at) in &notes {
            if last != Some(literal) {
                last = Some(literal);
                let (value, island) = match literal {
                    Literal::Constant(value) => (value, UNPLACED),
                    Literal::Mutable(index) => {
                        let mutable = self.mutables[index as usize];
                        (mutable.value, mutable.island)
                    }
                };
                at_word = island;
                if island == UNPLACED {
                    if !self.code.len().is_multiple_of(2) {
                        self.code.push(UDF);
                    }
                    at_word = self.code.len() as u32;
                    start = start.min(at_word);
                    self.code.extend([value as u32, (value >> 32) as u32]);
                }
                if let Literal::Mutable(index) = literal {
                    self.mutables[index as usize].island = at_word;
                }
            }
            self.write_load(at, at_word);
        }
        self.scratch_loads = notes;
        start
    }
}

impl Due {
    pub(super) fn cursor(&mut self, field: Field) -> &mut usize {
        match field {
            Field::Imm14 => &mut self.tests,
            _ => &mut self.conditionals,
        }
    }
}
