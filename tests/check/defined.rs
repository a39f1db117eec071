//! What the architecture leaves open, what lies below the stack pointer, and the way back.

use opstitch::check::{Contract, Rule};

use super::assert_found;
use super::snapshots::with_snapshots;

mod uops {
    opstitch::uops! {
        pub enum Op;

        op LoadsTwice { ; ldp x0, x0, [x1] ; ldp d2, d2, [x1] ; ldnp w3, w3, [x1] ; ldxp x4, x4, [x1] }
        op StoresTwice { ; stp x0, x0, [x1] ; stp d2, d2, [x1, 16] ; stnp x0, x0, [x1] ; stxp w2, x4, x4, [x1] }
        op MovesWhatItLoads { ; ldr x1, [x1, 8]! ; ldr x1, [x1], 8 ; ldrsb w1, [x1], 1 ; ldp x2, x1, [x1], 16 }
        op MovesWhatItStores { ; str x1, [x1, 8]! ; strh w1, [x1], 2 ; stp x1, x2, [x1, 16]! }
        op MovesAnother { ; ldr x0, [x1], 8 ; str x1, [x1] ; ldp x1, x2, [x1, 16] ; ldr d1, [x1], 8 ; stp d1, d2, [x1], 16 }
        op MovesTheStack { ; str xzr, [sp, -16]! ; ldp xzr, x0, [sp], 16 }
        op Status { ; stxr w0, x0, [x1] ; stxr w1, x0, [x1] ; stlxp w2, x0, x2, [x1] ; stxrb w2, w3, [sp] ; stxr w2, x0, [x1] }
        op Swaps { ; casp x0, x1, x0, x1, [x2] ; cas x0, x0, [x1] ; ldar x0, [x0] ; stlr x0, [x0] }
        // Which registers they are is not known.
        op Operands(a: reg, b: reg) { ; ldp X(a), X(b), [x1] ; ldr X(a), [x1], 8 }

        op BelowStack { ; stur x0, [sp, -8] ; ldtr x0, [sp, -8] ; stp x0, x1, [sp, -16] ; ldnp x0, x1, [sp, -16] }
        op MayBeBelowStack(at: i9) { ; ldur x0, [sp, at] }
        op AboveStack(at: u8) { ; stur x0, [sp, 8] ; ldp x0, x1, [sp, 16] ; ldur x0, [sp, at] ; ldur x0, [x1, -8] }

        op Call(function: call) { ; bl =>function }
        op CallAndSave(function: call) { ; str x30, [sp, -16]! ; bl =>function ; ldr x30, [sp], 16 }
        op Return { ; ret }
        op TailCall(function: call) { ; b =>function }
        op ReturnByOther { ; ret x9 }
        op ReturnFromFrame { ; ldr x30, [sp] ; ret }
        op TailCallFromFrame(function: call) { ; ldr x30, [sp] ; b =>function }
    }
}

mod without_calls {
    opstitch::uops! {
        pub enum Op;
        op CallAndSave(function: call) { ; str x30, [sp, -16]! ; bl =>function ; ldr x30, [sp], 16 }
        op Return { ; ret }
    }
}

const FOUND: [(&str, Rule, Option<u32>); 21] = [
    ("LoadsTwice", Rule::Unpredictable, Some(0)),
    ("LoadsTwice", Rule::Unpredictable, Some(4)),
    ("LoadsTwice", Rule::Unpredictable, Some(8)),
    ("LoadsTwice", Rule::Unpredictable, Some(12)),
    ("MovesWhatItLoads", Rule::Unpredictable, Some(0)),
    ("MovesWhatItLoads", Rule::Unpredictable, Some(4)),
    ("MovesWhatItLoads", Rule::Unpredictable, Some(8)),
    ("MovesWhatItLoads", Rule::Unpredictable, Some(12)),
    ("MovesWhatItStores", Rule::Unpredictable, Some(0)),
    ("MovesWhatItStores", Rule::Unpredictable, Some(4)),
    ("MovesWhatItStores", Rule::Unpredictable, Some(8)),
    ("Status", Rule::Unpredictable, Some(0)),
    ("Status", Rule::Unpredictable, Some(4)),
    ("Status", Rule::Unpredictable, Some(8)),
    ("BelowStack", Rule::Stack, Some(0)),
    ("BelowStack", Rule::Stack, Some(4)),
    ("BelowStack", Rule::Stack, Some(8)),
    ("BelowStack", Rule::Stack, Some(12)),
    ("MayBeBelowStack", Rule::Stack, Some(0)),
    ("Return", Rule::ReturnAddress, Some(0)),
    ("TailCall", Rule::ReturnAddress, Some(0)),
];

#[test]
fn what_is_not_defined_is_found() {
    let contract = Contract::new().frame(0, []);
    let findings = assert_found(uops::Op::micro_ops(), &contract, &FOUND);
    with_snapshots(|| insta::assert_snapshot!("check_defined", findings.to_string()));
}

#[test]
fn a_return_is_found_only_where_a_call_has_changed_x30() {
    for contract in [Contract::new(), Contract::new().frame(0, [])] {
        assert_found(without_calls::Op::micro_ops(), &contract, &[]);
    }
}
