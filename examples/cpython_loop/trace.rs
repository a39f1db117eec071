//! The trace: CPython's 23 micro-ops in CPython's order, and its eight exits.

use opstitch::{Error, Exit, Label, Target, Trace, TraceBuilder};

use super::objects::{Bytecode, World};
use super::uops::*;

/// The ways out, in CPython's order: where the interpreter goes on, and the micro-ops that take them.
/// The three guards of `total + i` share the last.
pub const WAYS: [(Bytecode, &[&str]); 8] = [
    (Bytecode::JumpBackward, &["_START_EXECUTOR"]),
    (Bytecode::JumpBackward, &["_CHECK_PERIODIC"]),
    (Bytecode::ForIter, &["_CHECK_VALIDITY"]),
    (Bytecode::ForIter, &["_ITER_CHECK_RANGE"]),
    (Bytecode::PopIter, &["_GUARD_NOT_EXHAUSTED_RANGE"]),
    (Bytecode::ForIter, &["_ITER_NEXT_RANGE"]),
    (Bytecode::LoadFastBorrow, &["_CHECK_VALIDITY"]),
    (
        Bytecode::BinaryOp,
        &[
            "_GUARD_TOS_OVERFLOWED",
            "_GUARD_NOS_INT",
            "_BINARY_OP_ADD_INT",
        ],
    ),
];

/// The exits' code.
#[rustfmt::skip]
pub fn exits(world: &World) -> [Op; WAYS.len()] {
    let to = |exit: usize| world.code + WAYS[exit].0 as u64;
    [
        _DEOPT { exit: 0, instr_ptr: to(0) }.into(),
        _ERROR_POP_N { exit: 1, cached: 0, instr_ptr: to(1) }.into(),
        _DEOPT { exit: 2, instr_ptr: to(2) }.into(),
        _EXIT_TRACE { exit: 3, instr_ptr: to(3) }.into(),
        _EXIT_TRACE { exit: 4, instr_ptr: to(4) }.into(),
        _ERROR_POP_N { exit: 5, cached: 2, instr_ptr: to(5) }.into(),
        _DEOPT { exit: 6, instr_ptr: to(6) }.into(),
        _EXIT_TRACE { exit: 7, instr_ptr: to(7) }.into(),
    ]
}

/// The micro-ops. The loop's top is in front of the second.
#[rustfmt::skip]
pub fn micro_ops(world: &World, exits: &[Exit], top: Label) -> Result<[Op; 23], Error> {
    let [handle_pending, from_long, dealloc, exact_dealloc] = world.functions;
    let instr_ptr = |at: Bytecode| world.code + at as u64;
    Ok([
        _START_EXECUTOR { this: world.executor, invalid: exits[0] }.into(),
        _MAKE_WARM.into(),
        _SET_IP { instr_ptr: instr_ptr(Bytecode::JumpBackward) }.into(),
        _CHECK_PERIODIC { handle_pending: Target::new(handle_pending)?, error: exits[1] }.into(),
        _CHECK_VALIDITY { invalid: exits[2] }.into(),
        _ITER_CHECK_RANGE { range_iterator: world.range_iterator_type, other: exits[3] }.into(),
        _GUARD_NOT_EXHAUSTED_RANGE { exhausted: exits[4] }.into(),
        _ITER_NEXT_RANGE { from_long: Target::new(from_long)?, error: exits[5] }.into(),
        _SET_IP { instr_ptr: instr_ptr(Bytecode::StoreFast) }.into(),
        _SWAP_FAST_2.into(),
        _SPILL_OR_RELOAD.into(),
        _POP_TOP { dealloc: Target::new(dealloc)? }.into(),
        _CHECK_VALIDITY { invalid: exits[6] }.into(),
        _LOAD_FAST_BORROW_1.into(),
        _LOAD_FAST_BORROW_2.into(),
        _GUARD_TOS_OVERFLOWED { which: 0, big: exits[7] }.into(),
        _GUARD_NOS_INT { which: 1, other: exits[7] }.into(),
        _BINARY_OP_ADD_INT { which: 2, overflow: exits[7] }.into(),
        _POP_TOP_NOP.into(),
        _POP_TOP_NOP.into(),
        _SWAP_FAST_1.into(),
        _POP_TOP_INT { exact_dealloc: Target::new(exact_dealloc)? }.into(),
        _JUMP_TO_TOP { top }.into(),
    ])
}

/// Stitches the trace.
pub fn stitch<'b>(builder: &'b mut TraceBuilder, world: &World) -> Result<Trace<'b>, Error> {
    builder.clear();
    let top = builder.label();
    let mut handles = Vec::new();
    for code in exits(world) {
        handles.push(builder.exit([code])?);
    }
    for (number, op) in micro_ops(world, &handles, top)?.iter().enumerate() {
        if number == 1 {
            builder.bind(top)?;
        }
        builder.push(op)?;
    }
    builder.finish()
}
