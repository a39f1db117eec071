//! A forked child that shares a slab's memory with its parent, or has a copy of it.
#![cfg(target_os = "linux")]

#[path = "slab/support.rs"]
mod support;

use opstitch::Target;
use opstitch::slab::{Mapping, Slab, SlabError, SlabOptions};

use support::*;

/// All that can be changed, tried in a child; nothing of it changes the parent's memory.
#[test]
fn a_child_that_shares_the_memory_changes_nothing() {
    let options = SlabOptions::new(1 << 16).mapping(Mapping::TwoViews);
    let slab = options.build().unwrap();
    let target = Target::retargetable(far(&slab, 1).address()).unwrap();
    let mut built = build(|b| {
        let exit = b.linkable_exit([Leave { code: 5 }])?;
        let other = b.linkable_exit([Leave { code: 6 }])?;
        b.invalidation_point(exit)?;
        b.push(Guard { exit })?;
        b.push(Guard { exit: other })?;
        b.push(Call { function: target })?;
        let value = b.mut_literal(1);
        b.push(Cached { value })?;
        b.push(Leave { code: 0 })?;
        Ok((exit, other, value))
    });
    let (exit, other_exit, value) = built.known;
    let trace = slab.install(&built.trace()).unwrap();
    let unlinked = words(&trace);
    let other = slab.install(&plain(3, 1).trace()).unwrap();
    let third = slab.install(&plain(3, 2).trace()).unwrap();
    trace.link(exit, &other).unwrap();
    // What waits to be reclaimed, and what is pending.
    drop(slab.install(&plain(3, 3).trace()).unwrap());
    let mut batch = slab.batch();
    batch
        .add(&calling(&[target, far(&slab, 2)]).trace())
        .unwrap();
    let room = slab.reserve(200).unwrap();
    let linked = plain(1, 0).trace().link(room.address()).unwrap();
    let (before, bytes) = (checked_statistics(&slab), slab_bytes(&slab));
    let mut all = Some((trace, other, third, batch, room));

    in_child(|| {
        let (trace, other, third, batch, room) = all.take().unwrap();
        let forked = |result: Result<(), SlabError>| {
            assert!(matches!(result, Err(SlabError::Forked)), "{result:?}");
        };
        forked(slab.install(&plain(1, 0).trace()).map(drop));
        forked(slab.batch().add(&plain(1, 0).trace()).map(drop));
        forked(batch.publish().map(drop));
        forked(room.install(&linked).map(drop));
        forked(slab.reserve(1).map(drop));
        forked(slab.reclaim().map(drop));
        forked(slab.retarget(target, 64));
        forked(trace.link(other_exit, &other));
        forked(trace.link_id(exit, third.id()));
        forked(trace.unlink(exit));
        forked(trace.invalidate().map(drop));
        forked(trace.revalidate());
        forked(trace.set_literal(value, 2));
        forked(trace.update_literals(|value| value + 1));
        // It may look, and pin.
        assert_eq!(trace.literal(value).unwrap(), 1);
        assert_eq!(trace.linked_to(exit).unwrap(), Some(other.id()));
        assert_eq!(checked_statistics(&slab), before);
        drop(slab.pin());
        forked(third.retire());
        drop((trace, other));
        assert_eq!(slab_bytes(&slab), bytes);
        // A child of the child is no better off.
        in_child(|| forked(slab.install(&plain(1, 0).trace()).map(drop)));
        // A slab of its own is its own.
        let own = Slab::new(1 << 16).unwrap();
        let trace = own.install(&plain(1, 7).trace()).unwrap();
        drop(trace);
        assert_empty(&own);
        drop(slab.clone());
    });

    // The parent finds everything as it was, and goes on.
    assert_eq!(checked_statistics(&slab), before);
    assert_eq!(slab_bytes(&slab), bytes);
    let (trace, other, third, batch, room) = all.take().unwrap();
    let installed = room.install(&linked).unwrap();
    assert_eq!(installed.bytes(), linked.bytes());
    let published = batch.publish().unwrap();
    assert_eq!(trampoline(&slab, calls(&published[0])[0]), target.address());
    slab.retarget(target, 64).unwrap();
    trace.link(exit, &third).unwrap();
    drop(other);
    assert_eq!(trace.linked_to(exit).unwrap(), Some(third.id()));
    drop(third);
    assert_eq!(words(&trace), unlinked);
    assert_eq!(slab.reclaim().unwrap().waiting, 0);
    drop((trace, installed, published));
    assert_empty(&slab);
}

/// The bytes of a whole slab.
fn slab_bytes(slab: &Slab) -> Vec<u64> {
    let addresses = slab.addresses().step_by(8);
    addresses
        .map(|address| u64::from_le_bytes(memory(slab, address)))
        .collect()
}

/// A thread of the parent is in the middle of a change when the child is made: the child does not wait for
/// it.
#[test]
fn a_child_does_not_wait_for_a_thread_that_it_does_not_have() {
    let options = SlabOptions::new(1 << 16).mapping(Mapping::TwoViews);
    let slab = options.build().unwrap();
    let mut built = loading(&[1]);
    let trace = slab.install(&built.trace()).unwrap();
    // The slab is locked while the literals are visited.
    trace
        .update_literals(|value| {
            in_child(|| {
                let result = slab.install(&plain(1, 0).trace());
                assert!(matches!(result, Err(SlabError::Forked)));
                assert!(matches!(slab.reclaim(), Err(SlabError::Forked)));
                drop(slab.batch());
            });
            value + 1
        })
        .unwrap();
    assert_eq!(trace.literal(built.known[0]).unwrap(), 2);
}

/// The listings of a process are its own.
#[cfg(feature = "gdb")]
#[test]
fn a_child_leaves_listings_to_its_parent() {
    use opstitch::inspect::{Gdb, Symbols};
    let directory = std::env::temp_dir().join(format!("opstitch-fork-{}", std::process::id()));
    let slab = SlabOptions::new(1 << 16).annotate(true).build().unwrap();
    let gdb = Gdb::with_listings(&directory, Symbols::new()).unwrap();
    slab.watch(std::sync::Arc::new(gdb)).unwrap();
    let trace = slab.install(&plain(3, 1).trace()).unwrap();
    let files = || std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(files(), 1);
    let mut both = Some((slab, trace));
    in_child(|| drop(both.take()));
    assert_eq!(files(), 1);
    drop(both);
    assert_eq!(files(), 0);
    std::fs::remove_dir(&directory).unwrap();
}

/// In a child, because the limit is the process's.
#[test]
fn a_limit_for_files_is_no_signal() {
    in_child(|| {
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: reads `none`.
        assert_eq!(
            unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none) },
            0
        );
        assert_eq!(Slab::new(1 << 16).unwrap().mapping(), Mapping::MovedPages);
        let options = SlabOptions::new(1 << 16).mapping(Mapping::TwoViews);
        assert!(matches!(options.build(), Err(SlabError::Map { .. })));
    });
}

#[test]
fn a_child_with_a_copy_goes_its_own_way() {
    let options = SlabOptions::new(1 << 16).mapping(Mapping::MovedPages);
    let slab = options.build().unwrap();
    let mut built = leaving(&[5]);
    let exit = built.known[0];
    let trace = slab.install(&built.trace()).unwrap();
    let other = slab.install(&plain(3, 1).trace()).unwrap();
    let before = words(&trace);
    let mut both = Some((trace, other));
    in_child(|| {
        let (trace, other) = both.take().unwrap();
        trace.link(exit, &other).unwrap();
        assert_eq!(changes(&trace, &before).len(), 1);
        drop(other);
        assert_eq!(words(&trace), before);
        drop(trace);
        assert_empty(&slab);
    });
    let (trace, other) = both.take().unwrap();
    assert_eq!(words(&trace), before);
    assert_eq!(checked_statistics(&slab).traces, 2);
    trace.link(exit, &other).unwrap();
    assert_eq!(changes(&trace, &before).len(), 1);
}
