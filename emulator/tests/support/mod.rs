//! A handful of micro-ops, and traces made of them.

// Each test file uses some of it.
#![allow(dead_code, unreachable_pub)]

use opstitch::{Error, FallThrough, LinkedTrace, Options, Target, TraceBuilder};
use opstitch_emulator::{Emulator, End};

opstitch::uops! {
    /// Micro-ops to be emulated.
    pub enum Op;

    registers { link: x19, count: x20, memory: x21, cell: x22, table: x23 }

    /// Adds to `x0`.
    op Add(n: u12) { ; add x0, x0, n }
    /// Back to `top`, unless it was the last time.
    op Loop(top: label) {
        ; sub count, count, 1
        ; cbnz count, =>top
    }
    /// Leaves through `exit` when nothing is left to count.
    op Guard(exit: exit) { ; cbz count, =>exit }
    /// Keeps the return address.
    op Enter { ; mov link, x30 }
    /// Returns to the address that `Enter` kept.
    op Leave { ; mov x30, link ; ret }
    /// Returns to `x30`.
    op Return { ; ret }
    /// Returns to the address that lies on the stack.
    op ReturnByStack { ; ldr x30, [sp] ; ret }
    /// Calls.
    op Call(function: call) { ; bl =>function }
    /// Goes on in a function, which returns for the trace.
    op TailCall(function: call) { ; b =>function }
    /// Calls through `x9`.
    op CallRegister { ; blr x9 }
    /// Jumps through `x9`.
    op JumpRegister { ; br x9 }
    /// Loads `x1`.
    op Load { ; ldr x1, [memory], 8 }
    /// Stores `x0`.
    op Store { ; str x0, [memory], 8 }
    /// Adds `x0` to a cell, atomically.
    op AtomicAdd { ; ldadd x0, x1, [cell] }
    /// Takes 16 bytes of the stack, and leaves them as they are.
    op Take { ; sub sp, sp, 16 }
    /// Loses the frame record.
    op LoseFrame { ; mov x29, x0 }
    /// Pushes.
    op Push { ; str x0, [sp, -16]! }
    /// A breakpoint.
    op Break { ; brk 42 }
    /// A system call.
    op System { ; svc 7 }
    /// Waits for an interrupt.
    op Wait { ; wfi }
    /// What leaves the core's translated code for a moment.
    op Pauses { ; hint 1 ; hint 2 ; isb }
    /// No instruction.
    op Undefined { ; .u32 0xbad }
    /// Sets the floating-point control register from `x0`.
    op SetFpcr { ; .u32 0xd51b_4400 }
    /// Reads it.
    op GetFpcr { ; .u32 0xd53b_4400 }
    /// Compares `x0` and `x1`.
    op Compare { ; cmp x0, x1 }
    /// Adds in floating point.
    op AddDouble { ; fadd d0, d0, d1 }
    /// Adds both halves of vectors.
    op AddVectors { ; add v2.d2, v2.d2, v3.d2 }
    /// Loads a constant.
    op Constant(value: literal) { ; ldr x0, =>value }
}

/// A trace at `address`, without continuation slots: what executes is the entry's NOP and what the
/// micro-ops are written as.
pub fn trace(
    address: u64,
    push: impl FnOnce(&mut TraceBuilder) -> Result<(), Error>,
) -> LinkedTrace {
    let options = Options::new().fall_through(FallThrough::Elide);
    let mut builder = TraceBuilder::with_options(options);
    push(&mut builder).expect("the trace is well-formed");
    let trace = builder.finish().expect("the trace can be finished");
    trace.link(address).expect("the trace can be linked")
}

pub fn target(address: u64) -> Target {
    Target::new(address).expect("the target is aligned")
}

/// An emulator with one trace in it.
pub fn loaded<'a>(linked: &LinkedTrace) -> Emulator<'a> {
    let mut emulator = Emulator::new().expect("there is an emulator");
    emulator.load(linked).expect("there is room");
    emulator
}

/// Runs a trace that returns, and says how many instructions it took: hot, cold, trampolines.
pub fn run(emulator: &mut Emulator<'_>, linked: &LinkedTrace) -> [u64; 3] {
    let outcome = emulator.run(linked.address(), 1_000_000);
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcome.end, End::Returned);
    assert_eq!(outcome.executed, emulator.executed());
    executed(emulator)
}

/// What the last run has executed: hot, cold, trampolines.
pub fn executed(emulator: &Emulator<'_>) -> [u64; 3] {
    let executed = emulator.executed();
    [executed.hot, executed.cold, executed.trampolines]
}
