//! The micro-ops that the traces here are made of.

use opstitch::inspect::Symbols;
use opstitch::{Options, Target, Trace, TraceBuilder};

use super::common::assert_listing;

opstitch::uops! {
    pub(crate) enum Op;

    registers { vm: x19, stack: x20 }

    op Add(n: u12) { ; add x0, x0, n }
    op Long(n: u12) { ; ldr x9, [stack, n * 8] ; add x9, x9, 1 ; add x10, x10, x9 ; str x9, [stack, n * 8] }
    op GuardZero(otherwise: exit) { ; cbnz x0, =>otherwise }
    op GuardBit(bit: u6, otherwise: exit) { ; tbz x0, bit, =>otherwise }
    op GuardOverflow(otherwise: exit) { ; adds x0, x0, x1 ; b.vs =>otherwise }
    op GuardTwice(one: exit, other: exit) { ; cbz x0, =>one ; cbz x1, =>other }
    op IfZero(to: label) { ; cbz x0, =>to }
    op IfNegative(to: label) { ; tbnz x0, 63, =>to }
    op IfEqual(to: label) { ; cmp x0, x1 ; b.eq =>to }
    op Loop(to: label) { ; sub x1, x1, 1 ; b =>to }
    op Jump(to: label) { ; b =>to }
    op Call(function: call) { ; mov x0, vm ; bl =>function }
    op TailCall(function: call) { ; mov x0, vm ; b =>function }
    op Constant(value: literal) { ; ldr x9, =>value }
    op Double(value: literal) { ; ldr d0, =>value }
    op Cache(word: mut literal) { ; ldr x9, =>word }
    op SetPc(pc: u16) { ; movz x0, pc }
    op Leave { ; ret }

    /// Frees what it dropped, off the straight path.
    op Drop(free: call) {
        ; ldr x0, [stack, #-8]!
        ; subs w1, w1, 1
        ; b.eq >free
        ; back:
        ; mov x2, xzr
    } cold {
        ; free:
        ; bl =>free
        ; b <back
    }

    /// As a guard whose slow path may still succeed.
    op Check(n: u12, otherwise: exit) {
        ; again:
        ; cmp x0, n
        ; b.hi >slow
    } cold {
        ; slow:
        ; lsr x0, x0, 1
        ; cbz x0, =>otherwise
        ; tbz x0, 0, <again
        ; b <again
    }
}

/// Where the traces are linked to.
pub(crate) const ADDRESS: u64 = 0x1_0000;

/// Targets in reach of `bl` from there, and two that are not.
pub(crate) const NEAR: u64 = 0x20_0000;
pub(crate) const FAR: u64 = 0x7fff_1234_5678;
pub(crate) const FARTHER: u64 = 0x7fff_8765_4320;

pub(crate) fn target(address: u64) -> Target {
    Target::new(address).unwrap()
}

pub(crate) fn symbols() -> Symbols {
    Symbols::from_iter([("rt_near", NEAR), ("rt_far", FAR), ("rt_farther", FARTHER)])
}

/// Builds a trace with these options and compares its listing with the snapshot of that name.
pub(crate) fn check(name: &str, options: Options, build: impl FnOnce(&mut TraceBuilder)) {
    let mut builder = TraceBuilder::with_options(options);
    build(&mut builder);
    check_trace(name, builder.finish().unwrap());
}

pub(crate) fn check_trace(name: &str, trace: Trace<'_>) {
    let linked = trace.link(ADDRESS).unwrap();
    assert_listing(name, &linked, &symbols());
}
