//! A finished trace, as linking and inspection see it.

use std::ops::Range;

use super::TraceBuilder;
#[cfg(feature = "inspect")]
use super::state::PlaceKind;
use super::state::{
    Island, Mutable, MutableWord, Note, NoteKind, Origin, Place, PoolLoad, PoolWord, Pushed,
    Record, UNPLACED, is_placed,
};
use crate::op::operand::{Exit, Handle, Label, OperandKind, Target};
use crate::op::template::{MicroOpInfo, MicroOpSet};

/// What is known of a trace's instructions. Offsets are in words from the trace's start.
#[derive(Debug, Clone)]
pub(crate) struct Annotations {
    pub(crate) sets: Vec<&'static MicroOpSet>,
    pub(crate) values: Vec<u64>,
    /// Micro-ops in the order of the code: the trace's own, then those of the cold section.
    pub(crate) hot: Vec<Record>,
    pub(crate) cold: Vec<(Record, Origin)>,
    pub(crate) islands: Vec<Island>,
    #[cfg(feature = "inspect")]
    pub(crate) name: Option<std::sync::Arc<str>>,
    #[cfg(feature = "inspect")]
    pub(crate) places: Places,
}

/// The places of a trace that have names.
#[cfg(feature = "inspect")]
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) labels: Vec<u32>,
    /// For each exit the one that stands for it, and its offset.
    pub(crate) exits: Vec<(u32, u32)>,
    pub(crate) parts: Vec<(u32, Origin)>,
    /// In the order of the code.
    pub(crate) points: Vec<super::state::Point>,
    /// The NOPs in front of exits that can be linked.
    pub(crate) links: Vec<u32>,
}

impl Annotations {
    /// A micro-op and its operands.
    pub(crate) fn op(&self, pushed: Pushed) -> Option<(MicroOpInfo, &[u64])> {
        let info = self
            .sets
            .get(usize::from(pushed.set))?
            .get(pushed.index.into())?;
        let start = pushed.values as usize;
        let values = self.values.get(start..start + info.operands().len())?;
        Some((info, values))
    }
}

/// A trace that is laid out: position independent, and ready to be linked to any address. It lives in
/// the memory of its builder.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'b> {
    builder: &'b TraceBuilder,
}

impl<'b> Trace<'b> {
    pub(crate) fn new(builder: &'b TraceBuilder) -> Trace<'b> {
        Trace { builder }
    }

    /// How many micro-ops it has, exits apart.
    pub fn op_count(&self) -> usize {
        self.builder.len()
    }

    /// The length of the hot section in bytes, entry NOP and islands included.
    pub fn hot_len(&self) -> usize {
        self.builder.hot_len as usize * 4
    }

    /// The length of the cold section in bytes: cold parts, exits, and islands among them.
    pub fn cold_len(&self) -> usize {
        self.code().len() * 4 - self.hot_len()
    }

    /// Where a label is, in bytes from the trace's start, whatever it is linked to: a place to enter the trace at, for code
    /// that has set its registers up as the micro-ops in front of the label do. `None` if it was bound nowhere or behind the
    /// last micro-op, or if another trace's builder made it.
    ///
    /// An exit of another trace of a slab is linked to it by `InstalledTrace::link_at`, and the link is undone when the trace
    /// is dropped. Whoever goes there by address sees to that himself.
    ///
    /// ```
    /// # opstitch::uops! {
    /// #     op Enter { ; mov x19, x0 }
    /// #     op Count(step: u12) { ; add x19, x19, step }
    /// # }
    /// # let mut builder = opstitch::TraceBuilder::new();
    /// builder.push(Enter)?;
    /// let top = builder.bind_new()?;
    /// builder.push(Count { step: 1 })?;
    /// builder.jump(top)?;
    /// let trace = builder.finish()?;
    /// assert_eq!(trace.label_offset(top), Some(3 * 4)); // behind the entry's NOP, `Enter` and its NOP
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        self.offset(OperandKind::Label, label.0, Place::label(label.0.index()))
    }

    /// Where an exit's code is, in bytes from the trace's start, whatever it is linked to; one that can be linked begins
    /// with its NOP. `None` if nothing leads to it or to one with the same code, or if another trace's builder made it.
    pub fn exit_offset(&self, exit: Exit) -> Option<u32> {
        let place = self.builder.representative(Place::exit(exit.0.index()));
        self.offset(OperandKind::Exit, exit.0, place)
    }

    fn offset(&self, kind: OperandKind, handle: Handle, place: Place) -> Option<u32> {
        let (handles, places) = (&self.builder.handles, &self.builder.places);
        let offset = places.offset(place);
        let is_there = handles.has(kind, handle.raw()) && is_placed(offset);
        is_there.then(|| offset * 4)
    }

    /// The distinct call targets, in the order in which the code first names them.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = Target> + 'b {
        let handles = self.builder.handles;
        let keys = self.builder.targets.keys().iter();
        keys.map(move |&key| handles.target(key))
    }

    /// Hot and cold words, with every displacement inside them written.
    pub(crate) fn code(&self) -> &'b [u32] {
        &self.builder.code[..self.builder.code_len as usize]
    }

    /// The same, and what linking it where it is has added.
    #[cfg(target_endian = "little")]
    pub(crate) fn words(&self) -> &'b [u32] {
        &self.builder.code
    }

    /// Whether the calls lead to where their trampolines are if every target has one of the trace's own: in an island, or, of
    /// those that have none there, one behind the other behind the code, in the order of the targets.
    pub(crate) fn calls_lead(&self) -> bool {
        self.builder.calls_lead
    }

    /// Of the first targets, where their trampolines are, if they have them in islands, in words.
    pub(crate) fn island_trampolines(&self) -> &'b [Option<u32>] {
        &self.builder.trampolines
    }

    /// The calls, each with the number of its target.
    pub(crate) fn calls(&self) -> &'b [Note] {
        self.builder.notes.of(NoteKind::Call)
    }

    pub(crate) fn pool(&self) -> &'b [PoolWord] {
        &self.builder.pool
    }

    pub(crate) fn pool_loads(&self) -> &'b [PoolLoad] {
        &self.builder.pool_loads
    }

    /// How far `b` and `bl` may reach, in bytes.
    pub(crate) fn jump_reach(&self) -> u32 {
        self.builder
            .options
            .reach
            .branch_words(crate::asm::branch::Field::Imm26)
            * 4
    }

    /// Bytes of islands.
    pub(crate) fn island_len(&self) -> usize {
        let islands = self.builder.islands.iter();
        islands.map(|i| (i.end - i.start) as usize * 4).sum()
    }

    /// The tag of the handles that belong to the trace.
    pub(crate) fn tag(&self) -> u32 {
        self.builder.handles.tag()
    }

    /// Where the changeable literals are, if the pool's own words start at word `pool`.
    pub(crate) fn mutable_words(&self, pool: u32) -> Vec<Option<MutableWord>> {
        let mutables = &self.builder.mutables;
        let word = |it: &Mutable, at: u32| MutableWord {
            at: at * 4,
            loads: it.loads,
        };
        let in_island = |it: &Mutable| (it.island != UNPLACED).then(|| word(it, it.island));
        let mut words: Vec<_> = mutables.iter().map(in_island).collect();
        for (number, pool_word) in (0..).zip(self.pool()) {
            if let Some(index) = pool_word.mutable {
                words[index as usize] = Some(word(&mutables[index as usize], pool + 2 * number));
            }
        }
        words
    }

    /// The exits that can be linked: their numbers, and, of those that something leads to, where their NOPs are, in bytes.
    /// One that another stands for comes with that one's NOP.
    pub(crate) fn link_sites(&self) -> impl Iterator<Item = (u32, Option<u32>)> + 'b {
        let b = self.builder;
        let linkable = (0..).zip(&b.exits).filter(|(_, exit)| exit.linkable);
        linkable.map(|(number, exit)| {
            let offset = b.places.offset(Place::exit(exit.same_as));
            (number, is_placed(offset).then(|| offset * 4))
        })
    }

    /// Where literals lie among the code, in bytes.
    pub(crate) fn island_literals(&self) -> Option<Box<[Range<u32>]>> {
        Island::literals(&self.builder.islands)
    }

    /// The invalidation points: their NOPs, and the exits' code, in bytes.
    pub(crate) fn points(&self) -> impl Iterator<Item = (u32, u32)> + 'b {
        let b = self.builder;
        let offset = |exit| b.places.offset(Place::exit(exit));
        let points = b.points.iter();
        points.map(move |point| (point.at * 4, offset(point.exit) * 4))
    }

    /// Whether it begins with a landing pad.
    pub(crate) fn has_landing_pad(&self) -> bool {
        self.builder.options.landing_pad
    }

    /// How many NOPs it has at the entry and at fall-throughs.
    pub(crate) fn nops(&self) -> u32 {
        self.builder.nops
    }

    /// Copies what is known of the trace's instructions.
    pub(crate) fn annotations(&self) -> Annotations {
        let b = self.builder;
        Annotations {
            sets: b.sets.all().to_vec(),
            values: b.values.to_vec(),
            hot: b.records.to_vec(),
            cold: b.cold_records.clone(),
            islands: b.islands.clone(),
            #[cfg(feature = "inspect")]
            name: b.name.clone(),
            #[cfg(feature = "inspect")]
            places: self.places(),
        }
    }

    #[cfg(feature = "inspect")]
    fn places(&self) -> Places {
        let b = self.builder;
        let offsets = |kind| b.places.offsets(kind);
        let exits = b.exits.iter().zip(offsets(PlaceKind::Exit));
        let parts = b.cold_parts.iter().zip(offsets(PlaceKind::Cold));
        Places {
            labels: offsets(PlaceKind::Label).collect(),
            exits: exits.map(|(exit, at)| (exit.same_as, at)).collect(),
            parts: parts.map(|(part, at)| (at, part.origin)).collect(),
            points: b.points.clone(),
            links: self
                .link_sites()
                .filter_map(|(_, at)| Some(at? / 4))
                .collect(),
        }
    }

    /// The pool's word for a constant, if there is one.
    pub(crate) fn pool_word(&self, constant: u64) -> Option<u32> {
        let number = self.builder.constants.get(constant)?;
        self.builder.scratch_constants.get(number as usize).copied()
    }
}
