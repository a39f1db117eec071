//! The contract checker: each rule broken and kept, and the micro-ops of the examples.

mod calls;
mod defined;
pub mod examples;
mod other_rules;
#[path = "../common/snapshots.rs"]
mod snapshots;
mod stack;

use opstitch::MicroOpSet;
use opstitch::check::{Contract, Findings, Rule, check};

/// Checks that these are the findings: micro-op, rule, offset of the instruction.
#[track_caller]
fn assert_found(
    set: &'static MicroOpSet,
    contract: &Contract,
    expected: &[(&str, Rule, Option<u32>)],
) -> Findings {
    let findings = check(set, contract);
    let found = findings
        .iter()
        .map(|f| (f.micro_op(), f.rule(), f.offset()));
    let found: Vec<_> = found.collect();
    assert_eq!(found, expected, "\n{findings}");
    findings
}
