//! The contract of micro-ops, checked: what an assembler lets pass and a running trace pays for.
//!
//! Call it in a test, for every set of micro-ops:
//!
//! ```
//! mod uops {
//! opstitch::uops! {
//!     pub enum Op;
//!
//!     registers { vm: x19, stack: x20 }
//!
//!     /// Calls a runtime function with the topmost value. Needs the value again, and finds it changed.
//!     op Call(function: call) {
//!         ; ldur x9, [stack, #-8]
//!         ; str x30, [sp, #-16]!
//!         ; mov x0, x9
//!         ; bl =>function
//!         ; str x9, [vm]
//!         ; ldr x30, [sp], #16
//!     }
//!
//!     op Leave { ; ret }
//! }
//! }
//!
//! use opstitch::Reg;
//! use opstitch::check::{Contract, check};
//!
//! let contract = Contract::new().pinned([Reg(19), Reg(20)]);
//! let findings = check(uops::Op::micro_ops(), &contract);
//! // In a test of your own: assert!(findings.is_empty(), "{findings}");
//! assert_eq!(
//!     findings.to_string(),
//!     "Call hot+0x10: `str x9, [x19]`: reads x9, which the call at hot+0xc may change (AAPCS64 6.1): use \
//!      x19 to x28 (or the lower halves of v8 to v15), save it on the stack, or load it again\n"
//! );
//! ```
//!
//! # What is checked
//!
//! The [rules](Rule), on every way through a micro-op: its hot and its cold part, and every exit. What each
//! instruction reads and writes is taken from a table of the instruction set; an instruction that is not in
//! it is a finding too, [`Rule::NotChecked`], and so is one that nothing leads to. What you accept is said in
//! the [`Contract`].
//!
//! # What is not
//!
//! - Each micro-op is looked at alone: whether the next one finds what it expects is not seen. Only of x30 it is asked
//!   whether there is one in the set that changes it.
//! - A `call` operand, `blr` and `bl` to a label are taken to be calls by AAPCS64. A call's arguments are not
//!   known, so a register that was set for the second of two calls is not missed when the first
//!   changes it.
//! - v8 to v15 are taken to be kept whole; a call keeps their lower halves.
//! - Which registers are saved by whom: that a micro-op changes x19 to x28 is its author's affair.
//! - Which register an operand is given: not whether it is one that the body has written before, x29 or x30 among them,
//!   nor whether two operands are given the same.
//! - Flags are missed behind a call only: who set them is not asked.
//! - What is on the stack: stores over the address that `entry` has left at `[sp]`.
//! - Whether what is loaded into x30 is what it was.
//! - x0, x1 and v0 to v3 behind a call are taken to be its results.
//! - The names of a block's `registers` mean nothing here: [`Contract::pinned`] says which are pinned.

mod body;
mod calls;
mod contract;
mod finding;
mod registers;
mod rules;
mod stack;
mod table;
#[cfg(all(test, not(target_arch = "aarch64")))]
mod tests;

pub use contract::Contract;
pub use finding::{Finding, Findings, Rule};

use crate::op::encode::Op;
use crate::op::template::MicroOpSet;

/// Checks all micro-ops of a set, which is what `micro_ops()` of the enum that `uops!` makes returns.
///
/// It makes no difference what the micro-ops are used for, or whether the host is AArch64.
pub fn check(micro_ops: &'static MicroOpSet, contract: &Contract) -> Findings {
    let mut all = rules::names(micro_ops, contract);
    let ops = (0..micro_ops.len()).filter_map(|index| Op::new(micro_ops, index));
    let bodies: Vec<_> = ops.map(body::Body::new).collect();
    // Without a frame no micro-op may change it.
    let changed_by = bodies.iter().find(|body| rules::changes_x30(body));
    let changed_by = changed_by.filter(|_| contract.has_frame());
    let changed_by = changed_by.map(|body| body.op.name());
    for body in bodies {
        let op = body.op;
        let mut findings = Vec::new();
        rules::instructions(&body, &mut findings);
        rules::return_addresses(&body, changed_by, &mut findings);
        rules::landing_pads(&body, &mut findings);
        calls::check(&body, contract, &mut findings);
        stack::check(&body, contract, &mut findings);
        findings.retain(|finding| !contract.allows(op.name(), finding.rule()));
        findings.sort_by_key(|finding| (finding.is_cold(), finding.offset()));
        all.append(&mut findings);
    }
    Findings { all }
}
