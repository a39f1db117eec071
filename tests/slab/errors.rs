//! Input that is refused, and what is as before then.

use opstitch::slab::{Mapping, Slab, SlabError, SlabOptions};
use opstitch::{Options, Reach, TraceBuilder};

use crate::support::*;

#[test]
fn a_slab_has_a_size_that_bl_reaches() {
    const MOST: usize = 128 << 20;
    for refused in [0, MOST + 1, 1 << 40, usize::MAX - 1, usize::MAX] {
        match Slab::new(refused) {
            Err(SlabError::InvalidSize { size, max }) => assert_eq!((size, max), (refused, MOST)),
            other => panic!("{other:?}"),
        }
    }
    for &mapping in MAPPINGS {
        for size in [1, 4097, MOST] {
            let slab = SlabOptions::new(size).mapping(mapping).build().unwrap();
            assert!(checked_statistics(&slab).size >= size);
            let trace = slab.install(&plain(1, 0).trace()).unwrap();
            drop(trace);
            assert_empty(&slab);
        }
    }
}

#[test]
fn a_mapping_of_another_system_is_refused() {
    let other = if cfg!(target_os = "linux") {
        Mapping::Jit
    } else {
        Mapping::TwoViews
    };
    match SlabOptions::new(1 << 16).mapping(other).build() {
        Err(error @ SlabError::Map { mapping, .. }) => {
            assert_eq!(mapping, other);
            assert!(error.to_string().contains("choose another `Mapping`"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_slab_is_as_before() {
    for slab in slabs(1 << 16) {
        let mut traces = Vec::new();
        for ops in [1000, 100, 10, 1] {
            while let Ok(trace) = slab.install(&plain(ops, 0).trace()) {
                traces.push(trace);
            }
        }
        let before = checked_statistics(&slab);
        let bytes: Vec<_> = traces.iter().map(|trace| trace.bytes()).collect();
        let mut built = plain(200, 1);
        let trace = built.trace();
        for _ in 0..3 {
            match slab.install(&trace) {
                Err(SlabError::Full { needed, longest }) => {
                    assert_eq!(needed, trace.linked_len(0).unwrap());
                    assert_eq!(longest, before.longest);
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(checked_statistics(&slab), before);
        }
        for (trace, bytes) in traces.iter().zip(&bytes) {
            assert_eq!(&trace.bytes(), bytes);
        }
        drop(traces);
        slab.reclaim().unwrap();
        slab.install(&trace).unwrap();
    }
}

/// There is room for the trace, and not for its last trampoline.
#[test]
fn a_slab_without_room_for_a_trampoline_is_as_before() {
    for slab in slabs(1 << 12) {
        let targets = [0, 1, 2, 3].map(|number| far(&slab, number));
        let kept = slab.install(&calling(&targets[..1]).trace()).unwrap();
        let mut built = calling(&targets);
        let trace = built.trace();
        let needed = trace.linked_len(0).unwrap();
        let longest = checked_statistics(&slab).longest;
        let mut refused = 0;
        for left in (0..needed + 128).step_by(16) {
            let room = slab.reserve(longest - left).unwrap();
            let before = checked_statistics(&slab);
            match slab.install(&trace) {
                Ok(trace) => {
                    assert_eq!(calls(&trace)[0], calls(&kept)[0]);
                    drop(trace);
                    drop(room);
                    slab.reclaim().unwrap();
                }
                Err(SlabError::Full { needed, longest }) => {
                    refused += usize::from(needed == 16);
                    assert!(longest < needed);
                    assert_eq!(checked_statistics(&slab), before);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0, "it was never for want of a trampoline");
        drop(kept);
        assert_empty(&slab);
    }
}

/// A trace that cannot be linked: its calls do not even reach a trampoline.
#[test]
fn a_trace_that_cannot_be_linked_leaves_nothing_behind() {
    for slab in slabs(1 << 16) {
        let reach = Reach::default().jump(256).unwrap();
        let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
        let function = far(&slab, 0);
        builder.push(Call { function }).unwrap();
        (0..20).for_each(|_| builder.push(Add { n: 1 }).unwrap());
        builder.push(Leave { code: 0 }).unwrap();
        let trace = builder.finish().unwrap();
        // A hole for the trace alone, which is as long as where `bl` reaches, and all other room far away.
        let hole = slab.reserve(trace.linked_len(function.address()).unwrap());
        let _between = slab.reserve(2000).unwrap();
        drop(hole);
        let before = checked_statistics(&slab);
        for _ in 0..3 {
            let result = slab.install(&trace);
            assert!(matches!(
                result,
                Err(SlabError::Trace(opstitch::Error::TraceTooLong { .. }))
            ));
            assert_eq!(checked_statistics(&slab), before);
            assert!(slab.batch().add(&trace).is_err());
            assert_eq!(checked_statistics(&slab), before);
        }
    }
}

#[test]
fn errors_say_what_to_do() {
    let error = Slab::new(0).unwrap_err();
    assert!(error.to_string().contains("between 1 and 134217728"));
    let slab = Slab::new(4096).unwrap();
    let error = slab.reserve(5000).unwrap_err().to_string();
    assert!(error.contains("5000") && error.contains("4096") && error.contains("reclaim"));
}
