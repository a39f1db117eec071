//! Traces that are linked elsewhere, to an address that is reserved for them.

use opstitch::slab::SlabError;
use opstitch::{Error, Target};

use crate::support::*;

#[test]
fn a_linked_trace_is_installed_as_it_is() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5, 6]);
        let exits = built.known.clone();
        let trace = built.trace();
        let room = slab.reserve(trace.linked_len(0).unwrap() + 500).unwrap();
        assert!(room.len() >= 500 && !room.is_empty());
        assert_eq!(checked_statistics(&slab).padding, room.len());
        let linked = trace.link(room.address()).unwrap();
        let installed = room.install(&linked).unwrap();
        assert_eq!(installed.bytes(), linked.bytes());
        assert_eq!(installed.statistics(), linked.statistics());
        // What was too much is back.
        let all = checked_statistics(&slab);
        assert!(all.padding < 32 && all.traces == 1);
        // It is a trace like any other.
        let before = words(&installed);
        let other = slab.install(&plain(3, 1).trace()).unwrap();
        installed.link(exits[1], &other).unwrap();
        let [(at, word)] = changes(&installed, &before)[..] else {
            panic!("one word");
        };
        assert_eq!(destination(word, at), Some(other.address()));
        drop((other, installed));
        assert_empty(&slab);
    }
}

#[test]
fn a_linked_trace_has_its_literals_and_its_points() {
    for slab in slabs(1 << 16) {
        let mut built = build(|b| {
            let exit = b.exit([Leave { code: 5 }])?;
            b.invalidation_point(exit)?;
            b.push(Constant { value: big(0) })?;
            let value = b.mut_literal(7);
            b.push(Cached { value })?;
            let function = Target::new(16)?;
            b.push(Call { function })?;
            b.push(Leave { code: 0 })?;
            Ok(value)
        });
        let literal = built.known;
        let trace = built.trace();
        let room = slab.reserve(1000).unwrap();
        let linked = trace.link(room.address()).unwrap();
        let installed = room.install(&linked).unwrap();
        assert_eq!(installed.literal(literal).unwrap(), 7);
        installed.set_literal(literal, 8).unwrap();
        // Among them the address of the target, whose trampoline is the trace's own.
        let mut values: Vec<_> = installed.literals().iter().map(|l| l.value).collect();
        values.sort_unstable();
        assert_eq!(values, [8, 16, big(0)]);
        let before = words(&installed);
        installed.invalidate().unwrap();
        assert_eq!(changes(&installed, &before).len(), 1);
        let all = checked_statistics(&slab);
        assert_eq!((all.trampolines, all.far_calls), (0, 1));
    }
}

#[test]
fn room_that_is_not_used_is_given_back() {
    for slab in slabs(1 << 12) {
        let before = checked_statistics(&slab);
        let room = slab.reserve(before.free).unwrap();
        assert!(matches!(slab.reserve(1), Err(SlabError::Full { .. })));
        assert_eq!(checked_statistics(&slab).free, 0);
        drop(room);
        assert_eq!(checked_statistics(&slab), before);
        for len in [before.free + 1, 1 << 27, 1 << 35, usize::MAX] {
            match slab.reserve(len) {
                Err(SlabError::Full { needed, longest }) => {
                    assert_eq!((needed, longest), (len, before.free));
                }
                other => panic!("{other:?}"),
            }
        }
        // No room is room for one granule.
        assert!(slab.reserve(0).unwrap().len() >= 16);
        assert_eq!(checked_statistics(&slab), before);
    }
}

#[test]
fn what_does_not_belong_there_is_refused() {
    for slab in slabs(1 << 16) {
        let before = checked_statistics(&slab);
        let mut built = plain(100, 1);
        let trace = built.trace();
        let room = slab.reserve(1000).unwrap();
        let (reserved, wrong) = (room.address(), room.address() + 16);
        let result = room.install(&trace.link(wrong).unwrap());
        assert!(matches!(
            result,
            Err(SlabError::WrongAddress { linked, reserved: there })
                if linked == wrong && there == reserved
        ));
        let room = slab.reserve(100).unwrap();
        let linked = trace.link(room.address()).unwrap();
        let (expected, actual) = (linked.bytes().len(), room.len());
        match room.install(&linked) {
            Err(SlabError::Trace(error)) => {
                assert_eq!(error, Error::WrongLength { expected, actual });
            }
            other => panic!("{other:?}"),
        }
        let target = Target::retargetable(16).unwrap();
        let room = slab.reserve(1000).unwrap();
        let mut built = calling(&[target]);
        let linked = built.trace().link(room.address()).unwrap();
        assert!(matches!(
            room.install(&linked),
            Err(SlabError::OwnTrampoline { address: 16 })
        ));
        assert_eq!(checked_statistics(&slab), before);
    }
}
