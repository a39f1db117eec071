//! Memory under fire, on x86-64: threads run the host's code in a slab while another thread installs,
//! patches and drops beside them.
//!
//! A patch site holds A64 words, so what the host runs has it as a number: every piece of code begins with
//! a function that returns the word at its site. The runner reads it as the core of an AArch64 machine would,
//! and goes where it leads. There it must find the code of a trace, and the freed space of dropped ones
//! is full of traps.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{Random, Raw, exit, fewer, literal};
use crate::asm::NOP;
use crate::slab::{Granule, InstalledTrace, Mapping, Slab, SlabOptions};

/// Where the functions of a piece of code are, and what they return.
const SITE: usize = 0; // the word at 4
const POINT: usize = 16; // the word at 20
const LITERAL: usize = 32; // the eight bytes at 48
const NAME: usize = 64; // the number at 77, slowly
const LEN: usize = 96;

/// Each call has its result in `rax`.
fn code() -> Raw {
    let mut bytes = vec![0xcc; LEN];
    let mut put = |at: usize, code: &[u8]| bytes[at..at + code.len()].copy_from_slice(code);
    // nop ; nop ; nop ; mov eax, NOP ; ret
    for at in [SITE, POINT] {
        put(at, &[0x90, 0x90, 0x90, 0xb8, 0x1f, 0x20, 0x03, 0xd5, 0xc3]);
    }
    // mov rax, [rip + 9] ; ret
    put(LITERAL, &[0x48, 0x8b, 0x05, 9, 0, 0, 0, 0xc3]);
    put(48, &0u64.to_le_bytes());
    // mov ecx, 200 ; dec ecx ; jnz -4 ; nop ; nop ; nop ; mov eax, name ; ret
    put(NAME, &[0xb9, 200, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc]);
    put(NAME + 9, &[0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3]);
    Raw {
        bytes,
        sites: vec![4],
        points: vec![(20, 64)],
        literals: vec![48],
    }
}

/// The name of whatever is installed at an address.
fn name(address: u64) -> u32 {
    (address as u32).rotate_left(7) ^ 0x0b5e_55ed
}

fn install(slab: &Slab, raw: &Raw) -> Option<InstalledTrace> {
    let trace = raw.install(slab, |bytes, address| {
        if bytes.len() == LEN {
            bytes[NAME + 13..][..4].copy_from_slice(&name(address).to_le_bytes());
        }
    });
    trace.ok()
}

/// Runs the function at an offset of the code at `address`.
///
/// # Safety
/// It is installed, and stays so or is pinned.
unsafe fn run(address: u64, offset: usize) -> u64 {
    let start = address as usize + offset;
    // SAFETY: as `code` has it, the code at that place obeys the C calling convention, takes nothing and
    // changes `rax`, `rcx` and the flags only.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> u64>(start)() }
}

/// Where a word at an address leads to; nowhere if it is a NOP.
fn follow(word: u32, at: u64) -> Option<u64> {
    if word == NOP {
        return None;
    }
    assert_eq!(word >> 26, 0b000101, "{word:#x} is neither NOP nor `b`");
    let displacement = (i64::from(word) << 38 >> 38) * 4;
    Some(at.wrapping_add_signed(displacement))
}

#[derive(Debug, Default)]
struct Seen {
    runs: AtomicU64,
    linked: AtomicU64,
    invalid: AtomicU64,
}

/// Runs the roots and what they lead to until it is told to stop.
fn runner(slab: &Slab, roots: &[InstalledTrace], seed: u64, stop: &AtomicBool, seen: &Seen) {
    let mut random = Random(seed);
    let mut last = vec![0; roots.len()];
    while !stop.load(Relaxed) {
        std::thread::yield_now(); // there are fewer cores than threads
        let _pin = slab.pin();
        for _ in 0..random.below(20) {
            let number = random.below(roots.len() as u64) as usize;
            let mut address = roots[number].address();
            // SAFETY: the roots stay; whatever they lead to was linked at that time, so it is
            // installed, or retired while the pin is held.
            unsafe {
                let value = run(address, LITERAL);
                assert!(value >= last[number], "a literal went backwards");
                last[number] = value;
                if let Some(to) = follow(run(address, POINT) as u32, address + POINT as u64 + 4) {
                    assert_eq!(to, address + 64);
                    seen.invalid.fetch_add(1, Relaxed);
                }
                for _ in 0..8 {
                    assert_eq!(run(address, NAME) as u32, name(address));
                    seen.runs.fetch_add(1, Relaxed);
                    let word = run(address, SITE) as u32;
                    let Some(to) = follow(word, address + 4) else {
                        break;
                    };
                    seen.linked.fetch_add(1, Relaxed);
                    address = to;
                }
            }
        }
    }
}

/// Changes the slab once for each of these numbers.
fn writer(slab: &Slab, roots: &[InstalledTrace], rounds: Range<usize>, random: &mut Random) {
    let (code, traps) = (
        code(),
        Raw {
            bytes: vec![0xcc; 3 * LEN],
            ..Raw::default()
        },
    );
    let (mut all, mut trapped) = (Vec::new(), Vec::new());
    for round in rounds {
        let root = &roots[random.below(roots.len() as u64) as usize];
        let any = |random: &mut Random, len: usize| random.below(len as u64) as usize;
        match random.below(12) {
            0 | 1 if all.len() < 40 => all.extend(install(slab, &code)),
            2 if trapped.len() < 40 => trapped.extend(install(slab, &traps)),
            2 => trapped.clear(),
            3 if all.len() > 4 => drop(all.swap_remove(any(random, all.len()))),
            4 => {
                slab.reclaim().unwrap();
            }
            5 => root.unlink(exit(0)).unwrap(),
            6 => root.invalidate().map(drop).unwrap(),
            7 => root.revalidate().unwrap(),
            8 => root.set_literal(literal(0), round as u64).unwrap(),
            9 | 10 if !all.is_empty() => {
                root.link(exit(0), &all[any(random, all.len())]).unwrap();
            }
            _ if !all.is_empty() => {
                let (from, to) = (any(random, all.len()), any(random, all.len()));
                all[from].link(exit(0), &all[to]).unwrap();
            }
            _ => {}
        }
    }
}

fn fire(mapping: Mapping, granule: Granule, rounds: usize) {
    let options = SlabOptions::new(1 << 15).mapping(mapping).granule(granule);
    let slab = options.build().unwrap();
    let roots: Vec<_> = (0..4).map(|_| install(&slab, &code()).unwrap()).collect();
    let (stop, seen) = (AtomicBool::new(false), Seen::default());
    let mut random = Random(rounds as u64);
    std::thread::scope(|scope| {
        let runners: Vec<_> = (1..=8)
            .map(|seed| {
                let (slab, roots, stop, seen) = (&slab, &roots, &stop, &seen);
                scope.spawn(move || runner(slab, roots, seed, stop, seen))
            })
            .collect();
        let mut done = 0;
        // On a busy machine all of it may be over before the runners start.
        let enough = || seen.linked.load(Relaxed) > 1000 && seen.invalid.load(Relaxed) > 0;
        while done < rounds || !enough() {
            if runners.iter().any(|runner| runner.is_finished()) {
                break;
            }
            let next = done + rounds / 10;
            writer(&slab, &roots, done..next, &mut random);
            done = next;
        }
        stop.store(true, Relaxed);
    });
    println!("{mapping:?}: {seen:?}");
    drop(roots);
    slab.reclaim().unwrap();
    assert_eq!(slab.statistics().used, 0);
}

#[test]
fn two_views_under_fire() {
    fire(Mapping::TwoViews, Granule::Bytes16, fewer(1_000_000));
}

#[test]
fn moved_pages_under_fire() {
    fire(Mapping::MovedPages, Granule::Bytes32, fewer(100_000));
}

/// The runners notice what is freed too early: the test of the test.
#[test]
fn the_words_that_runners_follow_are_checked() {
    let slab = Slab::new(1 << 15).unwrap();
    let [a, b] = [0, 1].map(|_| install(&slab, &code()).unwrap());
    // SAFETY: both are installed.
    let word = |t: &InstalledTrace| unsafe { run(t.address(), SITE) as u32 };
    assert_eq!(follow(word(&a), a.address() + 4), None);
    a.link(exit(0), &b).unwrap();
    assert_eq!(follow(word(&a), a.address() + 4), Some(b.address()));
    // SAFETY: as above.
    unsafe {
        assert_eq!(run(b.address(), NAME) as u32, name(b.address()));
        assert_ne!(run(b.address(), NAME) as u32, name(a.address()));
        assert_eq!(run(b.address(), LITERAL), 0);
        b.set_literal(literal(0), 7 << 40).unwrap();
        assert_eq!(run(b.address(), LITERAL), 7 << 40);
        b.invalidate().unwrap();
        let point = run(b.address(), POINT) as u32;
        assert_eq!(follow(point, b.address() + 20), Some(b.address() + 64));
    }
}
