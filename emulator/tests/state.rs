//! Registers and memory.

mod support;

use opstitch_emulator::{Emulator, Error, Nzcv, Occupant};
use support::*;

const AT: u64 = 0x1_0000;

#[test]
fn registers_hold_what_they_are_set_to() {
    let mut emulator = Emulator::new().unwrap();
    for n in 0..=30 {
        emulator
            .set_x(n, 0x0101_0101_0101_0101 * u64::from(n + 1))
            .unwrap();
    }
    for n in 0..=31 {
        emulator.set_v(n, u128::MAX / (u128::from(n) + 2)).unwrap();
    }
    for n in 0..=30 {
        assert_eq!(
            emulator.x(n).unwrap(),
            0x0101_0101_0101_0101 * u64::from(n + 1)
        );
    }
    for n in 0..=31 {
        assert_eq!(emulator.v(n).unwrap(), u128::MAX / (u128::from(n) + 2));
    }
    for bits in 0..16u8 {
        let bit = |n: u8| bits >> n & 1 == 1;
        let flags = Nzcv {
            n: bit(3),
            z: bit(2),
            c: bit(1),
            v: bit(0),
        };
        emulator.set_nzcv(flags).unwrap();
        assert_eq!(emulator.nzcv().unwrap(), flags);
    }
    for n in [31, 255] {
        let missing = |bank| Some((bank, n));
        let named = |error| match error {
            Error::NoSuchRegister { bank, number } => Some((bank, number)),
            _ => None,
        };
        assert_eq!(named(emulator.x(n).unwrap_err()), missing('x'));
        assert_eq!(named(emulator.set_x(n, 0).unwrap_err()), missing('x'));
    }
    assert!(matches!(
        emulator.v(32),
        Err(Error::NoSuchRegister {
            bank: 'v',
            number: 32
        })
    ));
}

#[test]
fn floating_point_and_vectors() {
    let linked = trace(AT, |b| {
        b.push(AddDouble)?;
        b.push(AddVectors)?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    emulator.set_v(0, u128::MAX).unwrap();
    emulator.set_d(0, 0.25).unwrap();
    assert_eq!(emulator.v(0).unwrap(), 0.25f64.to_bits().into());
    emulator.set_d(1, 1.5).unwrap();
    emulator.set_v(2, 7 << 64 | 1).unwrap();
    emulator.set_v(3, 30 << 64 | 2).unwrap();
    run(&mut emulator, &linked);
    assert_eq!(emulator.d(0).unwrap(), 1.75);
    assert_eq!(emulator.v(2).unwrap(), 37 << 64 | 3);
}

#[test]
fn atomics_work() {
    let linked = trace(AT, |b| {
        b.push(AtomicAdd)?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    let cell = emulator.allocate_bytes(&40u64.to_le_bytes()).unwrap();
    emulator.set_x(22, cell).unwrap();
    emulator.set_x(0, 2).unwrap();
    run(&mut emulator, &linked);
    assert_eq!(emulator.x(1).unwrap(), 40);
    assert_eq!(emulator.read_u64(cell).unwrap(), 42);
}

#[test]
fn memory_holds_what_is_written() {
    let mut emulator = Emulator::new().unwrap();
    let bytes: Vec<u8> = (0..10_000u32).map(|n| (n * 7) as u8).collect();
    let buffer = emulator.allocate_bytes(&bytes).unwrap();
    assert_eq!(buffer % 16, 0);
    assert_eq!(emulator.read(buffer, bytes.len()).unwrap(), bytes);
    emulator
        .write_u64(buffer + 4090, 0x1122_3344_5566_7788)
        .unwrap();
    assert_eq!(emulator.read(buffer + 4090, 2).unwrap(), [0x88, 0x77]);
    assert_eq!(
        emulator.read_u64(buffer + 4090).unwrap(),
        0x1122_3344_5566_7788
    );

    // At an address of one's own, page by page.
    emulator.map(0x50_0ff0, 32).unwrap();
    emulator.write(0x50_0ff0, &[1; 32]).unwrap();
    emulator.map(0x50_0100, 8).unwrap();
    assert_eq!(emulator.read(0x50_0ff0, 32).unwrap(), [1; 32]);
}

#[test]
fn allocations_are_apart() {
    let mut emulator = Emulator::new().unwrap();
    // A page of one's own where the second would lie.
    let first = emulator.allocate(16).unwrap();
    emulator.map(first + 0x2000, 1).unwrap();
    let mut ranges = vec![(first, 16), (first + 0x2000 - 16, 16 + 4096)];
    for len in [0, 1, 16, 17, 4096, 4097, 100_000] {
        let address = emulator.allocate(len as usize).unwrap();
        assert_eq!(address % 16, 0);
        let end = address + len;
        assert!(
            emulator
                .read(address, len as usize)
                .unwrap()
                .iter()
                .all(|&byte| byte == 0)
        );
        let behind = emulator.read(end.next_multiple_of(16), 1);
        assert!(matches!(behind, Err(Error::NotMapped { .. })), "{len}");
        for &(other, other_len) in &ranges {
            assert!(end <= other || other + other_len <= address);
        }
        ranges.push((address, len));
    }
    // Still so when the next one is there too.
    for (address, len) in ranges {
        assert!(
            emulator
                .read((address + len).next_multiple_of(16), 1)
                .is_err()
        );
    }
}

#[test]
fn a_trace_finds_its_way_back_as_it_does_in_a_slab() {
    let function = target(0x9_0000);
    let linked = trace(AT, |b| {
        b.push(Call { function })?;
        b.push(ReturnByStack)
    });
    let mut emulator = loaded(&linked);
    let called = |cpu: &mut opstitch_emulator::Cpu<'_>| {
        // Whoever follows the frame records gets to the caller, and no further.
        let record = cpu.x(29)?;
        assert_eq!(cpu.read_u64(record)?, 0);
        assert_eq!(cpu.read_u64(record + 8)?, cpu.read_u64(cpu.sp()?)?);
        Ok(())
    };
    emulator.on_call(function.address(), called).unwrap();
    assert_eq!(run(&mut emulator, &linked), [4, 0, 0]);
}

#[test]
fn every_run_has_the_whole_stack() {
    let linked = trace(AT, |b| {
        b.push(Push)?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    let top = emulator.sp().unwrap();
    for n in 1..4 {
        emulator.set_x(0, n).unwrap();
        let error = emulator.run(AT, 100).unwrap_err();
        let Error::Unbalanced { by: -16, at } = error else {
            panic!("{error}");
        };
        assert_eq!(at.op.as_deref(), Some("op 1 Return"));
        assert_eq!(executed(&emulator), [3, 0, 0]);
        assert_eq!(emulator.sp().unwrap(), top - 16);
        assert_eq!(emulator.read_u64(top - 16).unwrap(), n);
    }
}

/// Both read the return address from where it is not: there is a zero, or what was pushed.
#[test]
fn a_return_by_an_address_from_elsewhere_is_an_unbalanced_stack() {
    for (taken, x0) in [(Op::from(Take {}), 0), (Push {}.into(), 0x17)] {
        let linked = trace(AT, |b| {
            b.push(taken)?;
            b.push(ReturnByStack)
        });
        let mut emulator = loaded(&linked);
        emulator.set_x(0, x0).unwrap();
        let error = emulator.run(AT, 100).unwrap_err();
        let Error::Unbalanced { by: -16, at } = error else {
            panic!("{error}");
        };
        assert_eq!(at.op.as_deref(), Some("op 1 ReturnByStack"));
    }
}

#[test]
fn a_trace_that_calls_and_returns_without_its_address_is_told_so() {
    let function = target(0x9000);
    let linked = trace(AT, |b| {
        b.push(Call { function })?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    emulator.on_call(0x9000, |_| Ok(())).unwrap();
    for limit in 99..103 {
        let error = emulator.run(AT, limit).unwrap_err();
        assert!(matches!(error, Error::ReturnsIntoItself { .. }), "{error}");
    }
}

#[test]
fn a_trace_that_loses_the_frame_record_is_told_so() {
    let linked = trace(AT, |b| {
        b.push(LoseFrame)?;
        b.push(Return)
    });
    let mut emulator = loaded(&linked);
    emulator.set_x(0, 0x17).unwrap();
    let error = emulator.run(AT, 100).unwrap_err();
    let Error::FrameRecord { x29: 0x17, at } = error else {
        panic!("{error}");
    };
    assert_eq!(at.op.as_deref(), Some("op 1 Return"));
}

#[test]
fn the_host_is_told_of_its_own_mistakes() {
    let mut emulator = Emulator::new().unwrap();
    let buffer = emulator.allocate(32).unwrap();
    assert!(matches!(
        emulator.read(0, 1),
        Err(Error::NotMapped { address: 0 })
    ));
    assert!(matches!(
        emulator.read(buffer, usize::MAX),
        Err(Error::NotMapped { .. })
    ));
    let error = emulator.write(buffer + 16, &[1; 17]).unwrap_err();
    assert!(matches!(error, Error::NotMapped { address } if address == buffer + 32));
    // None of it was written.
    assert_eq!(emulator.read(buffer, 32).unwrap(), [0; 32]);
    assert!(matches!(
        emulator.allocate(usize::MAX),
        Err(Error::OutOfMemory { .. })
    ));
    assert!(matches!(
        emulator.map(0, usize::MAX),
        Err(Error::OutOfMemory { .. })
    ));
    assert!(matches!(
        emulator.map(u64::MAX - 8, 16),
        Err(Error::TooLong { .. })
    ));
    let overlap = emulator.map(buffer, 1).unwrap_err();
    assert!(matches!(
        overlap,
        Error::Overlap {
            occupant: Occupant::Memory,
            ..
        }
    ));
    let stack = emulator.sp().unwrap() - 16;
    assert_eq!(emulator.read(stack, 16).unwrap(), [0; 16]);
    let overlap = emulator.map(stack, 1).unwrap_err();
    assert!(matches!(
        overlap,
        Error::Overlap {
            occupant: Occupant::Emulator,
            ..
        }
    ));
}

#[test]
fn traces_do_not_overlap_other_things() {
    let linked = trace(AT, |b| b.push(Return));
    let mut emulator = loaded(&linked);
    let overlap = |emulator: &mut Emulator<'_>, at| {
        let linked = trace(at, |b| {
            b.push(Add { n: 1 })?;
            b.push(Add { n: 1 })?;
            b.push(Return)
        });
        match emulator.load(&linked) {
            Err(Error::Overlap { occupant, .. }) => Some(occupant),
            Ok(()) => None,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(overlap(&mut emulator, AT), Some(Occupant::Trace(AT)));
    assert_eq!(overlap(&mut emulator, AT - 8), Some(Occupant::Trace(AT)));
    let buffer = emulator.allocate(4096).unwrap();
    assert_eq!(overlap(&mut emulator, buffer + 64), Some(Occupant::Memory));
    let stack = emulator.sp().unwrap();
    assert_eq!(overlap(&mut emulator, stack - 64), Some(Occupant::Emulator));
    // Side by side is fine.
    assert_eq!(overlap(&mut emulator, AT - 16), None);
    assert_eq!(overlap(&mut emulator, AT + 8), None);
    let error = emulator.map(AT, 8).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Overlap {
                occupant: Occupant::Code,
                ..
            }
        ),
        "{error}"
    );
}
