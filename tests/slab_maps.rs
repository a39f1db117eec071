//! The system's own account of the memory: never is anything writable and executable at once.
#![cfg(target_os = "linux")]

#[path = "slab/support.rs"]
mod support;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use opstitch::slab::{Mapping, Slab, SlabOptions};

use support::*;

/// A line of the account: addresses, and what is allowed there.
struct Line {
    addresses: Range<u64>,
    allowed: String,
}

fn lines() -> Vec<Line> {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = |line: &str| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        Line {
            addresses: start..end,
            allowed: rest[..4].to_string(),
        }
    };
    text.lines().map(line).collect()
}

/// Looks once.
fn look() {
    for Line { addresses, allowed } in lines() {
        let both = allowed.contains('w') && allowed.contains('x');
        assert!(!both, "{addresses:x?} is {allowed}");
    }
}

/// Looks, and checks that all of the slab can be run and none of it written.
fn look_at(slab: &Slab) {
    look();
    let Range { start, end } = slab.addresses();
    let mut at = start;
    for Line { addresses, allowed } in lines() {
        if addresses.start < end && addresses.end > start {
            assert!(addresses.start <= at, "a gap at {at:x}");
            assert!(allowed.starts_with("r-x"), "{addresses:x?} is {allowed}");
            at = addresses.end;
        }
    }
    assert!(at >= end, "a gap at {at:x}");
}

fn steps(mapping: Mapping, rounds: usize, look_at: impl Fn(&Slab)) {
    let options = SlabOptions::new(1 << 16).mapping(mapping);
    let slab = options.build().unwrap();
    look_at(&slab);
    for _ in 0..rounds {
        let target = opstitch::Target::retargetable(far(&slab, 0).address()).unwrap();
        let mut built = build(|b| {
            let exit = b.linkable_exit([Leave { code: 5 }])?;
            b.invalidation_point(exit)?;
            b.push(Guard { exit })?;
            b.push(Call { function: target })?;
            let value = b.mut_literal(1);
            b.push(Cached { value })?;
            b.push(Leave { code: 0 })?;
            Ok((exit, value))
        });
        let (exit, value) = built.known;
        let step = |what: &mut dyn FnMut()| {
            what();
            look_at(&slab);
        };
        let trace = slab.install(&built.trace()).unwrap();
        step(&mut || ());
        let mut long = Some(slab.install(&plain(3000, 1).trace()).unwrap());
        step(&mut || ());
        step(&mut || trace.link(exit, long.as_ref().unwrap()).unwrap());
        step(&mut || assert!(trace.invalidate().is_ok()));
        step(&mut || trace.set_literal(value, 2).unwrap());
        step(&mut || trace.update_literals(|value| value + 1).unwrap());
        step(&mut || slab.retarget(target, 64).unwrap());
        step(&mut || trace.revalidate().unwrap());
        let mut batch = slab.batch();
        step(&mut || assert!(batch.add(&built.trace()).is_ok()));
        let published = batch.publish().unwrap();
        step(&mut || drop(long.take()));
        step(&mut || assert!(slab.reclaim().is_ok()));
        let room = slab.reserve(1000).unwrap();
        let linked = plain(20, 0).trace().link(room.address()).unwrap();
        let installed = room.install(&linked).unwrap();
        step(&mut || ());
        drop((trace, published, installed));
        step(&mut || assert!(slab.reclaim().is_ok()));
    }
    drop(slab);
    look();
}

#[test]
fn no_step_leaves_memory_writable_and_executable() {
    for &mapping in MAPPINGS {
        steps(mapping, 3, look_at);
    }
}

/// Neither does anything that happens between the steps.
#[test]
fn no_moment_sees_memory_writable_and_executable() {
    for &mapping in MAPPINGS {
        let (done, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !done.load(Relaxed) {
                    look();
                    looks.fetch_add(1, Relaxed);
                }
            });
            while looks.load(Relaxed) < 300 && !looking.is_finished() {
                steps(mapping, 20, |_| ());
            }
            done.store(true, Relaxed);
        });
    }
}
