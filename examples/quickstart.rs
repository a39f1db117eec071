//! A small stack machine with a tracing compiler.
//!
//! The machine interprets a program and counts the jumps backwards. When one has been taken often
//! enough, the next pass through the loop is recorded and stitched into a trace: machine code in which
//! every decision has become a guard. A guard that fails leaves the trace through a side exit, and the
//! exit says at which instruction the machine goes on interpreting.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;

use opstitch::inspect::Symbols;
use opstitch::{LinkedTrace, TraceBuilder};

/// What the machine can do. It has a stack of unsigned integers, and two locals.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Code {
    Push(u64),
    Load(u64),
    Store(u64),
    Add,
    Less,
    JumpIfNot(usize),
    Jump(usize),
    Halt,
}
use Code::{Add, Halt, Jump, JumpIfNot, Less, Load, Push, Store};

/// Adds up the numbers below 1,000, and starts over at 0 whenever the total exceeds 100,000.
#[rustfmt::skip]
const PROGRAM: [Code; 24] = [
    /*  0 */ Push(0), Store(TOTAL), Push(0), Store(I),
    /*  4 */ Load(I), Push(1000), Less, JumpIfNot(23),
    /*  8 */ Load(TOTAL), Load(I), Add, Store(TOTAL),
    /* 12 */ Push(100_000), Load(TOTAL), Less, JumpIfNot(18),
    /* 16 */ Push(0), Store(TOTAL),
    /* 18 */ Load(I), Push(1), Add, Store(I), Jump(4),
    /* 23 */ Halt,
];
const TOTAL: u64 = 0;
const I: u64 = 1;

/// The micro-ops: what the machine can do, in AArch64 assembly.
pub mod uop {
    opstitch::uops! {
        /// The registers that a trace keeps its state in. `stack` points past the topmost value.
        registers { stack: x19, locals: x20 }

        /// Pushes a constant.
        op Push(value: literal) { ; ldr x9, =>value ; str x9, [stack], #8 }
        /// Pushes a local.
        op Load(slot: u12) { ; ldr x9, [locals, slot * 8] ; str x9, [stack], #8 }
        /// Pops into a local.
        op Store(slot: u12) { ; ldr x9, [stack, #-8]! ; str x9, [locals, slot * 8] }
        /// Replaces the two topmost values by their sum.
        op Add { ; ldp x9, x10, [stack, #-16]! ; add x9, x9, x10 ; str x9, [stack], #8 }
        /// Replaces the two topmost values by 1 if the lower one is less, else by 0.
        op Less { ; ldp x9, x10, [stack, #-16]! ; cmp x9, x10 ; cset x9, lo ; str x9, [stack], #8 }
        /// Pops, and leaves the trace if that was 0.
        op GuardTrue(otherwise: exit) { ; ldr x9, [stack, #-8]! ; cbz x9, =>otherwise }
        /// Pops, and leaves the trace if that was not 0.
        op GuardFalse(otherwise: exit) { ; ldr x9, [stack, #-8]! ; cbnz x9, =>otherwise }
        /// Returns to the interpreter, which goes on at `pc`.
        op Leave(pc: u16) { ; movz x0, pc ; ret }
    }
}

/// Makes a trace of a pass through a loop: of its instructions, and where each of them went on.
fn stitch(path: &[(usize, usize)]) -> Result<LinkedTrace, opstitch::Error> {
    let mut builder = TraceBuilder::new();
    let top = builder.bind_new()?;
    for &(pc, next) in path {
        match PROGRAM[pc] {
            Push(value) => builder.push(uop::Push { value })?,
            Load(slot) => builder.push(uop::Load { slot })?,
            Store(slot) => builder.push(uop::Store { slot })?,
            Add => builder.push(uop::Add)?,
            Less => builder.push(uop::Less)?,
            JumpIfNot(to) if next == to => {
                let otherwise = builder.exit([uop::Leave { pc: pc as u64 + 1 }])?;
                builder.push(uop::GuardFalse { otherwise })?;
            }
            JumpIfNot(to) => {
                let otherwise = builder.exit([uop::Leave { pc: to as u64 }])?;
                builder.push(uop::GuardTrue { otherwise })?;
            }
            Jump(_) | Halt => {} // the trace goes straight on
        }
    }
    builder.jump(top)?;
    builder.finish()?.link(0x1_0000)
}

#[derive(Default)]
struct Machine {
    stack: Vec<u64>,
    locals: [u64; 2],
    /// How many instructions of its own and of traces it executed, and where the traces were left for.
    steps: u64,
    executed: u64,
    left_for: Vec<usize>,
}

impl Machine {
    /// Interprets the instruction at `pc`, and returns where to go on.
    fn step(&mut self, pc: usize) -> usize {
        self.steps += 1;
        let mut pop = || self.stack.pop().expect("the program balances the stack");
        let value = match PROGRAM[pc] {
            Push(value) => value,
            Load(slot) => self.locals[slot as usize],
            Add => pop().wrapping_add(pop()),
            Less => (pop() > pop()).into(),
            Store(slot) => {
                self.locals[slot as usize] = pop();
                return pc + 1;
            }
            JumpIfNot(to) => return if pop() == 0 { to } else { pc + 1 },
            Jump(to) => return to,
            Halt => return pc,
        };
        self.stack.push(value);
        pc + 1
    }

    /// Runs a trace, and returns where to go on. The stack is empty where this program's loop begins
    /// and where its guards fail, so only the locals go in and out.
    #[cfg(not(target_arch = "aarch64"))]
    fn run(&mut self, trace: &LinkedTrace, _pc: usize) -> Result<usize, Box<dyn Error>> {
        let mut emulator = opstitch_emulator::Emulator::new()?;
        emulator.load(trace)?;
        let locals = emulator.allocate_bytes(&self.locals.map(u64::to_le_bytes).concat())?;
        let stack = emulator.allocate(8 * 2)?;
        emulator.set_x(19, stack)?;
        emulator.set_x(20, locals)?;
        let outcome = emulator.run(trace.address(), 1_000_000)?;
        self.locals = [emulator.read_u64(locals)?, emulator.read_u64(locals + 8)?];
        self.executed += outcome.executed.total();
        self.left_for.push(emulator.x(0)? as usize);
        Ok(emulator.x(0)? as usize)
    }

    /// Here it does not run the trace yet, and goes on interpreting.
    #[cfg(target_arch = "aarch64")]
    fn run(&mut self, _trace: &LinkedTrace, pc: usize) -> Result<usize, Box<dyn Error>> {
        Ok(pc)
    }
}

/// Interprets the program, and stitches its hot loops if `tracing`.
fn interpret(tracing: bool, out: &mut dyn Write) -> Result<Machine, Box<dyn Error>> {
    let mut machine = Machine::default();
    let (mut jumps, mut traces) = ([0; PROGRAM.len()], HashMap::new());
    let mut recording: Option<Vec<(usize, usize)>> = None;
    let mut pc = 0;
    while PROGRAM[pc] != Halt {
        let next = machine.step(pc);
        recording.iter_mut().for_each(|path| path.push((pc, next)));
        let backwards = next < pc;
        pc = next;
        if !tracing || !backwards {
            continue;
        }
        if let Some(path) = recording.take() {
            let trace = stitch(&path)?;
            writeln!(out, "{}", trace.listing(&Symbols::new()))?;
            traces.insert(pc, trace);
        }
        jumps[pc] += 1;
        match traces.get(&pc) {
            Some(trace) => pc = machine.run(trace, pc)?,
            None if jumps[pc] == 10 => recording = Some(Vec::new()),
            None => {}
        }
    }
    Ok(machine)
}

/// Interprets the program without traces, then with them, and compares the results.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let (plain, traced) = (interpret(false, out)?, interpret(true, out)?);
    let (total, steps) = (plain.locals[TOTAL as usize], plain.steps);
    writeln!(out, "interpreted:    {total}, in {steps} steps")?;
    let (total, steps) = (traced.locals[TOTAL as usize], traced.steps);
    writeln!(out, "with the trace: {total}, in {steps} steps")?;
    let (executed, left_for) = (traced.executed, traced.left_for);
    writeln!(out, "and {executed} instructions; left for {left_for:?}")?;
    if cfg!(target_arch = "aarch64") {
        writeln!(out, "(on AArch64 it does not run the trace yet)")?;
    }
    assert_eq!(plain.locals, traced.locals, "one program, one result");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
