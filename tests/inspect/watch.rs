//! Who watches a slab is told of all code, and what it keeps goes when the code goes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};

use opstitch::slab::{Kept, Slab, SlabError, Snapshot, Watcher};

use crate::micro_ops::*;
use crate::support::{MAPPINGS, calling, far, plain};

/// Notes what it is told, and counts what it keeps.
#[derive(Debug, Default)]
struct Notes {
    told: Mutex<Vec<Snapshot>>,
    kept: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Watcher for Notes {
    fn published(&self, code: &Snapshot) -> Kept {
        self.told.lock().unwrap().push(code.clone());
        self.kept.fetch_add(1, SeqCst);
        Some(Box::new(Counted(self.kept.clone())))
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let name = |code: Snapshot| match code.located().trace() {
            Some(id) => id.to_string(),
            None => code.located().to_string(),
        };
        told.into_iter().map(name).collect()
    }

    fn kept(&self) -> usize {
        self.kept.load(SeqCst)
    }
}

fn watched() -> (Slab, Arc<Notes>) {
    let slab = annotated(MAPPINGS[0]);
    let notes = Arc::new(Notes::default());
    slab.watch(notes.clone()).expect("a slab with annotations");
    (slab, notes)
}

#[test]
fn traces_and_new_trampolines_are_told_once() {
    let (slab, notes) = watched();
    let (a, b) = (far(&slab, 0), far(&slab, 1));
    let mut one = calling(&[a]);
    let mut both = calling(&[a, b]);
    let first = slab.install(&one.trace()).unwrap();
    assert_eq!(
        notes.take(),
        [format!("trampoline to {a}"), "trace 0".into()]
    );
    let second = slab.install(&both.trace()).unwrap();
    assert_eq!(
        notes.take(),
        [format!("trampoline to {b}"), "trace 1".into()]
    );
    let mut batch = slab.batch();
    batch.add(&one.trace()).unwrap();
    batch.add(&both.trace()).unwrap();
    assert_eq!(notes.take(), [""; 0]);
    let more = batch.publish().unwrap();
    assert_eq!(notes.take(), ["trace 2", "trace 3"]);
    let trace = both.trace();
    let room = slab.reserve(trace.linked_len(0).unwrap()).unwrap();
    let linked = trace.link(room.address()).unwrap();
    let reserved = room.install(&linked).unwrap();
    assert_eq!(notes.take(), ["trace 4"]);
    assert_eq!(notes.kept(), 7);
    drop((first, second, more, reserved));
}

#[test]
fn what_is_told_is_what_is_in_memory() {
    let (slab, notes) = watched();
    let mut everything = everything(far(&slab, 0), true);
    let trace = everything.builder.finish().unwrap();
    let installed = slab.install(&trace).unwrap();
    let told = notes.told.lock().unwrap();
    let [trampoline, trace] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(trace.bytes(), installed.bytes());
    assert_eq!(trace.address(), installed.address());
    assert_eq!(trampoline.bytes().len(), 16);
    assert_eq!(
        trampoline.bytes()[8..],
        far(&slab, 0).address().to_le_bytes()
    );
    assert!(trampoline.linked().is_none());
}

#[test]
fn what_is_kept_goes_when_the_space_is_reclaimed() {
    let (slab, notes) = watched();
    let mut built = calling(&[far(&slab, 0)]);
    let trace = slab.install(&built.trace()).unwrap();
    let other = slab.install(&built.trace()).unwrap();
    assert_eq!(notes.kept(), 3);
    let pin = slab.pin();
    drop(trace);
    slab.reclaim().unwrap();
    assert_eq!(notes.kept(), 3);
    drop(pin);
    slab.reclaim().unwrap();
    assert_eq!(notes.kept(), 2);
    drop(other);
    slab.reclaim().unwrap();
    assert_eq!(notes.kept(), 0);
}

#[test]
fn what_is_kept_goes_with_the_slab() {
    let (slab, notes) = watched();
    let trace = leave(&slab, 1, None);
    let left = leave(&slab, 2, None);
    drop(left);
    drop(slab);
    assert_eq!(notes.kept(), 2);
    drop(trace);
    assert_eq!(notes.kept(), 0);
    assert_eq!(Arc::strong_count(&notes), 1);
}

#[test]
fn who_comes_late_is_told_of_all_there_is() {
    let (slab, early) = watched();
    let mut built = calling(&[far(&slab, 0)]);
    let trace = slab.install(&built.trace()).unwrap();
    let dropped = leave(&slab, 1, None);
    let gone = dropped.id();
    drop(dropped);
    let late = Arc::new(Notes::default());
    slab.watch(late.clone()).unwrap();
    let mut told = late.take();
    told.sort();
    // Threads may still be in the one that was dropped.
    assert_eq!(
        told,
        [
            trace.id().to_string(),
            gone.to_string(),
            format!("trampoline to {}", far(&slab, 0))
        ]
    );
    assert_eq!(early.take().len(), 3);
    let _next = leave(&slab, 2, None);
    assert_eq!((early.take().len(), late.take().len()), (1, 1));
}

#[test]
fn nothing_is_told_of_what_could_not_be_installed() {
    let (slab, notes) = watched();
    let mut long = plain((1 << 20) / 8, 0);
    assert!(matches!(
        slab.install(&long.trace()),
        Err(SlabError::Full { .. })
    ));
    let mut built = calling(&[far(&slab, 0)]);
    let mut batch = slab.batch();
    batch.add(&built.trace()).unwrap();
    drop(batch);
    let _trace = leave(&slab, 1, None);
    assert_eq!(notes.take(), ["trace 0"]);
}

#[test]
fn a_slab_without_annotations_is_not_watched() {
    let slab = Slab::new(1 << 16).unwrap();
    let error = slab.watch(Arc::new(Notes::default())).unwrap_err();
    assert!(matches!(error, SlabError::NotAnnotated), "{error}");
    assert_eq!(
        error.to_string(),
        "the slab keeps no annotations; make it with `SlabOptions::annotate`"
    );
}

#[test]
fn whoever_installs_goes_on_after_the_watchers_know() {
    let (slab, notes) = watched();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (slab, notes) = (&slab, &notes);
            scope.spawn(move || {
                for _ in 0..50 {
                    let trace = leave(slab, n, None);
                    let told = notes.told.lock().unwrap();
                    assert!(
                        told.iter()
                            .any(|code| code.located().trace() == Some(trace.id()))
                    );
                }
            });
        }
    });
    slab.reclaim().unwrap();
    assert_eq!((notes.take().len(), notes.kept()), (200, 0));
}

#[test]
fn the_code_of_a_slab_is_its_traces_and_trampolines() {
    let slab = annotated(MAPPINGS[0]);
    let a = far(&slab, 0);
    let first = slab.install(&calling(&[a]).trace()).unwrap();
    let second = slab.install(&plain(1, 0).trace()).unwrap();
    let code = |slab: &Slab| {
        let snapshots = slab.snapshots().unwrap();
        assert!(snapshots.is_sorted_by_key(Snapshot::address));
        let all = snapshots.into_iter().map(|code| {
            let linked = code.linked();
            assert_eq!(linked.is_none(), code.located().target().is_some());
            assert!(linked.is_none_or(|linked| linked.bytes() == code.bytes()));
            code.located().to_string()
        });
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    };
    let entry = |number| format!("trace {number}, entry");
    let trampoline = format!("trampoline to {a}");
    assert_eq!(code(&slab), [entry(0), entry(1), trampoline.clone()]);
    drop(second);
    assert_eq!(code(&slab), [entry(0), trampoline], "it is dropped");
    drop(first);
    slab.reclaim().unwrap();
    assert_eq!(code(&slab), [""; 0]);
    let bare = Slab::new(1 << 16).unwrap();
    assert!(matches!(bare.snapshots(), Err(SlabError::NotAnnotated)));
}

/// Panics when it is told of the second trace; the first one it lets wait until the others are there.
#[derive(Debug)]
struct Fragile {
    others_are_there: Barrier,
    calls: AtomicUsize,
}

impl Watcher for Fragile {
    fn published(&self, _: &Snapshot) -> Kept {
        match self.calls.fetch_add(1, SeqCst) {
            0 => {
                self.others_are_there.wait();
                None
            }
            1 => panic!("a watcher that panics"),
            _ => None,
        }
    }
}

#[test]
fn what_is_told_while_a_watcher_panics_is_told_to_all() {
    let slab = annotated(MAPPINGS[0]);
    let (before, behind) = (Arc::new(Notes::default()), Arc::new(Notes::default()));
    let fragile = Arc::new(Fragile {
        others_are_there: Barrier::new(2),
        calls: AtomicUsize::new(0),
    });
    slab.watch(before.clone()).unwrap();
    slab.watch(fragile.clone()).unwrap();
    slab.watch(behind.clone()).unwrap();
    let install = || {
        let installed = catch_unwind(AssertUnwindSafe(|| slab.install(&plain(1, 0).trace())));
        installed.map(Result::unwrap)
    };
    std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(install));
        // All are published, and two of them not told of yet.
        while slab.statistics().traces < 3 {
            std::thread::yield_now();
        }
        fragile.others_are_there.wait();
        let results = threads.map(|thread| thread.join().unwrap());
        let panicked = results.iter().filter(|result| result.is_err()).count();
        assert_eq!(panicked, 1);
        for notes in [&before, &behind] {
            let mut told = notes.take();
            told.sort();
            assert_eq!(told, ["trace 0", "trace 1", "trace 2"]);
            assert_eq!(notes.kept(), 3, "what was given is kept");
        }
    });
}

#[test]
fn a_watcher_that_panics_when_it_comes_watches_all_the_same() {
    let slab = annotated(MAPPINGS[0]);
    let _before = slab.install(&plain(1, 0).trace()).unwrap();
    let fragile = Arc::new(Fragile {
        others_are_there: Barrier::new(1),
        calls: AtomicUsize::new(1),
    });
    let watched = catch_unwind(AssertUnwindSafe(|| slab.watch(fragile.clone())));
    assert!(watched.is_err());
    let _behind = slab.install(&plain(1, 0).trace()).unwrap();
    assert_eq!(fragile.calls.load(SeqCst), 3);
}
