//! Literals of installed traces: listed, and changed one aligned word at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opstitch::slab::SlabError;

use crate::support::*;

#[test]
fn literals_are_listed_and_changed() {
    for slab in slabs(1 << 16) {
        // Two of them equal, one small, and none merged or relaxed.
        let mut built = loading(&[big(1), big(1), 3]);
        let trace = slab.install(&built.trace()).unwrap();
        let before = words(&trace);
        let values = |mutable| {
            let mut values: Vec<u64> = trace
                .literals()
                .iter()
                .filter(|literal| literal.mutable == mutable)
                .map(|literal| literal.value)
                .collect();
            values.sort_unstable();
            values
        };
        assert_eq!(values(false), [big(0)]);
        assert_eq!(values(true), [3, big(1), big(1)]);
        for literal in trace.literals() {
            assert!(literal.offset.is_multiple_of(8));
            let at = trace.address() + u64::from(literal.offset);
            assert_eq!(u64::from_le_bytes(memory(&slab, at)), literal.value);
        }
        let &[a, b, c] = built.known.as_slice() else {
            panic!("three literals");
        };
        assert_eq!(trace.literal(a).unwrap(), big(1));
        trace.set_literal(a, u64::MAX).unwrap();
        trace.set_literal(c, 0).unwrap();
        let now = [a, b, c].map(|literal| trace.literal(literal).unwrap());
        assert_eq!(now, [u64::MAX, big(1), 0]);
        // Two words in the first literal, one in the other.
        assert_eq!(changes(&trace, &before).len(), 3);

        let mut seen = Vec::new();
        trace
            .update_literals(|value| {
                seen.push(value);
                value.wrapping_add(2)
            })
            .unwrap();
        assert_eq!(seen, [u64::MAX, big(1), 0]);
        let now = [a, b, c].map(|literal| trace.literal(literal).unwrap());
        assert_eq!(now, [1, big(3), 2]);
        assert_eq!(values(false), [big(0)]);
    }
}

#[test]
fn a_trace_without_literals_has_none() {
    for slab in slabs(1 << 16) {
        let trace = slab.install(&plain(2, 1).trace()).unwrap();
        assert!(trace.literals().is_empty());
        trace.update_literals(|_| panic!("none")).unwrap();
    }
}

#[test]
fn literals_of_other_traces_are_refused() {
    for slab in slabs(1 << 16) {
        let (mut built, other) = (loading(&[big(1)]), loading(&[big(2)]));
        let trace = slab.install(&built.trace()).unwrap();
        let before = words(&trace);
        let refused = |result| assert!(matches!(result, Err(SlabError::UnknownLiteral)));
        refused(trace.set_literal(other.known[0], 1));
        refused(trace.literal(other.known[0]).map(drop));
        let mut unused = build(|b| {
            let unused = b.mut_literal(7);
            b.push(Leave { code: 0 })?;
            Ok(unused)
        });
        let trace_without = slab.install(&unused.trace()).unwrap();
        refused(trace_without.set_literal(unused.known, 1));
        assert_eq!(words(&trace), before);
    }
}

/// What a load reads half of is not set to what the other half would be missing from.
#[test]
fn a_literal_that_is_loaded_as_32_bits_stays_32_bits_wide() {
    for slab in slabs(1 << 16) {
        let mut built = build(|b| {
            let [narrow, signed, wide] = [1, 2, 3].map(|value| b.mut_literal(value));
            b.push(CachedNarrow { value: narrow })?;
            b.push(CachedSigned { value: signed })?;
            // The narrowest load decides, and those in exits count too.
            let ops = [
                Op::from(CachedNarrow { value: signed }),
                Leave { code: 1 }.into(),
            ];
            let exit = b.exit(ops)?;
            b.push(Guard { exit })?;
            b.push(Cached { value: wide })?;
            b.push(Leave { code: 0 })?;
            Ok([narrow, signed, wide])
        });
        let trace = slab.install(&built.trace()).unwrap();
        let [narrow, signed, wide] = built.known;
        let before = words(&trace);
        let refused = |result, low: i64, high: i64| {
            let Err(SlabError::LiteralOutOfRange { min, max, .. }) = result else {
                panic!("{result:?}");
            };
            assert_eq!((min, max), (low, high));
        };
        refused(trace.set_literal(narrow, 1 << 32), 0, u32::MAX.into());
        refused(trace.set_literal(signed, 1 << 31), 0, i32::MAX.into());
        refused(trace.set_literal(signed, u64::MAX), 0, i32::MAX.into());
        // The first may be changed, the second not, so neither is.
        let mut values = [7, 1 << 31].into_iter();
        let visited = trace.update_literals(|value| values.next().unwrap_or(value));
        refused(visited, 0, i32::MAX.into());
        assert_eq!(words(&trace), before);
        trace.set_literal(narrow, u32::MAX.into()).unwrap();
        trace.set_literal(signed, i32::MAX as u64).unwrap();
        trace.set_literal(wide, u64::MAX).unwrap();
    }
}

/// A collector that fails half-way has changed nothing, and the slab can be used further.
#[test]
fn a_panic_while_visiting_changes_nothing() {
    for slab in slabs(1 << 16) {
        let mut built = loading(&[big(1), big(2)]);
        let trace = slab.install(&built.trace()).unwrap();
        let before = words(&trace);
        let result = catch_unwind(AssertUnwindSafe(|| {
            trace.update_literals(|value| {
                assert_eq!(value, big(1), "the first is fine");
                0
            })
        }));
        assert!(result.is_err());
        assert_eq!(words(&trace), before);
        trace.set_literal(built.known[1], 9).unwrap();
        assert_eq!(trace.literal(built.known[1]).unwrap(), 9);
        drop(trace);
        assert_empty(&slab);
    }
}

/// A far target's trampoline is the slab's, so its address is not among the trace's literals.
#[test]
fn addresses_of_targets_are_no_literals() {
    for slab in slabs(1 << 16) {
        let trace = slab
            .install(&calling(&[far(&slab, 0), far(&slab, 1)]).trace())
            .unwrap();
        assert!(trace.literals().is_empty());
    }
}
