//! What a builder remembers of the trace it is building.

use crate::op::encode::Op;
use crate::op::template::MicroOpSet;

/// A place that code can lead to: a label, an exit, the cold part of a micro-op, or the hot part that
/// a cold one belongs to. The kinds of the first two are numbered like [`Goal`](crate::op::template::Goal)s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

/// A [`Place`], taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    Label(usize),
    Exit(usize),
    Cold(usize),
    Hot(usize),
}

impl Place {
    pub(super) const SHIFT: u32 = 29;

    /// How many places of one kind there can be.
    pub(crate) const LIMIT: usize = 1 << Place::SHIFT;

    /// The bits that are its number among those of its kind.
    pub(super) const INDEX: u32 = Place::LIMIT as u32 - 1;

    pub(crate) fn label(index: u32) -> Place {
        Place(1 << Place::SHIFT | index)
    }

    pub(crate) fn exit(index: u32) -> Place {
        Place(2 << Place::SHIFT | index)
    }

    /// A cold part, by its number.
    pub(crate) fn cold(index: u32) -> Place {
        Place(3 << Place::SHIFT | index)
    }

    /// The hot part that belongs to the cold part of that number.
    pub(crate) fn hot(index: u32) -> Place {
        Place(4 << Place::SHIFT | index)
    }

    /// The place so many words behind it, as a number of its own.
    pub(crate) fn key(self, inner: u32) -> u64 {
        u64::from(self.0) << 32 | u64::from(inner)
    }

    fn index(self) -> usize {
        (self.0 & Place::INDEX) as usize
    }

    pub(crate) fn kind(self) -> PlaceKind {
        let index = self.index();
        match self.0 >> Place::SHIFT {
            0 | 1 => PlaceKind::Label(index),
            2 => PlaceKind::Exit(index),
            3 => PlaceKind::Cold(index),
            _ => PlaceKind::Hot(index),
        }
    }
}

/// An offset in a trace, in words; `UNPLACED` until it is known. Traces are shorter than 2^26 words,
/// the reach of `b` in both directions.
pub(crate) const UNPLACED: u32 = u32::MAX;

/// The offset of a label that is bound in front of the next micro-op, whose place is settled with it.
pub(crate) const HERE: u32 = u32::MAX - 1;

/// The offset of a label that is bound behind the last micro-op of a trace that is being finished: no
/// code of the trace follows, and what is cold is not its place.
pub(crate) const OFF_END: u32 = u32::MAX - 2;

/// The offset of an exit that nothing leads to so far: it will have none.
pub(crate) const UNWANTED: u32 = u32::MAX - 3;

/// Whether an offset is a place in the code, and none of the above.
pub(crate) const fn is_placed(offset: u32) -> bool {
    offset < UNWANTED
}

/// Where the places of a trace lie, in words, by their kinds: labels, exits, cold parts, and the hot parts that belong
/// to those. The first kind has one place, which nothing leads to: whatever is pushed looks a place up, and
/// a call, which has none, looks there.
#[derive(Debug)]
pub(crate) struct Places([Vec<u32>; 5]);

impl Default for Places {
    fn default() -> Self {
        Places([vec![0], Vec::new(), Vec::new(), Vec::new(), Vec::new()])
    }
}

impl Places {
    pub(crate) fn clear(&mut self) {
        self.0.iter_mut().skip(1).for_each(Vec::clear);
    }

    #[inline]
    pub(crate) fn offset(&self, place: Place) -> u32 {
        // What was not made has no place: a micro-op of somebody's own making may name it.
        let offset = self.of_kind((place.0 >> Place::SHIFT) as usize, place.index());
        offset.unwrap_or(UNPLACED)
    }

    /// The offset of a place, if there is one of that kind and number.
    #[inline(always)]
    pub(crate) fn of_kind(&self, kind: usize, index: usize) -> Option<u32> {
        self.0.get(kind)?.get(index).copied()
    }

    /// Makes room for the labels and exits of `other`.
    pub(crate) fn resize_like(&mut self, other: &Places) {
        self.labels_mut().resize(other.labels().len(), UNPLACED);
        self.exits_mut().resize(other.exits().len(), UNPLACED);
    }

    /// Moves a label or an exit for which there is room.
    pub(crate) fn set(&mut self, place: Place, offset: u32) {
        let offsets = &mut self.0[(place.0 >> Place::SHIFT) as usize];
        if let Some(known) = offsets.get_mut(place.index()) {
            *known = offset;
        }
    }

    pub(crate) fn labels(&self) -> &[u32] {
        &self.0[1]
    }

    pub(crate) fn labels_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[1]
    }

    pub(crate) fn exits(&self) -> &[u32] {
        &self.0[2]
    }

    pub(crate) fn exits_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[2]
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn cold(&self) -> &[u32] {
        &self.0[3]
    }

    pub(crate) fn cold_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[3]
    }

    pub(crate) fn hot_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[4]
    }
}

/// A branch or a call whose displacement is not written yet, in 12 bytes. Those of one displacement field are kept
/// together, and so are the calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Note {
    /// The instruction, in words.
    pub(crate) at: u32,
    /// The halves of what it leads to.
    to: [u32; 2],
}

/// The number of the calls' notes; the branches' are those of their [`Field`](crate::asm::branch::Field)s.
pub(crate) const CALLS: usize = 3;

impl Note {
    /// `to` is a place of which a branch leads to the first word, or the operand of a call, whose displacement is
    /// written when the trace is linked.
    #[inline(always)]
    pub(crate) fn new(at: u32, to: u64) -> Note {
        Note {
            at,
            to: [to as u32, (to >> 32) as u32],
        }
    }

    /// A branch to what lies `inner` words behind `place`.
    pub(crate) fn branch(at: u32, place: Place, inner: u16) -> Note {
        Note {
            at,
            to: [place.0, inner.into()],
        }
    }

    /// A branch at `at` to the same words behind `place`.
    pub(crate) fn moved(self, at: u32, place: Place) -> Note {
        Note {
            at,
            to: [place.0, self.to[1]],
        }
    }

    /// Where a branch leads to.
    #[inline]
    pub(crate) fn place(self) -> Place {
        Place(self.to[0])
    }

    /// How many words behind that.
    #[inline]
    pub(crate) fn inner(self) -> u32 {
        self.to[1]
    }

    /// What a call leads to: the operand; in a trace that is finished, the number of the target among the trace's.
    #[inline]
    pub(crate) fn target(self) -> u64 {
        u64::from(self.to[1]) << 32 | u64::from(self.to[0])
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Its number in `Sets`, and its number in that set.
    pub(crate) set: u16,
    pub(crate) index: u16,
    /// Where its operands start in the builder's values.
    pub(crate) values: u32,
}

/// A micro-op and where its code starts, in words.
#[derive(Debug, Clone, Copy)]
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
    /// The label that its last micro-op goes on to.
    pub(crate) jump: Option<Place>,
    /// The exit with the same code that stands for it.
    pub(crate) same_as: u32,
    /// Whether it begins with a NOP, so that it can be linked to another trace.
    pub(crate) linkable: bool,
}

/// Cold code to come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ColdItem {
    Part(u32),
    Exit(u32),
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
    #[cfg_attr(not(feature = "inspect"), allow(dead_code))]
    pub(crate) literals: u32,
    pub(crate) end: u32,
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
