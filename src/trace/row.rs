//! Rows: what pushing a micro-op the quick way takes, side by side.
//!
//! A [template](crate::op::template) is kept small and without relocations; what is said of one micro-op stands in
//! half a dozen tables. A builder unfolds it into a row when the micro-op is pushed for the first time. One that does not
//! fit a row is pushed over the tables each time.

use std::ops::AddAssign;

use super::state::NoteKind;
use crate::asm::NOP;
use crate::asm::branch::Field;
use crate::op::encode::Op;
use crate::op::operand::OperandKind;
use crate::op::template::{Goal, Hole, Map, MicroOpSet, NO_CLOSING, Reference};

/// The words that a row has room for, with the slot behind them.
pub(super) const WORDS: usize = 2 * HALF;

/// Half of the words or all are copied, whatever the micro-op has: what is too many is overwritten by what follows.
const HALF: usize = 8;

/// The holes that a row has room for.
const HOLES: usize = 8;

/// The operands that a row has room for.
pub(super) const OPERANDS: usize = 4;

/// Bits of an operand, and where they go: `word ^= value.rotate_left(by) & mask`. In one word, which takes fewer loads:
/// how far they move, the number of the word, that of the operand, 8 bits each, and in the upper half the mask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits(u64);

impl Bits {
    /// None: what leaves every word as it is.
    const NONE: Bits = Bits(0);

    fn new(hole: &Hole) -> Option<Bits> {
        let by = hole.target.wrapping_sub(hole.source) % 64;
        let mask = u32::MAX.checked_shr(32 - u32::from(hole.width))? << hole.target;
        let word = u8::try_from(hole.word).ok()?;
        let low = u32::from_le_bytes([by, word, hole.operand, 0]);
        (hole.map == Map::IDENTITY).then_some(Bits(u64::from(mask) << 32 | u64::from(low)))
    }

    #[inline(always)]
    pub(super) fn word(self) -> usize {
        (self.0 >> 8) as u8 as usize
    }

    #[inline(always)]
    pub(super) fn operand(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline(always)]
    pub(super) fn of(self, value: u64) -> u32 {
        // It goes by the lowest six bits.
        value.rotate_left(self.0 as u32) as u32 & (self.0 >> 32) as u32
    }
}

bitflags::bitflags! {
    /// What is not done for every row.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Extra: u8 {
        /// With its slot it takes more than half of a row's words.
        const LONG = 1;
        /// It has more holes than the one that each row has room for.
        const HOLES = 1 << 1;
        /// It has more than four holes.
        const MANY_HOLES = 1 << 2;
        /// There are registers among its operands, or others than the first that have a range.
        const OPERANDS = 1 << 3;
        /// It branches by `tbz` or `tbnz`.
        const TESTS = 1 << 4;
        /// It is not to be used: the micro-op has none.
        const UNUSABLE = 1 << 5;
        /// It has not been made.
        const UNMADE = 1 << 6;
    }
}

/// What an operand's value may be: its lowest, and how far above that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    min: u64,
    span: u64,
}

impl Range {
    const ALL: Range = Range {
        min: 0,
        span: u64::MAX,
    };

    #[inline(always)]
    pub(super) fn has(&self, value: u64) -> bool {
        value.wrapping_sub(self.min) <= self.span
    }
}

/// The values of the first operand with which nothing is to be done but what every row takes: its lowest, and how many
/// there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quick {
    min: u64,
    count: u64,
}

impl Quick {
    const NONE: Quick = Quick { min: 0, count: 0 };

    /// All of a range, but for the last where they are too many to be counted.
    fn all_of(range: Range) -> Quick {
        Quick {
            min: range.min,
            count: range.span.saturating_add(1),
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, value: u64) -> bool {
        value.wrapping_sub(self.min) < self.count
    }
}

/// Words, those of them that are in slots, and micro-ops: 32, 16 and 16 bits, so that one addition counts all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums(u64);

impl Sums {
    pub(super) const fn new(words: u32, slots: u32, micro_ops: u16) -> Sums {
        Sums(words as u64 | (slots as u64) << 32 | (micro_ops as u64) << 48)
    }

    #[inline(always)]
    pub(super) fn words(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(super) fn slots(self) -> u32 {
        ((self.0 >> 32) as u16).into()
    }

    #[inline(always)]
    pub(super) fn micro_ops(self) -> u32 {
        ((self.0 >> 48) as u16).into()
    }
}

impl AddAssign for Sums {
    #[inline(always)]
    fn add_assign(&mut self, more: Sums) {
        // None of them reaches into the next: a run is no longer than they can count.
        self.0 = self.0.wrapping_add(more.0);
    }
}

/// A reference in one word, which takes fewer loads: where it is, which notes are kept of it, the operand, 8 bits each, and
/// whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refers(u32);

impl Refers {
    /// Its operand is the first.
    const NOTHING: Refers = Refers(0);

    const fn new(at: u8, kind: NoteKind, operand: u8) -> Refers {
        Refers(at as u32 | (kind as u32) << 8 | (operand as u32) << 16 | 1 << 31)
    }

    /// The instruction, in words from the micro-op's first.
    #[inline(always)]
    pub(super) fn at(self) -> u32 {
        self.0 & 0xff
    }

    #[inline(always)]
    pub(super) fn kind(self) -> usize {
        (self.0 >> 8) as usize % NoteKind::COUNT
    }

    /// The operand, or, where nothing is referred to, any.
    #[inline(always)]
    pub(super) fn operand_or_any(self) -> u8 {
        (self.0 >> 16) as u8 & 0x7f
    }

    fn operand(self) -> Option<usize> {
        (self.notes() == 1).then_some(self.operand_or_any().into())
    }

    /// How many notes it takes: one, or none.
    #[inline(always)]
    pub(super) fn notes(self) -> usize {
        (self.0 >> 31) as usize
    }
}

/// A micro-op as it is pushed by its row. What all take comes first: two lines of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Row {
    /// The micro-op's words, and the NOP that may become its slot: the first of them.
    pub(super) words: [u32; HALF],
    /// What it adds to a run's sums: its words with those of its slot, the latter, and itself.
    pub(super) step: Sums,
    /// What it refers to is named by a handle if these are ones.
    pub(super) handles: u64,
    pub(super) quick: Quick,
    /// The first hole, if it is of the first operand, and in the first of the words.
    pub(super) hole: Bits,
    /// Its number in its set.
    pub(super) index: u16,
    pub(super) goes_on: bool,
    pub(super) extra: Extra,
    /// What the micro-op refers to, if it does.
    pub(super) refers: Refers,
    /// The range of the first operand. Handles are not looked at here.
    pub(super) range: Range,
    /// A bit for each operand that is a general-purpose register.
    pub(super) registers: u8,
    /// The other words.
    pub(super) more_words: [u32; HALF],
    /// The other holes.
    pub(super) more_holes: [Bits; HOLES - 1],
    /// The ranges of the other operands.
    pub(super) more_ranges: [Range; OPERANDS - 1],
}

const _: () = assert!(size_of::<Row>() == 256);

impl Row {
    /// A row that is not to be used.
    pub(super) const NONE: Row = Row {
        words: [NOP; HALF],
        step: Sums::new(0, 0, 0),
        handles: 0,
        quick: Quick::NONE,
        hole: Bits::NONE,
        index: 0,
        goes_on: false,
        extra: Extra::UNUSABLE,
        refers: Refers::NOTHING,
        range: Range::ALL,
        registers: 0,
        more_words: [NOP; HALF],
        more_holes: [Bits::NONE; HOLES - 1],
        more_ranges: [Range::ALL; OPERANDS - 1],
    };

    /// The row of a micro-op whose slot has so many words, if it fits.
    fn new(op: Op, slot: u32) -> Option<Row> {
        let template = op.template;
        let (holes, references) = op.set.notes(template)?;
        let words = op.set.words.get(template.words as usize..)?;
        let words = words.get(..usize::from(template.hot_words))?;
        let plain = !(template.special || template.encoded || op.has_cold_part());
        // One without words does not fill a trace up, so it must be counted.
        let fits = plain
            && template.closing == NO_CLOSING
            && !words.is_empty()
            && words.len() < WORDS
            && op.operand_count() <= OPERANDS;
        let mut row = Row {
            index: op.index,
            extra: Extra::empty(),
            goes_on: op.goes_on(),
            ..Row::NONE
        };
        match references {
            _ if !fits => return None,
            [] => {}
            [reference] => row.refer(reference)?,
            _ => return None,
        }
        let slot = if row.goes_on { slot } else { 0 };
        row.step = Sums::new(words.len() as u32 + slot, slot, 1);
        for (to, &word) in row.words.iter_mut().chain(&mut row.more_words).zip(words) {
            *to = word;
        }
        row.extra.set(Extra::LONG, words.len() >= HALF);
        row.take_holes(holes)?;
        for (index, operand) in op.operands().iter().enumerate() {
            let range = op.set.ranges.get(usize::from(operand.range))?;
            // A handle is looked at where the reference leads to.
            if operand.kind.is_handle() {
                (row.refers.operand() == Some(index)).then_some(())?;
            } else {
                let range = Range {
                    min: range.min,
                    span: range.span,
                };
                let is_register = operand.kind == OperandKind::Reg;
                row.registers |= u8::from(is_register) << index;
                let is_looked_at = match index.checked_sub(1) {
                    None => {
                        row.range = range;
                        is_register
                    }
                    Some(other) => {
                        row.more_ranges[other] = range;
                        is_register || range != Range::ALL
                    }
                };
                if is_looked_at {
                    row.extra.insert(Extra::OPERANDS);
                }
            }
        }
        if row.extra.is_empty() {
            row.quick = Quick::all_of(row.range);
        }
        Some(row)
    }

    /// Unfolds the holes.
    fn take_holes(&mut self, holes: &[Hole]) -> Option<()> {
        let (first, others) = match holes {
            [first, others @ ..] if first.operand == 0 && usize::from(first.word) < HALF => {
                (Some(first), others)
            }
            _ => (None, holes),
        };
        if let Some(first) = first {
            self.hole = Bits::new(first)?;
        }
        let room = self.more_holes.get_mut(..others.len())?;
        for (bits, hole) in room.iter_mut().zip(others) {
            *bits = Bits::new(hole)?;
        }
        self.extra.set(Extra::HOLES, !others.is_empty());
        self.extra.set(Extra::MANY_HOLES, others.len() > 3);
        Some(())
    }

    /// Notes what it refers to.
    fn refer(&mut self, reference: &Reference) -> Option<()> {
        let kind = match reference.goal {
            Goal::Call => NoteKind::Call,
            Goal::Label | Goal::Exit => {
                self.handles = u64::MAX;
                reference.field.into()
            }
            _ => return None,
        };
        let at = u8::try_from(reference.word).ok()?;
        self.refers = Refers::new(at, kind, u8::try_from(reference.argument).ok()?);
        let tests = self.handles != 0 && reference.field == Field::Imm14;
        self.extra.set(Extra::TESTS, tests);
        Some(())
    }
}

/// The rows of a set's micro-ops.
#[derive(Debug)]
struct OfSet {
    /// None of them before the first is needed.
    rows: Vec<Row>,
    /// How many operands those that have been made have at the most.
    most_operands: usize,
    /// How many words those of them have at the least that refer to something, with their slots: at most [`WORDS`].
    words_of_note: usize,
}

impl Default for OfSet {
    fn default() -> Self {
        OfSet {
            rows: Vec::new(),
            most_operands: 0,
            words_of_note: WORDS,
        }
    }
}

/// The rows of the micro-ops that were pushed.
#[derive(Debug)]
pub(super) struct Rows {
    /// The set of the micro-op that was pushed last, its number, and its rows.
    set: &'static MicroOpSet,
    number: u16,
    recent: OfSet,
    /// Of the other sets, by their numbers.
    others: Vec<OfSet>,
}

impl Default for Rows {
    fn default() -> Self {
        Rows {
            set: const { &MicroOpSet::EMPTY },
            number: 0,
            recent: OfSet::default(),
            others: Vec::new(),
        }
    }
}

impl Rows {
    /// The set whose rows are found quickly.
    #[inline(always)]
    pub(super) fn set(&self) -> &'static MicroOpSet {
        self.set
    }

    /// The rows of that set, as far as they have been made, by its micro-ops' numbers.
    #[inline(always)]
    pub(super) fn rows(&self) -> &[Row] {
        &self.recent.rows
    }

    /// How many operands the micro-ops with a row have at the most.
    #[inline(always)]
    pub(super) fn most_operands(&self) -> usize {
        self.recent.most_operands
    }

    /// How many words come with a note at the least.
    #[inline(always)]
    pub(super) fn words_of_note(&self) -> usize {
        self.recent.words_of_note
    }

    /// Whether the row of a micro-op has been made, be it as one that is not to be used, and is found quickly.
    pub(super) fn has_made(&self, set: &'static MicroOpSet, index: usize) -> bool {
        let row = self.recent.rows.get(index);
        let made = row.is_some_and(|row| !row.extra.contains(Extra::UNMADE));
        std::ptr::eq(self.set, set) && made
    }

    /// Makes the row of a micro-op whose slot has so many words, if it is not made, and finds those of its set quickly
    /// from now on.
    pub(super) fn prepare(&mut self, op: Op, number: u16, slot: u32) {
        if !std::ptr::eq(self.set, op.set) {
            let most = usize::from(self.number.max(number));
            if self.others.len() <= most {
                self.others.resize_with(most + 1, Default::default);
            }
            self.swap(self.number);
            self.swap(number);
            (self.set, self.number) = (op.set, number);
        }
        let OfSet {
            rows,
            most_operands,
            words_of_note,
        } = &mut self.recent;
        if rows.is_empty() {
            let unmade = Row {
                extra: Extra::UNUSABLE.union(Extra::UNMADE),
                ..Row::NONE
            };
            rows.resize(op.set.len(), unmade);
        }
        let row = &mut rows[usize::from(op.index)];
        if row.extra.contains(Extra::UNMADE) {
            *row = Row::new(op, slot).unwrap_or(Row::NONE);
            *most_operands = (*most_operands).max(op.operand_count());
            if row.refers.notes() > 0 {
                *words_of_note = (*words_of_note).min(row.step.words() as usize);
            }
        }
    }

    fn swap(&mut self, number: u16) {
        std::mem::swap(&mut self.others[usize::from(number)], &mut self.recent);
    }
}
