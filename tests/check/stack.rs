//! The stack pointer.

use opstitch::check::{Contract, Rule};

use super::assert_found;
use super::snapshots::with_snapshots;

mod uops {
    opstitch::uops! {
        pub enum Op;

        op Balanced { ; sub sp, sp, #32 ; stp x9, x10, [sp, #16] ; ldp x9, x10, [sp], #32 }

        op Keeps { ; str x9, [sp, #-16]! }

        op ExitKeeps(failed: exit) {
            ; stp x9, x10, [sp, #-32]!
            ; cbz x9, =>failed
            ; add sp, sp, #32
        }

        op ColdKeeps(failed: exit) {
            ; sub sp, sp, #1, lsl #12
            ; cbz x9, >slow
            ; add sp, sp, #1, lsl #12
        } cold {
            ; slow:
            ; b =>failed
        }

        op LabelKeeps(there: label) { ; sub sp, sp, #16 ; b =>there }

        op Uneven { ; str x9, [sp, #-8]! ; ldr x9, [sp], #8 }

        op Meets { ; cbz x9, >on ; sub sp, sp, #16 ; on: ; nop }

        op ByFramePointer(size: u4) {
            ; mov x9, sp
            ; sub sp, sp, size * 16
            ; mov sp, x9
        }

        op ByCopy {
            ; mov x9, sp
            ; mov x10, x9
            ; sub sp, sp, #64
            ; add x10, x10, #32
            ; sub sp, x10, #32
        }

        op ByLoop {
            ; again:
            ; sub sp, sp, #16
            ; add sp, sp, #16
            ; cbnz x9, <again
        }

        op OfAnyRegister(r: reg) { ; mov x0, sp ; sub sp, sp, #32 ; add sp, XSP(r), #0 }

        op IntoAnyRegister(r: reg) { ; sub sp, sp, #32 ; add XSP(r), sp, #32 ; mov sp, x0 }

        op ByAnyRegister(r: reg) { ; mov x0, sp ; sub sp, sp, #32 ; str x1, [XSP(r)], #16 ; sub sp, x0, #16 }

        op Unknown(size: u4) { ; sub sp, sp, size * 16 ; add sp, sp, size * 16 }

        op Vectors { ; stp d8, d9, [sp, #-16]! ; str q0, [sp, #-16]! ; ldp q0, q1, [sp], #32 }

        op Open { ; stp x29, x30, [sp, #-16]! }

        op Close { ; ldp x29, x30, [sp], #16 ; ret }

        op Return { ; ret }

        op Hand(to: call) { ; ldp x29, x30, [sp], #16 ; b =>to }
    }
}

const ALWAYS: [(&str, Rule, Option<u32>); 10] = [
    ("Keeps", Rule::Stack, Some(0)),
    ("ExitKeeps", Rule::Stack, Some(4)),
    ("ColdKeeps", Rule::Stack, Some(0)),
    ("LabelKeeps", Rule::Stack, Some(0)),
    ("Uneven", Rule::Stack, Some(0)),
    ("Meets", Rule::Stack, Some(8)),
    ("OfAnyRegister", Rule::NotChecked, Some(8)),
    ("IntoAnyRegister", Rule::NotChecked, Some(8)),
    ("ByAnyRegister", Rule::NotChecked, Some(12)),
    ("Unknown", Rule::NotChecked, Some(0)),
];

fn expected(more: &[(&'static str, Rule, Option<u32>)]) -> Vec<(&'static str, Rule, Option<u32>)> {
    ALWAYS.iter().chain(more).copied().collect()
}

#[test]
fn every_way_out_finds_the_stack_pointer_where_it_was() {
    let found = expected(&[
        ("Open", Rule::Stack, Some(0)),
        ("Close", Rule::Stack, Some(4)),
        ("Hand", Rule::Stack, Some(4)),
    ]);
    let findings = assert_found(uops::Op::micro_ops(), &Contract::new(), &found);
    with_snapshots(|| insta::assert_snapshot!("check_stack", findings.to_string()));
}

#[test]
fn a_frame_is_opened_by_one_micro_op_and_closed_by_those_that_leave() {
    let found = expected(&[("Return", Rule::Stack, Some(0))]);
    let contract = Contract::new().frame(16, ["Open"]);
    assert_found(uops::Op::micro_ops(), &contract, &found);
}
