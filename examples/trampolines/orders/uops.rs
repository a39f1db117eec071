//! The micro-ops of the longer trace.

use opstitch::{Error, Exit};

use super::super::ladder::Calls;
use super::{LOOP, Leaving, Step};

opstitch::uops! {
    /// `stack` points past the topmost value. The values that a micro-op drops are in `first` to
    /// `third` while it calls. All are callee-saved, so they survive calls.
    registers { thread: x20, frame: x21, stack: x22, first: x23, second: x24, third: x25 }

    // An object begins with its reference count.
    const REFCOUNT = 0;
    const EVAL_BREAKER = 0;

    /// The trace's entry.
    op Enter { ; stp x29, x30, [sp, #-16]! ; mov x29, sp }

    /// Handles requests to the interpreter, if there are any.
    op CheckPeriodic(handle_pending: call, error: exit) {
        ; ldrb w9, [thread, EVAL_BREAKER]
        ; cbnz w9, >pending
        ; done:
    } cold {
        ; pending:
        ; mov x0, thread
        ; bl =>handle_pending
        ; cbnz w0, =>error
        ; b <done
    }

    /// Pushes what comes next of the iterator on top of the stack; leaves when nothing does.
    op ForIter(next: call, exhausted: exit) {
        ; ldur x0, [stack, #-8]
        ; bl =>next
        ; cbz x0, =>exhausted
        ; str x0, [stack]
        ; add stack, stack, #8
    }

    /// Pushes a local.
    op LoadFast(slot: u12) {
        ; ldr x9, [frame, slot * 8]
        ; ldr x10, [x9, REFCOUNT]
        ; add x10, x10, #1
        ; str x10, [x9, REFCOUNT]
        ; str x9, [stack]
        ; add stack, stack, #8
    }

    /// Pops into a local, and drops what was in it.
    op StoreFast(slot: u12, drop: call) {
        ; ldr x9, [stack, #-8]!
        ; ldr x0, [frame, slot * 8]
        ; str x9, [frame, slot * 8]
        ; ldr x10, [x0, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [x0, REFCOUNT]
        ; b.eq >free
        ; done:
    } cold {
        ; free:
        ; bl =>drop
        ; b <done
    }

    /// Replaces the topmost value by an attribute of it.
    op LoadAttr(name: u16, get: call, drop: call, error: exit) {
        ; ldur first, [stack, #-8]
        ; mov x0, first
        ; movz x1, name
        ; bl =>get
        ; cbz x0, =>error
        ; stur x0, [stack, #-8]
        ; ldr x10, [first, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [first, REFCOUNT]
        ; b.eq >free
        ; done:
    } cold {
        ; free:
        ; mov x0, first
        ; bl =>drop
        ; b <done
    }

    /// Replaces the two topmost values by what a function makes of them.
    op Binary(function: call, drop_first: call, drop_second: call, error: exit) {
        ; ldp first, second, [stack, #-16]
        ; mov x0, first
        ; mov x1, second
        ; bl =>function
        ; cbz x0, =>error
        ; stur x0, [stack, #-16]
        ; sub stack, stack, #8
        ; ldr x10, [first, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [first, REFCOUNT]
        ; b.eq >free_first
        ; next:
        ; ldr x10, [second, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [second, REFCOUNT]
        ; b.eq >free_second
        ; done:
    } cold {
        ; free_first:
        ; mov x0, first
        ; bl =>drop_first
        ; b <next
        ; free_second:
        ; mov x0, second
        ; bl =>drop_second
        ; b <done
    }

    /// Pops a container, a key and a value, and stores the value there.
    op StoreItem(
        set: call, drop_first: call, drop_second: call, drop_third: call, error: exit
    ) {
        ; ldp first, second, [stack, #-24]
        ; ldur third, [stack, #-8]
        ; mov x0, first
        ; mov x1, second
        ; mov x2, third
        ; bl =>set
        ; cbnz w0, =>error
        ; sub stack, stack, #24
        ; ldr x10, [first, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [first, REFCOUNT]
        ; b.eq >free_first
        ; second_value:
        ; ldr x10, [second, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [second, REFCOUNT]
        ; b.eq >free_second
        ; third_value:
        ; ldr x10, [third, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [third, REFCOUNT]
        ; b.eq >free_third
        ; done:
    } cold {
        ; free_first:
        ; mov x0, first
        ; bl =>drop_first
        ; b <second_value
        ; free_second:
        ; mov x0, second
        ; bl =>drop_second
        ; b <third_value
        ; free_third:
        ; mov x0, third
        ; bl =>drop_third
        ; b <done
    }

    /// Drops the topmost value.
    op Pop(drop: call) {
        ; ldr x0, [stack, #-8]!
        ; ldr x10, [x0, REFCOUNT]
        ; subs x10, x10, #1
        ; str x10, [x0, REFCOUNT]
        ; b.eq >free
        ; done:
    } cold {
        ; free:
        ; bl =>drop
        ; b <done
    }

    /// Goes round the loop.
    op Again(top: label) { ; b =>top }

    /// Returns to the interpreter, which is told why.
    op Leave(why: u16) { ; movz x0, why ; ldp x29, x30, [sp], #16 ; ret }
}

/// Stitches the trace.
pub fn stitch(calls: &mut Calls<'_>) -> Result<(), Error> {
    let [exhausted, error] = [Leaving::Exhausted, Leaving::Error]
        .map(|why| calls.builder().exit([Leave { why: why as u64 }]));
    let exits = [exhausted?, error?];
    calls.push(Enter)?;
    let top = calls.builder().bind_new()?;
    for step in LOOP {
        push(calls, step, exits)?;
    }
    calls.push(Again { top })
}

/// Pushes the micro-op of a step.
fn push(calls: &mut Calls<'_>, step: Step, [exhausted, error]: [Exit; 2]) -> Result<(), Error> {
    let callees = step.functions().into_iter();
    let callees = callees.map(|function| calls.callee(function.address()));
    let op: Op = match (step, &callees.collect::<Result<Vec<_>, _>>()?[..]) {
        (Step::CheckPeriodic, &[handle_pending]) => CheckPeriodic {
            handle_pending,
            error,
        }
        .into(),
        (Step::Next, &[next]) => ForIter { next, exhausted }.into(),
        (Step::Load(local), _) => LoadFast { slot: local as u64 }.into(),
        (Step::Store(local), &[drop]) => StoreFast {
            slot: local as u64,
            drop,
        }
        .into(),
        (Step::Attribute(name), &[get, drop]) => LoadAttr {
            name: name as u64,
            get,
            drop,
            error,
        }
        .into(),
        (Step::Binary(_), &[function, drop_first, drop_second]) => Binary {
            function,
            drop_first,
            drop_second,
            error,
        }
        .into(),
        (Step::StoreItem, &[set, drop_first, drop_second, drop_third]) => StoreItem {
            set,
            drop_first,
            drop_second,
            drop_third,
            error,
        }
        .into(),
        (Step::Pop, &[drop]) => Pop { drop }.into(),
        (step, _) => unreachable!("{step:?} calls something else"),
    };
    calls.push(op)
}
