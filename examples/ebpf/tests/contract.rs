//! The micro-ops keep the contract of calls, stack and registers, or say where they do not and why.

use ebpf::uops::{alu, atomics, frame, guard, jumps, memory};
use opstitch::check::{Contract, Rule, check};
use opstitch::{MicroOpSet, Reg};

/// r6 to r10, what the checks keep, and the context. r0 to r5 are the helpers' to change.
fn contract() -> Contract {
    Contract::new().pinned((19..=28).map(Reg)).frame(16, [])
}

#[track_caller]
fn assert_kept(set: &'static MicroOpSet, contract: &Contract) {
    let findings = check(set, contract);
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn those_that_compute() {
    assert_kept(alu::Op::micro_ops(), &contract());
    assert_kept(atomics::Op::micro_ops(), &contract());
    assert_kept(memory::Op::micro_ops(), &contract());
}

#[test]
fn those_that_call() {
    assert_kept(jumps::Op::micro_ops(), &contract());
    // A subroutine of the trace: its `ret` goes back into it.
    let contract = contract().allow("SearchRegions", Rule::Stack);
    let contract = contract.allow("SearchRegions", Rule::ReturnAddress);
    assert_kept(guard::Op::micro_ops(), &contract);
}

#[test]
fn those_that_enter_and_leave() {
    // `Return` leaves programs that have no frame. `Leave` finds the frame by x29, wherever the stack pointer is.
    let contract = contract().frame(16, ["Enter", "Return"]);
    let contract = contract.allow("Leave", Rule::NotChecked);
    // What these take and give back is paired by the translation.
    let paired = ["SaveOne", "SavePair", "RestoreOne", "RestorePair"];
    let paired = paired.into_iter();
    let contract = paired.fold(contract, |contract, op| contract.allow(op, Rule::Stack));
    assert_kept(frame::Op::micro_ops(), &contract);
}
