//! Rows: what pushing a micro-op the quick way takes, side by side.
//!
//! A [template](crate::op::template) is kept small and without relocations; what is said of one micro-op stands in
//! half a dozen tables. A builder unfolds it into a row when the micro-op is pushed for the first time. One that does not
//! fit a row is pushed over the tables each time.

use super::state::CALLS;
use crate::op::encode::Op;
use crate::op::operand::OperandKind;
use crate::op::template::{Goal, Hole, Map, MicroOpSet, NO_CLOSING, Reference};

/// The words that a row has room for. They are all copied, whatever the micro-op has: what is too many is overwritten
/// by what follows.
pub(super) const WORDS: usize = 8;

/// The holes that a row has room for.
const HOLES: usize = 8;

/// The operands that a row has room for.
pub(super) const OPERANDS: usize = 4;

/// Bits of an operand, and where they go: `word ^= value.rotate_left(by) & mask`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    mask: u32,
    pub(super) word: u8,
    pub(super) operand: u8,
    by: u8,
}

impl Bits {
    /// None: what leaves every word as it is.
    const NONE: Bits = Bits {
        mask: 0,
        word: 0,
        operand: 0,
        by: 0,
    };

    fn new(hole: &Hole) -> Option<Bits> {
        let (source, target, width) = (hole.source, hole.target, hole.width);
        let bits = u32::MAX.checked_shr(32 - u32::from(width))?;
        (hole.map == Map::IDENTITY).then_some(Bits {
            mask: bits << target,
            word: u8::try_from(hole.word).ok()?,
            operand: hole.operand,
            by: target.wrapping_sub(source) % 64,
        })
    }

    #[inline(always)]
    pub(super) fn of(&self, value: u64) -> u32 {
        value.rotate_left(self.by.into()) as u32 & self.mask
    }
}

/// A micro-op as it is pushed by its row.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Row {
    pub(super) words: [u32; WORDS],
    pub(super) holes: [Bits; HOLES],
    /// For each operand its lowest value, and how far above that it may be. Handles are not looked at here.
    pub(super) mins: [u64; OPERANDS],
    pub(super) spans: [u64; OPERANDS],
    /// The words; in a row that is not to be used, more than a trace has.
    pub(super) len: u32,
    pub(super) hole_count: u8,
    /// A bit for each operand that is a general-purpose register.
    pub(super) registers: u8,
    /// Whether it goes on to the next one: 1 or 0.
    pub(super) goes_on: u8,

    // What the micro-op refers to, if it does.
    /// Where, in words.
    pub(super) at: u8,
    pub(super) operand: u8,
    /// The [`Goal`]; that of a call if there is none.
    pub(super) goal: u8,
    /// All ones if it is named by a handle.
    pub(super) handles: i8,
    /// Which notes are kept of it.
    pub(super) kind: u8,
    /// Whether there is one: how many notes it takes.
    pub(super) notes: u8,
}

const _: () = assert!(size_of::<Row>() == 192);

/// The length in a row that is not to be used.
const UNUSABLE: u32 = super::push::BLOCKED;

/// The length in a row that has not been made.
const UNMADE: u32 = UNUSABLE + 1;

impl Row {
    /// A row that is not to be used.
    const NONE: Row = Row {
        words: [0; WORDS],
        holes: [Bits::NONE; HOLES],
        mins: [0; OPERANDS],
        spans: [u64::MAX; OPERANDS],
        len: UNUSABLE,
        hole_count: 0,
        registers: 0,
        goes_on: 0,
        at: 0,
        operand: 0,
        goal: Goal::Call as u8,
        handles: 0,
        kind: CALLS as u8,
        notes: 0,
    };

    /// The row of a micro-op, if it fits.
    fn new(op: Op) -> Option<Row> {
        let template = op.template;
        let (holes, references) = op.set.notes(template)?;
        let words = op.set.words.get(template.words as usize..)?;
        let words = words.get(..usize::from(template.hot_words))?;
        let plain = !(template.special || template.encoded || op.has_cold_part());
        // One without words does not fill a trace up, so it must be counted.
        let fits = plain
            && template.closing == NO_CLOSING
            && !words.is_empty()
            && words.len() <= WORDS
            && holes.len() <= HOLES
            && op.operand_count() <= OPERANDS;
        let mut row = Row {
            len: template.hot_words.into(),
            hole_count: template.hot_holes,
            goes_on: op.goes_on().into(),
            ..Row::NONE
        };
        match references {
            _ if !fits => return None,
            [] => {}
            [reference] => row.refer(reference)?,
            _ => return None,
        }
        row.words[..words.len()].copy_from_slice(words);
        for (bits, hole) in row.holes.iter_mut().zip(holes) {
            *bits = Bits::new(hole)?;
        }
        for (index, operand) in op.operands().iter().enumerate() {
            let range = op.set.ranges.get(usize::from(operand.range))?;
            // A handle is looked at where the reference leads to.
            if operand.kind.is_handle() {
                (row.notes == 1 && usize::from(row.operand) == index).then_some(())?;
            } else {
                (row.mins[index], row.spans[index]) = (range.min, range.span);
            }
            row.registers |= u8::from(operand.kind == OperandKind::Reg) << index;
        }
        Some(row)
    }

    /// Notes what it refers to.
    fn refer(&mut self, reference: &Reference) -> Option<()> {
        self.at = u8::try_from(reference.word).ok()?;
        self.operand = u8::try_from(reference.argument).ok()?;
        (self.goal, self.notes) = (reference.goal as u8, 1);
        match reference.goal {
            Goal::Call => {}
            Goal::Label | Goal::Exit => {
                (self.kind, self.handles) = (reference.field as u8, -1);
            }
            _ => return None,
        }
        Some(())
    }
}

/// The rows of the micro-ops that were pushed.
#[derive(Debug)]
pub(super) struct Rows {
    /// The set of the micro-op that was pushed last, and its number; `rows` are those of its micro-ops.
    pub(super) set: &'static MicroOpSet,
    number: u16,
    pub(super) rows: Vec<Row>,
    /// Of the other sets, by their numbers.
    others: Vec<Vec<Row>>,
}

impl Default for Rows {
    fn default() -> Self {
        Rows {
            set: const { &MicroOpSet::EMPTY },
            number: 0,
            rows: Vec::new(),
            others: Vec::new(),
        }
    }
}

impl Rows {
    /// Whether the row of a micro-op has been made, be it as one that is not to be used, and is found quickly.
    pub(super) fn has_made(&self, set: &'static MicroOpSet, index: usize) -> bool {
        let row = self.rows.get(index).filter(|row| row.len != UNMADE);
        std::ptr::eq(self.set, set) && row.is_some()
    }

    /// Makes the row of a micro-op, if it is not made, and finds those of its set quickly from now on.
    pub(super) fn prepare(&mut self, op: Op, number: u16) {
        if !std::ptr::eq(self.set, op.set) {
            let most = usize::from(self.number.max(number));
            if self.others.len() <= most {
                self.others.resize_with(most + 1, Default::default);
            }
            self.swap(self.number);
            self.swap(number);
            (self.set, self.number) = (op.set, number);
        }
        if self.rows.is_empty() {
            let unmade = Row {
                len: UNMADE,
                ..Row::NONE
            };
            self.rows.resize(op.set.len(), unmade);
        }
        let row = &mut self.rows[usize::from(op.index)];
        if row.len == UNMADE {
            *row = Row::new(op).unwrap_or(Row::NONE);
        }
    }

    fn swap(&mut self, number: u16) {
        std::mem::swap(&mut self.others[usize::from(number)], &mut self.rows);
    }
}
