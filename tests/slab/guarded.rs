//! Guarded slabs: every trace has a landing pad.

use opstitch::slab::{Invalidated, SlabError, SlabOptions};
use opstitch::{Options, TraceBuilder};

use crate::support::*;

#[test]
fn a_guarded_slab_takes_traces_with_landing_pads_only() {
    for &mapping in MAPPINGS {
        let options = SlabOptions::new(1 << 16).mapping(mapping).guarded(true);
        let slab = options.build().unwrap();
        assert!(!slab.is_guarded() || cfg!(target_arch = "aarch64"));
        let before = checked_statistics(&slab);

        let mut without = plain(3, 1);
        let refused = |result: Result<(), SlabError>| {
            assert!(matches!(result, Err(SlabError::NoLandingPad)), "{result:?}");
            assert_eq!(checked_statistics(&slab), before);
        };
        refused(slab.install(&without.trace()).map(drop));
        refused(slab.batch().add(&without.trace()).map(drop));
        let room = slab.reserve(100).unwrap();
        let linked = without.trace().link(room.address()).unwrap();
        refused(room.install(&linked).map(drop));

        let mut builder = TraceBuilder::with_options(Options::new().landing_pad(true));
        let exit = builder.linkable_exit([Leave { code: 5 }]).unwrap();
        builder.invalidation_point(exit).unwrap();
        builder.push(Guard { exit }).unwrap();
        builder.push(Leave { code: 0 }).unwrap();
        let with = builder.finish().unwrap();
        let trace = slab.install(&with).unwrap();
        let before = words(&trace);
        assert_eq!(before[..2], [0xd503_245f, NOP]);
        // The landing pad stays; the point is behind it.
        assert_eq!(trace.invalidate().unwrap(), Invalidated::Now);
        assert_eq!(words(&trace)[0], 0xd503_245f);
        assert_eq!(changes(&trace, &before)[0].0, trace.address() + 4);
        trace.revalidate().unwrap();
        trace.link(exit, &trace).unwrap();
        let room = slab.reserve(100).unwrap();
        let linked = with.link(room.address()).unwrap();
        assert_eq!(room.install(&linked).unwrap().bytes(), linked.bytes());
        drop(trace);
        assert_empty(&slab);
    }
    // Others take both.
    for slab in slabs(1 << 16) {
        assert!(!slab.is_guarded());
        slab.install(&plain(1, 1).trace()).unwrap();
    }
}
