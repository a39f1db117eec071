//! From an address to what lies there.

use std::fmt;
use std::sync::TryLockError;

use super::table::{Code, Piece};
use super::trampolines::WORD_AT;
use super::{Shared, Slab, State, TraceId};
use crate::asm::WORD;
use crate::link::{OpAt, Part};
use crate::op::operand::Target;

/// What lies at an address in a slab. As text: `trace 12, op 7 AddInt overflow=exit 2`.
#[derive(Clone)]
pub struct Located {
    code: Code,
    start: u64,
    offset: u32,
    dropped: bool,
    /// Where it leads to now, if it is a trampoline.
    leads_to: Option<u64>,
}

impl Slab {
    /// What lies at an address: a trace, and the micro-op in it, or a trampoline of the slab. Code that has been
    /// dropped is found until its space is reclaimed.
    ///
    /// `None` if no code lies there, and always if the slab was made without
    /// [annotations](super::SlabOptions::annotate). A return address belongs to the instruction before it: ask
    /// for `address - 4`.
    ///
    /// It takes the slab's lock and may free memory, so it is not for signal handlers, nor for a
    /// forked child: see [`try_locate`](Slab::try_locate).
    pub fn locate(&self, address: u64) -> Option<Located> {
        self.shared.lock().locate(&self.shared, address)
    }

    /// As [`locate`](Slab::locate), for a handler of SIGSEGV and the like: hands what was found to `visit`, and
    /// returns what that returns. `None` if the slab is locked at this moment, by whatever thread, the
    /// interrupted one included; trying again helps only if it was another.
    ///
    /// It waits for nothing, allocates nothing and frees nothing, and neither does writing a [`Located`] to a
    /// [`Write`](fmt::Write) that does not. `visit` runs with the slab locked, so it must not call it
    /// again, but for `try_locate`.
    ///
    /// ```
    /// # use std::fmt::Write;
    /// # struct Buffer;
    /// # impl Write for Buffer { fn write_str(&mut self, _: &str) -> std::fmt::Result { Ok(()) } }
    /// # fn in_handler(slab: &opstitch::slab::Slab, pc: u64, mut buffer: Buffer) {
    /// slab.try_locate(pc, |found| match found {
    ///     Some(found) => write!(buffer, "fault in {found}"),
    ///     None => write!(buffer, "fault outside of the slab"),
    /// });
    /// # }
    /// ```
    pub fn try_locate<R>(
        &self,
        address: u64,
        visit: impl FnOnce(Option<&Located>) -> R,
    ) -> Option<R> {
        let state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // Its share of the map is not the last one: the table has one, and is locked.
        let located = state.locate(&self.shared, address);
        let result = visit(located.as_ref());
        drop(located);
        Some(result)
    }
}

impl State {
    pub(super) fn locate(&self, shared: &Shared, address: u64) -> Option<Located> {
        let table = self.table.as_ref()?;
        let base = shared.region.address() as u64;
        let offset = address.checked_sub(base)?;
        let granule = u32::try_from(offset / shared.granule as u64).ok()?;
        let (start, piece) = table.before(granule)?;
        let start = start as usize * shared.granule;
        let offset = (offset - start as u64) as u32;
        (offset < piece.len).then(|| Located::new(shared, start, piece, offset))
    }
}

impl Located {
    /// `start` is in bytes from the slab's start, `offset` from the piece's.
    pub(super) fn new(shared: &Shared, start: usize, piece: &Piece, offset: u32) -> Located {
        let leads_to = match piece.code {
            Code::Trace { .. } => None,
            Code::Trampoline(_) => Some(shared.region.load_literal(start + WORD_AT)),
        };
        Located {
            code: piece.code.clone(),
            start: (shared.region.address() + start) as u64,
            offset,
            dropped: piece.dropped,
            leads_to,
        }
    }

    /// The trace it is in; `None` for a trampoline.
    pub fn trace(&self) -> Option<TraceId> {
        match self.code {
            Code::Trace { id, .. } => Some(id),
            Code::Trampoline(_) => None,
        }
    }

    /// What the trace's builder [named](crate::TraceBuilder::set_name) it.
    pub fn name(&self) -> Option<&str> {
        match &self.code {
            Code::Trace { map, .. } => map.name(),
            Code::Trampoline(_) => None,
        }
    }

    /// Whether the trace has been dropped: what is left of it is there for threads that are still in it.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// The target of the trampoline it is in; `None` for a trace.
    pub fn target(&self) -> Option<Target> {
        match self.code {
            Code::Trace { .. } => None,
            Code::Trampoline(target) => Some(target),
        }
    }

    /// Where the trampoline it is in leads to at this moment, which of a retargetable target may be another address than the
    /// target's own.
    pub fn leads_to(&self) -> Option<u64> {
        self.leads_to
    }

    /// The address of the trace or trampoline.
    pub fn address(&self) -> u64 {
        self.start
    }

    /// What was asked for, in bytes from the start of the trace or trampoline.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The section of the trace.
    pub fn part(&self) -> Option<Part> {
        match &self.code {
            Code::Trace { map, .. } => map.part_at(self.offset),
            Code::Trampoline(_) => None,
        }
    }

    /// The micro-op, as [`LinkedTrace::op_at`](crate::LinkedTrace::op_at) tells it.
    pub fn op(&self) -> Option<OpAt<'_>> {
        match &self.code {
            Code::Trace { map, .. } => map.op_at(self.offset),
            Code::Trampoline(_) => None,
        }
    }

    pub(crate) fn code(&self) -> &Code {
        &self.code
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, map) = match &self.code {
            Code::Trace { id, map } => (id, map),
            Code::Trampoline(target) => {
                write!(f, "trampoline to {target}")?;
                return match self.leads_to {
                    Some(now) if now != target.address() => write!(f, ", which is now {now:#x}"),
                    _ => Ok(()),
                };
            }
        };
        write!(f, "{id}")?;
        if let Some(name) = map.name() {
            write!(f, " {name:?}")?;
        }
        if self.dropped {
            f.write_str(" (dropped)")?;
        }
        if let Some(op) = map.op_at(self.offset) {
            return write!(f, ", {op}");
        }
        if let Some((_, target)) = map.trampoline_at(self.offset / WORD) {
            return write!(f, ", trampoline to {target}");
        }
        match map.part_at(self.offset) {
            _ if map.is_in_island(self.offset) => f.write_str(", island"),
            Some(Part::Hot) if map.is_entry(self.offset) => f.write_str(", entry"),
            Some(Part::Trampolines) => f.write_str(", padding"),
            Some(Part::Literals) => f.write_str(", literals"),
            _ => write!(f, ", {:#x} bytes in", self.offset),
        }
    }
}

impl fmt::Debug for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
