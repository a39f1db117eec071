//! What a program does, without any code: micro-op after micro-op, in plain Rust.

use crate::program::{Item, Program};
use crate::step::{E, L};

/// Registers, memory, and what was called.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) r: [u64; 4],
    pub(crate) memory: [u64; 8],
    pub(crate) fuel: u64,
    pub(crate) cells: Vec<u64>,
    /// The addresses of the targets.
    pub(crate) targets: Vec<u64>,
    /// Each call's address and arguments.
    pub(crate) calls: Vec<(u64, u64, u64)>,
}

/// Where a micro-op goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flow {
    Next,
    To(L),
    Exit(E),
    /// Out of the trace, with this in `x0`.
    Gone(u64),
}

/// What every call target computes: something that depends on all it is given, and zero now and then.
pub(crate) fn function(address: u64, x0: u64, x1: u64) -> u64 {
    if (x0 ^ x1 ^ address >> 4) & 3 == 0 {
        return 0;
    }
    x0.rotate_left(9) ^ x1.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ address
}

/// What a program does at most: its loops use fuel up.
const MOST_STEPS: usize = 1 << 20;

/// Runs a program to its end, and returns what is in `x0` then. `None` if it has none: what remains of a program when a
/// failure is made smaller may go round and round.
pub(crate) fn run(program: &Program, state: &mut State) -> Option<u64> {
    let mut at = 0;
    let mut flow = Flow::Next;
    for _ in 0..MOST_STEPS {
        flow = match flow {
            Flow::Gone(x0) => return Some(x0),
            Flow::To(label) => {
                at = program.place(label);
                Flow::Next
            }
            Flow::Exit(exit) => {
                let exit = &program.exits[exit];
                let mut steps = exit.steps.iter().map(|step| step.run(state));
                match steps.find(|&flow| flow != Flow::Next) {
                    Some(flow) => flow,
                    None => Flow::To(exit.jump.expect("an exit goes somewhere")),
                }
            }
            Flow::Next => {
                at += 1;
                match program.items[at - 1] {
                    Item::Bind(_) | Item::Point(_) => Flow::Next,
                    Item::Jump(label) => Flow::To(label),
                    Item::Step(step) => step.run(state),
                }
            }
        };
    }
    None
}
