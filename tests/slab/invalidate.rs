//! Invalidation: every point of a trace leads out of it.

use opstitch::slab::{InstalledTrace, Invalidated, SlabError};
use opstitch::{Exit, FallThrough, Options, TraceBuilder};

use crate::support::*;

/// A trace with points at its entry, in the middle, and behind a label, which leave with 5, 6 and 5.
fn with_points(b: &mut TraceBuilder) -> Result<[Exit; 2], opstitch::Error> {
    let first = b.exit([Leave { code: 5 }])?;
    let second = b.linkable_exit([Leave { code: 6 }])?;
    b.invalidation_point(first)?;
    b.push(Add { n: 1 })?;
    b.push(Guard { exit: second })?;
    b.invalidation_point(second)?;
    b.push(Add { n: 2 })?;
    b.bind_new()?;
    b.invalidation_point(first)?;
    b.push(Add { n: 3 })?;
    b.push(Leave { code: 0 })?;
    Ok([first, second])
}

/// Where the points lead to: the codes that are returned there.
fn leaves(trace: &InstalledTrace, before: &[u32]) -> Vec<u32> {
    let changed = changes(trace, before).into_iter();
    changed
        .map(|(at, word)| {
            let place = (at - trace.address()) as usize / 4;
            assert_eq!(before[place], NOP);
            assert_eq!(word >> 26, 0b000101, "not a `b`");
            let exit = destination(word, at).unwrap() - trace.address();
            let exit = &words(trace)[exit as usize / 4..];
            let movz = exit.iter().find(|&&word| word != NOP).unwrap();
            assert_eq!(movz & !0x1f_ffe0, 0xd280_0000);
            movz >> 5 & 0xffff
        })
        .collect()
}

#[test]
fn an_invalid_trace_leaves_at_every_point() {
    for slab in slabs(1 << 16) {
        let mut built = build(with_points);
        let trace = slab.install(&built.trace()).unwrap();
        let before = words(&trace);
        assert_eq!(trace.invalidate().unwrap(), Invalidated::Now);
        assert_eq!(leaves(&trace, &before), [5, 6, 5]);
        assert_eq!(words(&trace)[0] >> 26, 0b000101, "the entry");
        assert_eq!(trace.invalidate().unwrap(), Invalidated::Already);
        assert_eq!(leaves(&trace, &before), [5, 6, 5]);
        trace.revalidate().unwrap();
        assert_eq!(words(&trace), before);
        trace.revalidate().unwrap();
        assert_eq!(words(&trace), before);

        // Links and points do not get into each other's way.
        let to = slab.install(&plain(3, 1).trace()).unwrap();
        trace.link(built.known[1], &to).unwrap();
        let linked = words(&trace);
        assert_eq!(trace.invalidate().unwrap(), Invalidated::Now);
        assert_eq!(changes(&trace, &linked).len(), 3);
        trace.unlink(built.known[1]).unwrap();
        assert_eq!(leaves(&trace, &before), [5, 6, 5]);
        trace.link(built.known[1], &to).unwrap();
        trace.revalidate().unwrap();
        assert_eq!(words(&trace), linked);
        drop(to);
        assert_eq!(words(&trace), before);
        trace.invalidate().unwrap();
        drop(trace);
        assert_empty(&slab);
    }
}

/// What is invalid is the trace, not its space: the next one there is not.
#[test]
fn a_new_trace_is_valid() {
    for slab in slabs(1 << 16) {
        let mut built = build(with_points);
        let trace = slab.install(&built.trace()).unwrap();
        let (address, before) = (trace.address(), words(&trace));
        trace.invalidate().unwrap();
        drop(trace);
        slab.reclaim().unwrap();
        let trace = slab.install(&built.trace()).unwrap();
        assert_eq!((trace.address(), words(&trace)), (address, before.clone()));
        assert_eq!(trace.invalidate().unwrap(), Invalidated::Now);
        assert_eq!(leaves(&trace, &before), [5, 6, 5]);
    }
}

#[test]
fn points_are_there_without_fall_through_nops() {
    for slab in slabs(1 << 16) {
        let options = Options::new().fall_through(FallThrough::Elide);
        let mut builder = TraceBuilder::with_options(options);
        with_points(&mut builder).unwrap();
        let trace = slab.install(&builder.finish().unwrap()).unwrap();
        let before = words(&trace);
        trace.invalidate().unwrap();
        assert_eq!(leaves(&trace, &before), [5, 6, 5]);
    }
}

#[test]
fn a_trace_without_points_cannot_be_invalidated() {
    for slab in slabs(1 << 16) {
        let trace = slab.install(&plain(3, 1).trace()).unwrap();
        let before = words(&trace);
        for result in [trace.invalidate().map(drop), trace.revalidate()] {
            assert!(matches!(result, Err(SlabError::NotInvalidatable)));
        }
        assert_eq!(words(&trace), before);
    }
}
