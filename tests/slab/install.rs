//! Installing, dropping and reclaiming.

use opstitch::Target;
use opstitch::slab::{Batch, Entry, InstalledTrace, Reclaimed, Reservation, Slab, TraceId};

use crate::support::*;

#[test]
fn a_slab_and_its_traces_can_be_used_from_all_threads() {
    fn check<T: Send + Sync>() {}
    check::<Slab>();
    check::<InstalledTrace>();
    check::<TraceId>();
    check::<Batch<'static>>();
    check::<Entry<'static, extern "C" fn()>>();
    check::<Reservation<'static>>();
}

#[test]
fn an_installed_trace_has_the_bytes_that_linking_gives() {
    for slab in slabs(1 << 20) {
        let mut all = Vec::new();
        for ops in [0, 1, 2, 3, 100, 5000] {
            let mut built = build(|b| {
                (0..ops).try_for_each(|_| b.push(Add { n: 4095 }))?;
                for value in 0..ops as u64 % 7 {
                    b.push(Constant { value: big(value) })?;
                }
                b.push(Leave { code: 7 })
            });
            let trace = built.trace();
            let installed = slab.install(&trace).unwrap();
            let linked = trace.link(installed.address()).unwrap();
            assert_eq!(installed.bytes(), linked.bytes(), "{ops} micro-ops");
            assert_eq!(installed.len(), linked.bytes().len());
            assert_eq!(installed.statistics(), linked.statistics());
            assert!(!installed.is_empty() && installed.address().is_multiple_of(16));
            assert_eq!(checked_statistics(&slab).traces, all.len() + 1);
            all.push((installed, linked));
        }
        // The later ones have left the earlier ones alone.
        for (installed, linked) in &all {
            assert_eq!(installed.bytes(), linked.bytes());
            assert_eq!(installed.slab().addresses(), slab.addresses());
        }
        drop(all);
        assert_empty(&slab);
    }
}

#[test]
fn granules_of_32_bytes_align_entries() {
    for slab in slabs(1 << 16) {
        // A reservation of nothing has a granule.
        let granule = slab.reserve(0).unwrap().len() as u64;
        let traces: Vec<_> = (0..20)
            .map(|ops| slab.install(&plain(ops, 0).trace()).unwrap())
            .collect();
        assert!(traces.iter().all(|t| t.address().is_multiple_of(granule)));
        let length = traces.iter().map(InstalledTrace::len).sum::<usize>();
        let all = checked_statistics(&slab);
        assert_eq!(all.padding, all.used - length);
    }
}

/// Dropped space is not used before it is reclaimed, and then it is, and neighbours have become one.
#[test]
fn space_comes_back_when_it_is_reclaimed() {
    for slab in slabs(1 << 16) {
        let fill = |code| {
            let mut traces = Vec::new();
            while let Ok(trace) = slab.install(&plain(60, code).trace()) {
                traces.push(trace);
            }
            traces
        };
        let traces = fill(1);
        let addresses: Vec<_> = traces.iter().map(InstalledTrace::address).collect();
        assert!(traces.len() > 100);
        let full = checked_statistics(&slab);
        drop(traces);
        let dropped = checked_statistics(&slab);
        assert_eq!((dropped.used, dropped.retired), (0, full.used));
        assert_eq!((dropped.free, dropped.traces), (full.free, 0));
        assert!(slab.install(&plain(60, 2).trace()).is_err());

        let Reclaimed {
            traces,
            bytes,
            waiting,
            ..
        } = slab.reclaim().unwrap();
        assert_eq!((traces, bytes), (addresses.len(), full.used));
        assert_eq!(waiting, 0);
        assert_empty(&slab);
        // A second one has nothing to do.
        assert_eq!(slab.reclaim().unwrap().traces, 0);

        let again = fill(3);
        let addresses_again: Vec<_> = again.iter().map(InstalledTrace::address).collect();
        assert_eq!(addresses, addresses_again);
        for trace in &again {
            assert_eq!(words(trace)[words(trace).len() - 2], 0xd280_0060); // movz x0, 3
        }
        // One as long as the slab.
        drop(again);
        slab.reclaim().unwrap();
        let room = slab.statistics().size;
        let whole = slab.install(&plain(room / 8 - 2, 4).trace()).unwrap();
        assert!(room - whole.len() < 16);
    }
}

#[test]
fn a_pin_keeps_what_is_dropped_while_it_is_held() {
    for slab in slabs(1 << 16) {
        let pin = slab.pin();
        let first = slab.install(&plain(1, 0).trace()).unwrap();
        let bytes = first.bytes();
        let address = first.address();
        drop(first);
        for waiting in 1..4 {
            let reclaimed = slab.reclaim().unwrap();
            assert_eq!((reclaimed.traces, reclaimed.waiting), (0, waiting));
            let _another = slab.install(&plain(1, 1).trace()).unwrap();
            assert_eq!(memory::<8>(&slab, address), bytes[..8]);
        }
        // Pins that come and go later are in nobody's way.
        let later = slab.pin();
        drop(pin);
        let reclaimed = slab.reclaim().unwrap();
        assert!(reclaimed.traces >= 1, "{reclaimed:?}");
        drop(later);
        assert_empty(&slab);
    }
}

#[test]
fn retiring_says_what_dropping_does() {
    for slab in slabs(1 << 16) {
        let trace = slab.install(&plain(1, 0).trace()).unwrap();
        let len = checked_statistics(&slab).used;
        trace.retire().unwrap();
        let all = checked_statistics(&slab);
        assert_eq!((all.traces, all.retired), (0, len));
        assert_eq!(slab.reclaim().unwrap().traces, 1);
    }
}

/// The memory lives as long as somebody has a handle.
#[test]
fn a_trace_keeps_the_memory_of_its_slab() {
    for slab in slabs(1 << 16) {
        let trace = slab.install(&plain(1, 0).trace()).unwrap();
        let bytes = trace.bytes();
        drop(slab);
        assert_eq!(trace.bytes(), bytes);
        assert_eq!(trace.slab().clone().statistics().traces, 1);
    }
}

/// Two slabs in a process do not know of each other.
#[test]
fn slabs_are_apart() {
    for (a, b) in slabs(1 << 16).zip(slabs(1 << 16)) {
        let target = Target::new(16).unwrap();
        let first = a.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(b.statistics().traces, 0);
        let second = b.install(&calling(&[target]).trace()).unwrap();
        assert_ne!(first.id(), second.id());
        assert_eq!(trampoline(&b, calls(&second)[0]), 16);
        drop(first);
        assert_empty(&a);
        assert_eq!(trampoline(&b, calls(&second)[0]), 16);
    }
}
