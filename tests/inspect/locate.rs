//! From an address to what lies there.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use opstitch::slab::{InstalledTrace, Slab, SlabError, SlabOptions};
use opstitch::{Options, Reach, Target, TraceBuilder};

use crate::allocations;
use crate::micro_ops::*;
use crate::support::{MAPPINGS, far, memory, plain};

fn slabs() -> impl Iterator<Item = Slab> {
    MAPPINGS.iter().map(|&mapping| annotated(mapping))
}

fn text(slab: &Slab, address: u64) -> String {
    slab.locate(address).expect("code").to_string()
}

#[test]
fn a_fault_is_told_by_trace_and_micro_op() {
    for slab in slabs() {
        let mut everything = everything(far(&slab, 0), false);
        let trace = slab
            .install(&everything.builder.finish().expect("a trace"))
            .expect("room");
        let at = |offset| text(&slab, trace.address() + offset);
        assert_eq!(at(0), "trace 0, entry");
        assert_eq!(at(4), "trace 0, op 0 AddInt overflow=exit 0");
        assert_eq!(at(27), "trace 0, op 0 AddInt overflow=exit 0");
        let function = far(&slab, 0);
        assert_eq!(at(28), format!("trace 0, op 1 Slow function={function}"));
        assert_eq!(at(36), "trace 0, op 2 Constant value=0x123456789ab0001");
        let cold = trace.statistics().hot as u64;
        assert_eq!(at(cold), "trace 0, exit 0 Leave pc=7");
        let slow = format!("trace 0, op 1 (cold) Slow function={function}");
        assert_eq!(at(cold + 8), slow);
        assert_eq!(at(trace.len() as u64 - 1), "trace 0, literals");
    }
}

/// Its trampolines are the slab's, and gone with it.
#[test]
fn a_snapshot_is_not_installed_again() {
    for slab in slabs() {
        let mut everything = everything(far(&slab, 0), false);
        let trace = everything.builder.finish().expect("a trace");
        let installed = slab.install(&trace).expect("room");
        let linked = installed.snapshot().expect("annotations").linked();
        let linked = linked.expect("a trace");
        drop(installed);
        slab.reclaim().expect("reclaimed");
        let room = slab.reserve(linked.bytes().len()).expect("room");
        assert_eq!(room.address(), linked.address());
        assert!(matches!(room.install(&linked), Err(SlabError::Snapshot)));
    }
}

#[test]
fn every_instruction_is_located_where_the_linked_trace_has_it() {
    for slab in slabs() {
        for island in [false, true] {
            let mut everything = everything(far(&slab, 0), island);
            let trace = everything.builder.finish().expect("a trace");
            let installed = slab.install(&trace).expect("room");
            let snapshot = installed.snapshot().expect("annotations");
            let linked = snapshot.linked().expect("a trace");
            assert_eq!(linked.bytes(), installed.bytes());
            // Linked without a slab, it differs in nothing but the trampolines' place.
            let alone = trace.link(installed.address()).expect("a linked trace");
            let (mut ops, mut islands) = (0, 0);
            for offset in 0..installed.len() as u32 {
                let located = slab.locate(installed.address() + u64::from(offset));
                let located = located.expect("code");
                assert_eq!(located.trace(), Some(installed.id()));
                assert_eq!(located.address(), installed.address());
                assert_eq!(located.offset(), offset);
                assert_eq!(located.part(), linked.part_at(offset));
                let said = |op: Option<opstitch::OpAt<'_>>| op.map(|op| op.to_string());
                assert_eq!(said(located.op()), said(linked.op_at(offset)));
                if offset < alone.range(opstitch::Part::Cold).end {
                    assert_eq!(said(located.op()), said(alone.op_at(offset)));
                    assert_eq!(located.part(), alone.part_at(offset));
                }
                ops += usize::from(located.op().is_some());
                islands += usize::from(located.to_string().ends_with("island"));
            }
            assert!(ops > 100);
            assert_eq!(islands > 0, island);
        }
    }
}

opstitch::uops! {
    op Call(function: call) { ; bl =>function }
}

#[test]
fn a_trampoline_in_an_island_is_located_as_one() {
    let slab = annotated(MAPPINGS[0]);
    let function = far(&slab, 0);
    let reach = Reach::default().conditional(240).expect("a reach");
    let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
    let overflow = builder.exit([Leave { pc: 7 }]).expect("an exit");
    for _ in 0..20 {
        builder.push(Call { function }).expect("room");
        builder.push(AddInt { overflow }).expect("room");
    }
    builder.push(Leave { pc: 8 }).expect("room");
    let trace = builder.finish().expect("a trace");
    let installed = slab.install(&trace).expect("room");
    let said: Vec<_> = (installed.address()..)
        .step_by(4)
        .take(installed.len() / 4)
        .map(|at| slab.locate(at).expect("code").to_string())
        .collect();
    let trampoline = format!("trace 0, trampoline to {function}");
    let at = said.iter().position(|it| *it == trampoline).expect("one");
    assert_eq!(said[at + 1], trampoline);
    assert_eq!(said.iter().filter(|it| **it == trampoline).count(), 2);
    assert_eq!(said[at - 1], "trace 0, island"); // a veneer
    assert_eq!(said[at + 2], "trace 0, island"); // the literal
}

#[test]
fn a_name_stands_beside_the_number() {
    let slab = annotated(MAPPINGS[0]);
    let trace = leave(&slab, 1, Some("loop at \"main\""));
    let located = slab.locate(trace.address() + 4).expect("code");
    assert_eq!(located.name(), Some("loop at \"main\""));
    assert_eq!(
        located.to_string(),
        "trace 0 \"loop at \\\"main\\\"\", op 0 Leave pc=1"
    );
    // `clear` forgets it.
    let mut builder = TraceBuilder::new();
    builder.set_name("old");
    builder.clear();
    builder.push(Leave { pc: 1 }).expect("a micro-op");
    let linked = builder.finish().expect("a trace").link(0).expect("linked");
    assert_eq!(linked.name(), None);
}

#[test]
fn trampolines_are_located_with_their_targets() {
    for slab in slabs() {
        let function = Target::retargetable(far(&slab, 1).address()).expect("a target");
        let mut everything = everything(function, false);
        let trace = everything.builder.finish().expect("a trace");
        let installed = slab.install(&trace).expect("room");
        let addresses = slab.addresses();
        let found: Vec<_> = addresses
            .step_by(4)
            .filter_map(|at| slab.locate(at))
            .filter(|located| located.trace().is_none())
            .collect();
        let starts: Vec<_> = found.iter().map(|located| located.offset()).collect();
        assert_eq!(starts, [0, 4, 8, 12]);
        let first = &found[0];
        assert_eq!(first.target(), Some(function));
        assert_eq!(first.leads_to(), Some(function.address()));
        assert_eq!(first.to_string(), format!("trampoline to {function}"));
        // The word that it loads.
        assert_eq!(
            memory(&slab, first.address() + 8),
            function.address().to_le_bytes()
        );
        slab.retarget(function, 0x4000).expect("retargetable");
        let now = slab.locate(first.address()).expect("a trampoline");
        assert_eq!(now.leads_to(), Some(0x4000));
        assert_eq!(
            now.to_string(),
            format!("trampoline to {function}, which is now 0x4000")
        );
        drop(installed);
        slab.reclaim().expect("cores are synchronized");
        assert!(slab.locate(first.address()).is_none());
    }
}

#[test]
fn a_reserved_trace_brings_its_own_trampolines() {
    let slab = annotated(MAPPINGS[0]);
    let function = far(&slab, 2);
    let mut everything = everything(function, false);
    let trace = everything.builder.finish().expect("a trace");
    let room = slab
        .reserve(trace.linked_len(0).expect("a length"))
        .expect("room");
    let linked = trace.link(room.address()).expect("a linked trace");
    let installed = room.install(&linked).expect("room");
    let trampolines = linked.range(opstitch::Part::Trampolines);
    assert_eq!(
        text(&slab, installed.address() + u64::from(trampolines.start)),
        format!("trace 0, trampoline to {function}")
    );
    assert!(trampolines.len() >= 8);
}

#[test]
fn traces_of_a_batch_are_located_once_they_are_published() {
    let slab = annotated(MAPPINGS[0]);
    let mut built = plain(3, 1);
    let mut batch = slab.batch();
    batch.add(&built.trace()).expect("room");
    batch.add(&built.trace()).expect("room");
    let none = |slab: &Slab| {
        slab.addresses()
            .step_by(16)
            .all(|at| slab.locate(at).is_none())
    };
    assert!(none(&slab));
    let installed = batch.publish().expect("published");
    for trace in &installed {
        let located = slab.locate(trace.address() + 4).expect("code");
        assert_eq!(located.trace(), Some(trace.id()));
        assert_eq!(located.to_string(), format!("{}, op 0 Add n=1", trace.id()));
    }
    // One that is given up was never there.
    let other = annotated(MAPPINGS[0]);
    let mut batch = other.batch();
    batch.add(&built.trace()).expect("room");
    drop(batch);
    assert!(none(&other));
}

#[test]
fn a_dropped_trace_is_there_until_it_is_reclaimed() {
    for slab in slabs() {
        let pin = slab.pin();
        let trace = leave(&slab, 3, None);
        let address = trace.address();
        drop(trace);
        let told = "trace 0 (dropped), op 0 Leave pc=3";
        assert_eq!(text(&slab, address + 4), told);
        slab.reclaim().expect("cores are synchronized");
        assert_eq!(text(&slab, address + 4), told);
        assert!(slab.locate(address).expect("code").is_dropped());
        drop(pin);
        slab.reclaim().expect("cores are synchronized");
        assert!(slab.locate(address + 4).is_none());
        // Another one in its place has another name.
        let next = leave(&slab, 4, None);
        assert_eq!(next.address(), address);
        assert_eq!(text(&slab, address + 4), "trace 0.1, op 0 Leave pc=4");
    }
}

#[test]
fn where_no_code_lies_nothing_is_found() {
    let slab = annotated(MAPPINGS[0]);
    let trace = leave(&slab, 3, None);
    let (start, end) = (trace.address(), trace.address() + trace.len() as u64);
    assert_eq!(trace.len(), 12);
    assert!(slab.locate(end - 1).is_some() && slab.locate(end).is_none());
    assert!(slab.locate(start - 1).is_none());
    let std::ops::Range { start, end } = slab.addresses();
    for address in [0, start - 1, end, u64::MAX] {
        assert!(slab.locate(address).is_none());
    }
    // And without annotations nothing at all.
    let plain = Slab::new(1 << 16).expect("a slab");
    let trace = leave(&plain, 3, None);
    assert!(plain.locate(trace.address()).is_none());
    assert_eq!(
        plain.try_locate(trace.address(), |found| found.is_none()),
        Some(true)
    );
}

#[test]
fn a_trace_without_annotations_is_told_by_its_bytes() {
    let slab = annotated(MAPPINGS[0]);
    let mut builder = TraceBuilder::with_options(Options::new().annotate(false));
    builder.push(Leave { pc: 1 }).expect("a micro-op");
    let trace = slab
        .install(&builder.finish().expect("a trace"))
        .expect("room");
    assert_eq!(text(&slab, trace.address() + 8), "trace 0, 0x8 bytes in");
}

/// A place for text that needs no memory.
struct Buffer {
    bytes: [u8; 256],
    len: usize,
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let to = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        to.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[test]
fn what_a_signal_handler_may_call_allocates_nothing() {
    let slab = annotated(MAPPINGS[0]);
    let mut everything = everything(far(&slab, 0), true);
    everything.builder.set_name("named");
    let trace = everything.builder.finish().expect("a trace");
    let installed = slab.install(&trace).expect("room");
    for address in slab.addresses().step_by(4).take(200) {
        let expected = slab.locate(address).map(|located| located.to_string());
        let mut buffer = Buffer {
            bytes: [0; 256],
            len: 0,
        };
        let calls = allocations::in_call(|| {
            let found = slab.try_locate(address, |found| match found {
                Some(found) => write!(buffer, "{found}"),
                None => Ok(()),
            });
            assert!(matches!(found, Some(Ok(()))));
        });
        assert_eq!(calls, 0);
        let told = std::str::from_utf8(&buffer.bytes[..buffer.len]).expect("text");
        assert_eq!(told, expected.unwrap_or_default());
    }
    assert!(slab.locate(installed.address()).is_some());
    // The counter counts.
    assert_eq!(allocations::in_call(|| drop(Box::new(1))), 2);
}

#[test]
fn a_signal_handler_does_not_wait_for_the_lock() {
    let slab = annotated(MAPPINGS[0]);
    let mut everything = everything(far(&slab, 0), false);
    let trace = everything.builder.finish().expect("a trace");
    let installed = slab.install(&trace).expect("room");
    let mut asked = 0;
    installed
        .update_literals(|value| {
            assert_eq!(slab.try_locate(installed.address(), |_| ()), None);
            asked += 1;
            value
        })
        .expect("the literals are there");
    assert_eq!(asked, 1);
    assert!(slab.try_locate(installed.address(), |_| ()).is_some());
}

#[test]
fn all_threads_may_ask_while_traces_come_and_go() {
    for slab in slabs() {
        let stay = leave(&slab, 77, None);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut asked = 0;
                    while !done.load(Ordering::Relaxed) || asked == 0 {
                        assert_eq!(text(&slab, stay.address() + 4), "trace 0, op 0 Leave pc=77");
                        for at in slab.addresses().step_by(16).take(64) {
                            if let Some(located) = slab.locate(at) {
                                assert!(located.to_string().starts_with("trace "));
                            }
                        }
                        asked += 1;
                    }
                });
            }
            for round in 0..200 {
                let traces: Vec<InstalledTrace> =
                    (0..8).map(|n| leave(&slab, round * 8 + n, None)).collect();
                for (n, trace) in (0..).zip(&traces) {
                    let located = text(&slab, trace.address() + 4);
                    assert!(located.ends_with(&format!("op 0 Leave pc={}", round * 8 + n)));
                }
                drop(traces);
                slab.reclaim().expect("cores are synchronized");
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn options_can_be_set_in_any_order() {
    let options = SlabOptions::new(1 << 16).annotate(true).annotate(false);
    let slab = options.build().expect("a slab");
    let trace = leave(&slab, 3, None);
    assert!(slab.locate(trace.address()).is_none());
}
