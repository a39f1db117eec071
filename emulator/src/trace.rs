//! The traces that are loaded: which addresses are whose, and which part they belong to.

use std::ops::Range;

use opstitch::{LinkedTrace, OpAt, Part};

use crate::error::Location;
use crate::outcome::Executed;

/// A trace whose bytes are in the guest's memory, or a trampoline.
pub(crate) struct Loaded {
    /// None of a slab's trampoline.
    pub(crate) linked: Option<LinkedTrace>,
    pub(crate) address: u64,
    pub(crate) len: u64,
}

/// The instructions of a slab's trampoline, in bytes. The address that they load lies behind them.
const TRAMPOLINE: Range<u32> = 0..8;

impl Loaded {
    pub(crate) fn new(linked: &LinkedTrace) -> Loaded {
        Loaded {
            address: linked.address(),
            len: linked.bytes().len() as u64,
            linked: Some(linked.clone()),
        }
    }

    /// Where a part is, in bytes.
    fn range(&self, part: Part) -> Range<u32> {
        match (&self.linked, part) {
            (Some(linked), part) => linked.range(part),
            (None, Part::Trampolines) => TRAMPOLINE,
            (None, _) => 0..0,
        }
    }

    fn op_at(&self, offset: u32) -> Option<OpAt<'_>> {
        self.linked.as_ref()?.op_at(offset)
    }

    pub(crate) fn holds(&self, address: u64) -> bool {
        address.wrapping_sub(self.address) < self.len
    }

    /// The instructions in the `words` words from `address` on, by part. Literals and what lies
    /// behind the trace are none.
    pub(crate) fn count(&self, address: u64, words: u64) -> Executed {
        let first = address - self.address;
        let last = first + 4 * words;
        let count = |part| {
            let range = self.range(part);
            let bytes = last
                .min(range.end.into())
                .saturating_sub(first.max(range.start.into()));
            bytes / 4
        };
        Executed {
            hot: count(Part::Hot),
            cold: count(Part::Cold),
            trampolines: count(Part::Trampolines),
        }
    }
}

/// All of them, in the order of their addresses.
#[derive(Default)]
pub(crate) struct Traces {
    sorted: Vec<Loaded>,
    /// The one that was found last: a trace mostly goes on in itself.
    last: usize,
}

impl Traces {
    pub(crate) fn insert(&mut self, trace: Loaded) {
        let index = self.index(trace.address);
        self.sorted.insert(index, trace);
    }

    pub(crate) fn remove(&mut self, address: u64) -> Option<Loaded> {
        let index = self.index(address).checked_sub(1)?;
        (self.sorted[index].address == address).then(|| self.sorted.remove(index))
    }

    pub(crate) fn clear(&mut self) {
        self.sorted.clear();
    }

    /// Of those that overlap a range, the lowest.
    pub(crate) fn overlapping(&self, address: u64, len: u64) -> Option<&Loaded> {
        let index = self.index(address);
        let before = index.checked_sub(1).map(|before| &self.sorted[before]);
        let at = self.sorted.get(index);
        before
            .filter(|trace| trace.holds(address))
            .or(at.filter(|trace| trace.address - address < len))
    }

    /// The one that holds an address. Faster in a trace that was asked for just before.
    pub(crate) fn find(&mut self, address: u64) -> Option<&Loaded> {
        if !self.sorted.get(self.last).is_some_and(|t| t.holds(address)) {
            self.last = self.index(address).checked_sub(1)?;
        }
        Some(&self.sorted[self.last]).filter(|trace| trace.holds(address))
    }

    /// Does an instruction of a trace begin at an address?
    pub(crate) fn is_instruction(&mut self, address: u64) -> bool {
        let trace = self.find(address).filter(|_| address.is_multiple_of(4));
        trace.is_some_and(|trace| trace.count(address, 1).total() == 1)
    }

    /// What to say of `pc`; where no instruction is there, of the one at `departure`, which led there.
    pub(crate) fn locate(&mut self, pc: u64, departure: Option<u64>) -> Location {
        let at = departure.filter(|_| !self.is_instruction(pc)).unwrap_or(pc);
        let trace = self.find(at);
        let offset = trace.map(|trace| (at - trace.address) as u32);
        let op = trace
            .zip(offset)
            .and_then(|(trace, offset)| trace.op_at(offset));
        Location {
            pc,
            trace: trace.map(|trace| trace.address),
            offset,
            op: op.map(|op| op.to_string()),
        }
    }

    /// How many begin at or before an address.
    fn index(&self, address: u64) -> usize {
        self.sorted
            .partition_point(|trace| trace.address <= address)
    }
}
