//! What a builder remembers of the trace it is building.

use std::ops::Range;

use crate::asm::WORD;
use crate::asm::branch::Field;
use crate::asm::literal::HalfLoads;
use crate::op::encode::Op;
use crate::op::operand::{Handle, OperandKind};
use crate::op::template::MicroOpSet;

/// A place that code can lead to: its number among those of its kind, and its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

/// The kinds of places. Labels and exits have the number of their [`OperandKind`]: a [`Handle`] of one is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    /// The cold part of a micro-op.
    Cold,
    Label = OperandKind::Label as isize & 3,
    Exit = OperandKind::Exit as isize & 3,
    /// The hot part that a cold one belongs to.
    Hot,
}

impl PlaceKind {
    const COUNT: usize = 1 << Handle::KIND_BITS;
}

impl Place {
    /// How many places of one kind there can be.
    pub(crate) const LIMIT: usize = 1 << 29;

    fn new(kind: PlaceKind, index: u32) -> Place {
        Place(index << Handle::KIND_BITS | kind as u32)
    }

    pub(crate) fn label(index: u32) -> Place {
        Place::new(PlaceKind::Label, index)
    }

    pub(crate) fn exit(index: u32) -> Place {
        Place::new(PlaceKind::Exit, index)
    }

    /// A cold part, by its number.
    pub(crate) fn cold(index: u32) -> Place {
        Place::new(PlaceKind::Cold, index)
    }

    /// The hot part that belongs to the cold part of that number.
    pub(crate) fn hot(index: u32) -> Place {
        Place::new(PlaceKind::Hot, index)
    }

    /// The place so many words behind it, as a number of its own.
    pub(crate) fn key(self, inner: u32) -> u64 {
        u64::from(self.0) << 32 | u64::from(inner)
    }

    /// The place of that number.
    pub(crate) fn from_number(number: u64) -> Place {
        Place(number as u32)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.into()
    }

    pub(crate) fn index(self) -> usize {
        (self.0 >> Handle::KIND_BITS) as usize
    }

    pub(crate) fn kind(self) -> PlaceKind {
        match self.0 as usize % PlaceKind::COUNT {
            0 => PlaceKind::Cold,
            1 => PlaceKind::Label,
            2 => PlaceKind::Exit,
            _ => PlaceKind::Hot,
        }
    }
}

// What stands for an offset in a trace that is none. Traces are shorter than 2^26 words, the reach of `b` in both
// directions, so none of these is one, nor is in reach of anything, and distances to them fit 32 bits.

/// The offset of a label that is bound behind the last micro-op of a trace that is being finished: no
/// code of the trace follows, and what is cold is not its place.
pub(crate) const OFF_END: u32 = 1 << 31;

/// The offset of a label that is bound in front of the next micro-op, whose place is settled with it.
pub(crate) const HERE: u32 = OFF_END + 1;

/// An offset that is not known yet.
pub(crate) const UNPLACED: u32 = OFF_END + 2;

/// The offset of an exit that nothing leads to so far: it will have none.
pub(crate) const UNWANTED: u32 = OFF_END + 3;

/// The offset of what is no place: nobody has made one of that number. This one and `UNWANTED` are the last, so that
/// one comparison tells them from what may be referred to as it is.
pub(crate) const UNMADE: u32 = OFF_END + 4;

/// Whether an offset is a place in the code, and none of the above.
pub(crate) const fn is_placed(offset: u32) -> bool {
    offset < OFF_END
}

/// Where the places of a trace lie, in words.
#[derive(Debug)]
pub(crate) struct Places {
    /// By the places' numbers: those of the four kinds in turn.
    offsets: Vec<u32>,
    counts: [usize; PlaceKind::COUNT],
}

impl Default for Places {
    fn default() -> Self {
        let mut places = Places {
            offsets: Vec::new(),
            counts: [0; PlaceKind::COUNT],
        };
        places.clear();
        places
    }
}

impl Places {
    /// Forgets all. The place of number 0 has an offset nevertheless: whatever is pushed looks a place up, and a
    /// call, which leads to none, looks there.
    pub(crate) fn clear(&mut self) {
        self.counts = [0; PlaceKind::COUNT];
        self.offsets.clear();
        self.offsets.resize(PlaceKind::COUNT, UNMADE);
        self.offsets[0] = UNPLACED;
    }

    #[inline]
    pub(crate) fn offset(&self, place: Place) -> u32 {
        // What was not made has no place: a micro-op of somebody's own making may name it.
        self.get(place.0.into()).unwrap_or(UNPLACED)
    }

    /// The offset of the place of that number.
    #[inline(always)]
    pub(crate) fn get(&self, number: u64) -> Option<u32> {
        self.offsets.get(usize::try_from(number).ok()?).copied()
    }

    /// The offsets of all places of a kind.
    #[cfg(feature = "inspect")]
    pub(crate) fn offsets(&self, kind: PlaceKind) -> impl Iterator<Item = u32> {
        let offsets = self.offsets.iter().skip(kind as usize);
        let offsets = offsets.step_by(PlaceKind::COUNT).copied();
        offsets.take(self.count(kind))
    }

    pub(crate) fn count(&self, kind: PlaceKind) -> usize {
        self.counts[kind as usize]
    }

    /// Adds a place.
    #[inline]
    pub(crate) fn add(&mut self, kind: PlaceKind, offset: u32) {
        let at = self.counts[kind as usize] * PlaceKind::COUNT;
        self.counts[kind as usize] += 1;
        // There are as many as of the kind that most are of.
        if at >= self.offsets.len() {
            self.offsets.extend([UNMADE; PlaceKind::COUNT]);
        }
        if let Some(known) = self.offsets.get_mut(at + kind as usize) {
            *known = offset;
        }
    }

    /// Makes room for the places of `other`.
    pub(crate) fn resize_like(&mut self, other: &Places) {
        self.offsets.resize(other.offsets.len(), UNPLACED);
    }

    /// Moves a place for which there is room.
    pub(crate) fn set(&mut self, place: Place, offset: u32) {
        if let Some(known) = self.offsets.get_mut(place.0 as usize) {
            *known = offset;
        }
    }

    /// Moves labels to the same place.
    #[inline(never)]
    pub(crate) fn bind(&mut self, labels: &[u32], offset: u32) {
        for &label in labels {
            self.set(Place::label(label), offset);
        }
    }

    /// Takes away those of a kind from the one with that number on.
    pub(crate) fn truncate(&mut self, kind: PlaceKind, count: usize) {
        let last = self.counts[kind as usize];
        self.counts[kind as usize] = last.min(count);
        for index in count..last {
            let number = index * PlaceKind::COUNT + kind as usize;
            self.offsets[number] = if number == 0 { UNPLACED } else { UNMADE };
        }
    }

    /// Moves all places of a kind.
    pub(crate) fn fill(&mut self, kind: PlaceKind, offset: u32) {
        let offsets = self.offsets.iter_mut().skip(kind as usize);
        let offsets = offsets.step_by(PlaceKind::COUNT);
        let count = self.counts[kind as usize];
        offsets.take(count).for_each(|known| *known = offset);
    }
}

/// A branch whose displacement is not written yet, and is zero in its word, or a call, in 12 bytes. Those of one
/// displacement field are kept together, and so are the calls.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, packed(4))]
pub(crate) struct Note {
    /// What it leads to: of a call its operand, [counted](crate::op::operand::Handles::count) like a handle; of a branch its
    /// place, and in the upper half how many words behind that.
    to: u64,
    /// The instruction, in words.
    pub(crate) at: u32,
}

/// The kinds of notes: branches by their displacement [`Field`]s, and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum NoteKind {
    Imm26,
    Imm19,
    Imm14,
    Call,
}

impl NoteKind {
    pub(crate) const COUNT: usize = 4;
}

impl From<Field> for NoteKind {
    #[inline]
    fn from(field: Field) -> NoteKind {
        match field {
            Field::Imm26 => NoteKind::Imm26,
            Field::Imm19 => NoteKind::Imm19,
            Field::Imm14 => NoteKind::Imm14,
        }
    }
}

impl Note {
    /// `to` is the operand, counted like a handle: one of the trace, to whose place the branch leads, or the target of a
    /// call, whose displacement depends on where the trace is linked to.
    #[inline(always)]
    pub(crate) fn new(at: u32, to: u64) -> Note {
        Note { to, at }
    }

    /// A branch to what lies `inner` words behind `place`.
    pub(crate) fn branch(at: u32, place: Place, inner: u16) -> Note {
        Note::new(at, u64::from(inner) << 32 | u64::from(place.0))
    }

    /// A branch at `at` to the same words behind `place`.
    pub(crate) fn moved(self, at: u32, place: Place) -> Note {
        Note::new(at, u64::from(self.inner()) << 32 | u64::from(place.0))
    }

    /// Where a branch leads to.
    #[inline]
    pub(crate) fn place(self) -> Place {
        Place(self.to as u32)
    }

    /// How many words behind that.
    #[inline]
    pub(crate) fn inner(self) -> u32 {
        (self.to >> 32) as u32
    }

    /// What a call leads to: the operand, counted like a handle; in a trace that is finished, the number of the target
    /// among the trace's.
    #[inline]
    pub(crate) fn target(&self) -> u64 {
        self.to
    }
}

/// What a literal load reads: a constant, which may have several words, or a changeable literal,
/// which has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Literal {
    Constant(u64),
    Mutable(u32),
}

/// A literal load whose displacement is not written yet, in 12 bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoadSite {
    /// The instruction, in words; the uppermost bit says that it reads a changeable literal.
    site: u32,
    /// The halves of the constant, or the literal's index.
    value: [u32; 2],
}

impl LoadSite {
    const MUTABLE: u32 = 1 << 31;

    pub(crate) fn new(at: u32, literal: Literal) -> LoadSite {
        let (mark, value) = match literal {
            Literal::Constant(value) => (0, value),
            Literal::Mutable(index) => (LoadSite::MUTABLE, index.into()),
        };
        LoadSite {
            site: at | mark,
            value: [value as u32, (value >> 32) as u32],
        }
    }

    /// The instruction, in words.
    pub(crate) fn at(&self) -> u32 {
        self.site & !LoadSite::MUTABLE
    }

    pub(crate) fn literal(&self) -> Literal {
        let [low, high] = self.value;
        match self.site & LoadSite::MUTABLE {
            0 => Literal::Constant(u64::from(high) << 32 | u64::from(low)),
            _ => Literal::Mutable(low),
        }
    }
}

/// A changeable literal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutable {
    /// What it holds at first.
    pub(crate) value: u64,
    /// Its word in an island, if it is in one.
    pub(crate) island: u32,
    /// Who reads only half of it.
    pub(crate) loads: HalfLoads,
}

/// The word of a changeable literal in a finished trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MutableWord {
    /// Where it is, in bytes from the trace's start.
    pub(crate) at: u32,
    pub(crate) loads: HalfLoads,
}

/// A word of the literal pool at the end of the trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolWord {
    pub(crate) value: u64,
    /// The changeable literal whose word it is.
    pub(crate) mutable: Option<u32>,
}

/// A load from the pool at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLoad {
    pub(crate) at: u32,
    pub(crate) word: u32,
}

/// A micro-op with its operands, as it was pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Its number in `Sets`, and its number in that set.
    pub(crate) set: u16,
    pub(crate) index: u16,
    /// Where its operands start in the builder's values.
    pub(crate) values: u32,
}

/// A micro-op and where its code starts, in words.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record {
    pub(crate) at: u32,
    pub(crate) op: Pushed,
}

/// Where code in the cold section comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The cold part of this micro-op of the trace.
    Part(u32),
    /// This exit.
    Exit(u32),
}

/// The cold part of a micro-op that was pushed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColdPart {
    pub(crate) op: Pushed,
    /// The micro-op it belongs to.
    pub(crate) origin: Origin,
}

/// An exit that was declared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExitState {
    /// Its micro-ops in the builder's exit code.
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) form: ExitForm,
    /// The exit with the same code that stands for it.
    pub(crate) same_as: u32,
    /// Whether it begins with a NOP, so that it can be linked to another trace.
    pub(crate) linkable: bool,
}

impl ExitState {
    /// The label that its last micro-op goes on to.
    pub(crate) fn jump(&self) -> Option<Place> {
        match self.form {
            ExitForm::Jump(place) => Some(place),
            _ => None,
        }
    }
}

/// What is known of an exit's code beside its micro-ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitForm {
    /// It is emitted micro-op by micro-op.
    Plain,
    /// So it is, and the last goes on to this label.
    Jump(Place),
    /// Its words are the same wherever it comes.
    Ready(ReadyWords),
}

/// An exit's words among those of the builder's exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadyWords {
    pub(crate) start: u32,
    pub(crate) len: u16,
    /// How many of them are NOPs that came in as slots or in front.
    pub(crate) nops: u16,
}

/// Cold code to come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ColdItem {
    Part(u32),
    Exit(u32),
}

/// For the room of a tape.
impl Default for ColdItem {
    fn default() -> ColdItem {
        ColdItem::Part(0)
    }
}

/// The way on from the micro-op that was pushed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// It does not go on, or there is none.
    Closed,
    /// It goes on to the next micro-op.
    Next,
    /// It goes on at this label.
    To(Place),
}

/// A NOP that becomes a branch to an exit when the trace is invalidated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// The NOP, in words.
    pub(crate) at: u32,
    pub(crate) exit: u32,
}

/// Veneers and literals in the middle of the trace, in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Island {
    pub(crate) start: u32,
    /// Where its literals start, `end` if it has none.
    pub(crate) literals: u32,
    pub(crate) end: u32,
}

impl Island {
    /// Where the literals of those that have some are, in bytes: what among the code is no instruction. `None` where there
    /// are no islands, as in most traces.
    #[inline]
    pub(crate) fn literals(islands: &[Island]) -> Option<Box<[Range<u32>]>> {
        let literals = islands.iter().map(|it| it.literals * WORD..it.end * WORD);
        let some = literals.filter(|range| !range.is_empty());
        (!islands.is_empty()).then(|| some.collect())
    }
}

/// The sets that micro-ops were pushed from.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    all: Vec<&'static MicroOpSet>,
    /// The one that was asked for last: those of one set often come in a row, or are the only ones to be kept.
    recent: usize,
}

impl Sets {
    pub(crate) fn all(&self) -> &[&'static MicroOpSet] {
        &self.all
    }

    /// The number of `set`. Most traces draw on a few.
    #[inline]
    pub(crate) fn number(&mut self, set: &'static MicroOpSet) -> Option<u16> {
        let recent = self.all.get(self.recent);
        if !recent.is_some_and(|&recent| std::ptr::eq(recent, set)) {
            self.find(set);
        }
        u16::try_from(self.recent).ok()
    }

    #[inline(never)]
    fn find(&mut self, set: &'static MicroOpSet) {
        let mut known = self.all.iter();
        self.recent = match known.position(|&known| std::ptr::eq(known, set)) {
            Some(at) => at,
            None => {
                self.all.push(set);
                self.all.len() - 1
            }
        };
    }

    #[inline]
    pub(crate) fn op(&self, pushed: Pushed) -> Option<Op> {
        Op::new(
            self.all.get(usize::from(pushed.set))?,
            usize::from(pushed.index),
        )
    }
}
