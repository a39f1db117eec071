//! Copying a template into the trace: words, holes, references.

use super::TraceBuilder;
use super::island::BEFORE;
use super::options::FallThrough;
use super::state::{
    Branch, CallSite, HERE, Literal, LoadSite, Open, Place, PlaceKind, Point, UNPLACED, is_placed,
    reserve,
};
use crate::asm::NOP;
use crate::asm::branch::{self, Field};
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::operand::{Handle, Target};
use crate::op::template::{Goal, Hole, NO_CLOSING, Properties, Reference};

/// One of the two parts of a micro-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Hot,
    Cold,
}

impl Part {
    pub(crate) fn words(self, op: Op) -> &'static [u32] {
        let (template, start) = (op.template, op.template.words as usize);
        let hot = usize::from(template.hot_words);
        match self {
            Part::Hot => &op.set.words[start..start + hot],
            Part::Cold => {
                &op.set.words[start + hot..start + hot + usize::from(template.cold_words)]
            }
        }
    }

    pub(crate) fn holes(self, op: Op) -> &'static [Hole] {
        let (template, start) = (op.template, usize::from(op.template.holes));
        let hot = usize::from(template.hot_holes);
        match self {
            Part::Hot => &op.set.holes[start..start + hot],
            Part::Cold => {
                &op.set.holes[start + hot..start + hot + usize::from(template.cold_holes)]
            }
        }
    }

    pub(crate) fn references(self, op: Op) -> &'static [Reference] {
        let (template, start) = (op.template, usize::from(op.template.references));
        let hot = usize::from(template.hot_references);
        match self {
            Part::Hot => &op.set.references[start..start + hot],
            Part::Cold => {
                &op.set.references[start + hot..start + hot + usize::from(template.cold_references)]
            }
        }
    }
}

impl TraceBuilder {
    /// Writes the continuation slot of the last micro-op, now that the next one follows, and gives the
    /// labels bound in between their place.
    pub(super) fn settle(&mut self) -> u32 {
        let follows = match self.open {
            Open::Closed => false,
            Open::Next => true,
            Open::To(place) => {
                let here = self.offset(place) == HERE;
                if !here {
                    self.emit_jump(place);
                }
                here
            }
        };
        reserve(&mut self.code, BEFORE as usize);
        if follows && self.options.fall_through == FallThrough::Nop {
            self.emit_nop();
        }
        let slot = self.code.len() as u32 - 1;
        let only_way = self.binds.is_empty();
        self.settle_binds();
        let start = self.code.len() as u32;
        if let Some(exit) = self.next_point.take() {
            let entry = self.op_count == 0 && slot == u32::from(self.options.landing_pad);
            let slot_serves = follows && self.options.fall_through == FallThrough::Nop;
            // A NOP that every way to here passes serves. Labels lead past it; then there is one behind them too.
            if entry || (slot_serves && only_way) {
                self.points.push(Point { at: slot, exit });
            }
            if !only_way || !(entry || slot_serves) {
                self.emit_nop();
                self.points.push(Point { at: start, exit });
            }
            self.want(exit);
        }
        start
    }

    /// Writes a NOP that may be patched.
    pub(super) fn emit_nop(&mut self) {
        self.code.push(NOP);
        self.nops += 1;
    }

    /// Gives the labels that are bound here their place.
    pub(super) fn settle_binds(&mut self) {
        self.open = Open::Closed;
        let here = self.code.len() as u32;
        for label in self.binds.drain(..) {
            self.labels[label as usize] = here;
        }
    }

    /// Writes `b` to `place`.
    pub(super) fn emit_jump(&mut self, place: Place) {
        let at = self.code.len() as u32;
        self.code.push(branch::b(0));
        self.refer(at, place, 0, Field::Imm26);
    }

    /// Copies one part of a micro-op, patches its holes and notes its references. `values` are encoded;
    /// `cold_part` is the number of its cold part, if it has one.
    pub(super) fn emit(&mut self, op: Op, part: Part, cold_part: u32, values: &[u64]) {
        let (start, words) = (self.code.len(), part.words(op));
        reserve(&mut self.code, words.len() + 1);
        self.code.extend_from_slice(words);
        op.patch(part.holes(op), values, &mut self.code[start..]);
        for reference in part.references(op) {
            let at = start as u32 + u32::from(reference.word);
            let argument = usize::from(reference.argument);
            match reference.goal {
                Goal::Call => {
                    reserve(&mut self.calls, 1);
                    self.calls.push(CallSite {
                        at,
                        number: 0,
                        target: Target::from_raw(values[argument]),
                    });
                }
                Goal::Exit(field) => {
                    let exit = Handle::from_raw(values[argument]).index;
                    self.want(exit);
                    self.refer(at, Place::exit(exit), 0, field);
                }
                Goal::Label(field) => {
                    let label = Handle::from_raw(values[argument]).index;
                    self.refer(at, Place::label(label), 0, field);
                }
                Goal::Literal(load) => {
                    let value = values[argument];
                    let word = &mut self.code[at as usize];
                    match load.relaxed(*word, value) {
                        Some(relaxed) => *word = relaxed,
                        None => self.load(at, Literal::Constant(value)),
                    }
                }
                Goal::MutLiteral => {
                    let index = Handle::from_raw(values[argument]).index;
                    self.load(at, Literal::Mutable(index));
                }
                Goal::OtherPart(field) => {
                    let place = match part {
                        Part::Hot => Place::cold(cold_part),
                        Part::Cold => Place::hot(cold_part),
                    };
                    self.refer(at, place, reference.argument, field);
                }
            }
        }
        if part == Part::Hot {
            self.open = match op.template.closing {
                NO_CLOSING if op.template.properties.contains(Properties::FALLS_THROUGH) => {
                    Open::Next
                }
                NO_CLOSING => Open::Closed,
                closing => {
                    let label = Handle::from_raw(values[usize::from(closing)]).index;
                    Open::To(Place::label(label))
                }
            };
        }
    }

    /// Where `place` lies, in words, if that is known.
    pub(super) fn offset(&self, place: Place) -> u32 {
        match place.kind() {
            PlaceKind::Label(index) => self.labels[index],
            PlaceKind::Exit(index) => {
                let same_as = self.exits[index].same_as;
                self.exits[same_as as usize].offset
            }
            PlaceKind::Cold(index) => self.cold_parts[index].offset,
            PlaceKind::Hot(index) => self.cold_parts[index].hot,
        }
    }

    /// Writes the displacement of the branch at `at`, if its target is known and in reach.
    pub(super) fn try_branch(&mut self, at: u32, place: Place, inner: u16, field: Field) -> bool {
        let offset = self.offset(place);
        if !is_placed(offset) {
            return false;
        }
        let words = i64::from(offset) + i64::from(inner) - i64::from(at);
        let reach = i64::from(self.options.reach.branch_words(field));
        if words < -reach || words >= reach {
            return false;
        }
        let word = &mut self.code[at as usize];
        *word = field.with_displacement(*word, words);
        true
    }

    /// Lets the branch at `at` lead to `place`: now, or noted for later.
    pub(super) fn refer(&mut self, at: u32, place: Place, inner: u16, field: Field) {
        if self.try_branch(at, place, inner, field) {
            return;
        }
        reserve(&mut self.branches, 1);
        self.branches.push(Branch {
            at,
            place,
            inner,
            field,
            done: false,
        });
        if field != Field::Imm26 {
            self.due.pending += 1;
            let last = at + self.options.reach.branch_words(field) - 1;
            self.due.deadline = self.due.deadline.min(last);
        }
    }

    /// Lets the literal load at `at` read `literal`: from an island behind it, or noted for later.
    fn load(&mut self, at: u32, literal: Literal) {
        if let Literal::Mutable(index) = literal {
            let island = self.mutables[index as usize].island;
            if island != UNPLACED {
                self.write_load(at, island);
                return;
            }
        }
        reserve(&mut self.loads, 1);
        self.loads.push(LoadSite::new(at, literal));
        self.due.pending += 2;
        let last = at + self.options.reach.literal_words() - 1;
        self.due.deadline = self.due.deadline.min(last);
    }

    /// Writes the displacement of the load at `at`. `make_room` has seen that it is in reach.
    pub(super) fn write_load(&mut self, at: u32, target: u32) {
        let word = &mut self.code[at as usize];
        let words = i64::from(target) - i64::from(at);
        *word = Field::Imm19.with_displacement(*word, words);
    }

    /// Refuses a changeable literal whose word is in an island too far back: one that is there, or
    /// one that is about to come. At most `before` words come in front of the part.
    pub(super) fn check_mutables(
        &self,
        op: Op,
        part: Part,
        values: &[u64],
        before: u32,
        island_comes: bool,
    ) -> Result<(), Error> {
        let here = self.code.len() as u32;
        for reference in part.references(op) {
            if reference.goal != Goal::MutLiteral {
                continue;
            }
            let argument = usize::from(reference.argument);
            let index = Handle::from_raw(values[argument]).index;
            let island = match self.mutables[index as usize].island {
                UNPLACED if island_comes && self.is_pending(index) => here,
                UNPLACED => continue,
                island => island,
            };
            let reach = self.options.reach.literal_words();
            let at = here + before + u32::from(reference.word);
            if at - island > reach {
                return Err(Error::LiteralOutOfReach {
                    op: op.name(),
                    operand: op.operand_name(argument),
                    distance: u64::from(at - island) * 4,
                    reach: reach * 4,
                });
            }
        }
        Ok(())
    }

    /// Whether a load of this changeable literal waits for its word.
    fn is_pending(&self, index: u32) -> bool {
        let mut waiting = self.loads[self.due.loads..].iter();
        waiting.any(|load| load.literal() == Literal::Mutable(index))
    }

    /// The place that stands for `place` where several have the same code.
    pub(super) fn representative(&self, place: Place) -> Place {
        match place.kind() {
            PlaceKind::Exit(index) => Place::exit(self.exits[index].same_as),
            _ => place,
        }
    }

    /// Notes that something leads to an exit, so that its code is emitted.
    pub(super) fn want(&mut self, exit: u32) {
        let state = &mut self.exits[exit as usize];
        if !state.wanted {
            state.wanted = true;
            self.queue.push(super::ColdItem::Exit(exit));
        }
    }
}
