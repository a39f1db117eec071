//! The epochs under every schedule of a few threads.
//!
//! All accesses of [`Epochs`] are sequentially consistent, so what threads can do to each other are the
//! interleavings of their accesses, no more. [`explore`] goes through all of them, without threads: a
//! state is what the memory holds and what each thread has read so far. A thread's next access follows
//! from what it has read, so it is found by running the thread again from its start, with the
//! results of its earlier accesses handed to it once more. Behind its next access it runs on to its end, but
//! reads nothing but 0 and changes nothing any more.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;

use super::{Epochs, Shared};

/// The memory, and a thread that is being run up to its next access.
#[derive(Debug, Default)]
struct Model {
    memory: Vec<u64>,
    results: Vec<u64>,
    replayed: usize,
    accessed: bool,
    /// Whether there is more to come behind the next access.
    goes_on: bool,
}

thread_local! {
    static MODEL: RefCell<Model> = RefCell::default();
}

/// A word of the model's memory.
#[derive(Debug)]
struct Word(usize);

impl Default for Word {
    fn default() -> Word {
        MODEL.with_borrow_mut(|model| {
            model.memory.push(0);
            Word(model.memory.len() - 1)
        })
    }
}

impl Word {
    fn access(&self, access: impl FnOnce(&mut u64) -> u64) -> u64 {
        MODEL.with_borrow_mut(|model| {
            if let Some(&result) = model.results.get(model.replayed) {
                model.replayed += 1;
                return result;
            }
            if std::mem::replace(&mut model.accessed, true) {
                model.goes_on = true;
                return 0;
            }
            let result = access(&mut model.memory[self.0]);
            model.results.push(result);
            model.replayed += 1;
            result
        })
    }
}

impl Shared for Word {
    fn load(&self) -> u64 {
        self.access(|word| *word)
    }

    fn store(&self, value: u64) {
        self.access(|word| {
            *word = value;
            0
        });
    }

    fn add(&self, value: u64) {
        self.access(|word| {
            *word = word.wrapping_add(value);
            0
        });
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    memory: Vec<u64>,
    /// What each thread has read, or nothing any more if it has ended.
    threads: Vec<Option<Vec<u64>>>,
}

type Thread<T> = fn(&T);

/// Goes through all schedules of `threads` on a `T`; returns how many states there are, or the first
/// failure.
fn explore<T: Default>(threads: &[Thread<T>]) -> Result<usize, String> {
    MODEL.take();
    let shared = T::default();
    let first = State {
        memory: MODEL.take().memory,
        threads: vec![Some(Vec::new()); threads.len()],
    };
    let (mut seen, mut to_do) = (HashSet::from([first.clone()]), vec![first]);
    while let Some(state) = to_do.pop() {
        for (number, thread) in threads.iter().enumerate() {
            let Some(results) = state.threads[number].clone() else {
                continue;
            };
            MODEL.set(Model {
                memory: state.memory.clone(),
                results,
                ..Model::default()
            });
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| thread(&shared))) {
                let text = payload.downcast_ref::<&str>();
                return Err(text.copied().unwrap_or("a panic").to_string());
            }
            let end = MODEL.take();
            let mut next = State {
                memory: end.memory,
                threads: state.threads.clone(),
            };
            next.threads[number] = end.goes_on.then_some(end.results);
            if seen.insert(next.clone()) {
                to_do.push(next);
            }
        }
    }
    Ok(seen.len())
}

/// Two pieces of code that a link leads to, one after the other, and that are unlinked, retired and freed.
#[derive(Debug, Default)]
struct Code<const STEPS: u64> {
    epochs: Epochs<Word>,
    /// The one that is linked: 0, 1 or none.
    linked: Word,
    freed: [Word; 2],
}

impl<const STEPS: u64> Code<STEPS> {
    fn run(&self) {
        let pin = self.epochs.pin();
        let code = self.linked.load() as usize;
        if let Some(freed) = self.freed.get(code) {
            // In the code now, and another thread may have had its turn.
            assert!(freed.load() == 0, "freed under a thread that runs it");
        }
        self.epochs.unpin(pin);
    }

    /// What `reclaim` does for what was retired at `since`.
    fn reclaim(&self, code: usize, since: u64) {
        if self.epochs.step() {
            self.epochs.step();
        }
        if self.epochs.now() >= since + STEPS {
            self.freed[code].store(1);
        }
    }

    /// Unlinks the code and tries `calls` times to reclaim it.
    fn retire(&self, code: usize, calls: usize) {
        self.linked.store(code as u64 + 1);
        let since = self.epochs.now();
        (0..calls).for_each(|_| self.reclaim(code, since));
    }
}

type Tested = Code<2>;

#[test]
fn code_is_freed_when_no_pin_can_be_in_it() {
    // As `has_passed` says.
    let epochs = Epochs::<AtomicU64>::default();
    let passed = || epochs.has_passed(0);
    let twice: Thread<Tested> = |c| (0..2).for_each(|_| c.run());
    assert!(!passed() && epochs.step() && !passed() && epochs.step() && passed());

    let scenarios: [&[Thread<Tested>]; 5] = [
        &[|c| c.run(), |c| c.retire(0, 3)],
        &[twice, |c| c.retire(0, 2)],
        &[|c| c.run(), |c| (0..2).for_each(|code| c.retire(code, 1))],
        &[twice, |c| (0..2).for_each(|code| c.retire(code, 1))],
        &[|c| c.run(), |c| c.run(), |c| c.retire(0, 1)],
    ];
    for threads in scenarios {
        let seen = explore(threads);
        println!("{seen:?} states of {} threads", threads.len());
        assert!(seen.is_ok_and(|seen| seen > 100));
    }
}

#[test]
fn code_is_freed_at_last() {
    for retired in [0, 1, 7] {
        let epochs = Epochs::<AtomicU64>::default();
        (0..retired).for_each(|_| assert!(epochs.step()));
        let pin = epochs.pin();
        let since = epochs.now();
        // A pin lets one step pass and no more.
        assert!(epochs.step() && !epochs.step() && !epochs.has_passed(since));
        let later = epochs.pin();
        epochs.unpin(pin);
        // What came later is in nobody's way.
        assert!(epochs.step() && epochs.has_passed(since));
        epochs.unpin(later);
    }
}

/// One epoch is not enough, and the model notices.
#[test]
fn the_model_finds_what_is_freed_too_early() {
    let seen = explore::<Code<1>>(&[|c| c.run(), |c| c.retire(0, 1)]);
    assert!(seen.is_err_and(|text| text.contains("freed under")));
}
