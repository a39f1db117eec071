//! What is needed behind a call.

use opstitch::Reg;
use opstitch::check::{Contract, Rule};

use super::assert_found;
use super::snapshots::with_snapshots;

mod uops {
    opstitch::uops! {
        pub enum Op;

        registers { vm: x19, counter: x9 }

        op ReadsBehind(function: call) {
            ; str x30, [sp, #-16]!
            ; mov x10, vm
            ; bl =>function
            ; str x10, [vm]
            ; ldr x30, [sp], #16
        }

        op ReadsResult(function: call) {
            ; str x30, [sp, #-16]!
            ; bl =>function
            ; add x9, x0, x1
            ; str d0, [vm]
            ; ldr x30, [sp], #16
        }

        op SetsAgain(function: call) {
            ; str x30, [sp, #-16]!
            ; mov x10, vm
            ; bl =>function
            ; mov x10, vm
            ; str x10, [vm]
            ; ldr x30, [sp], #16
        }

        op OnOneWayOnly(function: call) {
            ; str x30, [sp, #-16]!
            ; cbz x0, >skip
            ; movz x10, 1
            ; bl =>function
            ; skip:
            ; cbnz x0, >cold
            ; movz x10, 2
            ; back:
            ; str x10, [vm]
            ; ldr x30, [sp], #16
        } cold {
            ; cold:
            ; b <back
        }

        op Flags(function: call, zero: exit) {
            ; str x30, [sp, #-16]!
            ; cmp x19, #0
            ; bl =>function
            ; ldr x30, [sp], #16
            ; b.eq =>zero
        }

        op Veneer(function: call) {
            ; str x30, [sp, #-16]!
            ; mov x16, vm
            ; bl =>function
            ; str x16, [vm]
            ; ldr x30, [sp], #16
        }

        op Vector(function: call) {
            ; str x30, [sp, #-16]!
            ; bl =>function
            ; str d16, [vm]
            ; str d8, [vm]
            ; ldr x30, [sp], #16
        }

        op LosesReturn(function: call) {
            ; bl =>function
        }

        op LosesReturnAtOnce(function: call) {
            ; bl =>function
            ; ret
        }

        op TailCalls(function: call, other: call) {
            ; bl =>function
            ; b =>other
        }

        op ThroughRegister {
            ; str x30, [sp, #-16]!
            ; ldr x10, [vm]
            ; blr x10
            ; blr x10
            ; ldr x30, [sp], #16
        }

        op Operand(function: call, value: reg) {
            ; str x30, [sp, #-16]!
            ; bl =>function
            ; str X(value), [vm]
            ; ldr x30, [sp], #16
        }
    }
}

use uops::Op;

const FOUND: [(&str, Rule, Option<u32>); 10] = [
    ("ReadsBehind", Rule::LiveAcrossCall, Some(12)),
    ("OnOneWayOnly", Rule::LiveAcrossCall, Some(24)),
    ("Flags", Rule::LiveAcrossCall, Some(16)),
    ("Veneer", Rule::LiveAcrossCall, Some(12)),
    ("Vector", Rule::LiveAcrossCall, Some(8)),
    ("LosesReturn", Rule::LiveAcrossCall, Some(0)),
    ("LosesReturnAtOnce", Rule::LiveAcrossCall, Some(4)),
    ("TailCalls", Rule::LiveAcrossCall, Some(0)),
    ("ThroughRegister", Rule::LiveAcrossCall, Some(12)),
    ("Operand", Rule::LiveAcrossCall, Some(8)),
];

fn expected(without: &[&str]) -> Vec<(&'static str, Rule, Option<u32>)> {
    let found = FOUND.iter().filter(|(name, ..)| !without.contains(name));
    found.copied().collect()
}

#[test]
fn what_a_call_changes_is_not_read_behind_it() {
    let findings = assert_found(Op::micro_ops(), &Contract::new(), &expected(&[]));
    with_snapshots(|| insta::assert_snapshot!("check_calls", findings.to_string()));
}

#[test]
fn with_a_frame_the_way_back_is_saved() {
    // The last one returns without taking the frame back.
    let contract = Contract::new().frame(0, []);
    assert_found(Op::micro_ops(), &contract, &expected(&["LosesReturn"]));
}

#[test]
fn an_operand_that_is_given_callee_saved_registers_lasts() {
    let contract = Contract::new().given("value", (19..=28).map(Reg));
    assert_found(Op::micro_ops(), &contract, &expected(&["Operand"]));
}

#[test]
fn what_a_runtime_keeps_beyond_aapcs64_lasts() {
    let contract = Contract::new().kept_by_calls((9..=17).chain([30]).map(Reg));
    let lasting = ["ReadsBehind", "OnOneWayOnly", "ThroughRegister"];
    let findings = assert_found(Op::micro_ops(), &contract, &expected(&lasting));
    assert!(findings.iter().any(|f| f.micro_op() == "Veneer"));
}

mod pinned {
    opstitch::uops! {
        pub enum Op;

        registers { counter: x9 }

        op Calls(function: call) {
            ; bl =>function
        }

        op Saves(function: call) {
            ; str counter, [sp, #-16]!
            ; bl =>function
            ; ldr counter, [sp], #16
        }

        op LeavesFirst(function: call, failed: exit) {
            ; str counter, [sp, #-16]!
            ; bl =>function
            ; cbnz x0, =>failed
            ; ldr counter, [sp], #16
        }
    }
}

#[test]
fn a_pinned_register_lasts_to_every_way_out() {
    let contract = Contract::new().pinned([Reg(9)]).frame(16, []);
    let expected = [
        ("Calls", Rule::LiveAcrossCall, Some(0)),
        ("LeavesFirst", Rule::LiveAcrossCall, Some(4)),
        ("LeavesFirst", Rule::Stack, Some(8)),
    ];
    let findings = assert_found(pinned::Op::micro_ops(), &contract, &expected);
    let message = findings.iter().next().map(|f| f.message());
    assert!(message.is_some_and(|m| m.starts_with("changes x9, which is pinned")));
}
