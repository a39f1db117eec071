//! What profilers and debuggers call traces, micro-ops and trampolines.

use crate::link::{LinkedTrace, OpAt};
use crate::slab::Located;

/// The name of a trace or a trampoline: what the trace's builder named it, else `trace_12`, or `trampoline_0x4000` with
/// its target.
pub(super) fn name(located: &Located) -> String {
    if let Some(name) = located.name() {
        // Lines and C strings are what the readers' formats are made of.
        return name.replace(|c: char| c.is_control(), "?");
    }
    match (located.trace(), located.target()) {
        (Some(id), _) => id.to_string().replace(' ', "_"),
        (None, Some(target)) => format!("trampoline_{target}"),
        (None, None) => String::new(),
    }
}

/// The name of a micro-op in its trace: `op_7_AddInt`, `op_7_AddInt_cold`, `exit_2_Leave`.
pub(super) fn op_name(op: &OpAt<'_>) -> String {
    let (name, cold) = (op.name(), if op.is_cold_part() { "_cold" } else { "" });
    match (op.number(), op.exit()) {
        (Some(number), _) => format!("op_{number}_{name}{cold}"),
        (None, Some(exit)) => format!("exit_{exit}_{name}{cold}"),
        (None, None) => name.to_owned(),
    }
}

/// A run of instructions of one micro-op, in bytes from the trace's start.
pub(super) struct Run<'t> {
    pub(super) start: u32,
    pub(super) end: u32,
    /// `None` for the entry, islands, trampolines and literals.
    pub(super) op: Option<OpAt<'t>>,
}

/// What the trace consists of, in its order. A micro-op with an island in the middle comes twice.
pub(super) fn runs(linked: &LinkedTrace) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for start in (0..linked.bytes().len() as u32).step_by(4) {
        let op = linked.op_at(start);
        let end = start + 4;
        let same = |last: &&mut Run<'_>| {
            last.op.map(|op| op.offset()) == op.map(|op| op.offset())
                && (op.is_some() || linked.part_at(last.start) == linked.part_at(start))
        };
        match runs.last_mut().filter(same) {
            Some(last) => last.end = end,
            None => runs.push(Run { start, end, op }),
        }
    }
    runs
}
