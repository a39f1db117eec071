//! Which code lies where in a slab: the one table that whoever asks by address, or watches, reads.
//!
//! A piece of code is in it from its publication until its block is free again, dropped or not: threads may
//! be in it all that time.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::trampolines::{self, Use};
use super::{State, TraceId};
use crate::link::Map;
use crate::op::operand::Target;

/// What a piece of code is.
#[derive(Debug, Clone)]
pub(crate) enum Code {
    /// A trace.
    Trace { id: TraceId, map: Arc<Map> },
    /// A trampoline of the slab, and the target that it was made for.
    Trampoline(Target),
}

/// A trace or a trampoline that lies in the slab.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) code: Code,
    /// In bytes.
    pub(super) len: u32,
    /// Whether the trace has been dropped.
    pub(super) dropped: bool,
    /// What tells it from others that lay here before.
    pub(super) serial: u64,
    /// What watchers keep as long as the piece is there.
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// All pieces of code, by the first granule of their blocks.
#[derive(Debug, Default)]
pub(super) struct Table {
    pieces: BTreeMap<u32, Piece>,
    /// Those of which watchers have not been told yet.
    untold: Vec<u32>,
    serial: u64,
}

impl Table {
    fn insert(&mut self, start: u32, len: usize, code: Code) {
        self.serial += 1;
        let piece = Piece {
            code,
            len: len as u32,
            dropped: false,
            serial: self.serial,
            kept: Vec::new(),
        };
        self.pieces.insert(start, piece);
        self.untold.push(start);
    }

    /// Takes out the piece in a block that is about to be free.
    pub(super) fn remove(&mut self, start: u32) -> Option<Piece> {
        self.pieces.remove(&start)
    }

    /// The last piece that starts at or before a granule, and where it starts.
    pub(super) fn before(&self, granule: u32) -> Option<(u32, &Piece)> {
        let (&start, piece) = self.pieces.range(..=granule).next_back()?;
        Some((start, piece))
    }

    /// All pieces, and where they start.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Piece)> {
        self.pieces.iter().map(|(&start, piece)| (start, piece))
    }

    /// The pieces that were published since the last call, and where they start.
    pub(super) fn take_untold(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.untold)
    }

    /// Keeps something as long as that piece is there. Gives it back if the piece is gone.
    pub(super) fn keep(
        &mut self,
        start: u32,
        serial: u64,
        kept: Box<dyn Any + Send + Sync>,
    ) -> Result<(), Box<dyn Any + Send + Sync>> {
        match self.pieces.get_mut(&start) {
            Some(piece) if piece.serial == serial => {
                piece.kept.push(kept);
                Ok(())
            }
            _ => Err(kept),
        }
    }
}

impl State {
    /// Notes the trampolines among these uses that have just been published.
    pub(super) fn note_trampolines(&mut self, uses: &[Use]) {
        if let Some(table) = &mut self.table {
            for (start, target) in self.trampolines.unwritten_targets(uses) {
                table.insert(start, trampolines::LEN, Code::Trampoline(target));
            }
        }
    }

    /// Notes a trace that has just been published.
    pub(super) fn note_trace(&mut self, start: u32, len: usize, id: TraceId, map: Arc<Map>) {
        if let Some(table) = &mut self.table {
            table.insert(start, len, Code::Trace { id, map });
        }
    }

    /// Notes that a trace has been dropped.
    pub(super) fn note_dropped(&mut self, start: u32) {
        let table = self.table.as_mut();
        if let Some(piece) = table.and_then(|table| table.pieces.get_mut(&start)) {
            piece.dropped = true;
        }
    }
}
