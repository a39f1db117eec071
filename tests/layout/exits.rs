//! Side exits.

use super::ops::*;
use opstitch::Options;

/// Two of three exits have the same code, one in two micro-ops; one is never led to.
#[test]
fn equal_exits_become_one() {
    check("layout_exits_merged", Options::new(), |b| {
        let exit = |pc| [Op::from(SetPc { pc }), Leave.into()];
        let first = b.exit(exit(1)).unwrap();
        let unused = b.exit(exit(2)).unwrap();
        let other = b.exit(exit(3)).unwrap();
        let again = b.exit(exit(1)).unwrap();
        assert_ne!(first, unused);
        b.push(GuardZero { otherwise: again }).unwrap();
        b.push(GuardZero { otherwise: other }).unwrap();
        b.push(GuardBit {
            bit: 5,
            otherwise: first,
        })
        .unwrap();
        b.push(GuardTwice {
            one: first,
            other: again,
        })
        .unwrap();
        b.push(Leave).unwrap();
    });
}

/// An exit that goes back into the trace, one declared first and defined last, one that calls.
#[test]
fn exits_that_go_on() {
    check("layout_exits_on", Options::new(), |b| {
        let top = b.bind_new().unwrap();
        let back = b.declare_exit();
        b.define_exit(back, |code| {
            code.push(SetPc { pc: 7 })?;
            code.jump(top)
        })
        .unwrap();
        let late = b.declare_exit();
        let calls = b
            .exit([TailCall {
                function: target(NEAR),
            }])
            .unwrap();
        b.push(GuardZero { otherwise: back }).unwrap();
        b.push(GuardOverflow { otherwise: late }).unwrap();
        b.push(GuardZero { otherwise: calls }).unwrap();
        b.push(Leave).unwrap();
        b.define_exit(late, |code| {
            code.push(Constant {
                value: 0x1234_5678_9abc,
            })?;
            code.push(Leave)
        })
        .unwrap();
    });
}

/// An exit whose code has a guard and a cold part of its own.
#[test]
fn exits_with_exits() {
    check("layout_exits_nested", Options::new(), |b| {
        let last = b.exit([Leave]).unwrap();
        let checks = [
            Op::from(Check {
                n: 9,
                otherwise: last,
            }),
            Drop { free: target(NEAR) }.into(),
            Leave.into(),
        ];
        let first = b.exit(checks).unwrap();
        b.push(GuardZero { otherwise: first }).unwrap();
        b.push(Leave).unwrap();
    });
}
