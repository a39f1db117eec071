//! The way into a trace and out of it, register by register.

use std::arch::naked_asm;
use std::mem::offset_of;

use crate::op::operand::Target;
use crate::slab::call::native::enter;
use crate::slab::{InstalledTrace, Slab};
use crate::{Error, TraceBuilder};

crate::uops! {
    enum Op;

    /// Notes at `x0` what the trace finds.
    op Look {
        ; stp x0, x1, [x0]
        ; stp x2, x3, [x0, #16]
        ; stp x4, x5, [x0, #32]
        ; mov x9, sp
        ; stp x9, x29, [x0, #48]
        ; ldr x10, [sp]
        ; stp x30, x10, [x0, #64]
    }
    /// Changes the general-purpose registers but the platform's x18.
    op Clobber {
        ; movn x0, #0 ; movn x1, #0 ; movn x2, #0 ; movn x3, #0 ; movn x4, #0 ; movn x5, #0
        ; movn x6, #0 ; movn x7, #0 ; movn x8, #0 ; movn x9, #0 ; movn x10, #0 ; movn x11, #0
        ; movn x12, #0 ; movn x13, #0 ; movn x14, #0 ; movn x15, #0 ; movn x16, #0 ; movn x17, #0
        ; movn x19, #0 ; movn x20, #0 ; movn x21, #0 ; movn x22, #0 ; movn x23, #0 ; movn x24, #0
        ; movn x25, #0 ; movn x26, #0 ; movn x27, #0 ; movn x28, #0 ; movn x29, #0 ; movn x30, #0
    }
    /// Changes the vector registers, all 128 bits of those that a function leaves as they are.
    op ClobberVectors {
        ; movi v0.b16, #0xff ; movi v1.b16, #0xff ; movi v7.b16, #0xff ; movi v8.b16, #0xff
        ; movi v9.b16, #0xff ; movi v10.b16, #0xff ; movi v11.b16, #0xff ; movi v12.b16, #0xff
        ; movi v13.b16, #0xff ; movi v14.b16, #0xff ; movi v15.b16, #0xff ; movi v16.b16, #0xff
        ; movi v31.b16, #0xff
    }
    /// Calls with the arguments of the trace.
    op Call(function: call) { ; bl =>function }
    /// Begins a frame of the trace's own.
    op Begin { ; stp x29, x30, [sp, #-16]! ; mov x29, sp }
    /// Ends it, with x30 as it was.
    op End { ; ldp x29, x30, [sp], #16 }
    /// Goes back by the address on the stack.
    op Leave(exit: u16, operand: u16) {
        ; ldr x30, [sp]
        ; movz x0, exit
        ; movz x1, operand
        ; ret
    }
}

/// What a function leaves as it is (AAPCS64 6.1).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kept {
    x19_to_x28: [u64; 10],
    d8_to_d15: [u64; 8],
    sp: u64,
    x29: u64,
}

/// A call of [`enter`], and what the caller has before and after it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Call_ {
    code: u64,
    arguments: [u64; 7],
    before: Kept,
    after: Kept,
    result: [u64; 2],
}

/// Does the call at x0, as a caller that uses every register that it may rely on.
#[unsafe(naked)]
extern "C" fn call(call: *mut Call_) {
    naked_asm!(
        "hint #34", // bti c
        "stp x29, x30, [sp, #-176]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "str x0, [sp, #160]",
        "add x9, x0, {before}",
        "ldp x19, x20, [x9]",
        "ldp x21, x22, [x9, #16]",
        "ldp x23, x24, [x9, #32]",
        "ldp x25, x26, [x9, #48]",
        "ldp x27, x28, [x9, #64]",
        "ldp d8, d9, [x9, #80]",
        "ldp d10, d11, [x9, #96]",
        "ldp d12, d13, [x9, #112]",
        "ldp d14, d15, [x9, #128]",
        "mov x10, sp",
        "stp x10, x29, [x9, #144]",
        "ldp x5, x6, [x0, #48]",
        "ldp x3, x4, [x0, #32]",
        "ldp x1, x2, [x0, #16]",
        "ldp x7, x0, [x0]",
        "bl {enter}",
        "ldr x9, [sp, #160]",
        "str x0, [x9, {result}]",
        "str x1, [x9, {result} + 8]",
        "add x9, x9, {after}",
        "stp x19, x20, [x9]",
        "stp x21, x22, [x9, #16]",
        "stp x23, x24, [x9, #32]",
        "stp x25, x26, [x9, #48]",
        "stp x27, x28, [x9, #64]",
        "stp d8, d9, [x9, #80]",
        "stp d10, d11, [x9, #96]",
        "stp d12, d13, [x9, #112]",
        "stp d14, d15, [x9, #128]",
        "mov x10, sp",
        "stp x10, x29, [x9, #144]",
        "ldp d14, d15, [sp, #144]",
        "ldp d12, d13, [sp, #128]",
        "ldp d10, d11, [sp, #112]",
        "ldp d8, d9, [sp, #96]",
        "ldp x27, x28, [sp, #80]",
        "ldp x25, x26, [sp, #64]",
        "ldp x23, x24, [sp, #48]",
        "ldp x21, x22, [sp, #32]",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #176",
        "ret",
        before = const offset_of!(Call_, before),
        after = const offset_of!(Call_, after),
        result = const offset_of!(Call_, result),
        enter = sym enter,
    )
}

/// Notes at x0 where it goes back to, and the three frame records above it.
#[unsafe(naked)]
extern "C" fn walk(records: *mut [u64; 7]) {
    naked_asm!(
        "hint #34", // bti c
        "str x30, [x0]",
        "ldp x9, x10, [x29]",
        "stp x9, x10, [x0, #8]",
        "ldp x9, x10, [x9]",
        "stp x9, x10, [x0, #24]",
        "ldp x9, x10, [x9]",
        "stp x9, x10, [x0, #40]",
        "ret",
    )
}

fn install(ops: &[Op]) -> InstalledTrace {
    let mut builder = TraceBuilder::new();
    ops.iter().for_each(|op| builder.push(op).unwrap());
    let slab = Slab::new(1 << 16).unwrap();
    slab.install(&builder.finish().unwrap()).unwrap()
}

fn prepare(trace: &InstalledTrace, arguments: [u64; 7]) -> Call_ {
    let number = |n: usize| 0x0101_0101_0101_0101 * (n as u64 + 1);
    Call_ {
        code: trace.address(),
        arguments,
        before: Kept {
            x19_to_x28: std::array::from_fn(number),
            d8_to_d15: std::array::from_fn(|n| number(n + 10)),
            ..Kept::default()
        },
        ..Call_::default()
    }
}

/// Whether an address is in the code of a function.
fn is_in(address: u64, function: *const ()) -> bool {
    (function as u64..function as u64 + 400).contains(&address)
}

#[test]
fn what_a_trace_finds_and_what_its_caller_gets_back() {
    let leave = Leave {
        exit: 7,
        operand: 9,
    };
    let trace = install(&[
        Look.into(),
        Clobber.into(),
        ClobberVectors.into(),
        leave.into(),
    ]);
    let mut found = [0u64; 10];
    let pointer = found.as_mut_ptr() as u64;
    let mut called = prepare(&trace, [pointer, 1, 2, 3, 4, u64::MAX, 6]);
    call(&raw mut called);

    assert_eq!(called.after, called.before);
    assert_eq!(called.result, [7, 9]);
    assert_eq!(found[..6], called.arguments[..6]);
    let [sp, x29, x30, on_stack] = found[6..] else {
        panic!("four more");
    };
    // The layout that `enter` promises.
    assert!(sp.is_multiple_of(16));
    assert_eq!((sp + 16, x29 + 160), (x29, called.before.sp));
    assert_eq!(x30, on_stack);
    assert!(is_in(x30, enter as *const ()));
}

#[test]
fn a_walk_along_frame_pointers_leads_through_the_trace() -> Result<(), Error> {
    let function = Target::new(walk as *const () as u64)?;
    let leave = Leave {
        exit: 1,
        operand: 2,
    };
    let with_frame = [
        Begin.into(),
        Call { function }.into(),
        End.into(),
        leave.into(),
    ];
    let without: [Op; 2] = [Call { function }.into(), leave.into()];
    for (ops, own_frames) in [(&without[..], 0), (&with_frame[..], 1)] {
        let trace = install(ops);
        let mut records = [0u64; 7];
        let mut called = prepare(&trace, [records.as_mut_ptr() as u64, 0, 0, 0, 0, 0, 0]);
        call(&raw mut called);
        assert_eq!(called.after, called.before);

        let code = trace.address()..trace.address() + trace.len() as u64;
        assert!(code.contains(&records[0]));
        let mut rest = &records[1..];
        if own_frames == 1 {
            assert_eq!(rest[0] + 160, called.before.sp);
            assert!(is_in(rest[1], enter as *const ()));
            rest = &rest[2..];
        }
        // The record of `enter`, and the one of `call`.
        assert_eq!(rest[0], called.before.x29);
        assert!(is_in(rest[1], call as *const ()));
        assert!(rest[2] > called.before.x29, "the caller's, further up");
    }
    Ok(())
}
