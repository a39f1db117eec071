//! Host closures stand for the functions that a trace calls.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use opstitch_emulator::{Emulator, End, Error, Nzcv, Occupant};
use support::*;

const AT: u64 = 0x1_0000;
const FUNCTION: u64 = AT + 0x4000;

#[test]
fn a_closure_sees_arguments_and_gives_results() {
    let linked = trace(AT, |b| {
        b.push(Enter)?;
        b.push(Call {
            function: target(FUNCTION),
        })?;
        b.push(Add { n: 1 })?;
        b.push(Leave)
    });
    let mut seen = Vec::new();
    let mut emulator = loaded(&linked);
    let cell = emulator.allocate_bytes(&7u64.to_le_bytes()).unwrap();
    emulator.set_x(0, cell).unwrap();
    emulator.set_d(0, 0.5).unwrap();
    emulator
        .on_call(FUNCTION, |cpu| {
            let cell = cpu.x(0)?;
            seen.push((cpu.read_u64(cell)?, cpu.d(0)?, cpu.x(30)?, cpu.sp()? % 16));
            cpu.write_u64(cell, 8)?;
            cpu.set_v(0, 1 << 100)?;
            cpu.set_x(0, 41)
        })
        .unwrap();
    let outcome = emulator.run(AT, 100).unwrap();
    assert_eq!((outcome.end, outcome.calls), (End::Returned, 1));
    assert_eq!(emulator.x(0).unwrap(), 42);
    assert_eq!(emulator.v(0).unwrap(), 1 << 100);
    assert_eq!(emulator.read_u64(cell).unwrap(), 8);
    drop(emulator);
    // The return address is behind NOP, mov and bl.
    assert_eq!(seen, [(7, 0.5, AT + 12, 0)]);
}

#[test]
fn every_way_to_a_target() {
    // In reach of bl; on the trace's own page; far beyond 4 GiB; in the upper half.
    for function in [FUNCTION, AT + 0x800, AT - 4, 1 << 47, 0xffff_8000_0000_1000] {
        let linked = trace(AT, |b| {
            b.push(Enter)?;
            b.push(Call {
                function: target(function),
            })?;
            b.push(CallRegister)?;
            b.push(Leave)
        });
        let tail = trace(AT + 0x1000, |b| {
            b.push(TailCall {
                function: target(function),
            })
        });
        let jump = trace(AT + 0x2000, |b| b.push(JumpRegister));
        let mut emulator = loaded(&linked);
        emulator.load(&tail).unwrap();
        emulator.load(&jump).unwrap();
        emulator.set_clobber(false);
        emulator
            .on_call(function, |cpu| {
                let n = cpu.x(1)?;
                cpu.set_x(1, n + 1)
            })
            .unwrap();
        emulator.set_x(9, function).unwrap();
        assert_eq!(emulator.run(linked.address(), 100).unwrap().calls, 2);
        assert_eq!(emulator.run(tail.address(), 100).unwrap().calls, 1);
        assert_eq!(emulator.run(jump.address(), 100).unwrap().calls, 1);
        assert_eq!(emulator.x(1).unwrap(), 4);
    }
}

#[test]
fn targets_side_by_side() {
    let linked = trace(AT, |b| {
        b.push(Enter)?;
        for n in [0, 2, 1, 2] {
            b.push(Call {
                function: target(FUNCTION + 4 * n),
            })?;
        }
        b.push(Leave)
    });
    let calls = std::cell::RefCell::new(Vec::new());
    let mut emulator = loaded(&linked);
    for n in 0..3 {
        let calls = &calls;
        emulator
            .on_call(FUNCTION + 4 * n, move |_| {
                calls.borrow_mut().push(n);
                Ok(())
            })
            .unwrap();
    }
    run(&mut emulator, &linked);
    assert_eq!(*calls.borrow(), [0, 2, 1, 2]);
}

#[test]
fn a_target_can_get_another_closure() {
    let linked = trace(AT, |b| {
        b.push(TailCall {
            function: target(FUNCTION),
        })
    });
    let mut emulator = loaded(&linked);
    for result in [1, 2] {
        emulator
            .on_call(FUNCTION, move |cpu| cpu.set_x(0, result))
            .unwrap();
        run(&mut emulator, &linked);
        assert_eq!(emulator.x(0).unwrap(), result);
    }
}

#[test]
fn what_a_function_may_change_is_changed() {
    let linked = trace(AT, |b| {
        b.push(Enter)?;
        b.push(Compare)?;
        b.push(Call {
            function: target(FUNCTION),
        })?;
        b.push(Leave)
    });
    let before = |emulator: &mut Emulator<'_>| {
        for n in 0..=29 {
            emulator.set_x(n, u64::from(n)).unwrap();
        }
        for n in 0..=31 {
            emulator.set_v(n, (1 << 64 | 1) * u128::from(n)).unwrap();
        }
    };
    let all = (1 << 64 | 1) * 5u128;
    let mut emulator = loaded(&linked);
    emulator
        .on_call(FUNCTION, |cpu| {
            // What it sets stays, even to what it was before.
            cpu.set_x(0, 0)?;
            cpu.set_v(2, (1 << 64 | 1) * 2)
        })
        .unwrap();

    before(&mut emulator);
    run(&mut emulator, &linked);
    for n in 0..=29 {
        // x19 holds the return address here, and x29 the frame record.
        let kept = n == 0 || (18..=29).contains(&n);
        let unchanged = emulator.x(n).unwrap() == u64::from(n);
        assert!(n == 19 || n == 29 || unchanged == kept, "x{n}");
    }
    for n in 0..=31u8 {
        let (value, number) = (emulator.v(n).unwrap(), u128::from(n));
        let (low, high) = (value & u128::from(u64::MAX), value >> 64);
        assert_eq!(low == number, n == 2 || (8..=15).contains(&n), "d{n}");
        assert_eq!(high == number, n == 2, "upper half of v{n}");
    }
    // 0 was compared with 1.
    let compared = Nzcv {
        n: true,
        ..Nzcv::default()
    };
    let opposite = Nzcv {
        n: false,
        z: true,
        c: true,
        v: true,
    };
    assert_eq!(emulator.nzcv().unwrap(), opposite);

    emulator.set_clobber(false);
    before(&mut emulator);
    emulator.set_v(31, all).unwrap();
    run(&mut emulator, &linked);
    for n in (0..=18).chain(20..=28) {
        assert_eq!(emulator.x(n).unwrap(), u64::from(n));
    }
    assert_eq!(emulator.v(9).unwrap(), (1 << 64 | 1) * 9);
    assert_eq!(emulator.v(31).unwrap(), all);
    assert_eq!(emulator.nzcv().unwrap(), compared);
}

#[test]
fn flags_that_a_closure_sets_stay() {
    let linked = trace(AT, |b| {
        b.push(TailCall {
            function: target(FUNCTION),
        })
    });
    let mut emulator = loaded(&linked);
    let flags = Nzcv {
        z: true,
        v: true,
        ..Nzcv::default()
    };
    emulator
        .on_call(FUNCTION, move |cpu| cpu.set_nzcv(flags))
        .unwrap();
    run(&mut emulator, &linked);
    assert_eq!(emulator.nzcv().unwrap(), flags);
}

#[test]
fn a_closure_can_end_the_run() {
    let linked = trace(AT, |b| {
        b.push(Add { n: 1 })?;
        b.push(Call {
            function: target(FUNCTION),
        })?;
        b.push(Add { n: 1 })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    emulator.set_x(5, 5).unwrap();
    emulator
        .on_call(FUNCTION, |cpu| {
            cpu.stop();
            Ok(())
        })
        .unwrap();
    let outcome = emulator.run(AT, 100).unwrap();
    assert_eq!((outcome.end, outcome.calls), (End::Stopped, 1));
    assert_eq!(executed(&emulator), [3, 0, 0]);
    // Not clobbered: it is the closure's state that the caller wants to see.
    assert_eq!((emulator.x(0).unwrap(), emulator.x(5).unwrap()), (1, 5));
}

#[test]
fn a_closure_can_fail() {
    let linked = trace(AT, |b| {
        b.push(Call {
            function: target(FUNCTION),
        })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    emulator.on_call(FUNCTION, |cpu| cpu.set_x(31, 0)).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    let Error::InCall {
        target: FUNCTION,
        at,
        source,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(at.op.as_deref().unwrap().starts_with("op 0 Call"), "{at}");
    let no_such = matches!(
        **source,
        Error::NoSuchRegister {
            bank: 'x',
            number: 31
        }
    );
    assert!(no_such, "{source}");
    assert_eq!(executed(&emulator), [2, 0, 0]);
}

#[test]
fn a_panic_goes_through_and_leaves_the_emulator_usable() {
    let linked = trace(AT, |b| {
        b.push(TailCall {
            function: target(FUNCTION),
        })
    });
    let mut emulator = loaded(&linked);
    let mut first = true;
    emulator
        .on_call(FUNCTION, move |cpu| {
            if std::mem::take(&mut first) {
                panic!("the first time");
            }
            cpu.set_x(0, 2)
        })
        .unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| emulator.run(AT, 100)));
    let panic = result.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the first time"));
    assert_eq!(executed(&emulator), [2, 0, 0]);
    // The closure is still there, with what it remembers.
    run(&mut emulator, &linked);
    assert_eq!(emulator.x(0).unwrap(), 2);
}

/// As a runtime function does that invalidates the trace it was called from.
#[test]
fn a_closure_can_patch_the_trace_that_called_it() {
    let linked = trace(AT, |b| {
        b.push(Enter)?;
        let top = b.bind_new()?;
        b.push(Call {
            function: target(FUNCTION),
        })?;
        b.push(Add { n: 1 })?;
        b.push(Loop { top })?;
        b.push(Leave)
    });
    let mut emulator = loaded(&linked);
    let mut calls = 0;
    emulator
        .on_call(FUNCTION, move |cpu| {
            calls += 1;
            if calls == 4 {
                // NOP, mov, bl, and there is the add.
                cpu.write(AT + 12, &0xd503_201f_u32.to_le_bytes())?;
            }
            let sum = cpu.x(0)?;
            cpu.set_x(0, sum)
        })
        .unwrap();
    emulator.set_x(20, 10).unwrap();
    assert_eq!(run(&mut emulator, &linked), [2 + 10 * 4 + 2, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 3);
}

#[test]
fn targets_do_not_overlap_other_things() {
    let linked = trace(AT, |b| b.push(Return));
    let mut emulator = loaded(&linked);
    let buffer = emulator.allocate(16).unwrap();
    let mut occupant = |target| match emulator.on_call(target, |_| unreachable!()) {
        Err(Error::Overlap { occupant, .. }) => Some(occupant),
        Err(Error::Unaligned { .. }) => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(occupant(AT + 4), Some(Occupant::Trace(AT)));
    assert_eq!(occupant(buffer), Some(Occupant::Memory));
    assert_eq!(occupant(AT + 10), None);

    emulator.on_call(FUNCTION + 8, |_| Ok(())).unwrap();
    let over = trace(FUNCTION, |b| {
        b.push(Add { n: 1 })?;
        b.push(Return)
    });
    match emulator.load(&over) {
        Err(Error::Overlap { occupant, .. }) => {
            assert_eq!(occupant, Occupant::Target(FUNCTION + 8))
        }
        other => panic!("{other:?}"),
    }
}
