//! Many traces with one publication.

use opstitch::slab::{Batch, SlabError};

use crate::support::*;

#[test]
fn a_batch_publishes_its_traces_in_their_order() {
    for slab in slabs(1 << 18) {
        let mut batch = slab.batch();
        let target = far(&slab, 0);
        let mut pending = Vec::new();
        for code in 0..100 {
            let mut built = build(|b| {
                b.push(Call { function: target })?;
                b.push(Leave { code })
            });
            pending.push(batch.add(&built.trace()).unwrap());
            // They have their space, and are not there yet.
            assert_eq!(checked_statistics(&slab).traces, 0);
        }
        let traces = batch.publish().unwrap();
        for (number, pending) in pending.into_iter().enumerate() {
            let trace = &traces[pending.0];
            let words = words(trace);
            assert_eq!(words[words.len() - 2], 0xd280_0000 | (number as u32) << 5);
            assert_eq!(trampoline(&slab, calls(trace)[0]), target.address());
        }
        let all = checked_statistics(&slab);
        assert_eq!((all.traces, all.far_calls, all.trampolines), (100, 100, 1));
        assert_eq!((all.trampolines_made, all.trampolines_saved), (1, 99));
        drop(traces);
        assert_empty(&slab);
    }
}

#[test]
fn a_batch_that_is_dropped_gives_everything_back() {
    for slab in slabs(1 << 16) {
        let kept = slab.install(&calling(&[far(&slab, 9)]).trace()).unwrap();
        let before = checked_statistics(&slab);
        let mut batch = slab.batch();
        for number in 0..20 {
            let targets = [far(&slab, number), far(&slab, 9)];
            batch.add(&calling(&targets).trace()).unwrap();
        }
        assert!(checked_statistics(&slab).free < before.free);
        drop(batch);
        assert_eq!(checked_statistics(&slab), before);
        assert_eq!(trampoline(&slab, calls(&kept)[0]), far(&slab, 9).address());
        // An empty one is nothing at all.
        assert!(slab.batch().publish().unwrap().is_empty());
        drop(slab.batch());
        assert_eq!(checked_statistics(&slab), before);
    }
}

#[test]
fn a_trampoline_is_shared_with_what_is_installed_meanwhile() {
    for slab in slabs(1 << 16) {
        let target = far(&slab, 0);
        // Made for the batch, first written for the trace.
        let mut batch = slab.batch();
        batch.add(&calling(&[target]).trace()).unwrap();
        let alone = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(trampoline(&slab, calls(&alone)[0]), target.address());
        assert_eq!(checked_statistics(&slab).trampolines, 1);
        let published = batch.publish().unwrap();
        assert_eq!(calls(&published[0]), calls(&alone));
        drop(alone);
        slab.reclaim().unwrap();
        let through = calls(&published[0])[0];
        assert_eq!(trampoline(&slab, through), target.address());
        drop(published);
        assert_empty(&slab);
    }
}

#[test]
fn a_retargeted_call_in_a_batch_leads_to_the_new_target() {
    for slab in slabs(1 << 16) {
        let target = opstitch::Target::retargetable(0x1000).unwrap();
        let mut batch = slab.batch();
        batch.add(&calling(&[target]).trace()).unwrap();
        slab.retarget(target, 0x2000).unwrap();
        let published = batch.publish().unwrap();
        assert_eq!(trampoline(&slab, calls(&published[0])[0]), 0x2000);
    }
}

/// A trampoline that a dropped trace may still be in is not free because a batch goes that never ran.
#[test]
fn a_batch_does_not_free_a_trampoline_that_threads_may_be_in() {
    for slab in slabs(1 << 16) {
        let target = far(&slab, 0);
        let pin = slab.pin();
        let trace = slab.install(&calling(&[target]).trace()).unwrap();
        let through = calls(&trace)[0];
        let mut batch = slab.batch();
        batch.add(&calling(&[target]).trace()).unwrap();
        // Its last user but for the batch. This thread may be in it, and about to call.
        drop(trace);
        drop(batch);
        let all = checked_statistics(&slab);
        assert_eq!((all.trampolines, all.used), (0, 0));
        let mut others = Vec::new();
        while let Ok(other) = slab.install(&plain(1, 0).trace()) {
            others.push(other);
        }
        assert_eq!(trampoline(&slab, through), target.address());
        drop((others, pin));
        assert_empty(&slab);
    }
}

#[test]
fn a_batch_that_does_not_fit_can_go_on_without() {
    for slab in slabs(1 << 12) {
        let before = checked_statistics(&slab);
        let mut batch = slab.batch();
        let fill = |batch: &mut Batch<'_>| {
            let mut count = 0;
            loop {
                match batch.add(&plain(50, count).trace()) {
                    Ok(_) => count += 1,
                    Err(SlabError::Full { .. }) => return count,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let count = fill(&mut batch);
        assert!(count > 5);
        assert_eq!(fill(&mut batch), 0);
        let traces = batch.publish().unwrap();
        assert_eq!(traces.len() as u64, count);
        drop(traces);
        slab.reclaim().unwrap();
        assert_eq!(checked_statistics(&slab), before);
    }
}
