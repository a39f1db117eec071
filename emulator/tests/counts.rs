//! The counts and the limit are exact, instruction by instruction.

mod support;

use opstitch_emulator::{Emulator, Error};
use support::*;

const AT: u64 = 0x1_0000;

#[test]
fn each_instruction_counts_once() {
    let linked = trace(AT, |b| {
        b.push(Add { n: 1 })?;
        b.push(Add { n: 2 })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    // The entry's NOP is the fourth.
    assert_eq!(run(&mut emulator, &linked), [4, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 3);
    // The count is that of one run.
    assert_eq!(run(&mut emulator, &linked), [4, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 6);
}

#[test]
fn every_turn_of_a_loop_counts() {
    let linked = trace(AT, |b| {
        let top = b.bind_new()?;
        b.push(Add { n: 1 })?;
        b.push(Loop { top })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    for turns in [1, 2, 3, 1000] {
        emulator.set_x(20, turns).unwrap();
        assert_eq!(run(&mut emulator, &linked), [2 + 3 * turns, 0, 0]);
    }
}

#[test]
fn cold_code_counts_apart() {
    let linked = trace(AT, |b| {
        let exit = b.exit([Op::from(Add { n: 1 }), Add { n: 1 }.into(), Return.into()])?;
        b.push(Guard { exit })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    assert_eq!(run(&mut emulator, &linked), [2, 3, 0]);
    emulator.set_x(20, 1).unwrap();
    assert_eq!(run(&mut emulator, &linked), [3, 0, 0]);
}

#[test]
fn trampolines_count_apart() {
    let (near, far) = (AT + 0x100, AT + (1 << 33));
    let linked = trace(AT, |b| {
        b.push(Enter)?;
        b.push(Call {
            function: target(near),
        })?;
        b.push(Call {
            function: target(far),
        })?;
        b.push(Call {
            function: target(far),
        })?;
        b.push(Leave)
    });
    let mut emulator = loaded(&linked);
    emulator.on_call(near, |_| Ok(())).unwrap();
    emulator.on_call(far, |_| Ok(())).unwrap();
    // Two for each far call; nothing for what the closures stand for.
    assert_eq!(run(&mut emulator, &linked), [7, 0, 4]);
}

#[test]
fn what_ends_a_translated_block_early_counts_once() {
    let linked = trace(AT, |b| {
        b.push(Add { n: 1 })?;
        b.push(Pauses)?;
        b.push(Add { n: 1 })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    assert_eq!(run(&mut emulator, &linked), [7, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 2);
}

/// With the limit at every number of instructions, the run stops behind exactly that many: checked
/// against what they do, in a trace with blocks of every length, over pages, calls and trampolines.
#[test]
fn the_limit_is_exact() {
    // The trace begins 16 bytes before a page ends.
    let at = AT - 16;
    let far = 1 << 40;
    let linked = trace(at, |b| {
        b.push(Enter)?;
        let top = b.bind_new()?;
        for n in 0..40 {
            b.push(Add { n: 1 })?;
            if n % 10 == 0 {
                b.push(Call {
                    function: target(far),
                })?;
            }
        }
        b.push(Loop { top })?;
        b.push(Leave)
    });
    let mut emulator = loaded(&linked);
    emulator.set_clobber(false);
    emulator.on_call(far, |_| Ok(())).unwrap();

    // What each instruction does to x0, in the order in which they execute.
    let turn = (0..40).flat_map(|n| match n % 10 {
        0 => vec![1, 0, 0, 0],
        _ => vec![1],
    });
    let turn: Vec<u64> = turn.chain([0, 0]).collect();
    let adds: Vec<u64> = [0, 0]
        .into_iter()
        .chain(turn.clone())
        .chain(turn)
        .chain([0, 0])
        .collect();

    for limit in 0..=adds.len() {
        emulator.set_x(0, 0).unwrap();
        emulator.set_x(20, 2).unwrap();
        let outcome = emulator.run(at, limit as u64);
        assert_eq!(emulator.executed().total(), limit as u64);
        let sum: u64 = adds[..limit].iter().sum();
        assert_eq!(emulator.x(0).unwrap(), sum, "after {limit} instructions");
        match outcome {
            Ok(outcome) => assert_eq!((limit, outcome.calls), (adds.len(), 8)),
            Err(Error::Limit { limit: named, .. }) => {
                assert!(limit < adds.len());
                assert_eq!(named, limit as u64);
            }
            Err(error) => panic!("{error}"),
        }
    }
    // A limit that cut a block has left nothing behind.
    emulator.set_x(20, 2).unwrap();
    assert_eq!(run(&mut emulator, &linked), [adds.len() as u64 - 16, 0, 16]);
}

#[test]
fn an_endless_loop_ends_at_the_limit_in_its_micro_op() {
    let linked = trace(AT, |b| {
        b.push(Add { n: 1 })?;
        let top = b.bind_new()?;
        b.push(Add { n: 2 })?;
        b.jump(top)
    });
    let mut emulator = loaded(&linked);
    let error = emulator.run(AT, 1001).unwrap_err();
    let Error::Limit { limit: 1001, at } = &error else {
        panic!("{error}");
    };
    // NOP, Add, and 499 times Add and b; then one more Add.
    assert_eq!(emulator.x(0).unwrap(), 1 + 2 * 500);
    assert_eq!((at.pc, at.trace, at.offset), (AT + 12, Some(AT), Some(12)));
    assert_eq!(at.op.as_deref(), Some("op 1 Add n=2"));
    assert!(error.to_string().contains("op 1 Add n=2"), "{error}");
    assert!(error.to_string().contains("raise the limit"), "{error}");
}

#[test]
fn closures_that_send_the_guest_in_a_circle_end_at_the_limit() {
    let here = AT + 0x2000;
    let linked = trace(AT, |b| {
        b.push(TailCall {
            function: target(here),
        })
    });
    let mut calls = 0u64;
    let mut emulator = Emulator::new().unwrap();
    emulator.load(&linked).unwrap();
    emulator
        .on_call(here, |cpu| {
            calls += 1;
            cpu.set_x(30, here)
        })
        .unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    assert!(matches!(error, Error::Limit { limit: 100, .. }), "{error}");
    assert_eq!(executed(&emulator), [2, 0, 0]);
    drop(emulator);
    // Two instructions, and then each call that came from a call.
    assert_eq!(calls, 1 + 98);
}

#[test]
fn a_fault_takes_back_what_did_not_complete() {
    for adds_before in 0..5u64 {
        let linked = trace(AT, |b| {
            for _ in 0..adds_before {
                b.push(Add { n: 1 })?;
            }
            b.push(Load)?;
            b.push(Add { n: 1 })?;
            b.push(Return)
        });
        let mut emulator = loaded(&linked);
        assert!(emulator.run(AT, 100).is_err());
        assert_eq!(executed(&emulator), [1 + adds_before, 0, 0]);
        assert_eq!(emulator.x(0).unwrap(), adds_before);
    }
}

#[test]
fn a_stretch_longer_than_any_block_counts_right() {
    let linked = trace(AT, |b| {
        for _ in 0..5000 {
            b.push(Add { n: 1 })?;
        }
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    assert_eq!(run(&mut emulator, &linked), [5002, 0, 0]);
    for limit in [1, 100, 511, 512, 513, 1023, 1024, 1025, 4999, 5001] {
        emulator.set_x(0, 0).unwrap();
        assert!(emulator.run(AT, limit).is_err());
        assert_eq!(emulator.executed().total(), limit);
        assert_eq!(emulator.x(0).unwrap(), limit - 1);
    }
}
