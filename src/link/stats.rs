//! What a linked trace consists of.

use super::Plan;
use crate::trace::Trace;
use crate::trace::state::Note;

/// Sizes of a linked trace in bytes, and its calls.
///
/// `hot + cold + trampolines + literals` is its whole length. `nops` are among `hot` and `cold`, and
/// so are `islands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes of the hot section, the entry NOP included.
    pub hot: usize,
    /// Bytes of the cold section: cold parts and exits.
    pub cold: usize,
    /// Bytes of the trampolines behind the code, and the padding behind them.
    pub trampolines: usize,
    /// Bytes of the literals at the end.
    pub literals: usize,
    /// Bytes of the NOPs: at the entry, at fall-throughs, of invalidation points and of exits that can be linked.
    pub nops: usize,
    /// Bytes of the islands: jumps around them, veneers, trampolines, padding and literals.
    pub islands: usize,
    /// Calls by a `bl` or `b` to the target itself.
    pub direct_calls: usize,
    /// Calls through a trampoline.
    pub far_calls: usize,
}

impl Statistics {
    /// The length of the trace in bytes.
    pub fn total(&self) -> usize {
        self.hot + self.cold + self.trampolines + self.literals
    }
}

impl Plan {
    pub(super) fn statistics(&self, trace: &Trace<'_>) -> Statistics {
        let calls = trace.calls();
        // Most of the time all ways are far, or none is.
        let far_calls = match self.ways.iter().filter(|way| way.is_far()).count() {
            0 => 0,
            all if all == self.ways.len() => calls.len(),
            _ => {
                let far = |call: &&Note| self.ways[call.target() as usize].is_far();
                calls.iter().filter(far).count()
            }
        };
        Statistics {
            hot: trace.hot_len(),
            cold: trace.cold_len(),
            trampolines: (self.literals - self.trampolines) as usize * 4,
            literals: (self.end - self.literals) as usize * 4,
            nops: trace.nops() as usize * 4,
            islands: trace.island_len(),
            direct_calls: trace.calls().len() - far_calls,
            far_calls,
        }
    }
}
