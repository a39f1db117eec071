//! What a builder allocates: nothing once it is warm, and little more than the trace itself.
//!
//! The allocator of this program counts, so its tests run one at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

use opstitch::{FallThrough, Options, Reach, Target, TraceBuilder};

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Return { ; ret }
    op Leave(id: u16) { ; movz x0, id ; br x28 }
    op Zero(to: label) { ; cbz x1, =>to }
    op Test(to: label) { ; tbz x1, 0, =>to }
    op Guard(out: exit) { ; cbnz x1, =>out }
    op Call(function: call) { ; bl =>function }
    op Load(value: literal) { ; ldr x9, =>value }
    op Cell(cell: mut literal) { ; ldr x9, =>cell }
    op Slow(n: u12) {
        ; cbz x0, >slow
        ; back:
    } cold {
        ; slow:
        ; add x0, x0, n
        ; b <back
    }
}

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(by: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let now = NOW.fetch_add(by, Relaxed) + by;
    PEAK.fetch_max(now, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Small blocks are copied; pages of large ones are moved, not held twice (`mremap`).
        let held_twice = layout.size() < 128 << 10;
        if held_twice {
            grown(size);
            NOW.fetch_sub(layout.size(), Relaxed);
        } else {
            grown(size.saturating_sub(layout.size()));
            NOW.fetch_sub(layout.size().saturating_sub(size), Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// How many allocations `work` makes.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.load(Relaxed);
    let result = work();
    (result, ALLOCATIONS.load(Relaxed) - before)
}

/// How many bytes more than before are held at most while `work` runs.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed) - before)
}

const ADDRESS: u64 = 0x1_0000_0000;

/// A trace with something of everything; returns its micro-ops and its references.
fn build(builder: &mut TraceBuilder, rounds: u64) -> (usize, usize) {
    let cell = builder.mut_literal(1);
    let declared = builder.declare_exit();
    for round in 0..rounds {
        let top = builder.bind_new().unwrap();
        let end = builder.label();
        let out = builder.exit([Leave { id: round % 9 }]).unwrap();
        let near = Target::new(ADDRESS + 0x10_0000 + round % 5 * 4).unwrap();
        let far = Target::new(ADDRESS + (1 << 40) + round % 7 * 4).unwrap();
        builder.push(Op::from(Guard { out })).unwrap();
        builder.push(Test { to: end }).unwrap();
        builder
            .push(Load {
                value: 0x1234_5678_9abc_0000 | round,
            })
            .unwrap();
        if round < 8 {
            builder.push(Cell { cell }).unwrap();
        } else {
            builder.push(Add { n: 1 }).unwrap();
        }
        builder.push(Call { function: near }).unwrap();
        builder.push(Call { function: far }).unwrap();
        builder.push(Slow { n: 7 }).unwrap();
        builder.push(Guard { out: declared }).unwrap();
        builder.bind(end).unwrap();
        builder.push(Zero { to: top }).unwrap();
        builder.push(Add { n: 1 }).unwrap();
        builder.jump(top).unwrap();
    }
    builder.push(Return).unwrap();
    builder
        .define_exit(declared, |code| {
            code.push(Add { n: 5 })?;
            code.push(Leave { id: 77 })
        })
        .unwrap();
    let rounds = rounds as usize;
    // Nine in a round, the jump, and the two of the cold part.
    (builder.len(), 9 * rounds + rounds + 2 * rounds)
}

#[test]
fn a_warm_builder_allocates_nothing_from_the_first_push_to_the_finished_trace() {
    let _alone = alone();
    let short = Reach::default()
        .conditional(600)
        .and_then(|reach| reach.test(300))
        .and_then(|reach| reach.literal(700))
        .unwrap();
    for reach in [Reach::default(), short] {
        for annotate in [true, false] {
            for fall_through in [FallThrough::Nop, FallThrough::Elide] {
                let options = Options::new().fall_through(fall_through).reach(reach);
                let mut builder = TraceBuilder::with_options(options.annotate(annotate));
                build(&mut builder, 500);
                let bytes = builder.finish().unwrap().link(ADDRESS).unwrap();
                builder.clear();
                let ((), count) = allocations(|| {
                    build(&mut builder, 500);
                    builder.finish().unwrap();
                });
                assert_eq!(count, 0, "{options:?}");
                let again = builder.finish().unwrap().link(ADDRESS).unwrap();
                assert_eq!(again.bytes(), bytes.bytes());
            }
        }
    }
}

#[test]
fn a_warm_builder_allocates_nothing_for_what_it_refuses() {
    let _alone = alone();
    let mut builder = TraceBuilder::new();
    build(&mut builder, 100);
    builder.finish().unwrap();
    builder.clear();
    builder.push(Add { n: 1 }).unwrap();
    let label = builder.label();
    builder.push(Zero { to: label }).unwrap();
    builder.finish().unwrap_err();
    let ((), count) = allocations(|| {
        builder.push(Add { n: 4096 }).unwrap_err();
        builder.finish().map(drop).unwrap_err();
        builder.exit([Add { n: 1 }]).unwrap_err();
    });
    assert_eq!(count, 0);
}

#[test]
fn linking_into_given_memory_allocates_a_handful_of_times_whatever_the_length() {
    let _alone = alone();
    for rounds in [10, 1000] {
        let mut builder = TraceBuilder::new();
        build(&mut builder, rounds);
        let trace = builder.finish().unwrap();
        let mut bytes = vec![0; trace.linked_len(ADDRESS).unwrap()];
        let (statistics, count) = allocations(|| trace.link_into(ADDRESS, &mut bytes).unwrap());
        assert_eq!(statistics.total(), bytes.len());
        println!("{rounds} rounds: {count} allocations");
        assert!(count <= 8, "{count} allocations for {rounds} rounds");
    }
}

#[test]
fn linking_a_trace_without_calls_into_given_memory_allocates_nothing() {
    let _alone = alone();
    let mut builder = TraceBuilder::new();
    let out = builder.exit([Leave { id: 1 }]).unwrap();
    for n in 0..100 {
        builder
            .push(Load {
                value: 0x1234_0000_5678_0000 | n,
            })
            .unwrap();
        builder.push(Guard { out }).unwrap();
    }
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    let mut bytes = vec![0; trace.linked_len(ADDRESS).unwrap()];
    let (_, count) = allocations(|| trace.link_into(ADDRESS, &mut bytes).unwrap());
    assert_eq!(count, 0);
}

#[test]
fn a_million_micro_ops_need_their_bytes_and_16_more_for_each_of_them_and_each_reference() {
    let _alone = alone();
    let options = Options::new().annotate(false);
    // One for which vectors that double are full, one for which they are half empty.
    for number in [1_000_000, 1_060_000] {
        type Kind = (&'static str, usize, fn(&mut TraceBuilder, u64));
        let kinds: [Kind; 5] = [
            ("nothing", 0, |builder, _| {
                builder.push(Add { n: 1 }).unwrap()
            }),
            ("guards", 1, |builder, n| {
                if n == 0 {
                    builder.exit([Leave { id: 1 }]).unwrap();
                }
            }),
            ("calls", 1, |builder, n| {
                let function = Target::new(ADDRESS + n % 1000 * 4).unwrap();
                builder.push(Call { function }).unwrap();
            }),
            ("loads", 1, |builder, n| {
                let value = 0x1234_5678_9abc_0000 | n % 1000;
                builder.push(Load { value }).unwrap();
            }),
            ("different loads", 1, |builder, n| {
                let value = 0x1234_5678_0000_0000 | n;
                builder.push(Load { value }).unwrap();
            }),
        ];
        for (name, references, push) in kinds {
            let (len, most) = peak(|| {
                let mut builder = TraceBuilder::with_options(options);
                let out = builder.exit([Leave { id: 1 }]).unwrap();
                for n in 0..number {
                    if name == "guards" {
                        builder.push(Guard { out }).unwrap();
                    } else {
                        push(&mut builder, n);
                    }
                }
                builder.push(Return).unwrap();
                let trace = builder.finish().unwrap();
                trace.linked_len(ADDRESS).unwrap()
            });
            let allowed = len + 16 * number as usize * (1 + references);
            println!("{number} {name}: {most} of {allowed}, {len} of them final");
        }
        let ((len, (ops, references)), most) = peak(|| {
            let mut builder = TraceBuilder::with_options(options);
            let counts = build(&mut builder, number / 10);
            let trace = builder.finish().unwrap();
            (trace.linked_len(ADDRESS).unwrap(), counts)
        });
        let allowed = len + 16 * (ops + references);
        println!("{number} everything: {most} of {allowed}, {len} of them final");
    }
}
