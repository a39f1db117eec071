//! A small stack machine with a tracing compiler.
//!
//! The machine interprets a program and counts the jumps backwards. When one has been taken often
//! enough, the next pass through the loop is recorded and stitched into a trace: machine code in which
//! every decision has become a guard. A guard that fails leaves the trace through a side exit, and the
//! exit says at which instruction the machine goes on interpreting.

use std::{collections::HashMap, error::Error, io::Write};

#[cfg(not(target_arch = "aarch64"))]
use opstitch::LinkedTrace as Code;
use opstitch::TraceBuilder;
use opstitch::inspect::Symbols;
#[cfg(target_arch = "aarch64")]
use opstitch::slab::{InstalledTrace as Code, Slab};

/// What the machine can do. It has a stack of unsigned integers, and two locals.
#[derive(Debug, Clone, Copy, PartialEq)]
#[rustfmt::skip]
enum Instruction { Push(u64), Load(u64), Store(u64), Add, Less, JumpIfNot(usize), Jump(usize), Halt }
use Instruction::{Add, Halt, Jump, JumpIfNot, Less, Load, Push, Store};

/// Adds up the numbers below 1,000, and starts over at 0 whenever the total exceeds 100,000.
#[rustfmt::skip]
const PROGRAM: [Instruction; 24] = [
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

        /// Enters the trace: its arguments are the stack and the locals.
        op Enter { ; mov stack, x0 ; mov locals, x1 }
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
fn stitch(path: &[(usize, usize)]) -> Result<TraceBuilder, opstitch::Error> {
    let mut builder = TraceBuilder::new();
    builder.push(uop::Enter)?;
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
    Ok(builder)
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
    #[cfg(target_arch = "aarch64")]
    fn run(&mut self, trace: &Code) -> Result<u64, Box<dyn Error>> {
        let entry = trace.entry::<extern "C" fn(*mut u64, *mut u64) -> u64>();
        let (pin, mut stack) = (trace.slab().pin(), [0; 2]);
        // SAFETY: the micro-ops need no more of the stack and the locals, and return a number.
        Ok(unsafe { entry.call(&pin, stack.as_mut_ptr(), self.locals.as_mut_ptr()) })
    }

    /// The same with an emulator, which counts the instructions.
    #[cfg(not(target_arch = "aarch64"))]
    fn run(&mut self, trace: &Code) -> Result<u64, Box<dyn Error>> {
        let mut emulator = opstitch_emulator::Emulator::new()?;
        emulator.load(trace)?;
        let stack = emulator.allocate(8 * 2)?;
        let locals = emulator.allocate_bytes(&self.locals.map(u64::to_le_bytes).concat())?;
        emulator.set_x(0, stack)?;
        emulator.set_x(1, locals)?;
        self.executed += emulator.run(trace.address(), 1_000_000)?.executed.total();
        self.locals = [emulator.read_u64(locals)?, emulator.read_u64(locals + 8)?];
        Ok(emulator.x(0)?)
    }
}

/// Interprets the program, and stitches its hot loops if `tracing`.
fn interpret(tracing: bool, out: &mut dyn Write) -> Result<Machine, Box<dyn Error>> {
    #[cfg(target_arch = "aarch64")]
    let slab = Slab::new(1 << 16)?;
    let mut machine = Machine::default();
    let (mut pc, mut jumps, mut traces) = (0, [0; PROGRAM.len()], HashMap::new());
    let mut recording: Option<Vec<(usize, usize)>> = None;
    while PROGRAM[pc] != Halt {
        let next = machine.step(pc);
        recording.iter_mut().for_each(|path| path.push((pc, next)));
        let backwards = next < std::mem::replace(&mut pc, next);
        if !tracing || !backwards {
            continue;
        }
        if let Some(path) = recording.take() {
            let mut builder = stitch(&path)?;
            let trace = builder.finish()?;
            let code = trace.link(0x1_0000)?;
            writeln!(out, "{}", code.listing(&Symbols::new()))?;
            #[cfg(target_arch = "aarch64")] // here it can be run, wherever there is room for it
            let code = slab.install(&trace)?;
            traces.insert(pc, code);
        }
        jumps[pc] += 1;
        if let Some(trace) = traces.get(&pc) {
            pc = machine.run(trace)? as usize;
            machine.left_for.push(pc);
        } else if jumps[pc] == 10 {
            recording = Some(Vec::new());
        }
    }
    Ok(machine)
}

/// Interprets the program without traces, then with them, and compares the results.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let (plain, traced) = (interpret(false, out)?, interpret(true, out)?);
    for (how, machine) in [("interpreted:    ", &plain), ("with the trace: ", &traced)] {
        let (total, steps) = (machine.locals[TOTAL as usize], machine.steps);
        writeln!(out, "{how}{total}, in {steps} steps")?;
    }
    writeln!(out, "which was left for {:?}", traced.left_for)?;
    if cfg!(not(target_arch = "aarch64")) {
        writeln!(out, "after {} instructions", traced.executed)?;
    }
    assert_eq!(plain.locals, traced.locals, "one program, one result");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
