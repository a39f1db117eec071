//! Rows: what pushing a micro-op the quick way takes, side by side.
//!
//! A [template](crate::op::template) is kept small and without relocations; what is said of one micro-op stands in
//! half a dozen tables. A builder unfolds it into a row when the micro-op is pushed for the first time. One that does not
//! fit a row is pushed over the tables each time.

use std::ops::AddAssign;

use super::state::NoteKind;
use crate::asm::NOP;
use crate::op::encode::Op;
use crate::op::operand::OperandKind;
use crate::op::template::{Goal, Hole, Map, MicroOpSet, NO_CLOSING, Reference};

/// The words that a row has room for, with the slot behind them.
pub(super) const WORDS: usize = 2 * HALF;

/// Half of the words or all are copied, whatever the micro-op has: what is too many is overwritten by what follows.
const HALF: usize = 8;

/// The deposits that a row has room for.
const DEPOSITS: usize = 8;

/// The operands that a row has room for.
pub(super) const OPERANDS: usize = 4;

/// Bits of the first operand, and where they go: `word ^= (value * by) & mask`, with a mask for each of the first words, so
/// that a few vector instructions do it for all.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Bits {
    masks: [u32; HALF],
    by: u32,
}

impl Bits {
    /// None: what leaves every word as it is.
    const NONE: Bits = Bits {
        masks: [0; HALF],
        by: 0,
    };

    /// Takes the bits of a hole of the first operand, if they are in its lower half, are moved up as far as those that there
    /// are, and are in the first words.
    fn take(&mut self, hole: &Hole) -> Option<()> {
        let mask = u32::MAX.checked_shr(32 - u32::from(hole.width))? << hole.target;
        let by = 1 << hole.target.checked_sub(hole.source)?;
        let plain = hole.operand == 0 && hole.map == Map::IDENTITY;
        let fits = plain && hole.source + hole.width <= 32 && (self.by == 0 || self.by == by);
        let word = self.masks.get_mut(usize::from(hole.word));
        *word.filter(|_| fits)? |= mask;
        self.by = by;
        Some(())
    }

    /// What a value changes in each of the first words.
    #[inline(always)]
    pub(super) fn of(&self, value: u64) -> [u32; HALF] {
        let moved = (value as u32).wrapping_mul(self.by);
        self.masks.map(|mask| moved & mask)
    }
}

/// Bits of half an operand, and where they go: `word ^= (half * by >> 32) & mask`. A multiplication puts the number of a
/// register into two places of a word at once, and on many processors takes less than a rotation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Deposit {
    by: u64,
    mask: u32,
    word: u8,
    /// Twice the number of the operand, and one more for its upper half.
    half: u8,
}

impl Deposit {
    /// None: what leaves every word as it is.
    const NONE: Deposit = Deposit {
        by: 0,
        mask: 0,
        word: 0,
        half: 0,
    };

    /// Bits of a hole that are in one half of the operand.
    fn new(hole: &Hole, source: u8, target: u8, width: u8) -> Option<Deposit> {
        let mask = u32::MAX.checked_shr(32 - u32::from(width))? << target;
        Some(Deposit {
            by: 1 << (32 + target - source % 32),
            mask,
            word: u8::try_from(hole.word).ok()?,
            half: hole.operand * 2 + source / 32,
        })
    }

    /// Takes on the work of another, of the same word and half of which no value has more than so many bits, if what both
    /// move there does not get in each other's way.
    fn join(&mut self, other: Deposit, bits: u32) -> bool {
        let places = |it: Deposit| (u128::from(it.by) << bits) - u128::from(it.by);
        let apart = places(*self) & places(other) == 0;
        let mine = (places(*self) >> 32) as u32 & other.mask == 0;
        let its = (places(other) >> 32) as u32 & self.mask == 0;
        let joined = (self.word, self.half) == (other.word, other.half) && apart && mine && its;
        if joined {
            self.by |= other.by;
            self.mask |= other.mask;
        }
        joined
    }

    #[inline(always)]
    pub(super) fn fill(&self, halves: &[u32; 2 * OPERANDS], code: &mut [u32; WORDS]) {
        let half = halves[usize::from(self.half) % halves.len()];
        let bits = (u64::from(half).wrapping_mul(self.by) >> 32) as u32 & self.mask;
        code[usize::from(self.word) % WORDS] ^= bits;
    }
}

/// Operands as [`Deposit`]s take them.
#[inline(always)]
pub(super) fn halves(values: &[u64]) -> [u32; 2 * OPERANDS] {
    let mut halves = [0; 2 * OPERANDS];
    for (to, &value) in halves.as_chunks_mut().0.iter_mut().zip(values) {
        *to = [value as u32, (value >> 32) as u32];
    }
    halves
}

bitflags::bitflags! {
    /// What is not done for every row.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Extra: u8 {
        /// With its slot it takes more than half of a row's words.
        const LONG = 1;
        /// It has others than the one hole that every row fills.
        const HOLES = 1 << 1;
        /// That takes more than a quarter of the deposits that a row has room for.
        const MORE_HOLES = 1 << 2;
        /// It takes more than half of them.
        const MANY_HOLES = 1 << 3;
        /// There are registers among its operands, or others than the first that have a range.
        const OPERANDS = 1 << 4;
        /// It branches by `tbz`, `tbnz` or `b`, whose notes are not among those that are counted in a run.
        const SELDOM = 1 << 5;
        /// It is not to be used: the micro-op has none.
        const UNUSABLE = 1 << 6;
        /// It has not been made.
        const UNMADE = 1 << 7;
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

    /// Whether a value is among them. `from_zero` says that the lowest is zero, if it is known.
    #[inline(always)]
    pub(super) fn has(&self, value: u64, from_zero: bool) -> bool {
        debug_assert!(!from_zero || self.min == 0);
        let min = if from_zero { 0 } else { self.min };
        value.wrapping_sub(min) < self.count
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

/// Notes of the two kinds that most are of: branches whose displacement has 19 bits, and calls. 32 bits each, so that one
/// addition counts both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts(u64);

impl Counts {
    pub(super) const fn new(branches: u32, calls: u32) -> Counts {
        Counts(branches as u64 | (calls as u64) << 32)
    }

    /// How many of a kind there are that is counted, or of the other one.
    #[inline(always)]
    pub(super) fn of(self, kind: Counted) -> usize {
        (self.0 >> kind as u32) as u32 as usize
    }
}

/// The kinds that are counted, and where each one's bits begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Counted {
    Branches = 0,
    Calls = 32,
}

impl AddAssign for Counts {
    #[inline(always)]
    fn add_assign(&mut self, more: Counts) {
        // A trace has fewer words than 2^26, and no more notes.
        self.0 = self.0.wrapping_add(more.0);
    }
}

/// A reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refers {
    at: u8,
    pub(super) kind: NoteKind,
    /// The kind among those that are counted, if it is one of them.
    pub(super) counted: Counted,
    pub(super) is_there: bool,
}

impl Refers {
    /// Nothing: its note is written, as a call's is, and not counted.
    const NOTHING: Refers = Refers {
        at: 0,
        kind: NoteKind::Call,
        counted: Counted::Calls,
        is_there: false,
    };

    /// The instruction, in words from the micro-op's first.
    #[inline(always)]
    pub(super) fn at(self) -> u32 {
        self.at.into()
    }
}

/// A micro-op as it is pushed by its row. What all take comes first: two lines of the cache.
///
/// Its operands come [arranged](crate::op::MicroOp::arranged): what it refers to is the last value, however many there are to
/// spare in front, and the others are in their order from the first on.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Row {
    /// The micro-op's words, and the NOP that may become its slot: the first of them.
    pub(super) words: [u32; HALF],
    /// The holes, if they are all of the first operand, moved as far, and in the first of the words.
    pub(super) bits: Bits,
    /// Its number in its set.
    pub(super) index: u16,
    pub(super) goes_on: bool,
    /// A bit for each operand that is a general-purpose register.
    pub(super) registers: u8,
    /// What it adds to a run's sums: its words with those of its slot, the latter, and itself.
    pub(super) step: Sums,
    /// What it refers to is named by a handle if these are ones.
    pub(super) handles: u64,
    pub(super) quick: Quick,
    /// The notes that it takes of the kinds that are counted: one, or none.
    pub(super) notes: Counts,
    pub(super) extra: Extra,
    /// What the micro-op refers to, if it does.
    pub(super) refers: Refers,
    /// The range of the first operand. Handles are not looked at here.
    pub(super) range: Range,
    /// How many operands it has.
    pub(super) operands: u8,
    /// The other words.
    pub(super) more_words: [u32; HALF],
    /// What fills all holes, where [`hole`](Row::hole) is not enough.
    pub(super) deposits: [Deposit; DEPOSITS],
    /// The ranges of the other operands.
    pub(super) more_ranges: [Range; OPERANDS - 1],
}

const _: () = assert!(size_of::<Row>() == 384);

impl Row {
    /// A row that is not to be used.
    pub(super) const NONE: Row = Row {
        words: [NOP; HALF],
        step: Sums::new(0, 0, 0),
        handles: 0,
        quick: Quick::NONE,
        notes: Counts::new(0, 0),
        bits: Bits::NONE,
        index: 0,
        goes_on: false,
        extra: Extra::UNUSABLE,
        refers: Refers::NOTHING,
        range: Range::ALL,
        registers: 0,
        operands: 0,
        more_words: [NOP; HALF],
        deposits: [Deposit::NONE; DEPOSITS],
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
            operands: op.operand_count() as u8,
            ..Row::NONE
        };
        let destination = op.destination();
        match (references, destination) {
            _ if !fits => return None,
            ([], None) => {}
            ([reference], Some(it)) if usize::from(reference.argument) == it => {
                row.refer(reference)?
            }
            _ => return None,
        }
        let slot = if row.goes_on { slot } else { 0 };
        row.step = Sums::new(words.len() as u32 + slot, slot, 1);
        for (to, &word) in row.words.iter_mut().chain(&mut row.more_words).zip(words) {
            *to = word;
        }
        row.extra.set(Extra::LONG, words.len() >= HALF);
        let mut holes = holes.to_vec();
        for hole in &mut holes {
            let is_behind = destination.is_some_and(|it| it < usize::from(hole.operand));
            hole.operand -= u8::from(is_behind);
        }
        row.take_holes(op.set, &holes)?;
        // What it refers to is looked at where that is.
        let operands = op.operands().iter().enumerate();
        let others = operands.filter(|&(index, _)| destination != Some(index));
        for (index, (_, operand)) in others.enumerate() {
            if operand.kind.is_handle() {
                return None;
            }
            let range = op.set.ranges.get(usize::from(operand.range))?;
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
        if row.extra.is_empty() {
            row.quick = Quick::all_of(row.range);
        }
        Some(row)
    }

    /// Unfolds the holes.
    fn take_holes(&mut self, set: &MicroOpSet, holes: &[Hole]) -> Option<()> {
        let mut bits = Bits::NONE;
        match holes.iter().all(|hole| bits.take(hole).is_some()) {
            true => self.bits = bits,
            false => self.extra.insert(Extra::HOLES),
        }
        let mut count = 0;
        for hole in holes {
            if hole.map != Map::IDENTITY {
                return None;
            }
            let range = set.ranges.get(usize::from(hole.range))?;
            let is_short = range.min == 0 && range.span <= u32::MAX.into();
            let bits = if is_short {
                64 - range.span.leading_zeros()
            } else {
                32
            };
            // The lower half of the operand, and the upper one.
            let low = hole.width.min(32u8.saturating_sub(hole.source));
            for (done, width) in [(0, low), (low, hole.width - low)] {
                if width == 0 {
                    continue;
                }
                let deposit = Deposit::new(hole, hole.source + done, hole.target + done, width)?;
                let known = self.deposits.get_mut(..count)?;
                if !known.iter_mut().any(|known| known.join(deposit, bits)) {
                    *self.deposits.get_mut(count)? = deposit;
                    count += 1;
                }
            }
        }
        self.extra.set(Extra::MORE_HOLES, count > DEPOSITS / 4);
        self.extra.set(Extra::MANY_HOLES, count > DEPOSITS / 2);
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
        self.refers = Refers {
            at: u8::try_from(reference.word).ok()?,
            kind,
            counted: match kind {
                NoteKind::Call => Counted::Calls,
                _ => Counted::Branches,
            },
            is_there: true,
        };
        match kind {
            NoteKind::Imm19 => self.notes = Counts::new(1, 0),
            NoteKind::Call => self.notes = Counts::new(0, 1),
            _ => self.extra.insert(Extra::SELDOM),
        }
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

    /// The number of the set that they are of.
    #[inline(always)]
    pub(super) fn number(&self) -> u16 {
        self.number
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
            if row.refers.is_there {
                *words_of_note = (*words_of_note).min(row.step.words() as usize);
            }
        }
    }

    fn swap(&mut self, number: u16) {
        std::mem::swap(&mut self.others[usize::from(number)], &mut self.recent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::bake::patch;
    use crate::op::template;
    use crate::testing::Numbers;

    /// How many bits operands may have.
    const BITS: [u8; 7] = [1, 5, 12, 16, 32, 33, 64];

    const RANGES: [template::Range; 7] = {
        let mut ranges = [template::Range { min: 0, span: 0 }; 7];
        let mut index = 0;
        while index < BITS.len() {
            ranges[index].span = u64::MAX >> (64 - BITS[index]);
            index += 1;
        }
        ranges
    };

    const SET: MicroOpSet = MicroOpSet {
        ranges: &RANGES,
        ..MicroOpSet::EMPTY
    };

    /// Holes of two operands in two words, wherever they can be, and values up to the most that the operands may be.
    #[test]
    fn rows_move_what_holes_say() {
        let mut numbers = Numbers(1);
        let mut below = |end| numbers.below(end);
        let (mut joined, mut only) = (0, 0);
        for _ in 0..20_000 {
            let kinds = [0; 2].map(|_| below(BITS.len() as u64) as u16);
            let bits = kinds.map(|kind| BITS[usize::from(kind)]);
            // No two of them in the same bits.
            let (mut free, mut holes) = ([u32::MAX; 2], Vec::new());
            for _ in 0..1 + below(6) {
                let (word, operand) = (below(2) as u16, below(2) as u8);
                let source = below(bits[usize::from(operand)].into()) as u8;
                let target = below(32) as u8;
                let most = (bits[usize::from(operand)] - source).min(32 - target);
                let width = 1 + below(most.into()) as u8;
                let mask = u32::MAX >> (32 - width) << target;
                if free[usize::from(word)] & mask == mask {
                    free[usize::from(word)] &= !mask;
                    holes.push(Hole {
                        word,
                        operand,
                        source,
                        target,
                        width,
                        map: Map::IDENTITY,
                        range: kinds[usize::from(operand)],
                    });
                }
            }
            let mut row = Row::NONE;
            if row.take_holes(&SET, &holes).is_none() {
                // Those that cross the middle of their operand take two.
                assert!(holes.len() > DEPOSITS / 2, "{holes:?}");
                continue;
            }
            let count = row.deposits.iter().filter(|it| it.mask != 0).count();
            joined += usize::from(count < holes.len());
            for most in [u64::MAX, 0x5555_5555_5555_5555, 1 << 31, 0] {
                let values = bits.map(|bits| most & u64::MAX >> (64 - bits));
                let mut expected = [7; WORDS];
                for hole in &holes {
                    let bits = patch(*hole, values[usize::from(hole.operand)]);
                    expected[usize::from(hole.word)] ^= bits;
                }
                let halves = halves(&values);
                let mut code = [7; WORDS];
                row.deposits
                    .iter()
                    .for_each(|it| it.fill(&halves, &mut code));
                assert_eq!(code, expected, "{holes:?} {values:x?}");
                if !row.extra.contains(Extra::HOLES) {
                    row.words = [7; HALF];
                    let mut code = [7; WORDS];
                    row.fill(values[0], &mut code);
                    assert_eq!(code, expected, "{holes:?} {values:x?}");
                    only += 1;
                }
            }
        }
        assert!(joined > 500 && only > 500, "{joined}, {only}");
    }
}
