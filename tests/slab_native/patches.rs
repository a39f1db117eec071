//! Links, invalidation and literals, as a thread that runs the trace sees them. Under QEMU, what was patched and
//! not flushed goes on as it was.

use opstitch::slab::Invalidated;

use crate::run;
use crate::support::*;

#[test]
fn an_exit_leads_where_it_is_linked_to() {
    for slab in slabs(1 << 16) {
        let mut built = leaving(&[5, 6]);
        let trace = slab.install(&built.trace()).unwrap();
        let [first, second] = built.known[..] else {
            panic!("two exits");
        };
        let others = [20, 30].map(|code| slab.install(&plain(3, code).trace()).unwrap());
        for _ in 0..3 {
            assert_eq!(run(&trace, 0u64), 5);
            trace.link(first, &others[0]).unwrap();
            assert_eq!(run(&trace, 0u64), 20);
            trace.link(first, &others[1]).unwrap();
            assert_eq!(run(&trace, 0u64), 30);
            trace.link(second, &others[0]).unwrap();
            assert_eq!(run(&trace, 0u64), 30);
            trace.unlink(first).unwrap();
            assert_eq!(run(&trace, 0u64), 5);
            assert_eq!(run(&trace, 1u64), 0);
        }
    }
}

#[test]
fn traces_lead_to_each_other_until_one_goes() {
    for slab in slabs(1 << 16) {
        // Each adds 1 and goes on to the next; the last one's exit is its own.
        let step = |code| {
            build(move |b| {
                let exit = b.linkable_exit([Leave { code }])?;
                b.push(Add { n: 1 })?;
                b.push(Jump { exit })?;
                Ok(exit)
            })
        };
        let mut traces = Vec::new();
        for code in 0..50 {
            let mut built = step(code);
            traces.push((slab.install(&built.trace()).unwrap(), built.known));
        }
        assert_eq!(run(&traces[0].0, 0u64), 0);
        for pair in traces.windows(2) {
            pair[0].0.link(pair[0].1, &pair[1].0).unwrap();
        }
        assert_eq!(run(&traces[0].0, 0u64), 49);
        drop(traces.remove(30));
        assert_eq!(run(&traces[0].0, 0u64), 29);
        slab.reclaim().unwrap();
        // The space is used again; nothing leads there.
        let _other = slab.install(&plain(1, 99).trace()).unwrap();
        assert_eq!(run(&traces[0].0, 0u64), 29);
        assert_eq!(run(&traces[30].0, 0u64), 49);
    }
}

#[test]
fn an_invalid_trace_is_left_at_its_points() {
    for slab in slabs(1 << 16) {
        let mut built = build(|b| {
            let exit = b.linkable_exit([Leave { code: 1 }])?;
            b.invalidation_point(exit)?;
            b.push(Add { n: 1 })?;
            let exit = b.exit([Leave { code: 2 }])?;
            b.invalidation_point(exit)?;
            b.push(Leave { code: 3 })
        });
        let trace = slab.install(&built.trace()).unwrap();
        for _ in 0..3 {
            assert_eq!(run(&trace, 0u64), 3);
            assert_eq!(trace.invalidate().unwrap(), Invalidated::Now);
            assert_eq!(run(&trace, 0u64), 1);
            assert_eq!(trace.invalidate().unwrap(), Invalidated::Already);
            trace.revalidate().unwrap();
        }
    }
}

#[test]
fn a_changed_literal_is_what_is_loaded() {
    for slab in slabs(1 << 16) {
        let mut built = build(|b| {
            let value = b.mut_literal(big(1));
            b.push(Cached { value })?;
            b.push(Return9)?;
            Ok(value)
        });
        let trace = slab.install(&built.trace()).unwrap();
        for n in 1..50 {
            assert_eq!(run(&trace, 0u64), big(n));
            trace.set_literal(built.known, big(n + 1)).unwrap();
            assert_eq!(run(&trace, 0u64), big(n + 1));
            trace.update_literals(|value| value + 5).unwrap();
            assert_eq!(run(&trace, 0u64), big(n + 6));
            trace.set_literal(built.known, big(n + 1)).unwrap();
        }
    }
}

/// Space is used again and again, each time by other code: none of the old code is run.
#[test]
fn reclaimed_space_holds_what_was_installed_last() {
    for slab in slabs(4096) {
        for code in 0..fewer(2000) as u64 {
            let trace = slab.install(&plain(500, code).trace()).unwrap();
            assert_eq!(run(&trace, 0u64), code);
            drop(trace);
            slab.reclaim().unwrap();
        }
    }
}

#[test]
fn constants_come_from_the_pool() {
    for slab in slabs(1 << 16) {
        for value in [0, 1, 0xffff_0000, !0, !5, 0x5555_5555_5555_5555, big(7)] {
            let mut built = build(|b| {
                b.push(Constant { value })?;
                b.push(Return9)
            });
            let trace = slab.install(&built.trace()).unwrap();
            assert_eq!(run(&trace, 0u64), value);
        }
    }
}

opstitch::uops! {
    enum More;
    /// Leaves through `exit`.
    op Jump(exit: exit) { ; b =>exit }
    /// Returns what was loaded.
    op Return9 { ; mov x0, x9 ; ret }
}
