//! Side exits: short sequences of micro-ops that are emitted cold, equal ones once.

use super::emit::{Part, is_the_same_anywhere};
use super::push::{operands, resolve, unknown};
use super::row::Refers;
use super::state::{ExitForm, ExitState, Place, PlaceKind, Pushed, UNWANTED};
use super::{MAX_LEN, TraceBuilder};
use crate::asm::NOP;
use crate::error::Error;
use crate::op::MicroOp;
use crate::op::encode::Op;
use crate::op::operand::{Exit, Label, OperandKind};
use crate::op::template::MicroOpSet;

/// An exit that is being given its code: what the closure of
/// [`define_exit`](TraceBuilder::define_exit) writes to.
#[derive(Debug)]
pub struct ExitCode<'b> {
    builder: &'b mut TraceBuilder,
    exit: u32,
    jump: Option<Place>,
    /// The micro-op that was pushed last.
    last: Option<Op>,
    /// Of the micro-ops and their operands, as they were pushed.
    hash: u64,
    /// Where the exit's words begin among those of the builder's exits, as long as they are the same wherever it comes.
    ready: Option<usize>,
    /// How many of those are NOPs that came in as slots or in front.
    nops: u32,
}

/// The hash of a word more.
fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

/// The hash with a micro-op more, and its operands as they were pushed.
#[inline(always)]
fn hash(hash: u64, pushed: Pushed, values: &[u64]) -> u64 {
    let number = u64::from(pushed.set) << 16 | u64::from(pushed.index);
    values.iter().copied().fold(mix(hash, number), mix)
}

/// What comes in front of an exit's words: how many they are, and how many of them are NOPs.
const HEADER: usize = 2;

impl<'b> ExitCode<'b> {
    fn new(builder: &'b mut TraceBuilder, exit: u32) -> ExitCode<'b> {
        let start = builder.exit_words.len();
        let linkable = builder.exits[exit as usize].linkable;
        // What is annotated is emitted micro-op by micro-op.
        let ready = (!builder.options.annotate).then_some(start);
        if ready.is_some() {
            builder.exit_words.extend([0; HEADER]);
            builder.exit_words.extend(linkable.then_some(NOP));
        }
        ExitCode {
            builder,
            exit,
            jump: None,
            last: None,
            hash: linkable.into(),
            ready,
            nops: linkable.into(),
        }
    }

    /// Appends a micro-op to the exit.
    ///
    /// # Errors
    /// As [`TraceBuilder::push`]; [`Error::BehindExitsJump`] behind a `jump`.
    #[inline]
    pub fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        // Of an enum, code for each micro-op would be much for what seldom is worth it.
        let is_known = const { M::IS_KNOWN && !M::DATA.templates.is_empty() };
        if is_known && self.push_known(&op) {
            return Ok(());
        }
        let (set, index, mut values) = (op.set(), op.index(), operands(&op));
        if self.push_by_row(set, index, values.as_mut()) {
            return Ok(());
        }
        self.push_op(set, index, values.as_mut())
    }

    /// Appends a micro-op by its [row](super::row), if that is found quickly and nothing is to be done but what all take.
    /// Otherwise, and if anything is wrong with it, nothing has changed.
    fn push_by_row(&mut self, set: &'static MicroOpSet, index: usize, values: &[u64]) -> bool {
        let can_append = self.can_append();
        let builder = &mut *self.builder;
        // Not those of another set: the trace's own micro-ops had better find theirs.
        let recent = builder.rows.set();
        let is_recent = std::ptr::eq(recent, set) || recent.is_empty();
        let Some(op) = Op::new(set, index).filter(|_| can_append && is_recent) else {
            return false;
        };
        let Some(number) = builder.sets.number(set) else {
            return false;
        };
        if !builder.rows.has_made(set, index) {
            builder.rows.prepare(op, number, builder.slot);
        }
        let row = builder.rows.rows().get(index);
        let first = values.first().copied().unwrap_or(0);
        let quick = row.filter(|row| row.refers == Refers::NOTHING && row.quick.has(first));
        let kept = values.get(..op.operand_count());
        let (Some(row), Some(kept)) = (quick, kept) else {
            return false;
        };
        let (mut words, len) = (row.words, row.step.words() - row.step.slots());
        words[row.hole.word()] ^= row.hole.of(first);
        // All that there can be: to copy as many as there are takes a call.
        let at = self.append(&words);
        self.builder.exit_words.truncate(at + len as usize);
        self.keep(number, op, kept);
        true
    }

    /// Appends a micro-op that the compiler knows, if its words and those of all so far are the same wherever the exit
    /// comes. Otherwise, and if anything is wrong with it, nothing has changed.
    // As for `TraceBuilder::push`: where nothing is optimized there is nothing to gain.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn push_known<M: MicroOp>(&mut self, op: &M) -> bool {
        let (data, set, index) = (const { &M::DATA }, op.set(), op.index());
        let mut values = op.operands();
        let values = &*values.as_mut();
        let known = data
            .templates
            .get(index)
            .filter(|it| is_the_same_anywhere(it));
        let Some((template, op)) = known.zip(Op::new(set, index)) else {
            return false;
        };
        let notes = data.notes(template).zip(data.operands_of(template));
        let Some(((holes, _), operands)) = notes else {
            return false;
        };
        let mut checked = operands.iter().zip(values);
        let fits = checked
            .all(|(operand, &value)| !operand.kind.is_handle() && data.is_in_range(operand, value));
        if !fits || !self.can_append() {
            return false;
        }
        let Some(number) = self.builder.sets.number(set) else {
            return false;
        };
        let words = set.words.get(template.words as usize..);
        let Some(words) = words.and_then(|it| it.get(..usize::from(template.hot_words))) else {
            return false;
        };
        let at = self.append(words);
        let code = self.builder.exit_words.get_mut(at..).unwrap_or(&mut []);
        for hole in holes {
            let (word, value) = (usize::from(hole.word), usize::from(hole.operand));
            if let (Some(word), Some(&value)) = (code.get_mut(word), values.get(value)) {
                *word ^= data.fill(set, hole, value);
            }
        }
        self.keep(number, op, values);
        true
    }

    /// Whether a micro-op's words can be appended to those that are ready, and one more be remembered.
    #[inline(always)]
    fn can_append(&self) -> bool {
        self.ready.is_some() && self.jump.is_none() && !self.builder.is_full(0)
    }

    /// Remembers a micro-op of the set of that number, whose words have been appended, and keeps its operands.
    #[inline(always)]
    fn keep(&mut self, number: u16, op: Op, values: &[u64]) {
        let kept = &mut self.builder.values;
        let pushed = Pushed {
            set: number,
            index: op.index,
            values: kept.len() as u32,
        };
        // One by one: to copy as many as there are takes a call.
        values.iter().for_each(|&value| kept.push(value));
        self.note(pushed, op, hash(self.hash, pushed, values));
    }

    fn push_op(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut [u64],
    ) -> Result<(), Error> {
        let (op, values) = resolve(set, index, values).ok_or_else(unknown)?;
        if self.jump.is_some() {
            let (exit, op) = (self.exit, op.name());
            return Err(Error::BehindExitsJump { exit, op });
        }
        let pushed = self.builder.check(op, values)?;
        self.builder.values.extend_from_slice(values);
        // The values are encoded when the exit is emitted; here it is seen that they can be.
        if op.template.encoded
            && let Err(error) = op.encode(values)
        {
            self.builder.values.truncate(pushed.values as usize);
            return Err(error);
        }
        let kept = self.builder.values.get(pushed.values as usize..);
        let hash = hash(self.hash, pushed, kept.unwrap_or(&[]));
        self.write_ready(op, values);
        self.note(pushed, op, hash);
        Ok(())
    }

    /// Remembers a micro-op whose operands are kept. `hash` is that of all so far.
    #[inline(always)]
    fn note(&mut self, pushed: Pushed, op: Op, hash: u64) {
        self.builder.exit_code.push(pushed);
        self.hash = hash;
        self.last = Some(op);
    }

    /// Writes the words of a micro-op, if those of all so far are the same wherever the exit comes: so that there is
    /// nothing left to do then but to copy them.
    fn write_ready(&mut self, op: Op, values: &[u64]) {
        if self.ready.is_none() {
            return;
        }
        if !is_the_same_anywhere(op.template) {
            return self.leave_ready();
        }
        let pieces = Part::Hot.of(op);
        let at = self.append(pieces.words);
        op.patch(pieces.holes, values, &mut self.builder.exit_words[at..]);
    }

    /// Appends a micro-op's words to those that are ready, behind the slot of the one before. Returns where they begin.
    #[inline(always)]
    fn append(&mut self, words: &[u32]) -> usize {
        let ready = &mut self.builder.exit_words;
        if self.builder.slot != 0 && self.last.is_some_and(Op::goes_on) {
            ready.push(NOP);
            self.nops += 1;
        }
        let at = ready.len();
        ready.extend_from_slice(words);
        at
    }

    /// Lets the last micro-op go on at a label of the trace. Nothing can be pushed behind it.
    ///
    /// # Errors
    /// [`Error::Foreign`]; [`Error::NothingToRedirect`] behind a micro-op that does not go on, or
    /// [`Error::ExitWithoutCode`] before the first.
    pub fn jump(&mut self, label: Label) -> Result<(), Error> {
        let index = self.builder.own_label("jump", label)?;
        let op = self
            .last
            .ok_or(Error::ExitWithoutCode { exit: self.exit })?;
        if !op.goes_on() || self.jump.is_some() {
            return Err(Error::NothingToRedirect { op: op.name() });
        }
        self.jump = Some(Place::label(index));
        self.leave_ready();
        Ok(())
    }

    /// Has the exit emitted micro-op by micro-op.
    fn leave_ready(&mut self) {
        if let Some(start) = self.ready.take() {
            self.builder.exit_words.truncate(start);
        }
    }

    /// It must end by going somewhere.
    fn check(&self) -> Result<(), Error> {
        let exit = self.exit;
        match self.last {
            None => Err(Error::ExitWithoutCode { exit }),
            Some(op) if op.goes_on() && self.jump.is_none() => Err(Error::ExitFallsOffEnd {
                exit,
                op: op.name(),
            }),
            _ => Ok(()),
        }
    }

    /// Gives the exit this code, or that of an equal exit; returns whether it was the latter.
    fn merge(mut self) -> bool {
        let jump = self.jump.map(|place| place.key(0));
        let hash = jump.map_or(self.hash, |key| mix(self.hash, key));
        let (index, start) = (self.exit, self.start());
        let number = self.builder.exit_hashes.intern(hash) as usize;
        let state = &mut self.builder.exits[index as usize];
        state.len = (self.builder.exit_code.len() - start) as u32;
        state.form = self.jump.map_or(ExitForm::Plain, ExitForm::Jump);
        let linkable = state.linkable;
        match self.builder.exit_of_hash.get(number) {
            None => self.builder.exit_of_hash.push(index),
            Some(&first) => {
                let other = self.builder.exits[first as usize];
                // Two different exits with one hash just stay two.
                if other.linkable == linkable && self.builder.same_exit(first, start, self.jump) {
                    let state = &mut self.builder.exits[index as usize];
                    (state.start, state.same_as) = (other.start, first);
                    return true;
                }
            }
        }
        self.keep_ready();
        false
    }

    /// Keeps the exit's words, if they are ready.
    fn keep_ready(&mut self) {
        let Some(start) = self.ready else {
            return;
        };
        let words = &mut self.builder.exit_words;
        let [len, number] = [words.len() - start - HEADER, start].map(u32::try_from);
        // If there are too many to be counted, it is emitted like the others.
        if let (Ok(len), Ok(number)) = (len, number)
            && len < MAX_LEN
        {
            words[start..][..HEADER].copy_from_slice(&[len, self.nops]);
            self.builder.exits[self.exit as usize].form = ExitForm::Ready(number);
        }
    }

    /// Where its micro-ops start among those of the builder's exits.
    fn start(&self) -> usize {
        self.builder.exits[self.exit as usize].start as usize
    }
}

fn push_each<M: MicroOp>(
    code: &mut ExitCode<'_>,
    ops: impl IntoIterator<Item = M>,
) -> Result<(), Error> {
    ops.into_iter().try_for_each(|op| code.push(op))
}

impl TraceBuilder {
    /// Makes a side exit of these micro-ops. Exits with the same code become one.
    ///
    /// # Errors
    /// As [`define_exit`](TraceBuilder::define_exit).
    pub fn exit<M: MicroOp>(&mut self, ops: impl IntoIterator<Item = M>) -> Result<Exit, Error> {
        self.new_exit(false, |code| push_each(code, ops))
    }

    /// Makes a side exit of what `write` pushes: micro-ops of any types, and perhaps a [`jump`](ExitCode::jump).
    ///
    /// ```
    /// # opstitch::uops! {
    /// #     op Spill(slot: u12) { ; str x19, [x20, slot * 8] }
    /// #     op Leave(pc: u16) { ; movz x0, pc ; ret }
    /// # }
    /// # let mut builder = opstitch::TraceBuilder::new();
    /// let overflow = builder.exit_with(|code| {
    ///     code.push(Spill { slot: 2 })?;
    ///     code.push(Leave { pc: 7 })
    /// })?;
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`define_exit`](TraceBuilder::define_exit).
    pub fn exit_with(
        &mut self,
        write: impl FnOnce(&mut ExitCode<'_>) -> Result<(), Error>,
    ) -> Result<Exit, Error> {
        self.new_exit(false, write)
    }

    /// Makes a side exit of these micro-ops that begins with a NOP, so that it can be linked to another trace
    /// once both are installed.
    ///
    /// # Errors
    /// As [`define_exit`](TraceBuilder::define_exit).
    pub fn linkable_exit<M: MicroOp>(
        &mut self,
        ops: impl IntoIterator<Item = M>,
    ) -> Result<Exit, Error> {
        self.new_exit(true, |code| push_each(code, ops))
    }

    /// As [`exit_with`](TraceBuilder::exit_with), of one that can be [linked](TraceBuilder::linkable_exit).
    ///
    /// # Errors
    /// As [`define_exit`](TraceBuilder::define_exit).
    pub fn linkable_exit_with(
        &mut self,
        write: impl FnOnce(&mut ExitCode<'_>) -> Result<(), Error>,
    ) -> Result<Exit, Error> {
        self.new_exit(true, write)
    }

    fn new_exit(
        &mut self,
        linkable: bool,
        write: impl FnOnce(&mut ExitCode<'_>) -> Result<(), Error>,
    ) -> Result<Exit, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let exit = self.declare(linkable);
        let defined = self.define_exit(exit, write);
        match defined {
            Ok(()) => Ok(exit),
            Err(error) => {
                self.exits.truncate(exit.0.index() as usize);
                self.places
                    .truncate(PlaceKind::Exit, exit.0.index() as usize);
                self.count_exits();
                Err(error)
            }
        }
    }

    /// Makes a side exit whose code is to follow, with [`define_exit`](TraceBuilder::define_exit).
    pub fn declare_exit(&mut self) -> Exit {
        self.declare(false)
    }

    /// Makes a side exit that can be linked, and whose code is to follow.
    pub fn declare_linkable_exit(&mut self) -> Exit {
        self.declare(true)
    }

    fn declare(&mut self, linkable: bool) -> Exit {
        // One more than can be used: an exit beyond the limit is refused like a foreign one.
        let index = self.exits.len().min(Place::LIMIT) as u32;
        if (index as usize) < Place::LIMIT {
            self.exits.push(ExitState {
                start: 0,
                len: 0,
                form: ExitForm::Plain,
                same_as: index,
                linkable,
            });
            self.places.add(PlaceKind::Exit, UNWANTED);
            self.count_exits();
        }
        Exit(self.handles.handle(OperandKind::Exit, index))
    }

    fn count_exits(&mut self) {
        self.handles.set_count(OperandKind::Exit, self.exits.len());
    }

    /// Gives a declared exit its code: what `write` pushes.
    ///
    /// # Errors
    /// What `write` returns; [`Error::ExitDefinedTwice`], [`Error::ExitWithoutCode`] if nothing is
    /// pushed, [`Error::ExitFallsOffEnd`] if the last micro-op goes on, [`Error::Foreign`], or
    /// [`Error::Finished`]. The exit is then still without code.
    pub fn define_exit(
        &mut self,
        exit: Exit,
        write: impl FnOnce(&mut ExitCode<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let index = self.own_exit("define_exit", exit)?;
        if self.exits[index as usize].len > 0 {
            return Err(Error::ExitDefinedTwice { exit: index });
        }
        let (ops, values) = (self.exit_code.len(), self.values.len());
        let words = self.exit_words.len();
        self.exits[index as usize].start = ops as u32;
        let mut code = ExitCode::new(self, index);
        let checked = write(&mut code).and_then(|()| code.check());
        let merged = checked.is_ok() && code.merge();
        if merged || checked.is_err() {
            self.exit_code.truncate(ops);
            self.values.truncate(values);
            self.exit_words.truncate(words);
        }
        checked
    }

    fn same_exit(&self, other: u32, start: usize, jump: Option<Place>) -> bool {
        let other = self.exits[other as usize];
        let (ops, range) = (&self.exit_code[start..], other.start as usize..);
        let others = &self.exit_code[range][..other.len as usize];
        other.jump() == jump
            && ops.len() == others.len()
            && ops.iter().zip(others).all(|(&a, &b)| {
                (a.set, a.index) == (b.set, b.index) && self.operands_of(a) == self.operands_of(b)
            })
    }

    /// The operands of a micro-op, as they were pushed.
    pub(super) fn operands_of(&self, pushed: super::Pushed) -> &[u64] {
        let count = self.sets.op(pushed).map_or(0, |op| op.operand_count());
        let start = pushed.values as usize;
        self.values.get(start..start + count).unwrap_or(&[])
    }
}
