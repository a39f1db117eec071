//! Side exits: short sequences of micro-ops that are emitted cold, equal ones once.

use super::emit::Part;
use super::push::{resolve, unknown};
use super::state::{ExitForm, ExitState, Place, PlaceKind, UNWANTED};
use super::{MAX_LEN, TraceBuilder};
use crate::asm::NOP;
use crate::error::Error;
use crate::op::MicroOp;
use crate::op::operand::{Exit, Label, OperandKind};
use crate::op::template::Properties;

/// An exit that is being given its code: what the closure of
/// [`define_exit`](TraceBuilder::define_exit) writes to.
#[derive(Debug)]
pub struct ExitCode<'b> {
    builder: &'b mut TraceBuilder,
    exit: u32,
    jump: Option<Place>,
}

impl ExitCode<'_> {
    /// Appends a micro-op to the exit.
    ///
    /// # Errors
    /// As [`TraceBuilder::push`]; [`Error::NothingToRedirect`] behind a `jump`.
    pub fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        let mut values = op.operands();
        let values = resolve(op.set(), op.index(), values.as_mut());
        let (op, values) = values.ok_or_else(unknown)?;
        if self.jump.is_some() {
            return Err(Error::NothingToRedirect { op: op.name() });
        }
        let pushed = self.builder.check(op, values)?;
        // The values are encoded when the exit is emitted; here it is seen that they can be.
        self.builder.values.extend_from_slice(values);
        if op.template.encoded
            && let Err(error) = op.encode(values)
        {
            self.builder.values.truncate(pushed.values as usize);
            return Err(error);
        }
        self.builder.exit_code.push(pushed);
        Ok(())
    }

    /// Lets the last micro-op go on at a label of the trace. Nothing can be pushed behind it.
    ///
    /// # Errors
    /// [`Error::Foreign`]; [`Error::NothingToRedirect`] behind a micro-op that does not go on, or
    /// [`Error::ExitWithoutCode`] before the first.
    pub fn jump(&mut self, label: Label) -> Result<(), Error> {
        let index = self.builder.own_label("jump", label)?;
        let start = self.builder.exits[self.exit as usize].start as usize;
        let last = self.builder.exit_code.get(start..).and_then(<[_]>::last);
        let op = last
            .and_then(|&pushed| self.builder.sets.op(pushed))
            .ok_or(Error::ExitWithoutCode { exit: self.exit })?;
        if !op.template.properties.contains(Properties::FALLS_THROUGH) || self.jump.is_some() {
            return Err(Error::NothingToRedirect { op: op.name() });
        }
        self.jump = Some(Place::label(index));
        Ok(())
    }
}

impl TraceBuilder {
    /// Makes a side exit of these micro-ops. Exits with the same code become one.
    ///
    /// # Errors
    /// As [`define_exit`](TraceBuilder::define_exit).
    pub fn exit<M: MicroOp>(&mut self, ops: impl IntoIterator<Item = M>) -> Result<Exit, Error> {
        self.new_exit(ops, false)
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
        self.new_exit(ops, true)
    }

    fn new_exit<M: MicroOp>(
        &mut self,
        ops: impl IntoIterator<Item = M>,
        linkable: bool,
    ) -> Result<Exit, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let exit = self.declare(linkable);
        let defined = self.define_exit(exit, |code| {
            ops.into_iter().try_for_each(|op| code.push(op))
        });
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
        self.exits[index as usize].start = ops as u32;
        let mut code = ExitCode {
            builder: self,
            exit: index,
            jump: None,
        };
        let written = write(&mut code);
        let jump = code.jump;
        let checked = written.and_then(|()| self.check_exit(index, ops, jump));
        let merged = checked.is_ok() && self.merge_exit(index, ops, jump);
        if merged || checked.is_err() {
            self.exit_code.truncate(ops);
            self.values.truncate(values);
        }
        checked
    }

    fn check_exit(&self, exit: u32, start: usize, jump: Option<Place>) -> Result<(), Error> {
        let last = self.exit_code[start..].last();
        let op = last
            .and_then(|&pushed| self.sets.op(pushed))
            .ok_or(Error::ExitWithoutCode { exit })?;
        let properties = op.template.properties;
        if jump.is_none() && properties.contains(Properties::FALLS_THROUGH) {
            return Err(Error::ExitFallsOffEnd {
                exit,
                op: op.name(),
            });
        }
        Ok(())
    }

    /// Gives the exit the code from `start` on, or that of an equal exit; returns whether it was the
    /// latter.
    fn merge_exit(&mut self, index: u32, start: usize, jump: Option<Place>) -> bool {
        let linkable = self.exits[index as usize].linkable;
        let hash = self.hash_exit(start, jump) ^ u64::from(linkable);
        let number = self.exit_hashes.intern(hash) as usize;
        let len = (self.exit_code.len() - start) as u32;
        self.exits[index as usize].len = len;
        self.exits[index as usize].form = jump.map_or(ExitForm::Plain, ExitForm::Jump);
        if number == self.exit_of_hash.len() {
            self.exit_of_hash.push(index);
            self.write_ready(index);
            return false;
        }
        let first = self.exit_of_hash[number];
        // Two different exits with one hash just stay two.
        let alike = self.exits[first as usize].linkable == self.exits[index as usize].linkable;
        let equal = alike && self.same_exit(first, start, jump);
        if equal {
            let ExitState { start, .. } = self.exits[first as usize];
            let state = &mut self.exits[index as usize];
            (state.start, state.same_as) = (start, first);
        } else {
            self.write_ready(index);
        }
        equal
    }

    /// Writes the words of an exit's code, if they are the same wherever it comes: so that there is nothing left to do
    /// then but to copy them.
    fn write_ready(&mut self, index: u32) {
        let exit = self.exits[index as usize];
        // What is annotated is emitted micro-op by micro-op.
        if self.options.annotate || exit.form != ExitForm::Plain {
            return;
        }
        let start = self.exit_words.len();
        let mut nops = u32::from(exit.linkable);
        self.exit_words.extend([0, nops]);
        self.exit_words.extend(exit.linkable.then_some(NOP));
        let mut goes_on = false;
        for number in exit.start..exit.start + exit.len {
            let pushed = self.exit_code[number as usize];
            let Some(op) = self.sets.op(pushed).filter(|op| op.is_the_same_anywhere()) else {
                self.exit_words.truncate(start);
                return;
            };
            if goes_on && self.slot != 0 {
                self.exit_words.push(NOP);
                nops += 1;
            }
            let (pieces, at) = (Part::Hot.of(op), self.exit_words.len());
            self.exit_words.extend_from_slice(pieces.words);
            let values = self.values.get(pushed.values as usize..).unwrap_or(&[]);
            op.patch(pieces.holes, values, &mut self.exit_words[at..]);
            goes_on = op.goes_on();
        }
        let [len, number] = [self.exit_words.len() - start - 2, start].map(u32::try_from);
        // If there are too many to be counted, it is emitted like the others.
        if let (Ok(len), Ok(number)) = (len, number)
            && len < MAX_LEN
        {
            self.exit_words[start..][..2].copy_from_slice(&[len, nops]);
            self.exits[index as usize].form = ExitForm::Ready(number);
        }
    }

    fn hash_exit(&self, start: usize, jump: Option<Place>) -> u64 {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = jump.map_or(0, |place| place.key(0));
        let mut mix = |word: u64| {
            hash = (hash ^ word).wrapping_mul(MULTIPLIER);
            hash ^= hash >> 29;
        };
        for &pushed in &self.exit_code[start..] {
            mix(u64::from(pushed.set) << 16 | u64::from(pushed.index));
            self.operands_of(pushed)
                .iter()
                .for_each(|&value| mix(value));
        }
        hash
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
