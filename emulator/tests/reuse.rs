//! Several traces in one emulator, at once and one after the other.

mod support;

use opstitch_emulator::{Emulator, Error};
use support::*;

const AT: u64 = 0x1_0000;

#[test]
fn two_traces_and_one_calling_the_other() {
    let callee = trace(AT + 64, |b| {
        b.push(Add { n: 5 })?;
        b.push(Return)
    });
    let caller = trace(AT, |b| {
        b.push(Enter)?;
        b.push(Call {
            function: target(callee.address()),
        })?;
        b.push(Leave)
    });
    let mut emulator = loaded(&caller);
    emulator.load(&callee).unwrap();
    assert_eq!(run(&mut emulator, &caller), [5 + 3, 0, 0]);
    assert_eq!(emulator.x(0).unwrap(), 5);
    assert_eq!(run(&mut emulator, &callee), [3, 0, 0]);

    // They share a page: taking one away leaves the other.
    emulator.unload(callee.address()).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    assert!(matches!(error, Error::NoTarget { target, .. } if target == callee.address()));
    let len = callee.bytes().len();
    assert_eq!(emulator.read(callee.address(), len).unwrap(), vec![0; len]);
    emulator.load(&callee).unwrap();
    assert_eq!(run(&mut emulator, &caller), [8, 0, 0]);
    emulator.unload(AT).unwrap();
    assert_eq!(run(&mut emulator, &callee), [3, 0, 0]);
    assert!(matches!(
        emulator.run(AT, 1),
        Err(Error::NoEntry { entry: AT })
    ));
    assert!(matches!(
        emulator.unload(AT),
        Err(Error::NoSuchTrace { address: AT })
    ));
    emulator.unload(callee.address()).unwrap();
    assert!(matches!(emulator.read(AT, 1), Err(Error::NotMapped { .. })));
}

#[test]
fn clear_leaves_nothing() {
    let linked = trace(AT, |b| {
        b.push(Load)?;
        b.push(Compare)?;
        b.push(SetFpcr)?;
        b.push(Push)?;
        b.push(TailCall {
            function: target(0x9_0000),
        })
    });
    let fresh = Emulator::new().unwrap();
    let mut emulator = loaded(&linked);
    emulator.on_call(0x9_0000, |_| Ok(())).unwrap();
    let buffer = emulator.allocate_bytes(&[9; 16]).unwrap();
    emulator.set_x(21, buffer).unwrap();
    // Round towards zero.
    emulator.set_x(0, 3 << 22).unwrap();
    let unbalanced = emulator.run(AT, 100);
    assert!(matches!(unbalanced, Err(Error::Unbalanced { by: -16, .. })));
    emulator.clear().unwrap();
    for n in 0..=30 {
        assert_eq!(emulator.x(n).unwrap(), fresh.x(n).unwrap());
    }
    for n in 0..=31 {
        assert_eq!(emulator.v(n).unwrap(), fresh.v(n).unwrap());
    }
    assert_eq!(emulator.nzcv().unwrap(), fresh.nzcv().unwrap());
    assert_eq!(emulator.sp().unwrap(), fresh.sp().unwrap());
    assert_eq!(emulator.executed().total(), 0);
    assert!(emulator.read(buffer, 1).is_err());
    assert!(emulator.run(AT, 1).is_err());
    // The same address, with nothing of the old bytes in it.
    assert_eq!(emulator.allocate(16).unwrap(), buffer);
    assert_eq!(emulator.read(buffer, 16).unwrap(), [0; 16]);
    let linked = trace(AT, |b| {
        b.push(GetFpcr)?;
        b.push(TailCall {
            function: target(0x9_0000),
        })
    });
    emulator.load(&linked).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    assert!(matches!(
        error,
        Error::NoTarget {
            target: 0x9_0000,
            ..
        }
    ));
    assert_eq!(emulator.x(0).unwrap(), 0);
    let top = emulator.sp().unwrap();
    assert_eq!(emulator.read(top - 16, 16).unwrap(), [0; 16]);
    // Where the target was, there may be a trace.
    let linked = trace(0x9_0000, |b| b.push(Return));
    emulator.load(&linked).unwrap();
}

/// One emulator for thousands of traces at one address: never the one before is run.
#[test]
fn thousands_of_traces() {
    let mut emulator = Emulator::new().unwrap();
    for n in 0..2000u64 {
        let function = 0x9_0000 + 4 * (n % 3);
        let linked = trace(AT, |b| {
            b.push(Enter)?;
            b.push(Add { n })?;
            b.push(Store)?;
            b.push(Call {
                function: target(function),
            })?;
            b.push(Leave)
        });
        emulator.clear().unwrap();
        emulator.load(&linked).unwrap();
        let buffer = emulator.allocate(8).unwrap();
        emulator.set_x(21, buffer).unwrap();
        emulator.on_call(function, |_| Ok(())).unwrap();
        assert_eq!(run(&mut emulator, &linked), [7, 0, 0]);
        assert_eq!(emulator.read_u64(buffer).unwrap(), n);
    }
}

/// Traces of every length come and go at the same addresses, so that pages and what Unicorn has
/// translated are used again in every way; what runs is always what is loaded.
#[test]
fn traces_come_and_go() {
    let mut seed = 1u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut emulator = Emulator::new().unwrap();
    // What the trace at each of these addresses adds, if there is one.
    let at = |slot: usize| AT + 0x5a8 * slot as u64;
    let mut slots = [None; 8];
    let mut runs = 0;
    for _ in 0..3000 {
        let slot = random(8) as usize;
        match (slots[slot], random(20)) {
            (_, 0) => {
                emulator.clear().unwrap();
                slots = [None; 8];
                let buffer = emulator.allocate_bytes(&[0xd5; 10_000]).unwrap();
                assert_eq!(emulator.read(buffer, 1).unwrap(), [0xd5]);
            }
            (Some(_), 1..4) => {
                emulator.unload(at(slot)).unwrap();
                slots[slot] = None;
            }
            (Some((adds, n)), _) => {
                emulator.set_x(0, 0).unwrap();
                let outcome = emulator.run(at(slot), 1000).unwrap();
                assert_eq!(emulator.x(0).unwrap(), adds * n);
                assert_eq!(outcome.executed.hot, adds + 2);
                runs += 1;
            }
            (None, _) => {
                assert!(emulator.run(at(slot), 1000).is_err());
                let (adds, n) = (random(300), random(4096));
                let linked = trace(at(slot), |b| {
                    (0..adds).try_for_each(|_| b.push(Add { n }))?;
                    b.push(Return)
                });
                emulator.load(&linked).unwrap();
                slots[slot] = Some((adds, n));
            }
        }
    }
    assert!(runs > 1000);
}
