//! Every way through the trace, and every way out of it.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use super::host::{Code, Host, Machine};
use super::machine::{Fault, Left, Memory};
use super::objects::{
    Bytecode, EVAL_BREAKER, I, IMMORTAL, RANGE_LEN, SMALL_MAX, TOTAL, TYPE, VALUE, World, borrowed,
    small,
};
use super::runtime::{Request, Runtime};
use super::trace::WAYS;

/// A run of the loop that is out of the ordinary.
pub struct Case {
    /// What is special about it.
    pub what: &'static str,
    /// Makes it so. The loop is about to begin, with 10 numbers to come.
    prepare: fn(&mut Runtime, &mut dyn Memory) -> Result<(), Fault>,
    /// The exit that must be taken.
    exit: usize,
    /// And the micro-op that must take it.
    taken_by: &'static str,
    /// What must hold afterwards.
    check: fn(&Runtime, &dyn Memory) -> Result<bool, Fault>,
}

/// Runs the loop for `n` numbers, and compares what it leaves behind with what plain Rust says.
pub fn count(host: &Host, code: &Code, n: i64) -> Result<Left, Box<dyn Error>> {
    let world = host.world();
    let mut machine = Machine::new(host, &Rc::new(RefCell::new(Runtime::new(world))))?;
    world.begin(&mut machine, 0, n)?;
    let left = leave(&mut machine, code, &world, n)?;
    let expected = [
        (world.local(TOTAL), small((0..n).sum())),
        (world.local(I), small(n - 1)),
        (world.iterator, 1),
        (world.iterator + RANGE_LEN, 0),
    ];
    for (address, value) in expected {
        let found = machine.load(address)?;
        if found != value {
            return Err(format!("at {address:#x} is {found:#x}, and should be {value:#x}").into());
        }
    }
    match WAYS[left.exit].0 {
        Bytecode::PopIter => Ok(left),
        other => Err(format!("the loop went on at {other:?}").into()),
    }
}

/// Runs a case.
pub fn run(case: &Case, host: &Host, code: &Code) -> Result<Left, Box<dyn Error>> {
    let world = host.world();
    let runtime = Rc::new(RefCell::new(Runtime::new(world)));
    let mut machine = Machine::new(host, &runtime)?;
    world.begin(&mut machine, 0, 10)?;
    (case.prepare)(&mut runtime.borrow_mut(), &mut machine)?;
    let left = leave(&mut machine, code, &world, 10)?;
    if left.exit != case.exit || taken_by(&left) != case.taken_by {
        return Err(format!("{}: {} took exit {}", case.what, taken_by(&left), left.exit).into());
    }
    match (case.check)(&runtime.borrow(), &machine)? {
        true => Ok(left),
        false => Err(format!("{}: the wrong things are in memory", case.what).into()),
    }
}

/// Runs the trace, and checks what holds behind every exit.
fn leave(
    machine: &mut Machine,
    code: &Code,
    world: &World,
    n: i64,
) -> Result<Left, Box<dyn Error>> {
    let left = machine.run(code, 1000 + 100 * n as u64)?;
    let (to, _) = WAYS.get(left.exit).ok_or("there is no such exit")?;
    if world.next_instruction(machine)? != *to as u64 {
        return Err(format!("exit {} leads to the wrong instruction", left.exit).into());
    }
    // The stack is the same whether it was cached or not: the iterator, and the NULL above it.
    let stack = world.stack(machine)?;
    if stack.get(..2) != Some(&[world.iterator, 0]) {
        return Err(format!("exit {} leaves the stack in disorder", left.exit).into());
    }
    Ok(left)
}

/// The micro-op that took the exit.
pub fn taken_by(left: &Left) -> &'static str {
    match WAYS[left.exit].1 {
        [one] => one,
        several => several.get(left.which).unwrap_or(&"nobody"),
    }
}

/// Gives a local an object that is no integer.
fn set_to_float(runtime: &mut Runtime, memory: &mut dyn Memory, local: u64) -> Result<u64, Fault> {
    let kind = runtime.world.float_type;
    let object = runtime.world.object(memory, kind, 0.5f64.to_bits())?;
    memory.store(runtime.world.local(local), object)?;
    Ok(object)
}

/// The cases.
pub const CASES: [Case; 13] = [
    Case {
        what: "total is a float",
        prepare: |runtime, memory| set_to_float(runtime, memory, TOTAL).map(drop),
        exit: 7,
        taken_by: "_GUARD_NOS_INT",
        check: |runtime, memory| {
            let total = memory.load(runtime.world.local(TOTAL))?;
            let operands = [borrowed(total), small(0)];
            Ok(runtime.world.stack(memory)?[2..] == operands && memory.load(total)? == 1)
        },
    },
    Case {
        what: "total overflows",
        prepare: |runtime, memory| memory.store(runtime.world.local(TOTAL), small(SMALL_MAX)),
        exit: 7,
        taken_by: "_BINARY_OP_ADD_INT",
        check: |runtime, memory| {
            let operands = [small(SMALL_MAX), small(1)];
            Ok(runtime.world.stack(memory)?[2..] == operands)
        },
    },
    Case {
        what: "i gets too big for a small integer",
        prepare: |runtime, memory| runtime.world.begin(memory, SMALL_MAX, 10),
        exit: 7,
        taken_by: "_GUARD_TOS_OVERFLOWED",
        check: |runtime, memory| {
            let i = memory.load(runtime.world.local(I))?;
            let operands = [small(SMALL_MAX), borrowed(i)];
            let value = memory.load(i + VALUE)? as i64;
            Ok(runtime.world.stack(memory)?[2..] == operands && value == SMALL_MAX + 1)
        },
    },
    Case {
        what: "there is no memory for a big i",
        prepare: |runtime, memory| {
            runtime.out_of_memory = true;
            runtime.world.begin(memory, SMALL_MAX, 10)
        },
        exit: 5,
        taken_by: "_ITER_NEXT_RANGE",
        check: |runtime, memory| Ok(memory.load(runtime.world.local(I))? == small(SMALL_MAX)),
    },
    Case {
        what: "the range is empty",
        prepare: |runtime, memory| runtime.world.begin(memory, 0, 0),
        exit: 4,
        taken_by: "_GUARD_NOT_EXHAUSTED_RANGE",
        check: |runtime, memory| Ok(memory.load(runtime.world.local(I))? == 0),
    },
    Case {
        what: "the iterator is that of a list",
        prepare: |runtime, memory| {
            let kind = runtime.world.list_iterator_type;
            memory.store(runtime.world.iterator + TYPE, kind)
        },
        exit: 3,
        taken_by: "_ITER_CHECK_RANGE",
        check: |runtime, memory| Ok(memory.load(runtime.world.local(I))? == 0),
    },
    Case {
        what: "the executor is invalid from the start",
        prepare: |runtime, memory| memory.store(runtime.world.executor, 0),
        exit: 0,
        taken_by: "_START_EXECUTOR",
        check: |runtime, memory| Ok(memory.load(runtime.world.executor)? == 0),
    },
    Case {
        what: "a request of no consequence",
        prepare: |runtime, memory| request(runtime, memory, Request::Nothing),
        exit: 4,
        taken_by: "_GUARD_NOT_EXHAUSTED_RANGE",
        check: |runtime, memory| {
            let total = memory.load(runtime.world.local(TOTAL))?;
            Ok(runtime.handled == 1 && total == small(45))
        },
    },
    Case {
        what: "a request that invalidates the executor",
        prepare: |runtime, memory| request(runtime, memory, Request::Invalidate),
        exit: 2,
        taken_by: "_CHECK_VALIDITY",
        check: |runtime, _| Ok(runtime.handled == 1),
    },
    Case {
        what: "a request to raise KeyboardInterrupt",
        prepare: |runtime, memory| request(runtime, memory, Request::Interrupt),
        exit: 1,
        taken_by: "_CHECK_PERIODIC",
        check: |runtime, _| Ok(runtime.handled == 1),
    },
    Case {
        what: "i was the last reference to an object",
        prepare: |runtime, memory| set_to_float(runtime, memory, I).map(drop),
        exit: 4,
        taken_by: "_GUARD_NOT_EXHAUSTED_RANGE",
        check: |runtime, memory| {
            let [freed] = runtime.freed[..] else {
                return Ok(false);
            };
            Ok(memory.load(freed)? == 0)
        },
    },
    Case {
        what: "and its finalizer invalidates the executor",
        prepare: |runtime, memory| {
            runtime.meddling_finalizer = true;
            set_to_float(runtime, memory, I).map(drop)
        },
        exit: 6,
        taken_by: "_CHECK_VALIDITY",
        check: |runtime, memory| {
            let i = memory.load(runtime.world.local(I))?;
            Ok(runtime.freed.len() == 1 && i == small(0))
        },
    },
    Case {
        what: "i and total were references to immortal objects",
        prepare: |runtime, memory| {
            for local in [I, TOTAL] {
                let object = set_to_float(runtime, memory, local)?;
                memory.store(object, IMMORTAL)?;
            }
            Ok(())
        },
        exit: 7,
        taken_by: "_GUARD_NOS_INT",
        check: |runtime, memory| {
            let total = memory.load(runtime.world.local(TOTAL))?;
            let i = total - 24; // was made right before
            let counts = [memory.load(i)?, memory.load(total)?];
            Ok(runtime.freed.is_empty() && counts == [IMMORTAL; 2])
        },
    },
];

/// Asks the interpreter for something, as a signal handler would.
fn request(runtime: &mut Runtime, memory: &mut dyn Memory, request: Request) -> Result<(), Fault> {
    runtime.request = request;
    memory.store(runtime.world.thread + EVAL_BREAKER, 1)
}
