//! Arguments, results, and calls of runtime functions.

use std::cell::Cell;
use std::ptr::NonNull;

use opstitch::slab::{
    Distance, EntryFn, ExitTaken, InstalledTrace, ReturnValue, Slab, SlabOptions,
};
use opstitch::{MicroOp, Target, TraceBuilder};

use crate::run;
use crate::support::{self, MAPPINGS, build, far, slabs};

opstitch::uops! {
    pub enum Native;

    /// Stores the arguments behind the first, at which it points.
    op StoreArguments { ; stp x1, x2, [x0] ; stp x3, x4, [x0, #16] ; str x5, [x0, #32] }
    /// Calls, in a frame of its own, and keeps the result.
    op Call(function: call) {
        ; stp x29, x30, [sp, #-16]!
        ; mov x29, sp
        ; bl =>function
        ; ldp x29, x30, [sp], #16
    }
    op Numbers(a: u16, b: u16) { ; movz x0, a ; movz x1, b }
    op Doubles { ; fmov d0, #1.5 ; fmov d1, #2.0 ; fmov d2, #-3.0 }
    op Single { ; fmov s0, #0.25 }
    /// Packs two halves.
    op Halves(low: u16, high: u16) { ; movz x0, low ; movk x0, high, lsl #32 }
    /// Stores a result that does not fit into registers.
    op Large { ; movz x9, #1 ; movz x10, #2 ; stp x9, x10, [x8] ; stp x10, x9, [x8, #16] }
    /// Leaves through an exit, with what is in x0 for its operand.
    op LeaveWith(exit: u16) { ; mov x1, x0 ; movz x0, exit ; ret }
    op Return { ; ret }
}

fn install<O: MicroOp>(slab: &Slab, ops: impl IntoIterator<Item = O>) -> InstalledTrace {
    let mut builder = TraceBuilder::new();
    ops.into_iter().for_each(|op| builder.push(op).unwrap());
    slab.install(&builder.finish().unwrap()).unwrap()
}

/// Calls what returns at once after these micro-ops.
macro_rules! returned {
    ($type:ty, $($op:expr),*) => {{
        let slab = Slab::new(1 << 16).unwrap();
        let ops: &[Native] = &[$($op.into(),)* Return.into()];
        let trace = install(&slab, ops.iter().copied());
        // SAFETY: the micro-ops return a value of that type, and touch nothing else.
        unsafe { trace.entry::<extern "C" fn() -> $type>().call(&slab.pin()) }
    }};
}

#[test]
fn arguments_are_extended_by_their_sign() {
    let slab = Slab::new(1 << 16).unwrap();
    let trace = install::<Native>(&slab, [StoreArguments.into(), Return.into()]);
    let pin = slab.pin();
    let mut seen = [0u64; 5];
    let to = seen.as_mut_ptr();
    // SAFETY: the trace stores five words behind the pointer.
    unsafe {
        let entry = trace.entry::<extern "C" fn(*mut u64, i8, u16, i32, bool, i64)>();
        entry.call(&pin, to, -1, 0xffff, i32::MIN, true, i64::MIN);
        let expected = [-1, 0xffff, i64::from(i32::MIN), 1, i64::MIN];
        assert_eq!(seen, expected.map(|n| n as u64));
        let entry = trace.entry::<extern "C" fn(NonNull<u64>, u8, isize, *const u8)>();
        let pointer = NonNull::new(to).unwrap();
        entry.call(&pin, pointer, 0xff, -2, std::ptr::null());
        assert_eq!(seen[..3], [0xff, -2i64 as u64, 0]);
        assert_eq!(seen[3..], [0, 0], "registers without an argument");
    }
}

#[test]
fn an_exit_and_its_operand_come_back_in_two_registers() {
    let slab = Slab::new(1 << 16).unwrap();
    let mut builder = TraceBuilder::new();
    let exits = [3, 40].map(|exit| builder.exit([LeaveWith { exit }]).unwrap());
    for exit in exits {
        builder.push(support::Guard { exit }).unwrap();
        builder.push(support::Add { n: 1 }).unwrap();
    }
    builder.push(LeaveWith { exit: 5 }).unwrap();
    let trace = slab.install(&builder.finish().unwrap()).unwrap();
    let entry = trace.entry::<extern "C" fn(i64) -> ExitTaken>();
    let pin = slab.pin();
    for (argument, exit, operand) in [(0, 3, 0), (-1, 40, 0), (-2, 5, 0), (7, 5, 9)] {
        // SAFETY: the micro-ops compute with x0 and return two numbers.
        let taken = unsafe { entry.call(&pin, argument) };
        assert_eq!(taken, ExitTaken { exit, operand });
    }
}

#[test]
fn results_are_where_the_procedure_call_standard_has_them() {
    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Left {
        pc: u32,
        depth: u32,
        top: *mut u8,
    }
    // SAFETY: `#[repr(C)]`.
    unsafe impl ReturnValue for Left {}

    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Vector([f64; 3]);
    // SAFETY: `#[repr(C)]`.
    unsafe impl ReturnValue for Vector {}

    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Words([u64; 4]);
    // SAFETY: `#[repr(C)]`.
    unsafe impl ReturnValue for Words {}

    returned!((),);
    let numbers = Numbers { a: 65535, b: 9 };
    assert_eq!(returned!(u64, numbers), 65535);
    assert_eq!(returned!(i16, numbers), -1);
    assert_eq!(returned!(*const u8, numbers), 65535 as *const u8);
    assert!(returned!(bool, Numbers { a: 1, b: 0 }));
    assert_eq!(returned!(f64, Doubles), 1.5);
    assert_eq!(returned!(f32, Single), 0.25);
    assert_eq!(returned!(Vector, Doubles), Vector([1.5, 2.0, -3.0]));
    assert_eq!(returned!(Words, Large), Words([1, 2, 2, 1]));
    let left = returned!(Left, numbers, Halves { low: 20, high: 3 });
    let top = 9 as *mut u8;
    assert_eq!(
        left,
        Left {
            pc: 20,
            depth: 3,
            top
        }
    );
}

#[test]
fn signatures_of_every_length_are_entries() {
    fn check<F: EntryFn>() {}
    check::<extern "C" fn()>();
    check::<extern "C" fn(u8) -> bool>();
    check::<extern "C" fn(u8, i8) -> ExitTaken>();
    check::<extern "C" fn(u8, i8, *mut String) -> *const String>();
    check::<extern "C" fn(u8, i8, u64, u64) -> f64>();
    check::<extern "C" fn(u8, i8, u64, u64, u64) -> f32>();
    check::<extern "C" fn(u8, i8, u64, u64, u64, u64) -> u64>();
}

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

extern "C" fn double(n: u64) -> u64 {
    CALLS.set(CALLS.get() + 1);
    n.wrapping_mul(2)
}

extern "C" fn negate(n: u64) -> u64 {
    CALLS.set(CALLS.get() + 1);
    n.wrapping_neg()
}

fn target(function: extern "C" fn(u64) -> u64) -> Target {
    Target::new(function as usize as u64).unwrap()
}

fn calling(functions: &[Target]) -> TraceBuilder {
    let mut builder = TraceBuilder::new();
    for &function in functions {
        builder.push(Call { function }).unwrap();
    }
    builder.push(Return).unwrap();
    builder
}

#[test]
fn calls_reach_functions_near_and_far() {
    for &mapping in MAPPINGS {
        let near = SlabOptions::new(1 << 16).mapping(mapping);
        let elsewhere = double as *const () as u64 ^ 1 << 45;
        for (options, is_near) in [(near, true), (near.near(elsewhere), false)] {
            let slab = options.build().unwrap();
            let mut builder = calling(&[target(double), target(negate), target(double)]);
            let trace = slab.install(&builder.finish().unwrap()).unwrap();
            CALLS.set(0);
            assert_eq!(run(&trace, 10u64) as i64, -40);
            assert_eq!(CALLS.get(), 3);
            let calls = trace.statistics();
            let direct = calls.direct_calls == 3;
            assert!(direct || slab.statistics().trampolines == 2, "{calls:?}");
            // The slab says how near it has come.
            if is_near && slab.distance() == Distance::Direct {
                assert!(direct, "{calls:?}");
            }
            if cfg!(target_os = "linux") {
                assert_eq!(direct, is_near, "{mapping:?} at {:x?}", slab.addresses());
            }
        }
    }
}

#[test]
fn a_function_is_replaced_for_all_traces() {
    for slab in slabs(1 << 16) {
        let function = Target::retargetable(target(double).address()).unwrap();
        let traces = [0, 1].map(|_| {
            let mut builder = calling(&[function]);
            slab.install(&builder.finish().unwrap()).unwrap()
        });
        let results = || traces.each_ref().map(|trace| run(trace, 3u64) as i64);
        assert_eq!(results(), [6, 6]);
        slab.retarget(function, target(negate).address()).unwrap();
        assert_eq!(results(), [-3, -3]);
        let later = slab
            .install(&calling(&[function]).finish().unwrap())
            .unwrap();
        assert_eq!(run(&later, 4u64) as i64, -4);
        slab.retarget(function, function.address()).unwrap();
        assert_eq!(results(), [6, 6]);
        assert_eq!(run(&later, 4u64), 8);
    }
}

#[test]
fn what_was_published_together_runs() {
    for slab in slabs(1 << 16) {
        let mut batch = slab.batch();
        for code in 0..50 {
            batch.add(&support::plain(2, code).trace()).unwrap();
        }
        let mut calls = calling(&[target(double), target(negate)]);
        batch.add(&calls.finish().unwrap()).unwrap();
        let traces = batch.publish().unwrap();
        for (trace, code) in traces[..50].iter().zip(0..) {
            assert_eq!(run(trace, 0u64), code);
        }
        assert_eq!(run(&traces[50], 1u64) as i64, -2);
    }
}

#[test]
fn what_was_linked_for_a_reserved_place_runs() {
    for slab in slabs(1 << 16) {
        let mut builder = calling(&[target(double), target(double)]);
        let trace = builder.finish().unwrap();
        let room = slab.reserve(trace.linked_len(0).unwrap()).unwrap();
        let linked = trace.link(room.address()).unwrap();
        assert_eq!(run(&room.install(&linked).unwrap(), 5u64), 20);
        // Far targets, which have trampolines of the trace's own then.
        let mut built = build(|b| {
            let exit = b.exit([support::Leave { code: 6 }])?;
            b.push(support::Guard { exit })?;
            b.push(support::Call {
                function: far(&slab, 0),
            })?;
            b.push(support::Leave { code: 0 })
        });
        let room = slab.reserve(400).unwrap();
        let linked = built.trace().link(room.address()).unwrap();
        assert_eq!(run(&room.install(&linked).unwrap(), 0u64), 6);
    }
}
