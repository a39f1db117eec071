//! What a builder allocates: nothing once it is warm, and little more than the trace itself.
//!
//! The allocator of this program counts, for each thread on its own: tests run side by side.

#[path = "common/slow.rs"]
mod slow;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use opstitch::{Exit, FallThrough, MicroOp, Options, Reach, Target, TraceBuilder};

use slow::is_slow;

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Return { ; ret }
    op Leave(id: u16) { ; movz x0, id ; br x28 }
    op Zero(to: label) { ; cbz x1, =>to }
    op Test(to: label) { ; tbz x1, 0, =>to }
    op Guard(out: exit) { ; cbnz x1, =>out }
    op Call(function: call) { ; bl =>function }
    op Load(value: literal) { ; ldr x9, =>value }
    op LoadCell(cell: mut literal) { ; ldr x9, =>cell }
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

/// What a thread has allocated: how often, and how many bytes more than it freed, now and at most.
#[derive(Clone, Copy)]
struct Count {
    allocations: usize,
    now: isize,
    peak: isize,
}

thread_local! {
    static COUNT: Cell<Count> = const {
        Cell::new(Count { allocations: 0, now: 0, peak: 0 })
    };
}

fn count(allocations: usize, more: usize, less: usize) {
    COUNT.with(|cell| {
        let mut count = cell.get();
        count.allocations += allocations;
        count.now += more as isize;
        count.peak = count.peak.max(count.now);
        count.now -= less as isize;
        cell.set(count);
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Small blocks are copied; the pages of large ones are moved (`mremap`), not held twice.
        let common = match layout.size() {
            0x2_0000.. => layout.size().min(size),
            _ => 0,
        };
        count(1, size - common, layout.size() - common);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `work` makes.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNT.get().allocations;
    let result = work();
    (result, COUNT.get().allocations - before)
}

/// How many bytes more than before are held at most while `work` runs.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let mut count = COUNT.get();
    count.peak = count.now;
    COUNT.set(count);
    let result = work();
    (result, (COUNT.get().peak - count.now) as usize)
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
            builder.push(LoadCell { cell }).unwrap();
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
    for rounds in [10, 1000] {
        let mut builder = TraceBuilder::new();
        build(&mut builder, rounds);
        let trace = builder.finish().unwrap();
        let mut bytes = vec![0; trace.linked_len(ADDRESS).unwrap()];
        let (statistics, count) = allocations(|| trace.link_into(ADDRESS, &mut bytes).unwrap());
        assert_eq!(statistics.total(), bytes.len());
        assert!(count <= 8, "{count} allocations for {rounds} rounds");
    }
}

#[test]
fn linking_where_it_is_a_trace_that_is_no_longer_than_the_one_before_allocates_once() {
    let mut builder = TraceBuilder::new();
    for _ in 0..3 {
        builder.clear();
        build(&mut builder, 100);
        builder.finish().unwrap();
        let (len, count) = allocations(|| builder.finish_at(ADDRESS).unwrap().bytes().len());
        assert!(len > 100 && count <= 2, "{count} allocations");
    }
    let ((), count) = allocations(|| drop(builder.finish_at(ADDRESS).unwrap()));
    assert_eq!(count, 1, "for the ways to the targets");
}

#[test]
fn linking_a_trace_without_calls_into_given_memory_allocates_nothing() {
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

/// Asserts what a trace of so many micro-ops and references may need while it is built.
#[track_caller]
fn assert_lean(name: &str, build: impl FnOnce(&mut TraceBuilder) -> (usize, usize)) {
    let ((len, noted), most) = peak(|| {
        let mut builder = TraceBuilder::with_options(Options::new().annotate(false));
        let (ops, references) = build(&mut builder);
        let placed = builder.finish_at(ADDRESS).unwrap();
        (placed.bytes().len(), ops + references)
    });
    let allowed = len + 16 * noted;
    println!("{name}: {most} bytes of {allowed}, {len} of them final");
    assert!(most <= allowed, "{name}: {most} bytes, {allowed} allowed");
}

/// A million, and so many more that what grew last is as empty as it gets; one of them where all is slow.
fn numbers() -> &'static [u64] {
    let numbers = &[1_000_000, 1_100_000];
    if is_slow() { &numbers[..1] } else { numbers }
}

#[test]
fn a_million_micro_ops_need_their_bytes_and_16_more_for_each_of_them_and_each_reference() {
    for &number in numbers() {
        assert_lean("everything", |builder| build(builder, number / 10));
    }
}

/// Asserts the same of a trace of one micro-op over and over.
fn assert_lean_of_one<M: MicroOp>(name: &str, references: usize, op: impl Fn(u64, Exit) -> M) {
    for &number in numbers() {
        assert_lean(name, |builder| {
            let out = builder.exit([Leave { id: 1 }]).unwrap();
            for n in 0..number {
                builder.push(op(n, out)).unwrap();
            }
            builder.push(Return).unwrap();
            (builder.len(), references * number as usize)
        });
    }
}

#[test]
fn traces_of_one_micro_op_a_million_times_need_no_more_either() {
    assert_lean_of_one("nothing to note", 0, |_, _| Add { n: 1 });
    assert_lean_of_one("guards", 1, |_, out| Guard { out });
    assert_lean_of_one("calls", 1, |n, _| Call {
        function: Target::new(ADDRESS + n % 1000 * 4).unwrap(),
    });
    assert_lean_of_one("different literals", 1, |n, _| Load {
        value: 0x1234_5678_0000_0000 | n,
    });
}
