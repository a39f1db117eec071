//! A trace linked to an address, and what can be asked of it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{Plan, Statistics};
#[cfg(feature = "inspect")]
use crate::asm::TRAMPOLINE;
use crate::op::operand::{MutLiteral, Target};
use crate::op::template::MicroOpInfo;
use crate::trace::Trace;
use crate::trace::state::{Island, MutableWord, Origin, Record};
use crate::trace::view::Annotations;

/// A section of a linked trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The micro-ops in their order, and islands between them.
    Hot,
    /// Cold parts of micro-ops and exits, and islands between them.
    Cold,
    /// Trampolines, but for those in islands, and the padding behind them.
    Trampolines,
    /// The literal pool.
    Literals,
}

/// What lies where in a linked trace, its bytes and its address apart. Offsets are in bytes from the trace's
/// start.
#[derive(Debug)]
pub(crate) struct Map {
    /// Where cold code, trampolines and literals start, and where these end.
    starts: [u32; 4],
    /// The targets that are called through trampolines among the bytes, in the order of these.
    far: Vec<Target>,
    /// The trampolines in their order, in words: those behind the code, and all that islands have.
    #[cfg(feature = "inspect")]
    trampolines: Vec<(u32, Target)>,
    /// The changeable literals' words in the pool or in islands, by their numbers.
    mutables: Vec<Option<MutableWord>>,
    tag: u32,
    /// As [`Trace::link_sites`] and [`Trace::points`] say.
    link_sites: Vec<(u32, Option<u32>)>,
    points: Vec<(u32, u32)>,
    statistics: Statistics,
    annotations: Annotations,
}

impl Map {
    pub(super) fn new(trace: &Trace<'_>, plan: &Plan) -> Map {
        let pool = plan.literals + 2 * plan.added;
        Map {
            starts: [
                trace.hot_len() as u32,
                plan.trampolines * 4,
                plan.literals * 4,
                plan.end * 4,
            ],
            statistics: plan.statistics(trace),
            far: plan.far_targets(trace).collect(),
            #[cfg(feature = "inspect")]
            trampolines: plan.all_trampolines(trace).collect(),
            mutables: trace.mutable_words(pool),
            tag: trace.tag(),
            link_sites: trace.link_sites().collect(),
            points: trace.points().collect(),
            annotations: trace.annotations(),
        }
    }

    pub(crate) fn range(&self, part: Part) -> Range<u32> {
        let [cold, trampolines, literals, end] = self.starts;
        match part {
            Part::Hot => 0..cold,
            Part::Cold => cold..trampolines,
            Part::Trampolines => trampolines..literals,
            Part::Literals => literals..end,
        }
    }

    pub(crate) fn part_at(&self, offset: u32) -> Option<Part> {
        [Part::Hot, Part::Cold, Part::Trampolines, Part::Literals]
            .into_iter()
            .find(|&part| self.range(part).contains(&offset))
    }

    /// Whether what lies at `offset` belongs to an island.
    pub(crate) fn is_in_island(&self, offset: u32) -> bool {
        let (islands, word) = (&self.annotations.islands, offset / 4);
        let before = islands.partition_point(|island| island.start <= word);
        let last = before.checked_sub(1).and_then(|last| islands.get(last));
        last.is_some_and(|island| word < island.end)
    }

    /// The trampoline that the word at `at` belongs to: where it starts, and its target.
    #[cfg(feature = "inspect")]
    pub(crate) fn trampoline_at(&self, at: u32) -> Option<(u32, Target)> {
        let behind = self.trampolines.partition_point(|&(start, _)| start <= at);
        let &(start, target) = self.trampolines.get(behind.checked_sub(1)?)?;
        (at < start + TRAMPOLINE).then_some((start, target))
    }

    pub(crate) fn op_at(&self, offset: u32) -> Option<OpAt<'_>> {
        let (known, word) = (&self.annotations, offset / 4);
        if self.is_in_island(offset) {
            return None;
        }
        match self.part_at(offset)? {
            Part::Hot => {
                let number = known.hot.partition_point(|r| r.at <= word).checked_sub(1)?;
                Some(OpAt::new(known, known.hot[number], OpPlace::Hot(number)))
            }
            Part::Cold => {
                let number = known.cold.partition_point(|(r, _)| r.at <= word);
                let (record, origin) = known.cold[number.checked_sub(1)?];
                let place = match origin {
                    Origin::Part(op) => OpPlace::Cold(op as usize),
                    Origin::Exit(exit) => OpPlace::Exit(exit as usize),
                };
                Some(OpAt::new(known, record, place))
            }
            _ => None,
        }
    }

    /// Whether what lies at `offset` comes before the first micro-op.
    #[cfg(feature = "inspect")]
    pub(crate) fn is_entry(&self, offset: u32) -> bool {
        let first = self.annotations.hot.first();
        first.is_some_and(|first| offset < first.at * 4)
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn name(&self) -> Option<&str> {
        self.annotations.name.as_deref()
    }

    /// All trampolines in their order, where each starts, in words.
    #[cfg(feature = "inspect")]
    pub(crate) fn trampolines(&self) -> &[(u32, Target)] {
        &self.trampolines
    }
}

/// A trace linked to an address: its final bytes, and all that is known of them.
#[derive(Debug, Clone)]
pub struct LinkedTrace {
    address: u64,
    bytes: Vec<u8>,
    map: Arc<Map>,
    /// Whether the bytes are those of a trace in a slab, which may lead to others there.
    installed: bool,
}

impl LinkedTrace {
    /// `bytes` are those that `map` is about, linked to `address`.
    pub(crate) fn new(address: u64, bytes: Vec<u8>, map: Arc<Map>) -> LinkedTrace {
        debug_assert_eq!(bytes.len(), map.range(Part::Literals).end as usize);
        LinkedTrace {
            address,
            bytes,
            map,
            installed: false,
        }
    }

    /// The same, of bytes as they are in a slab.
    #[cfg(feature = "inspect")]
    pub(crate) fn of_installed(address: u64, bytes: Vec<u8>, map: Arc<Map>) -> LinkedTrace {
        LinkedTrace {
            installed: true,
            ..LinkedTrace::new(address, bytes, map)
        }
    }

    /// Whether the bytes are as they were in a slab.
    pub(crate) fn is_of_installed(&self) -> bool {
        self.installed
    }

    /// The address that the trace is linked to. Its entry is its first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The final bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What its builder [named](crate::TraceBuilder::set_name) it.
    #[cfg(feature = "inspect")]
    pub fn name(&self) -> Option<&str> {
        self.map.name()
    }

    /// What the trace consists of.
    pub fn statistics(&self) -> Statistics {
        self.map.statistics
    }

    /// The bytes of a section, counted from the trace's start.
    pub fn range(&self, part: Part) -> Range<u32> {
        self.map.range(part)
    }

    /// The section that an offset in bytes from the trace's start lies in.
    pub fn part_at(&self, offset: u32) -> Option<Part> {
        self.map.part_at(offset)
    }

    /// The micro-op that the instruction at an offset, in bytes from the trace's start, came from. A
    /// continuation slot belongs to the micro-op before it.
    ///
    /// `None` for the entry NOP, islands, trampolines and literals, and if the trace was built without
    /// [annotations](crate::Options::annotate).
    pub fn op_at(&self, offset: u32) -> Option<OpAt<'_>> {
        self.map.op_at(offset)
    }

    /// Where the word of a changeable literal lies, in bytes from the trace's start; it is a
    /// multiple of 8. `None` if nothing loads it, or if another trace's builder made it.
    pub fn mut_literal_offset(&self, literal: MutLiteral) -> Option<u32> {
        if literal.0.tag() != self.map.tag {
            return None;
        }
        let word = self.map.mutables.get(literal.0.index() as usize)?;
        word.map(|word| word.at)
    }

    /// The targets that are called through a trampoline of the trace's own, in the order of the trampolines.
    pub fn far_targets(&self) -> &[Target] {
        &self.map.far
    }

    /// The tag of the handles that belong to the trace.
    pub(crate) fn tag(&self) -> u32 {
        self.map.tag
    }

    /// The exits that can be linked, and where their NOPs are, in bytes.
    pub(crate) fn link_sites(&self) -> &[(u32, Option<u32>)] {
        &self.map.link_sites
    }

    /// Where literals lie among the code, in bytes.
    pub(crate) fn island_literals(&self) -> Option<Box<[Range<u32>]>> {
        Island::literals(&self.map.annotations.islands)
    }

    /// The invalidation points: their NOPs, and the exits' code, in bytes.
    pub(crate) fn points(&self) -> &[(u32, u32)] {
        &self.map.points
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn annotations(&self) -> &Annotations {
        &self.map.annotations
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// The words of the changeable literals, by their numbers.
    pub(crate) fn mutable_words(&self) -> &[Option<MutableWord>] {
        &self.map.mutables
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpPlace {
    Hot(usize),
    Cold(usize),
    Exit(usize),
}

/// A micro-op of a linked trace: `op 7 AddInt overflow=exit 2`.
#[derive(Clone, Copy)]
pub struct OpAt<'t> {
    known: &'t Annotations,
    record: Record,
    place: OpPlace,
}

impl<'t> OpAt<'t> {
    fn new(known: &'t Annotations, record: Record, place: OpPlace) -> OpAt<'t> {
        OpAt {
            known,
            record,
            place,
        }
    }

    /// The micro-op's number in the trace, from 0; `None` if it belongs to an exit.
    pub fn number(&self) -> Option<usize> {
        match self.place {
            OpPlace::Hot(number) | OpPlace::Cold(number) => Some(number),
            OpPlace::Exit(_) => None,
        }
    }

    /// The number of the exit it belongs to, in the order of declaration; `None` for a micro-op of the
    /// trace itself.
    pub fn exit(&self) -> Option<usize> {
        match self.place {
            OpPlace::Exit(exit) => Some(exit),
            _ => None,
        }
    }

    /// Whether it is the micro-op's cold part.
    pub fn is_cold_part(&self) -> bool {
        matches!(self.place, OpPlace::Cold(_))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.op().map_or("?", |(info, _)| info.name())
    }

    /// Where its code starts, in bytes from the trace's start.
    pub fn offset(&self) -> u32 {
        self.record.at * 4
    }

    fn op(&self) -> Option<(MicroOpInfo, &'t [u64])> {
        self.known.op(self.record.op)
    }
}

impl fmt::Display for OpAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            OpPlace::Hot(number) => write!(f, "op {number} ")?,
            OpPlace::Cold(number) => write!(f, "op {number} (cold) ")?,
            OpPlace::Exit(exit) => write!(f, "exit {exit} ")?,
        }
        match self.op() {
            Some((info, values)) => info.write(values, f),
            None => f.write_str("?"),
        }
    }
}

impl fmt::Debug for OpAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
