//! Calls: direct, through trampolines, and what the trampolines' words share.

use super::common::assert_listing;
use super::ops::*;
use opstitch::inspect::Symbols;
use opstitch::{Options, Target, TraceBuilder};

fn calls(b: &mut TraceBuilder) {
    for address in [NEAR, FAR, FARTHER, FAR] {
        b.push(Call {
            function: target(address),
        })
        .unwrap();
    }
    b.push(TailCall {
        function: target(FARTHER),
    })
    .unwrap();
}

#[test]
fn near_and_far() {
    check("layout_calls", Options::new(), calls);
}

#[test]
fn without_names() {
    let mut builder = TraceBuilder::new();
    calls(&mut builder);
    let linked = builder.finish().unwrap().link(ADDRESS).unwrap();
    assert_listing("layout_calls_nameless", &linked, &Symbols::new());
}

/// Linked to an address from which everything is near: no trampoline is left.
#[test]
fn all_near() {
    let mut builder = TraceBuilder::new();
    for address in [NEAR, FAR] {
        builder
            .push(Call {
                function: target(address),
            })
            .unwrap();
    }
    builder.push(Leave).unwrap();
    let trace = builder.finish().unwrap();
    let linked = trace.link(FAR + 0x100_0000 - FAR % 8).unwrap();
    assert_listing("layout_calls_behind", &linked, &symbols());
}

#[test]
fn tail_calls() {
    check("layout_tail_call", Options::new(), |b| {
        let exit = b
            .exit([TailCall {
                function: target(FAR),
            }])
            .unwrap();
        b.push(GuardZero { otherwise: exit }).unwrap();
        b.push(TailCall {
            function: target(NEAR),
        })
        .unwrap();
    });
}

/// A constant that is a far target's address has one word with it; one that is a near target's has
/// its own.
#[test]
fn a_word_for_a_constant_and_a_target() {
    check("layout_shared_word", Options::new(), |b| {
        b.push(Constant { value: FAR }).unwrap();
        b.push(Call {
            function: target(FAR),
        })
        .unwrap();
        b.push(Call {
            function: target(FARTHER),
        })
        .unwrap();
        b.push(Constant { value: NEAR | 1 }).unwrap();
        b.push(Leave).unwrap();
    });
}

/// A retargetable target goes through a trampoline though it is near, with a word of its own: not the
/// constant's, and not the plain target's.
#[test]
fn retargetable() {
    check("layout_retargetable", Options::new(), |b| {
        let function = Target::retargetable(NEAR).unwrap();
        b.push(Call { function }).unwrap();
        b.push(Call {
            function: target(NEAR),
        })
        .unwrap();
        let function = Target::retargetable(FAR).unwrap();
        b.push(Call { function }).unwrap();
        b.push(Call {
            function: target(FAR),
        })
        .unwrap();
        b.push(Constant { value: FAR }).unwrap();
        b.push(Leave).unwrap();
    });
}
