//! Patch under fire: threads run a trace in a loop while another one links its exit, unlinks it, invalidates it,
//! and installs and drops what it leads to. Every run ends where it may at some moment of it.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};

use opstitch::Exit;
use opstitch::slab::{InstalledTrace, Mapping, Slab, SlabOptions};

use crate::run;
use crate::support::{Guard, Leave, MAPPINGS, Random, build, plain};

opstitch::uops! {
    enum Loop;
    /// Counts down and goes round until that gives 0.
    op Again(top: label) { ; subs x0, x0, #1 ; b.ne =>top }
}

const INVALID: u64 = 1;
const OWN_EXIT: u64 = 2;

/// Goes round as often as its argument says. At the top it leaves if it is invalid; at its end by an exit
/// that can be linked.
fn root(slab: &Slab) -> (InstalledTrace, Exit) {
    let mut built = build(|b| {
        let invalid = b.exit([Leave { code: INVALID }])?;
        let exit = b.linkable_exit([Leave { code: OWN_EXIT }])?;
        let top = b.bind_new()?;
        b.invalidation_point(invalid)?;
        b.push(Again { top })?;
        b.push(Guard { exit })?;
        b.push(Leave { code: 0 })?;
        Ok(exit)
    });
    (slab.install(&built.trace()).unwrap(), built.known)
}

/// What a run may end with, change by change.
struct History {
    /// Where the root's exit leads, and [`INVALID`] << 32 if the root is invalid.
    states: Vec<AtomicU64>,
    /// The last change that has begun, and the last one that is done.
    begun: AtomicUsize,
    done: AtomicUsize,
}

impl History {
    fn new(changes: usize) -> History {
        History {
            states: (0..=changes).map(|_| AtomicU64::new(OWN_EXIT)).collect(),
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        }
    }

    /// Runs the trace and checks its end; returns what it was, and whether nothing else was right.
    fn check(&self, trace: &InstalledTrace, rounds: u64) -> (u64, bool) {
        let first = self.done.load(SeqCst);
        // What was changed before is what is run: this core must not go on with what it has fetched.
        // SAFETY: ISB changes nothing that Rust knows of.
        unsafe { std::arch::asm!("isb") };
        let end = run(trace, rounds);
        fence(SeqCst);
        let last = self.begun.load(SeqCst);
        // It leaves at the point where it finds itself invalid. Or it passes the point while it is valid,
        // and leaves through the exit then or later.
        let (mut valid, mut right) = (false, false);
        for state in &self.states[first..=last] {
            let state = state.load(SeqCst);
            let (leads_to, invalid) = (state & 0xffff_ffff, state >> 32);
            valid |= invalid != INVALID;
            right |= end == invalid || valid && end == leads_to;
        }
        assert!(
            right,
            "a run ended with {end} during the changes {first} to {last}"
        );
        (end, first == last)
    }

    fn change(&self, linked: Option<u64>, invalid: bool, change: impl FnOnce()) {
        let number = self.begun.load(SeqCst) + 1;
        let invalid = if invalid { INVALID << 32 } else { 0 };
        self.states[number].store(linked.unwrap_or(OWN_EXIT) | invalid, SeqCst);
        self.begun.store(number, SeqCst);
        change();
        self.done.store(number, SeqCst);
    }
}

/// A trace that the root can be linked to, and what it returns.
type Other = Option<(InstalledTrace, u64)>;

/// Makes all the changes of a history; returns how many of them link, unlink, invalidate or undo that, and
/// the traces that are left.
fn change(
    slab: &Slab,
    root: &(InstalledTrace, Exit),
    history: &History,
    go_on: impl Fn() -> bool,
) -> (usize, [Other; 6]) {
    let (root, exit) = root;
    let mut random = Random(history.states.len() as u64);
    let (mut linked, mut invalid) = (None, false);
    let mut others: [Other; 6] = Default::default();
    let mut codes = (10..60_000).cycle();
    let mut patches = 0;
    for _ in 1..history.states.len() {
        if !go_on() {
            break;
        }
        let number = random.below(6) as usize;
        let other = others[number].take();
        match (random.below(10), other) {
            (6 | 7, other) => {
                linked = None;
                history.change(linked, invalid, || root.unlink(*exit).unwrap());
                (others[number], patches) = (other, patches + 1);
            }
            (8.., other) => {
                invalid = !invalid;
                history.change(linked, invalid, || match invalid {
                    true => root.invalidate().map(drop).unwrap(),
                    false => root.revalidate().unwrap(),
                });
                (others[number], patches) = (other, patches + 1);
            }
            (_, None) => {
                // Of different lengths, so that code comes to lie on other code's places.
                let code = codes.next().unwrap();
                let mut other = plain(code as usize % 30, code);
                history.change(linked, invalid, || match slab.install(&other.trace()) {
                    Ok(trace) => others[number] = Some((trace, code)),
                    Err(_) => assert!(slab.reclaim().is_ok()),
                });
            }
            (5, Some((trace, code))) => {
                linked = linked.filter(|&linked| linked != code);
                history.change(linked, invalid, || trace.retire().unwrap());
                slab.reclaim().unwrap();
            }
            (_, Some((trace, code))) => {
                linked = Some(code);
                let change = || root.link(*exit, &trace).unwrap();
                history.change(linked, invalid, change);
                (others[number], patches) = (Some((trace, code)), patches + 1);
            }
        }
    }
    (patches, others)
}

fn fire(mapping: Mapping, patches: usize) {
    let slab = SlabOptions::new(1 << 14).mapping(mapping).build().unwrap();
    let (root, history) = (root(&slab), History::new(patches * 4 / 3));
    let stop = AtomicBool::new(false);
    let count = || AtomicUsize::new(0);
    let (runs, certain, invalid, linked) = (count(), count(), count(), count());
    std::thread::scope(|scope| {
        let runners: Vec<_> = (1..=8)
            .map(|rounds| {
                let (root, history, stop) = (&root.0, &history, &stop);
                let (runs, certain, invalid, linked) = (&runs, &certain, &invalid, &linked);
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        let (end, only) = history.check(root, rounds);
                        std::thread::yield_now(); // there are fewer cores than threads
                        runs.fetch_add(1, Relaxed);
                        certain.fetch_add(only.into(), Relaxed);
                        invalid.fetch_add((end == INVALID).into(), Relaxed);
                        linked.fetch_add((end >= 10).into(), Relaxed);
                    }
                })
            })
            .collect();
        let (patched, _others) = change(&slab, &root, &history, || {
            !runners.iter().any(|runner| runner.is_finished())
        });
        stop.store(true, Relaxed);
        // Whoever has failed says why.
        for runner in runners {
            runner
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        assert!(patched >= patches, "{patched} patches");
    });
    let seen = [&runs, &certain, &invalid, &linked].map(|count| count.load(Relaxed));
    println!("{mapping:?}: {patches} patches; runs, certain, invalid, linked: {seen:?}");
    assert!(seen.into_iter().all(|count| count > 10), "{seen:?}");
    drop(root);
    slab.reclaim().unwrap();
    assert_eq!(slab.statistics().used, 0);
}

#[test]
fn every_run_ends_where_it_may() {
    for &mapping in MAPPINGS {
        let moved = mapping == Mapping::MovedPages;
        fire(mapping, if moved { 10_000 } else { 100_000 });
    }
}

/// The test of the test: a run that ends elsewhere is noticed.
#[test]
#[should_panic(expected = "a run ended with 2 during the changes 1 to 1")]
fn a_wrong_end_is_noticed() {
    let slab = Slab::new(1 << 14).unwrap();
    let (root, history) = (root(&slab), History::new(1));
    assert_eq!(history.check(&root.0, 3), (OWN_EXIT, true));
    history.change(None, true, || ());
    history.check(&root.0, 3);
}
