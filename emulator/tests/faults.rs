//! What a trace does wrong is an error that names the micro-op.

mod support;

use opstitch::{Part, TraceBuilder};
use opstitch_emulator::{Emulator, Error, FaultKind, Location};
use support::*;

const AT: u64 = 0x1_0000;

/// Runs `NOP, add, op, add, ret` and returns the fault, which must be in `op` (the third
/// instruction), with the first two executed and nothing more.
fn fault_in<'a>(
    emulator: &mut Emulator<'a>,
    push: impl FnOnce(&mut TraceBuilder) -> Result<(), opstitch::Error>,
) -> (FaultKind, u64, String) {
    let linked = trace(AT, |b| {
        b.push(Add { n: 1 })?;
        push(b)?;
        b.push(Add { n: 1 })?;
        b.push(Return)
    });
    emulator.load(&linked).unwrap();
    emulator.set_x(0, 0).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    let Error::Fault { kind, address, at } = &error else {
        panic!("{error}");
    };
    assert_eq!((at.pc, at.trace, at.offset), (AT + 8, Some(AT), Some(8)));
    assert_eq!(executed(emulator), [2, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 1);
    let op = at.op.clone().unwrap();
    assert!(error.to_string().contains(&op), "{error}");
    emulator.unload(AT).unwrap();
    (*kind, *address, op)
}

#[test]
fn bad_accesses() {
    let mut emulator = Emulator::new().unwrap();
    let buffer = emulator.allocate(32).unwrap();

    // The byte behind the buffer, and the last one in it that is not all there.
    for address in [buffer + 32, 0x1234, 0, u64::MAX - 7] {
        emulator.set_x(21, address).unwrap();
        let fault = fault_in(&mut emulator, |b| b.push(Load));
        assert_eq!(
            fault,
            (FaultKind::ReadUnmapped, address, "op 1 Load".into())
        );
        let fault = fault_in(&mut emulator, |b| b.push(Store));
        assert_eq!(
            fault,
            (FaultKind::WriteUnmapped, address, "op 1 Store".into())
        );
        // Neither has moved the pointer.
        assert_eq!(emulator.x(21).unwrap(), address);
    }
    emulator.set_x(21, buffer + 28).unwrap();
    let fault = fault_in(&mut emulator, |b| b.push(Load));
    assert_eq!(fault.1, buffer + 32);

    emulator.set_x(22, 0x5000).unwrap();
    let fault = fault_in(&mut emulator, |b| b.push(AtomicAdd));
    assert_eq!(
        fault,
        (FaultKind::ReadUnmapped, 0x5000, "op 1 AtomicAdd".into())
    );
    emulator.set_x(22, buffer + 4).unwrap();
    let fault = fault_in(&mut emulator, |b| b.push(AtomicAdd));
    assert_eq!(
        fault,
        (FaultKind::Unaligned, buffer + 4, "op 1 AtomicAdd".into())
    );

    // Code can be read, not written.
    emulator.set_x(21, AT + 4).unwrap();
    let fault = fault_in(&mut emulator, |b| b.push(Store));
    assert_eq!(
        fault,
        (FaultKind::WriteProtected, AT + 4, "op 1 Store".into())
    );
}

#[test]
fn exceptions() {
    let mut emulator = Emulator::new().unwrap();
    let mut fault = |push: fn(&mut TraceBuilder) -> Result<(), opstitch::Error>| {
        let (kind, address, op) = fault_in(&mut emulator, push);
        assert_eq!(address, AT + 8);
        (kind, op)
    };
    let expected = (FaultKind::Breakpoint(42), "op 1 Break".into());
    assert_eq!(fault(|b| b.push(Break)), expected);
    let expected = (FaultKind::SystemCall(7), "op 1 System".into());
    assert_eq!(fault(|b| b.push(System)), expected);
    let expected = (FaultKind::Undefined(0xbad), "op 1 Undefined".into());
    assert_eq!(fault(|b| b.push(Undefined)), expected);
    let expected = (FaultKind::Halted, "op 1 Wait".into());
    assert_eq!(fault(|b| b.push(Wait)), expected);
}

#[test]
fn the_stack_ends() {
    let linked = trace(AT, |b| {
        let top = b.bind_new()?;
        b.push(Push)?;
        b.jump(top)
    });
    let mut emulator = loaded(&linked);
    let error = emulator.run(AT, 1_000_000).unwrap_err();
    let Error::Fault {
        kind: FaultKind::WriteUnmapped,
        address,
        ..
    } = error
    else {
        panic!("{error}");
    };
    // The pointer is that before the push which did not fit.
    assert_eq!(address, emulator.sp().unwrap() - 16);
}

/// Runs `NOP, br x9`.
fn jump_to(emulator: &mut Emulator<'_>, address: u64) -> Error {
    emulator.set_x(9, address).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    assert_eq!(executed(emulator), [2, 0, 0]);
    error
}

#[test]
fn jumps_to_where_nothing_is() {
    let linked = trace(AT, |b| {
        b.push(JumpRegister)?;
        b.push(Constant {
            value: 0x1234_5678_9abc_def0,
        })?;
        b.push(Return)
    });
    let literal = AT + u64::from(linked.range(Part::Literals).start);
    let mut emulator = loaded(&linked);
    let buffer = emulator.allocate(4096).unwrap();
    let from_op = |at: &Location| {
        assert_eq!((at.trace, at.offset), (Some(AT), Some(4)));
        assert_eq!(at.op.as_deref(), Some("op 0 JumpRegister"));
    };

    // Not mapped at all, and behind the trace on its own page.
    for nowhere in [0, 0x7000, AT + 0x800, u64::MAX - 3] {
        let error = jump_to(&mut emulator, nowhere);
        let Error::NoTarget { target, at } = &error else {
            panic!("{error}");
        };
        assert_eq!((*target, at.pc), (nowhere, nowhere));
        from_op(at);
        let text = error.to_string();
        assert!(text.contains(&format!("{nowhere:#x}")), "{text}");
        assert!(text.contains("op 0 JumpRegister"), "{text}");
    }
    let cases = [
        (buffer, FaultKind::FetchProtected),
        (AT + 6, FaultKind::UnalignedJump),
        (0x7001, FaultKind::UnalignedJump),
        (literal, FaultKind::NotCode),
    ];
    for (address, expected) in cases {
        let error = jump_to(&mut emulator, address);
        let Error::Fault {
            kind,
            address: named,
            at,
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((*kind, *named, at.pc), (expected, address, address));
        from_op(at);
    }
}

/// The builder refuses a trace that falls off its end; a patch can still make one.
#[test]
fn running_into_literals() {
    let linked = trace(AT, |b| {
        b.push(Constant {
            value: 0x1234_5678_9abc_def0,
        })?;
        b.push(Return)
    });
    let literal = AT + u64::from(linked.range(Part::Literals).start);
    let mut emulator = loaded(&linked);
    let nop = 0xd503_201f_u32.to_le_bytes();
    for address in (AT + 8..literal).step_by(4) {
        emulator.write(address, &nop).unwrap();
    }
    let error = emulator.run(AT, 100).unwrap_err();
    let Error::Fault {
        kind: FaultKind::NotCode,
        address,
        at,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*address, at.pc), (literal, literal));
    assert_eq!(at.op.as_deref(), Some("op 1 Return"));
    let code = linked.range(Part::Literals).start / 4;
    assert_eq!(emulator.executed().total(), u64::from(code));
    assert_eq!(emulator.x(0).unwrap(), 0x1234_5678_9abc_def0);
}

#[test]
fn a_call_that_nobody_answers_names_the_micro_op() {
    let far = 0x55_5555_5550;
    for function in [AT + 0x4000, far] {
        let linked = trace(AT, |b| {
            b.push(Add { n: 1 })?;
            b.push(Call {
                function: target(function),
            })?;
            b.push(Return)
        });
        let mut emulator = loaded(&linked);
        let error = emulator.run(AT, 100).unwrap_err();
        let Error::NoTarget { target, at } = &error else {
            panic!("{error}");
        };
        // Not the trampoline, which was the last to run.
        assert_eq!((*target, at.offset), (function, Some(8)));
        assert!(at.op.as_deref().unwrap().starts_with("op 1 Call"), "{at}");
        assert!(error.to_string().contains("`on_call`"), "{error}");
    }
}

#[test]
fn a_fault_in_an_exit_names_the_exit() {
    let linked = trace(AT, |b| {
        let exit = b.exit([Op::from(Load), Return.into()])?;
        b.push(Guard { exit })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    let error = emulator.run(AT, 100).unwrap_err();
    let Error::Fault { at, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(at.op.as_deref(), Some("exit 0 Load"));
    assert_eq!(executed(&emulator), [2, 0, 0]);
}

#[test]
fn running_what_is_not_there() {
    let linked = trace(AT, |b| b.push(Return));
    let mut emulator = loaded(&linked);
    for entry in [0x5000, AT + 2, AT + 64] {
        let error = emulator.run(entry, 100).unwrap_err();
        assert!(matches!(error, Error::NoEntry { .. }), "{error}");
    }
    assert!(emulator.run(AT + 4, 1).is_ok());
}
