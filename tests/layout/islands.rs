//! Islands, met early by a reach of a few dozen bytes.

use super::ops::*;
use opstitch::{FallThrough, MutLiteral, Options, Reach, Target, TraceBuilder};

fn fill(b: &mut TraceBuilder, count: u64) {
    (0..count).for_each(|n| b.push(Long { n }).unwrap());
}

fn reach(reach: Reach) -> Options {
    Options::new().reach(reach)
}

#[test]
fn a_test_to_a_label() {
    let options = reach(Reach::default().test(64).unwrap());
    check("layout_island_test", options, |b| {
        let end = b.label();
        b.push(IfNegative { to: end }).unwrap();
        fill(b, 4);
        b.bind(end).unwrap();
        b.push(Leave).unwrap();
    });
}

/// Three branches to one exit share a veneer; the one to another has its own; `b` needs none.
#[test]
fn conditions_to_exits() {
    let options = reach(Reach::default().conditional(64).unwrap());
    check("layout_island_condition", options, |b| {
        let exit = |pc| [Op::from(SetPc { pc }), Leave.into()];
        let (one, other) = (b.exit(exit(1)).unwrap(), b.exit(exit(2)).unwrap());
        let same = b.exit(exit(1)).unwrap();
        b.push(GuardZero { otherwise: one }).unwrap();
        b.push(GuardOverflow { otherwise: other }).unwrap();
        b.push(GuardZero { otherwise: same }).unwrap();
        b.push(GuardZero { otherwise: one }).unwrap();
        fill(b, 4);
        b.push(Leave).unwrap();
    });
}

/// Each island has what is due then, each word once; a later one may hold it again.
#[test]
fn literals() {
    let options = reach(Reach::default().literal(96).unwrap());
    check("layout_island_literals", options, |b| {
        for value in [0x1234_5678_9abc, 0xabcd_ef01_2345, 0x1234_5678_9abc] {
            b.push(Constant { value }).unwrap();
        }
        fill(b, 6);
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Leave).unwrap();
    });
}

/// A changeable literal has its word in the first island, and later loads read that.
#[test]
fn a_changeable_literal() {
    let options = reach(Reach::default().literal(128).unwrap());
    check("layout_island_mut_literal", options, |b| {
        let word: MutLiteral = b.mut_literal(42);
        b.push(Cache { word }).unwrap();
        fill(b, 6);
        b.push(Cache { word }).unwrap();
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Leave).unwrap();
    });
}

/// Behind a micro-op that does not go on, nothing has to jump around the island.
#[test]
fn nothing_to_jump_around() {
    let options = reach(Reach::default().test(64).unwrap());
    check("layout_island_closed", options, |b| {
        let (on, end) = (b.label(), b.label());
        b.push(IfNegative { to: end }).unwrap();
        fill(b, 2);
        b.push(Loop { to: on }).unwrap();
        b.push(Leave).unwrap();
        b.bind(on).unwrap();
        fill(b, 1);
        b.bind(end).unwrap();
        b.push(Leave).unwrap();
    });
}

/// Everything at once, under both policies.
fn crowded(b: &mut TraceBuilder) {
    let top = b.bind_new().unwrap();
    let exit = b.exit([Leave]).unwrap();
    let end = b.label();
    for bit in 0..3 {
        b.push(GuardBit {
            bit,
            otherwise: exit,
        })
        .unwrap();
        b.push(Constant {
            value: 0x1111_2222_3333 + bit / 2,
        })
        .unwrap();
        b.push(IfZero { to: end }).unwrap();
        b.push(Drop { free: target(FAR) }).unwrap();
        b.push(Check {
            n: 5,
            otherwise: exit,
        })
        .unwrap();
        fill(b, 2);
    }
    b.bind(end).unwrap();
    b.push(IfZero { to: top }).unwrap();
    b.push(IfNegative { to: top }).unwrap();
    b.push(Leave).unwrap();
}

fn crowded_reach() -> Reach {
    let reach = Reach::default().test(80).and_then(|r| r.conditional(96));
    reach.and_then(|r| r.literal(128)).unwrap()
}

#[test]
fn everything() {
    check("layout_island_crowded", reach(crowded_reach()), crowded);
}

#[test]
fn everything_elided() {
    let options = reach(crowded_reach()).fall_through(FallThrough::Elide);
    check("layout_island_crowded_elide", options, crowded);
}

/// Calls in front of an island, and behind it. Each micro-op with a call is three words long.
fn long(b: &mut TraceBuilder, before: &[Target], behind: &[Target]) {
    let exit = b.exit([Leave]).unwrap();
    b.push(GuardZero { otherwise: exit }).unwrap();
    for &function in before {
        b.push(Call { function }).unwrap();
    }
    fill(b, 10);
    for &function in behind {
        b.push(Call { function }).unwrap();
    }
    b.push(Leave).unwrap();
}

/// What is called first has its trampoline in the island, and what is called behind it only, at the end.
#[test]
fn calls_of_a_long_trace() {
    let options = reach(Reach::default().conditional(240).unwrap());
    let [one, other] = [FAR, FARTHER].map(target);
    check("layout_island_calls", options, |b| {
        long(b, &[one, one], &[other, one]);
    });
}

/// A trampoline in an island is of no use to a target that is near, and none is there for one that can be changed.
#[test]
fn calls_of_a_long_trace_that_are_near_or_can_be_changed() {
    let options = reach(Reach::default().conditional(240).unwrap());
    let changed = Target::retargetable(FAR).unwrap();
    check("layout_island_calls_mixed", options, |b| {
        long(b, &[target(NEAR), changed, target(FARTHER)], &[target(FAR)]);
    });
}
