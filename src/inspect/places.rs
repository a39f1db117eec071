//! What lies where in a linked trace, and what it is called.
//!
//! Offsets are in words from the trace's start.

use std::ops::Range;

use super::Symbols;
use super::around::Around;
use crate::asm::BTI_C;
use crate::asm::branch::{self, Field};
use crate::link::{LinkedTrace, Part};
use crate::op::encode::Op;
use crate::op::operand::Target;
use crate::trace::emit;
use crate::trace::state::{Island, Origin, Pushed};

/// The name of a place that something can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Exit(u32),
    Label(u32),
    Cold(Origin),
}

impl Name {
    pub(super) fn text(self) -> String {
        match self {
            Name::Exit(exit) => format!("exit {exit}"),
            Name::Label(label) => format!("label {label}"),
            Name::Cold(Origin::Part(op)) => format!("op {op} (cold)"),
            Name::Cold(Origin::Exit(exit)) => format!("exit {exit} (cold)"),
        }
    }
}

/// One part of a micro-op in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Where its words start, behind the NOP of its invalidation point or its link.
    pub(super) start: u32,
    pub(super) op: Pushed,
    /// The micro-op of the trace, or the exit, that it belongs to.
    pub(super) origin: Origin,
    /// Whether it is a cold part.
    pub(super) cold: bool,
}

impl Block {
    /// Whether `other` is a part of the same micro-op.
    pub(super) fn belongs_with(&self, other: &Block) -> bool {
        self.origin == other.origin && self.op == other.op
    }
}

/// The places of a trace, sorted to be found.
pub(super) struct Places<'t> {
    pub(super) trace: &'t LinkedTrace,
    pub(super) symbols: &'t Symbols,
    pub(super) around: &'t Around,
    names: Vec<(u32, Name)>,
    /// The words that hold a far target's address.
    pub(super) words: Vec<(u32, Target)>,
    /// The words of changeable literals, and their numbers.
    pub(super) mutables: Vec<(u32, usize)>,
    /// The NOPs in front of exits that can be linked.
    links: Vec<u32>,
}

impl<'t> Places<'t> {
    pub(super) fn new(
        trace: &'t LinkedTrace,
        symbols: &'t Symbols,
        around: &'t Around,
    ) -> Places<'t> {
        let known = &trace.annotations().places;
        let exits = (0..).zip(&known.exits).filter_map(|(number, &(same, _))| {
            let &(_, offset) = known.exits.get(same as usize)?;
            Some((offset, Name::Exit(number)))
        });
        let labels = (0..).zip(&known.labels);
        let labels = labels.map(|(number, &offset)| (offset, Name::Label(number)));
        let parts = known.parts.iter();
        let parts = parts.map(|&(offset, origin)| (offset, Name::Cold(origin)));
        let code = trace.range(Part::Trampolines).start / 4;
        let names = exits.chain(labels).chain(parts);
        let mut names: Vec<_> = names.filter(|&(offset, _)| offset < code).collect();
        names.sort_by_key(|&(offset, _)| offset);

        let mutables = trace.mutable_words().iter().enumerate();
        let mutables = mutables.filter_map(|(number, &word)| Some((word?.at / 4, number)));
        let mut mutables: Vec<_> = mutables.collect();
        mutables.sort_unstable();

        let mut links = known.links.clone();
        links.sort_unstable();

        let mut places = Places {
            trace,
            symbols,
            around,
            names,
            words: Vec::new(),
            mutables,
            links,
        };
        let trampolines = trace.map().trampolines().iter();
        let words = trampolines.filter_map(|&(at, target)| {
            let word = Field::Imm19.displacement(places.word(at)?) + i64::from(at);
            Some((u32::try_from(word).ok()?, target))
        });
        places.words = words.collect();
        places.words.sort_unstable();
        places
    }

    /// Where code is.
    pub(super) fn code(&self) -> Range<u32> {
        0..self.trace.range(Part::Trampolines).start / 4
    }

    /// Where the NOP of the entry is: first, or behind the landing pad.
    pub(super) fn entry(&self) -> u32 {
        u32::from(self.word(0) == Some(BTI_C))
    }

    pub(super) fn word(&self, at: u32) -> Option<u32> {
        let at = at as usize * 4;
        let bytes = self.trace.bytes().get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Where the branch at `at` leads to, if that is in the trace.
    pub(super) fn leads_to(&self, at: u32) -> Option<u32> {
        let word = self.word(at)?;
        let words = branch::branch_field(word)?.displacement(word);
        u32::try_from(i64::from(at) + words).ok()
    }

    /// The literal at `at`.
    pub(super) fn value(&self, at: u32) -> Option<u64> {
        let (low, high) = (self.word(at)?, self.word(at + 1)?);
        Some(u64::from(high) << 32 | u64::from(low))
    }

    pub(super) fn address(&self, at: i64) -> u64 {
        self.trace.address().wrapping_add((at * 4) as u64)
    }

    /// Whether the word at `at` is the NOP in front of an exit that can be linked.
    pub(super) fn is_linkable(&self, at: u32) -> bool {
        self.links.binary_search(&at).is_ok()
    }

    /// The exits that invalidation lets the NOP at `at` lead to.
    pub(super) fn points_at(&self, at: u32) -> impl Iterator<Item = Name> {
        // They were noted in the order of the code.
        let points = &self.trace.annotations().places.points;
        let first = points.partition_point(|point| point.at < at);
        let here = points[first..].iter();
        here.take_while(move |point| point.at == at)
            .map(|point| Name::Exit(point.exit))
    }

    /// The names of the place at `at`: exits first, then labels, then cold parts.
    pub(super) fn names_at(&self, at: u32) -> impl Iterator<Item = Name> {
        let first = self.names.partition_point(|&(offset, _)| offset < at);
        let here = self.names[first..].iter();
        here.take_while(move |&&(offset, _)| offset == at)
            .map(|&(_, name)| name)
    }

    pub(super) fn island_at(&self, at: u32) -> Option<Island> {
        let islands = &self.trace.annotations().islands;
        let behind = islands.partition_point(|island| island.start <= at);
        let island = islands.get(behind.checked_sub(1)?)?;
        (at < island.end).then_some(*island)
    }

    /// The part of a micro-op that the code at `at` came from, a continuation slot included.
    pub(super) fn block_at(&self, at: u32) -> Option<Block> {
        let known = self.trace.annotations();
        if self.island_at(at).is_some() {
            return None;
        }
        if self.is_hot(at) {
            let number = known.hot.partition_point(|r| r.at <= at).checked_sub(1)?;
            return self.hot(number);
        }
        let number = known.cold.partition_point(|(record, _)| record.at <= at);
        self.cold(number.checked_sub(1)?)
    }

    /// The parts of micro-ops that start at `at`: several if some have no instructions.
    pub(super) fn blocks_from(&self, at: u32) -> Vec<Block> {
        let known = self.trace.annotations();
        if self.is_hot(at) {
            let first = known.hot.partition_point(|record| record.at < at);
            let behind = known.hot.partition_point(|record| record.at <= at);
            return (first..behind).filter_map(|n| self.hot(n)).collect();
        }
        let first = known.cold.partition_point(|(record, _)| record.at < at);
        let behind = known.cold.partition_point(|(record, _)| record.at <= at);
        (first..behind).filter_map(|n| self.cold(n)).collect()
    }

    fn is_hot(&self, at: u32) -> bool {
        at < self.trace.range(Part::Hot).end / 4
    }

    fn hot(&self, number: usize) -> Option<Block> {
        let record = self.trace.annotations().hot.get(number)?;
        Some(Block {
            start: self.behind_nop(record.at),
            op: record.op,
            origin: Origin::Part(number as u32),
            cold: false,
        })
    }

    fn cold(&self, number: usize) -> Option<Block> {
        let &(record, origin) = self.trace.annotations().cold.get(number)?;
        Some(Block {
            start: self.behind_nop(record.at),
            op: record.op,
            origin,
            cold: self.names_at(record.at).any(|n| n == Name::Cold(origin)),
        })
    }

    fn behind_nop(&self, at: u32) -> u32 {
        let own = self.is_linkable(at) || self.points_at(at).next().is_some();
        at + u32::from(own)
    }

    /// The micro-op of a block, and the operands it was pushed with.
    pub(super) fn op(&self, block: &Block) -> Option<(Op, &'t [u64])> {
        let known = self.trace.annotations();
        let set = known.sets.get(usize::from(block.op.set))?;
        let op = Op::new(set, usize::from(block.op.index))?;
        let start = block.op.values as usize;
        Some((op, known.values.get(start..start + op.operand_count())?))
    }

    pub(super) fn part(block: &Block) -> emit::Part {
        if block.cold {
            emit::Part::Cold
        } else {
            emit::Part::Hot
        }
    }

    /// Whether the word at `at` is the continuation slot of the block.
    pub(super) fn is_slot(&self, at: u32, block: &Block) -> bool {
        self.op(block).is_some_and(|(op, _)| {
            at.wrapping_sub(block.start) == Places::part(block).of(op).words.len() as u32
                && !block.cold
        })
    }
}
