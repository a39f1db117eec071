//! What a builder remembers of the trace it is building.

use crate::op::encode::Op;
use crate::op::template::MicroOpSet;

/// A place that code can lead to: a label, an exit, the cold part of a micro-op, or the hot part that
/// a cold one belongs to.
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
    const SHIFT: u32 = 30;

    /// How many places of one kind there can be.
    pub(crate) const LIMIT: usize = 1 << Place::SHIFT;

    pub(crate) fn label(index: u32) -> Place {
        Place(index)
    }

    pub(crate) fn exit(index: u32) -> Place {
        Place(1 << Place::SHIFT | index)
    }

    /// A cold part, by its number.
    pub(crate) fn cold(index: u32) -> Place {
        Place(2 << Place::SHIFT | index)
    }

    /// The hot part that belongs to the cold part of that number.
    pub(crate) fn hot(index: u32) -> Place {
        Place(3 << Place::SHIFT | index)
    }

    /// The place so many words behind it, as a number of its own.
    pub(crate) fn key(self, inner: u16) -> u64 {
        u64::from(self.0) << 16 | u64::from(inner)
    }

    fn index(self) -> usize {
        (self.0 & (Place::LIMIT as u32 - 1)) as usize
    }

    pub(crate) fn kind(self) -> PlaceKind {
        let index = self.index();
        match self.0 >> Place::SHIFT {
            0 => PlaceKind::Label(index),
            1 => PlaceKind::Exit(index),
            2 => PlaceKind::Cold(index),
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

/// Where the places of a trace lie, in words: labels, exits, cold parts, and the hot parts that belong to those.
#[derive(Debug, Default)]
pub(crate) struct Places([Vec<u32>; 4]);

impl Places {
    pub(crate) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    #[inline]
    pub(crate) fn offset(&self, place: Place) -> u32 {
        let offsets = &self.0[(place.0 >> Place::SHIFT) as usize];
        // What was not made has no place: a micro-op of somebody's own making may name it.
        offsets.get(place.index()).copied().unwrap_or(UNPLACED)
    }

    pub(crate) fn labels(&self) -> &[u32] {
        &self.0[0]
    }

    pub(crate) fn labels_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[0]
    }

    pub(crate) fn exits(&self) -> &[u32] {
        &self.0[1]
    }

    pub(crate) fn exits_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[1]
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn cold(&self) -> &[u32] {
        &self.0[2]
    }

    pub(crate) fn cold_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[2]
    }

    pub(crate) fn hot_mut(&mut self) -> &mut Vec<u32> {
        &mut self.0[3]
    }
}

/// A branch whose displacement is not written yet. Those of one field are kept together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Branch {
    /// The instruction, in words.
    pub(crate) at: u32,
    pub(crate) place: Place,
    /// Words behind the place.
    pub(crate) inner: u16,
}

/// A `bl` or `b` to a call target. Written when the trace is linked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallSite {
    /// The instruction, in words.
    pub(crate) at: u32,
    /// The number of the target among the trace's targets; set by `finish`.
    pub(crate) number: u32,
    /// [`Target::key`](crate::op::operand::Target::key).
    pub(crate) target: u64,
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
pub(crate) struct Sets(Vec<&'static MicroOpSet>);

impl Sets {
    pub(crate) fn all(&self) -> &[&'static MicroOpSet] {
        &self.0
    }

    /// The number of `set`. Most traces draw on one or two.
    #[inline]
    pub(crate) fn number(&mut self, set: &'static MicroOpSet) -> Option<u16> {
        let at = match self.0.iter().position(|&known| std::ptr::eq(known, set)) {
            Some(at) => at,
            None => {
                self.0.push(set);
                self.0.len() - 1
            }
        };
        u16::try_from(at).ok()
    }

    #[inline]
    pub(crate) fn op(&self, pushed: Pushed) -> Option<Op> {
        Op::new(
            self.0.get(usize::from(pushed.set))?,
            usize::from(pushed.index),
        )
    }
}
