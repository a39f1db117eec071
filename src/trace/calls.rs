//! Calls: their targets' numbers, and trampolines that they can be led to while a trace is built.
//!
//! # The problem
//!
//! Whether a target is in reach is known when a trace is linked, and so is where its trampoline comes if it is not: behind the
//! code, whose end is not known before. By then the code of a long trace has left the caches, and to write its calls costs
//! as much as to write it.
//!
//! # The strategy
//!
//! Calls are led to where their trampolines are if all targets are far, as they mostly are where executable memory lies wherever
//! the system puts it; and linking such a trace leaves them as they are. The trampolines of a [short](TraceBuilder::short) trace
//! lie behind its code, and `finish` leads the calls there. In a longer one each island, where there is room, holds a trampoline
//! for each target that is new since the last one, and the calls since then are led at once. Those after the last island `finish`
//! leads. A target that is near, or has a trampoline shared by several traces, is called as ever: then a few words in islands
//! are of no use.
//!
//! # Invariants
//!
//! 1. Targets have their numbers in the order in which the code first names them; so what islands hold does not depend on
//!    when calls are numbered.
//! 2. Whether a target has a trampoline in an island is decided once, by the first island that numbers it. So those in islands
//!    lie in the order of their targets, and so do those behind the code.
//! 3. A target that can be changed has none in an island: its word is looked for among the literals at the end.
//! 4. Trampolines in an island take no room that anything else needs: all bounds hold as if there were none.
//! 5. Calls that reach the end of the trace reach an island that comes behind the first of them.

use super::TraceBuilder;
use super::intern::Interner;
use super::state::{Literal, Note, NoteKind};
use crate::asm::branch::Field;
use crate::asm::{TRAMPOLINE, trampoline};

/// As many trampolines an island has at the most: 4 KiB with their words.
const MOST: u32 = 256;

/// Words of a trampoline and of its target's address.
const WORDS: u32 = TRAMPOLINE + 2;

impl TraceBuilder {
    /// How many words of code are in a cache yet when a trace is finished, more or less: half of what a conditional branch
    /// reaches, 512 KiB.
    fn short(&self) -> u32 {
        self.reach[Field::Imm19 as usize] / 2
    }

    /// Numbers the targets of the calls since the last island, adds trampolines to the one that is being written, and leads
    /// the calls: if the trace is long, and there is room. The loads of the trampolines join those that the island serves.
    /// They take `more` words at the most.
    pub(super) fn lead_calls(&mut self, horizon: u32, more: u32) {
        let is_finishing = self.hot_len > 0;
        let is_long = self.code.cursor() as u32 > self.short();
        if is_finishing || !is_long {
            return;
        }
        let most = self.room_for_trampolines(horizon, more);
        if most == 0 {
            return;
        }
        self.code
            .reserve((WORDS * most) as usize + 2 * self.scratch_loads.len() + 1);
        let first = self.code.cursor() as u32;
        let (mut next, end) = (first, first + TRAMPOLINE * most);
        let (handles, trampolines) = (self.handles, &mut self.trampolines);
        let loads = &mut self.scratch_loads;
        let calls = self.notes.since_mut(NoteKind::Call, self.due.calls);
        self.due.calls += calls.len();
        number(&mut self.targets, calls, &mut self.code, |call, number| {
            if let Some(&known) = trampolines.get(number as usize) {
                return known;
            }
            let target = handles.target(call);
            let own = (next < end && !target.is_retargetable()).then_some(next);
            if let Some(at) = own {
                loads.push((Literal::Constant(target.address()), at));
                next += TRAMPOLINE;
            }
            trampolines.push(own);
            own
        });
        for _ in (first..next).step_by(TRAMPOLINE as usize) {
            self.emit_pair(trampoline(0));
        }
    }

    /// How many trampolines the island that is being written has room for: so that the loads that it serves reach their words,
    /// and what waits for the next one reaches as far beyond the horizon as it would without.
    fn room_for_trampolines(&self, horizon: u32, more: u32) -> u32 {
        let end = self.code.cursor() as u32 + 1 + 2 * self.scratch_loads.len() as u32;
        let mut room = self.deadline().saturating_sub(horizon).min(more);
        if let Some(&(_, at)) = self.scratch_loads.first() {
            room = room.min((at + self.literal_reach - 1).saturating_sub(end));
        }
        (room / WORDS).min(MOST)
    }

    /// Numbers the targets of the calls that no island has numbered, and leads these calls to where their trampolines come,
    /// unless there are others that do not lead to theirs.
    pub(super) fn finish_calls(&mut self) {
        let (end, due) = (self.code.len() as u32, self.due.calls);
        let others_lead = match due {
            0 => end <= self.short(),
            _ => self.trampolines.iter().all(Option::is_some),
        };
        let calls = self.notes.since_mut(NoteKind::Call, due);
        let most = u64::from(end) + u64::from(TRAMPOLINE) * calls.len() as u64;
        let reach = self.reach[Field::Imm26 as usize];
        self.calls_lead = others_lead && most < u64::from(reach);
        let code = match self.calls_lead {
            true => &mut self.code[..],
            false => &mut [],
        };
        let (targets, trampolines) = (&mut self.targets, &self.trampolines[..]);
        // As most traces are: without a look at what islands have for each call.
        if trampolines.is_empty() {
            let trampoline_of = |_, number| Some(end + TRAMPOLINE * number);
            return number(targets, calls, code, trampoline_of);
        }
        number(targets, calls, code, |_, number| {
            match trampolines.get(number as usize) {
                Some(&known) => known,
                None => Some(end + TRAMPOLINE * (number - trampolines.len() as u32)),
            }
        });
    }

    /// Numbers the targets of calls before these are numbered, and returns how many there are.
    pub(super) fn count_targets(&mut self) -> u32 {
        let calls = self.notes.since_mut(NoteKind::Call, self.due.calls);
        self.targets.intern_all(calls, Note::target, |_, _| {});
        self.targets.keys().len() as u32
    }

    /// Forgets the targets that only `finish` has numbered.
    pub(super) fn forget_targets(&mut self) {
        self.targets.truncate(self.trampolines.len());
    }
}

/// Gives each call the number of its target, and leads it to the trampoline of that, if that has one. (Only where there is
/// code.)
#[inline(always)]
fn number(
    targets: &mut Interner,
    calls: &mut [Note],
    code: &mut [u32],
    mut trampoline_of: impl FnMut(u64, u32) -> Option<u32>,
) {
    targets.intern_all(calls, Note::target, |call, number| {
        let (at, to) = (call.at, trampoline_of(call.target(), number));
        *call = Note::new(at, number.into());
        if let (Some(to), Some(word)) = (to, code.get_mut(at as usize)) {
            Field::Imm26.displace(word, i64::from(to) - i64::from(at));
        }
    });
}
