//! Micro-ops as text, and the snapshot macros as a user calls them.

#[path = "common/snapshots.rs"]
mod snapshots;

use opstitch::inspect::Symbols;
use opstitch::{Target, TraceBuilder, assert_micro_op_snapshot, assert_trace_snapshot};

opstitch::uops! {
    pub enum Op;

    registers { vm: x19, stack: x20 }

    op Numbers(slot: u12, offset: i7 in -64..=-1, bit: u6) {
        ; ldr x9, [stack, slot * 8]
        ; ldp x9, x10, [stack, offset * 8]
        ; tbz x9, bit, >skip
        ; add x9, x9, slot
        ; skip:
    }

    op Masks(low: logical32, all: logical64, number: fp8) {
        ; and w9, w9, low
        ; orr x9, x9, all
        ; fmov d0, number
    }

    op Registers(to: reg, from: reg, vector: vreg) { ; add X(to), X(from), X(from) ; fmov X(to), D(vector) }

    op References(function: call, failed: exit, there: label, constant: literal, cache: mut literal) {
        ; ldr x9, =>constant
        ; ldr x10, =>cache
        ; cbz x9, =>failed
        ; cbz x10, >slow
        ; back:
        ; bl =>function
        ; b =>there
    } cold {
        ; slow:
        ; cbz x11, =>failed
        ; b <back
    }

    op Nothing { }

    op Leave { ; ret }
}

#[test]
fn every_kind_of_operand_has_its_text() {
    snapshots::with_snapshots(|| {
        assert_micro_op_snapshot!("micro_op_listings", Op::micro_ops());
    });
}

#[test]
fn one_micro_op_of_a_set_is_a_part_of_the_whole() {
    let ops: Vec<_> = Op::micro_ops().iter().collect();
    let one_by_one: Vec<_> = ops.iter().map(|op| op.listing().to_string()).collect();
    assert_eq!(one_by_one.join("\n"), Op::micro_ops().listing().to_string());
    snapshots::with_snapshots(|| assert_micro_op_snapshot!("micro_op_listings_one", ops[0]));
}

#[test]
fn the_trace_macro_takes_names_of_functions_or_does_without() -> Result<(), opstitch::Error> {
    let function = Target::new(0x2_0000)?;
    let mut builder = TraceBuilder::new();
    let there = builder.bind_new()?;
    let failed = builder.exit([Leave])?;
    let cache = builder.mut_literal(0);
    let constant = 0x1234_5678_9abc_def0;
    builder.push(References {
        function,
        failed,
        there,
        constant,
        cache,
    })?;
    let linked = builder.finish()?.link(0x1_0000)?;
    let symbols = Symbols::new().with("rt_push", function.address());
    snapshots::with_snapshots(|| {
        assert_trace_snapshot!(linked);
        assert_trace_snapshot!(linked, symbols = symbols);
        assert_trace_snapshot!("trace_macro_with_names", linked, symbols = symbols);
    });
    Ok(())
}
