//! Links: the exit of one trace to the entry of another.

use opstitch::slab::{InstalledTrace, NotLinkable, Slab, SlabError, TraceId};
use opstitch::{Options, Reach, TraceBuilder};

use crate::support::*;

/// Checks that an exit leads to a trace, or nowhere: in the books and in the memory.
fn check(from: &InstalledTrace, before: &[u32], to: Option<&InstalledTrace>) {
    let changed = changes(from, before);
    match to {
        None => assert_eq!(changed, []),
        Some(to) => {
            let &[(at, word)] = changed.as_slice() else {
                panic!("one word, not {changed:x?}");
            };
            let place = (at - from.address()) as usize / 4;
            assert_eq!(before[place], NOP);
            assert_eq!(word >> 26, 0b000101, "not a `b`");
            assert_eq!(destination(word, at), Some(to.address()));
            // What it replaces is the NOP in front of the exit's code.
            assert_eq!(before[place + 1] >> 21, 0xd280_0000 >> 21);
        }
    }
}

#[test]
fn a_linked_exit_is_a_branch_and_an_unlinked_one_a_nop() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5, 6]);
        let from = slab.install(&built.trace()).unwrap();
        let [to, other] = [1, 2].map(|code| slab.install(&plain(9, code).trace()).unwrap());
        let before = words(&from);
        let [exit, second] = [built.known[0], built.known[1]];

        assert_eq!(from.linked_to(exit).unwrap(), None);
        from.unlink(exit).unwrap();
        check(&from, &before, None);
        from.link(exit, &to).unwrap();
        check(&from, &before, Some(&to));
        assert_eq!(from.linked_to(exit).unwrap(), Some(to.id()));
        assert_eq!(from.linked_to(second).unwrap(), None);
        // Anew, without a step in between.
        from.link_id(exit, other.id()).unwrap();
        check(&from, &before, Some(&other));
        from.link(exit, &other).unwrap();
        check(&from, &before, Some(&other));
        // Backwards, and to itself.
        from.link(exit, &from).unwrap();
        check(&from, &before, Some(&from));
        from.unlink(exit).unwrap();
        check(&from, &before, None);
        // Both exits.
        from.link(exit, &to).unwrap();
        from.link(second, &to).unwrap();
        assert_eq!(changes(&from, &before).len(), 2);
        from.unlink(exit).unwrap();
        check(&from, &before, Some(&to));
        drop(to);
        check(&from, &before, None);
        assert_eq!(from.linked_to(second).unwrap(), None);
        drop((from, other));
        assert_empty(&slab);
    }
}

/// Where an exit leads to, by the one word that has changed.
fn leads_to(from: &InstalledTrace, before: &[u32]) -> Option<u64> {
    let changed = changes(from, before);
    let &[(at, word)] = changed.as_slice() else {
        panic!("one word, not {changed:x?}");
    };
    destination(word, at)
}

#[test]
fn a_link_can_lead_to_any_instruction_of_a_trace() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5, 6]);
        let from = slab.install(&built.trace()).unwrap();
        let before = words(&from);
        let exit = built.known[0];
        // With a constant, which comes behind the code, and an exit, which is cold.
        let mut with_label = build(|b| {
            let exit = b.exit([Leave { code: 9 }])?;
            b.push(Constant { value: big(0) })?;
            let middle = b.bind_new()?;
            b.push(Guard { exit })?;
            b.push(Leave { code: 1 })?;
            Ok(middle)
        });
        let middle = with_label.known;
        let trace = with_label.trace();
        let offset = trace.label_offset(middle).unwrap();
        let (hot, code) = (trace.hot_len(), trace.hot_len() + trace.cold_len());
        let installed = slab.install(&trace).unwrap();
        // And one that comes with all that it has.
        let room = slab.reserve(trace.linked_len(0).unwrap()).unwrap();
        let linked = trace.link(room.address()).unwrap();
        let reserved = room.install(&linked).unwrap();
        assert!(offset > 0 && hot < code);
        for to in [installed, reserved] {
            assert!(to.len() > code);
            let check_place = |place: u32| {
                let expected = Some(to.address() + u64::from(place));
                assert_eq!(leads_to(&from, &before), expected);
                assert_eq!(from.linked_to(exit).unwrap(), Some(to.id()));
            };
            for place in [offset, 0, hot as u32, code as u32 - 4] {
                from.link_at(exit, &to, place).unwrap();
                check_place(place);
                from.link_id_at(exit, to.id(), place).unwrap();
                check_place(place);
            }
            let last = code as u32 - 4;
            for wrong in [1, offset + 2, last + 4, to.len() as u32 - 8, u32::MAX - 3] {
                let error = from.link_at(exit, &to, wrong).unwrap_err();
                assert!(matches!(error, SlabError::NoSuchPlace { .. }), "{error}");
                check_place(last);
            }
            drop(to);
            check(&from, &before, None);
        }
        drop(from);
        assert_empty(&slab);
    }
}

#[test]
fn a_link_does_not_lead_to_a_literal_among_the_code() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5]);
        let from = slab.install(&built.trace()).unwrap();
        let before = words(&from);
        let exit = built.known[0];
        // A literal is 64 bytes away at the most, so an island comes.
        let mut builder =
            TraceBuilder::with_options(Options::new().reach(Reach::default().literal(64).unwrap()));
        let value = builder.mut_literal(big(1));
        builder.push(Cached { value }).unwrap();
        builder.push_all([Add { n: 1 }; 40]).unwrap();
        builder.push(Leave { code: 1 }).unwrap();
        let trace = builder.finish().unwrap();
        let code = trace.hot_len() + trace.cold_len();
        let installed = slab.install(&trace).unwrap();
        let room = slab.reserve(trace.linked_len(0).unwrap()).unwrap();
        let linked = trace.link(room.address()).unwrap();
        let reserved = room.install(&linked).unwrap();
        for to in [installed, reserved] {
            let [literal] = to.literals()[..] else {
                panic!("one literal");
            };
            let at = literal.offset;
            assert!((at as usize) < code, "an island among the code");
            for (place, is_code) in [
                (at - 12, true),
                (at, false),
                (at + 4, false),
                (at + 8, true),
            ] {
                let linked = from.link_at(exit, &to, place);
                assert_eq!(linked.is_ok(), is_code, "{place:#x}");
            }
            assert_eq!(
                leads_to(&from, &before),
                Some(to.address() + u64::from(at) + 8)
            );
        }
        check(&from, &before, None);
    }
}

#[test]
fn a_trace_that_goes_is_unlinked_first() {
    for slab in slabs(1 << 20) {
        let mut built = leaving(&[5, 6, 7]);
        let many: Vec<_> = (0..200)
            .map(|_| slab.install(&built.trace()).unwrap())
            .collect();
        let before: Vec<_> = many.iter().map(words).collect();
        let targets = [1, 2, 3].map(|code| slab.install(&plain(9, code).trace()).unwrap());
        for (number, from) in many.iter().enumerate() {
            for (exit, to) in built.known.iter().zip(targets.iter().cycle().skip(number)) {
                from.link(*exit, to).unwrap();
            }
        }
        let [a, b, c] = targets;
        drop(b);
        for (from, before) in many.iter().zip(&before) {
            let changed = changes(from, before);
            assert_eq!(changed.len(), 2);
            for (at, word) in changed {
                let to = destination(word, at).unwrap();
                assert!(to == a.address() || to == c.address());
            }
        }
        // Those that lead somewhere go first: their links are out of the books.
        drop(many);
        drop((a, c));
        assert_empty(&slab);
    }
}

#[test]
fn a_linked_trace_that_goes_leaves_its_own_exit_alone() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5]);
        let exit = built.known[0];
        let a = slab.install(&built.trace()).unwrap();
        let b = slab.install(&built.trace()).unwrap();
        let before = words(&b);
        // In a circle, and each to itself before.
        a.link(exit, &a).unwrap();
        b.link(exit, &b).unwrap();
        a.link(exit, &b).unwrap();
        b.link(exit, &a).unwrap();
        drop(a);
        check(&b, &before, None);
        b.link(exit, &b).unwrap();
        drop(b);
        assert_empty(&slab);
    }
}

/// Exits with the same code have one NOP: linking one of them links the other.
#[test]
fn exits_with_the_same_code_are_linked_together() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5, 5, 6]);
        let from = slab.install(&built.trace()).unwrap();
        let before = words(&from);
        let [to, other] = [1, 2].map(|code| slab.install(&plain(9, code).trace()).unwrap());
        let &[first, second, third] = built.known.as_slice() else {
            panic!("three exits");
        };
        let linked = |exit| from.linked_to(exit).unwrap();
        from.link(first, &to).unwrap();
        if linked(second).is_none() {
            // Then each has its own.
            from.link(second, &other).unwrap();
            assert_eq!(changes(&from, &before).len(), 2);
            continue;
        }
        assert_eq!(linked(second), Some(to.id()));
        from.link(second, &other).unwrap();
        check(&from, &before, Some(&other));
        assert_eq!((linked(first), linked(third)), (Some(other.id()), None));
        // What it led to at first has nothing to do with it any more.
        drop(to);
        check(&from, &before, Some(&other));
        from.unlink(first).unwrap();
        check(&from, &before, None);
        assert_eq!(linked(second), None);
        from.link(first, &other).unwrap();
        drop(other);
        check(&from, &before, None);
        assert_eq!((linked(first), linked(second)), (None, None));
    }
}

#[test]
fn what_cannot_be_linked_is_refused() {
    for (slab, foreign) in slabs(1 << 16).zip(slabs(1 << 16)) {
        let mut built = leaving(&[5]);
        let mut other = leaving(&[5]);
        let exit = built.known[0];
        let from = slab.install(&built.trace()).unwrap();
        let before = words(&from);
        let to = slab.install(&other.trace()).unwrap();
        let elsewhere = foreign.install(&plain(3, 1).trace()).unwrap();
        let refused = |result: Result<(), SlabError>, matches: fn(&SlabError) -> bool| {
            let error = result.expect_err("refused");
            assert!(matches(&error), "{error:?}");
            assert!(!error.to_string().is_empty());
            check(&from, &before, None);
        };
        // A trace of another slab, by handle and by name; the name is not one of this slab's by chance.
        let foreigner = |error: &SlabError| matches!(error, SlabError::ForeignTrace);
        refused(from.link(exit, &elsewhere), foreigner);
        refused(from.link_id(exit, elsewhere.id()), foreigner);
        // An exit of another trace, or one that is no patch site.
        let not_linkable = |error: &SlabError| {
            let why = NotLinkable::OfAnotherTrace;
            matches!(error, SlabError::NotLinkable { exit: 0, why: found } if *found == why)
        };
        refused(from.link(other.known[0], &to), not_linkable);
        refused(from.unlink(other.known[0]), not_linkable);
        assert!(from.linked_to(other.known[0]).is_err());
        let mut plain_exit = build(|b| {
            let exit = b.exit([Leave { code: 5 }])?;
            b.push(Guard { exit })?;
            let unused = b.linkable_exit([Leave { code: 6 }])?;
            b.push(Leave { code: 0 })?;
            Ok((exit, unused))
        });
        let third = slab.install(&plain_exit.trace()).unwrap();
        let why = |exit| match third.link(exit, &to) {
            Err(SlabError::NotLinkable { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(plain_exit.known.0), NotLinkable::NotMadeToBe);
        // Nothing leads to it, so it has no code.
        assert_eq!(why(plain_exit.known.1), NotLinkable::NothingLeadsThere);
        // Traces that are gone, their places taken by others.
        let mut gone: Vec<TraceId> = Vec::new();
        for code in 0..20 {
            let trace = slab.install(&plain(3, code).trace()).unwrap();
            assert!(!gone.contains(&trace.id()));
            gone.push(trace.id());
            drop(trace);
            if code % 3 == 0 {
                slab.reclaim().unwrap();
            }
        }
        let _there = slab.install(&plain(3, 99).trace()).unwrap();
        for id in gone {
            refused(from.link_id(exit, id), |error| {
                matches!(error, SlabError::DroppedTrace)
            });
        }
        from.link(exit, &to).unwrap();
        check(&from, &before, Some(&to));
    }
}

/// What a slab should be: which traces there are, and where their exits lead to.
struct Model {
    trace: InstalledTrace,
    before: Vec<u32>,
    /// For each exit, the other trace's number among all that ever were.
    links: [Option<usize>; 3],
}

/// Thousands of random calls; after each of them the memory, the books and the statistics are what a
/// model says.
#[test]
fn links_follow_a_model() {
    for (number, slab) in slabs(1 << 15).enumerate() {
        let moved = number > 1;
        let steps = fewer(if moved { 400 } else { 2000 });
        follow(&slab, steps, &mut Random(0x5eed + number as u64));
    }
}

fn follow(slab: &Slab, steps: usize, random: &mut Random) {
    let mut built = leaving(&[5, 6, 7]);
    let exits = built.known.clone();
    let mut all: Vec<Option<Model>> = Vec::new();
    for step in 0..steps {
        let there: Vec<usize> = (0..all.len()).filter(|&n| all[n].is_some()).collect();
        let any = |random: &mut Random| there[random.below(there.len() as u64) as usize];
        let (what, exit) = (random.below(10), random.below(3) as usize);
        if there.is_empty() || (what == 0 && there.len() < 40) {
            if let Ok(trace) = slab.install(&built.trace()) {
                let before = words(&trace);
                let links = [None; 3];
                all.push(Some(Model {
                    trace,
                    before,
                    links,
                }));
            }
        } else if what == 1 {
            let gone = any(random);
            all[gone] = None;
            for model in all.iter_mut().flatten() {
                for link in &mut model.links {
                    *link = link.filter(|&to| to != gone);
                }
            }
        } else if what == 2 {
            slab.reclaim().unwrap();
        } else if what < 5 {
            let from = all[any(random)].as_mut().unwrap();
            from.trace.unlink(exits[exit]).unwrap();
            from.links[exit] = None;
        } else {
            let (from, to) = (any(random), any(random));
            let id = all[to].as_ref().unwrap().trace.id();
            let from = all[from].as_mut().unwrap();
            from.trace.link_id(exits[exit], id).unwrap();
            from.links[exit] = Some(to);
        }
        let count = all.iter().flatten().count();
        assert_eq!(checked_statistics(slab).traces, count, "step {step}");
        for model in all.iter().flatten() {
            let to: Vec<_> = model.links.map(|to| all[to?].as_ref()).into();
            let mut expected: Vec<u64> = to.iter().flatten().map(|m| m.trace.address()).collect();
            let changed = changes(&model.trace, &model.before);
            let mut found: Vec<u64> = changed
                .iter()
                .map(|&(at, word)| destination(word, at).unwrap())
                .collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(expected, found, "step {step}");
            for (exit, to) in exits.iter().zip(to) {
                let linked = model.trace.linked_to(*exit).unwrap();
                assert_eq!(linked, to.map(|model| model.trace.id()));
            }
        }
    }
    drop(all);
    assert_empty(slab);
}
