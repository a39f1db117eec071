//! Side exits: short sequences of micro-ops that are emitted cold, equal ones once.

use super::TraceBuilder;
use super::emit::{Part, is_the_same_anywhere};
use super::push::{operands, resolve, unknown};
use super::row::WORDS;
use super::state::{ExitForm, ExitState, Place, PlaceKind, Pushed, ReadyWords, Record, UNWANTED};
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
    /// Whether it begins with a NOP.
    linkable: bool,
    /// Where its micro-ops, their operands, and its words begin among those of the builder.
    start: Start,
    jump: Option<Place>,
    /// The micro-op that was pushed last.
    last: Option<Last>,
    /// Of the micro-ops and their operands, as they were pushed.
    hash: u64,
    /// Whether the exit's words are there: as long as they are the same wherever it comes.
    is_ready: bool,
    /// How many of those are NOPs that came in as slots or in front.
    nops: u16,
}

/// What has to be known of the micro-op in front of the next.
#[derive(Debug, Clone, Copy)]
struct Last {
    set: &'static MicroOpSet,
    index: u16,
    goes_on: bool,
}

impl Last {
    fn new(op: Op) -> Last {
        Last {
            set: op.set,
            index: op.index,
            goes_on: op.goes_on(),
        }
    }

    fn name(self) -> &'static str {
        Op::new(self.set, self.index.into()).map_or("?", Op::name)
    }
}

/// How much the builder had kept of exits before one more.
#[derive(Debug, Clone, Copy)]
struct Start {
    ops: usize,
    values: usize,
    words: usize,
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

/// What a micro-op that is written by its row writes at most, with the slot in front of it.
const ROOM: usize = 1 + WORDS;

impl<'b> ExitCode<'b> {
    #[inline]
    fn new(builder: &'b mut TraceBuilder, exit: u32, linkable: bool) -> ExitCode<'b> {
        let start = Start {
            ops: builder.exit_code.len(),
            values: builder.values.cursor(),
            words: builder.exit_words.cursor(),
        };
        if linkable {
            builder.exit_words.push(NOP);
        }
        ExitCode {
            builder,
            exit,
            linkable,
            start,
            jump: None,
            last: None,
            hash: linkable.into(),
            is_ready: true,
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
        if self.push_by_row(set, index, &mut values) {
            return Ok(());
        }
        self.push_op(set, index, values.as_mut())
    }

    /// Appends a micro-op by its [row](super::row), if that is found quickly and it is the same wherever the exit comes.
    /// Otherwise, and if anything is wrong with it, nothing has changed. Compiled once for each number of operands.
    #[inline(never)]
    fn push_by_row<V: AsMut<[u64]>>(
        &mut self,
        set: &'static MicroOpSet,
        index: usize,
        values: &mut V,
    ) -> bool {
        let values = &*values.as_mut();
        let (at, can_append) = (self.next(), self.can_append());
        let builder = &mut *self.builder;
        let is_found = std::ptr::eq(builder.rows.set(), set);
        // The compiler knows that they are an array.
        if !(is_found && can_append && size_of_val(values) == size_of::<V>()) {
            return false;
        }
        let Some(row) = builder.rows.rows().get(index) else {
            return false;
        };
        builder.exit_words.reserve(ROOM);
        let room = builder.exit_words.items_mut().get_mut(at..);
        let Some(code) = room.and_then(<[u32]>::first_chunk_mut) else {
            return false;
        };
        // Only somebody's own implementation of `MicroOp` has too few.
        let count = usize::from(row.operands);
        let Some(kept) = values.get(..count) else {
            return false;
        };
        // One that refers to nothing has its operands arranged as they are declared.
        if row.refers.is_there || !row.write(values, code) {
            return false;
        }
        let pushed = Pushed {
            set: builder.rows.number(),
            index: row.index,
            values: builder.values.cursor() as u32,
        };
        // All that there can be: to copy as many as there are takes a call.
        builder.values.extend_from_slice(values);
        builder.values.move_to(pushed.values as usize + count);
        let hash = hash(self.hash, pushed, kept);
        let len = row.step.words() - row.step.slots();
        let last = Last {
            set,
            index: row.index,
            goes_on: row.goes_on,
        };
        self.append(at, len as usize);
        self.note(pushed, last, at, hash);
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
        let at = self.next();
        let Some(code) = self.copy(words, at) else {
            return false;
        };
        for hole in holes {
            let (word, value) = (usize::from(hole.word), usize::from(hole.operand));
            if let (Some(word), Some(&value)) = (code.get_mut(word), values.get(value)) {
                *word ^= data.fill(set, hole, value);
            }
        }
        self.append(at, words.len());
        self.keep(number, op, at, values);
        true
    }

    /// Whether a micro-op's words can be appended to those that are ready, and one more be remembered.
    #[inline(always)]
    fn can_append(&self) -> bool {
        self.is_ready && self.jump.is_none() && !self.builder.is_full(0)
    }

    /// Remembers a micro-op of the set of that number, whose words have been appended at `at`, and keeps its operands.
    #[inline(always)]
    fn keep(&mut self, number: u16, op: Op, at: usize, values: &[u64]) {
        let kept = &mut self.builder.values;
        let pushed = Pushed {
            set: number,
            index: op.index,
            values: kept.cursor() as u32,
        };
        // One by one: to copy as many as there are takes a call.
        values.iter().for_each(|&value| kept.push(value));
        let hash = hash(self.hash, pushed, values);
        self.note(pushed, Last::new(op), at, hash);
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
        let at = self.write_ready(op, values);
        self.note(pushed, Last::new(op), at, hash);
        // Not those of another set: the trace's own micro-ops had better find theirs.
        let rows = &mut self.builder.rows;
        if std::ptr::eq(rows.set(), set) || rows.set().is_empty() {
            rows.prepare(op, pushed.set, self.builder.slot);
        }
        Ok(())
    }

    /// Remembers a micro-op whose operands are kept. `hash` is that of all so far; its words are at `at`, if they are ready.
    #[inline(always)]
    fn note(&mut self, op: Pushed, last: Last, at: usize, hash: u64) {
        // What comes in front of the first one's words is its own.
        let at = match self.last {
            Some(_) => (at - self.start.words) as u32,
            None => 0,
        };
        self.builder.exit_code.push(Record { at, op });
        self.hash = hash;
        self.last = Some(last);
    }

    /// Writes the words of a micro-op, if those of all so far are the same wherever the exit comes: so that there is
    /// nothing left to do then but to copy them. Returns where they are.
    fn write_ready(&mut self, op: Op, values: &[u64]) -> usize {
        if self.is_ready && !is_the_same_anywhere(op.template) {
            self.leave_ready();
        }
        let at = self.next();
        if self.is_ready {
            let pieces = Part::Hot.of(op);
            if let Some(code) = self.copy(pieces.words, at) {
                op.patch(pieces.holes, values, code);
            }
            self.append(at, pieces.words.len());
        }
        at
    }

    /// Where the words of the next micro-op come: behind the slot of the one before.
    #[inline(always)]
    fn next(&self) -> usize {
        self.builder.exit_words.cursor() + usize::from(self.is_behind_slot())
    }

    #[inline(always)]
    fn is_behind_slot(&self) -> bool {
        self.builder.slot != 0 && self.last.is_some_and(|last| last.goes_on)
    }

    /// Writes words to where the [next](ExitCode::next) micro-op comes.
    #[inline(always)]
    fn copy(&mut self, words: &[u32], at: usize) -> Option<&mut [u32]> {
        let ready = &mut self.builder.exit_words;
        ready.reserve(1 + words.len());
        let code = ready.items_mut().get_mut(at..)?.get_mut(..words.len())?;
        code.copy_from_slice(words);
        Some(code)
    }

    /// Appends a micro-op's words, which are written already, with the slot in front of them.
    #[inline(always)]
    fn append(&mut self, at: usize, len: usize) {
        if self.is_behind_slot() {
            if let Some(slot) = self.builder.exit_words.next_mut() {
                *slot = NOP;
            }
            self.nops = self.nops.saturating_add(1);
        }
        self.builder.exit_words.move_to(at + len);
    }

    /// Lets the last micro-op go on at a label of the trace. Nothing can be pushed behind it.
    ///
    /// # Errors
    /// [`Error::Foreign`]; [`Error::NothingToRedirect`] behind a micro-op that does not go on, or
    /// [`Error::ExitWithoutCode`] before the first.
    pub fn jump(&mut self, label: Label) -> Result<(), Error> {
        let index = self.builder.own_label("jump", label)?;
        let last = self
            .last
            .ok_or(Error::ExitWithoutCode { exit: self.exit })?;
        if !last.goes_on || self.jump.is_some() {
            return Err(Error::NothingToRedirect { op: last.name() });
        }
        self.jump = Some(Place::label(index));
        self.leave_ready();
        Ok(())
    }

    /// Has the exit emitted micro-op by micro-op.
    fn leave_ready(&mut self) {
        self.is_ready = false;
        self.builder.exit_words.truncate(self.start.words);
    }

    /// It must end by going somewhere.
    fn check(&self) -> Result<(), Error> {
        let exit = self.exit;
        match self.last {
            None => Err(Error::ExitWithoutCode { exit }),
            Some(last) if last.goes_on && self.jump.is_none() => Err(Error::ExitFallsOffEnd {
                exit,
                op: last.name(),
            }),
            _ => Ok(()),
        }
    }

    /// Gives the exit this code, or that of an equal exit. One that was not declared before is added.
    fn finish(&mut self) -> Result<(), Error> {
        if let Err(error) = self.check() {
            self.forget();
            return Err(error);
        }
        let (builder, start) = (&mut *self.builder, self.start);
        let jump = self.jump.map(|place| place.key(0));
        let hash = jump.map_or(self.hash, |key| mix(self.hash, key));
        let number = builder.exit_hashes.intern(hash) as usize;
        let mut state = ExitState {
            start: start.ops as u32,
            len: (builder.exit_code.len() - start.ops) as u32,
            form: self.jump.map_or(ExitForm::Plain, ExitForm::Jump),
            same_as: self.exit,
            linkable: self.linkable,
        };
        let words = builder.exit_words.cursor() - start.words;
        match builder.exit_of_hash.get(number) {
            None => builder.exit_of_hash.push(self.exit),
            Some(&first) => {
                let other = builder.exits[first as usize];
                // Two different exits with one hash just stay two.
                let is_equal = other.linkable == self.linkable
                    && builder.same_exit(first, start.ops, self.jump);
                if is_equal {
                    (state.start, state.same_as) = (other.start, first);
                    self.forget();
                    self.builder.put_exit(self.exit, state);
                    return Ok(());
                }
            }
        }
        // If there are too many words to be counted, it is emitted like those that are not ready.
        if self.is_ready
            && let (Ok(start), Ok(len)) = (start.words.try_into(), words.try_into())
        {
            let nops = self.nops;
            state.form = ExitForm::Ready(ReadyWords { start, len, nops });
        } else {
            builder.exit_words.truncate(start.words);
        }
        builder.put_exit(self.exit, state);
        Ok(())
    }

    /// Takes away what has been kept of the exit.
    fn forget(&mut self) {
        self.builder.exit_code.truncate(self.start.ops);
        self.builder.values.truncate(self.start.values);
        self.builder.exit_words.truncate(self.start.words);
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
        let index = self.exits.len();
        if index >= Place::LIMIT {
            return Err(Error::TooMany { what: "exits" });
        }
        self.write_exit(index as u32, linkable, write)?;
        Ok(self.exit_handle(index))
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
        let index = self.exits.len().min(Place::LIMIT);
        if index < Place::LIMIT {
            let state = ExitState {
                start: 0,
                len: 0,
                form: ExitForm::Plain,
                same_as: index as u32,
                linkable,
            };
            self.put_exit(index as u32, state);
        }
        self.exit_handle(index)
    }

    fn exit_handle(&self, index: usize) -> Exit {
        Exit(self.handles.handle(OperandKind::Exit, index as u32))
    }

    /// Puts an exit in the place of the one that was declared, or behind the last.
    #[inline]
    fn put_exit(&mut self, index: u32, state: ExitState) {
        match self.exits.get_mut(index as usize) {
            Some(declared) => *declared = state,
            None => {
                self.exits.push(state);
                self.places.add(PlaceKind::Exit, UNWANTED);
                self.handles.set_count(OperandKind::Exit, self.exits.len());
            }
        }
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
        let ExitState { len, linkable, .. } = self.exits[index as usize];
        if len > 0 {
            return Err(Error::ExitDefinedTwice { exit: index });
        }
        self.write_exit(index, linkable, write)
    }

    /// Gives an exit the code that `write` pushes. If it cannot be, nothing has changed.
    fn write_exit(
        &mut self,
        index: u32,
        linkable: bool,
        write: impl FnOnce(&mut ExitCode<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut code = ExitCode::new(self, index, linkable);
        if let Err(error) = write(&mut code) {
            code.forget();
            return Err(error);
        }
        code.finish()
    }

    fn same_exit(&self, other: u32, start: usize, jump: Option<Place>) -> bool {
        let other = self.exits[other as usize];
        let (ops, range) = (&self.exit_code[start..], other.start as usize..);
        let others = &self.exit_code[range][..other.len as usize];
        other.jump() == jump
            && ops.len() == others.len()
            && ops.iter().zip(others).all(|(a, b)| {
                (a.op.set, a.op.index) == (b.op.set, b.op.index)
                    && self.operands_of(a.op) == self.operands_of(b.op)
            })
    }

    /// The operands of a micro-op, as they were pushed.
    pub(super) fn operands_of(&self, pushed: super::Pushed) -> &[u64] {
        let count = self.sets.op(pushed).map_or(0, |op| op.operand_count());
        let start = pushed.values as usize;
        self.values.get(start..start + count).unwrap_or(&[])
    }
}
