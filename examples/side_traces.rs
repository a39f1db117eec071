//! An exit that is taken often gets a trace of its own, and becomes a branch to it.
//!
//! The program counts the steps of Collatz sequences: half of an even number, three times an odd one and one more, until
//! that is 1. Its loop was recorded at an even number, so an odd one leaves the trace. The machine does such a step
//! itself, and counts: an exit that was taken ten times is worth a trace. From then on no odd number leaves.
//!
//! ```text
//!  Rust ──► loop: Enter       loads the pinned registers
//!                 top: ◄──────────────────────────┐
//!             ┌── GuardEven                       │
//!             │   Half ──► top                    │
//!             ▼                                   │
//!          exit: back to Rust, or linked ──► side trace: Triple
//! ```
//!
//! A linked trace finds the registers as the exit's guard left them. So the side trace does not load them, and goes back
//! to the label behind those micro-ops of the loop that do.

use std::error::Error;
use std::io::Write;

use opstitch::inspect::Symbols;
use opstitch::slab::{ExitTaken, InstalledTrace, Slab, SlabOptions};
use opstitch::{Exit, Target, TraceBuilder};

/// What traces share with Rust.
#[repr(C)]
#[derive(Default)]
pub struct Vm {
    number: u64,
    steps: u64,
    /// How often a trace has called [`triple`].
    calls: u64,
}

/// The runtime's: what is too much for a micro-op. Traces call it as any C function.
///
/// # Safety
/// `vm` is the machine of the trace that calls.
pub unsafe extern "C" fn triple(vm: *mut Vm, number: u64) -> u64 {
    // SAFETY: the caller's machine is borrowed by the trace.
    unsafe { (*vm).calls += 1 };
    3 * number + 1
}

/// The micro-ops.
pub mod uop {
    use super::Vm;
    use core::mem::offset_of;

    opstitch::uops! {
        /// All of them, for lists.
        pub enum Op;

        /// What a trace keeps in registers, and `Spill` writes back.
        registers { vm: x19, number: x20, steps: x21 }

        const NUMBER: u12 * 8 = offset_of!(Vm, number);
        const STEPS: u12 * 8 = offset_of!(Vm, steps);

        /// Loads the registers: the only argument is the machine.
        op Enter { ; mov vm, x0 ; ldr number, [vm, NUMBER] ; ldr steps, [vm, STEPS] }
        /// Leaves when the sequence is at its end.
        op GuardMore(done: exit) { ; cmp number, #1 ; b.eq =>done }
        /// Leaves for an odd number.
        op GuardEven(odd: exit) { ; tbnz number, 0, =>odd }
        /// Takes half of an even number.
        op Half { ; lsr number, number, #1 ; add steps, steps, #1 }
        /// Lets the runtime take three times the number and one more.
        op Triple(function: call) {
            ; mov x0, vm ; mov x1, number ; bl =>function ; mov number, x0 ; add steps, steps, #1
        }
        /// Goes on at an exit, be it linked or not.
        op Goto(to: exit) { ; b =>to }
        /// Writes back what Rust wants to see.
        op Spill { ; str number, [vm, NUMBER] ; str steps, [vm, STEPS] }
        /// Says which exit it was.
        op Leave(exit: u16) { ; movz x0, exit ; mov x1, number ; ldr x30, [sp] ; ret }
    }
}
use uop::{Enter, Goto, GuardEven, GuardMore, Half, Leave, Op, Spill, Triple};

/// Exits say who they are by these numbers, whatever trace they are in.
const DONE: u64 = 0;
const ODD: u64 = 1;
const NOT_LINKED: u64 = 2;

/// How often an exit is taken before it gets a trace.
const OFTEN: u32 = 10;

/// The code of an exit.
fn leave(exit: u64) -> [Op; 2] {
    [Spill.into(), Leave { exit }.into()]
}

struct Machine {
    vm: Vm,
    slab: Slab,
    /// The loop, where it begins in there, and its exit for odd numbers.
    main: InstalledTrace,
    top: u32,
    odd: Exit,
    /// How often that was taken since it led here, and what it is linked to.
    taken: u32,
    side: Option<InstalledTrace>,
}

impl Machine {
    fn new() -> Result<Machine, Box<dyn Error>> {
        // Annotated, so that it can be listed, and emulated where it does not run.
        let slab = SlabOptions::new(1 << 16).annotate(true).build()?;
        let mut builder = TraceBuilder::new();
        builder.set_name("loop");
        let done = builder.exit(leave(DONE))?;
        let odd = builder.linkable_exit(leave(ODD))?;
        builder.push(Enter)?;
        let top = builder.bind_new()?;
        builder.push(GuardMore { done })?;
        builder.push(GuardEven { odd })?;
        builder.push(Half)?;
        builder.jump(top)?;
        let trace = builder.finish()?;
        Ok(Machine {
            vm: Vm::default(),
            main: slab.install(&trace)?,
            top: trace.label_offset(top).ok_or("the top is not there")?,
            slab,
            odd,
            taken: 0,
            side: None,
        })
    }

    /// Counts the steps from a number on. Returns how often Rust had to help.
    fn count(&mut self, number: u64) -> Result<u32, Box<dyn Error>> {
        (self.vm.number, self.vm.steps) = (number, 0);
        let mut helped = 0;
        loop {
            let left = self.enter()?;
            match left.exit {
                DONE => return Ok(helped),
                ODD => {
                    // The exit has written the state back, so this goes on where the trace left off.
                    assert_eq!(left.operand, self.vm.number);
                    self.vm.number = 3 * self.vm.number + 1;
                    self.vm.steps += 1;
                    helped += 1;
                    self.taken += 1;
                    if self.taken == OFTEN {
                        self.stitch_side_trace()?;
                    }
                }
                other => return Err(format!("nothing is linked to exit {other}").into()),
            }
        }
    }

    /// Makes the trace for odd numbers, and links it in between.
    fn stitch_side_trace(&mut self) -> Result<(), Box<dyn Error>> {
        let function = Target::new(address_of_triple())?;
        let mut builder = TraceBuilder::new();
        builder.set_name("odd");
        let back = builder.linkable_exit(leave(NOT_LINKED))?;
        builder.push(Triple { function })?;
        builder.push(Goto { to: back })?;
        let side = self.slab.install(&builder.finish()?)?;
        side.link_at(back, &self.main, self.top)?;
        // Only now, when it is whole: from here on threads may run it.
        self.main.link(self.odd, &side)?;
        self.side = Some(side);
        Ok(())
    }

    /// Drops that trace. What is linked to it is undone.
    fn drop_side_trace(&mut self) -> Result<(), Box<dyn Error>> {
        self.side = None;
        self.taken = 0;
        assert_eq!(self.main.linked_to(self.odd)?, None);
        // Its space is free again when no thread can be in it any more.
        self.slab.reclaim()?;
        Ok(())
    }

    /// Runs the traces until one is left.
    #[cfg(target_arch = "aarch64")]
    fn enter(&mut self) -> Result<ExitTaken, Box<dyn Error>> {
        let entry = self.main.entry::<extern "C" fn(*mut Vm) -> ExitTaken>();
        // SAFETY: the traces use no more than the machine, keep the stack as it is, and say which exit it was.
        Ok(unsafe { entry.call(&self.slab.pin(), &raw mut self.vm) })
    }

    /// The same with an emulator, into which the slab is loaded as it is now, links and all.
    #[cfg(not(target_arch = "aarch64"))]
    fn enter(&mut self) -> Result<ExitTaken, Box<dyn Error>> {
        let mut emulator = opstitch_emulator::Emulator::new()?;
        emulator.load_slab(&self.slab)?;
        let words = [self.vm.number, self.vm.steps, self.vm.calls];
        let vm = emulator.allocate_bytes(&words.map(u64::to_le_bytes).concat())?;
        emulator.set_x(0, vm)?;
        emulator.on_call(address_of_triple(), |cpu| {
            // What `triple` does, in the emulator's memory.
            let calls = cpu.x(0)? + std::mem::offset_of!(Vm, calls) as u64;
            cpu.write_u64(calls, cpu.read_u64(calls)? + 1)?;
            cpu.set_x(0, 3 * cpu.x(1)? + 1)
        })?;
        emulator.run(self.main.address(), 100_000)?;
        self.vm.number = emulator.read_u64(vm)?;
        self.vm.steps = emulator.read_u64(vm + 8)?;
        self.vm.calls = emulator.read_u64(vm + 16)?;
        let (exit, operand) = (emulator.x(0)?, emulator.x(1)?);
        Ok(ExitTaken { exit, operand })
    }
}

/// Where the runtime's function is. To the emulator it is where we say.
fn address_of_triple() -> u64 {
    match cfg!(target_arch = "aarch64") {
        true => triple as *const () as u64,
        false => 0x7fff_0000_0000,
    }
}

/// The same without traces.
fn collatz(mut number: u64) -> u64 {
    let mut steps = 0;
    while number != 1 {
        number = match number % 2 {
            0 => number / 2,
            _ => 3 * number + 1,
        };
        steps += 1;
    }
    steps
}

/// Counts the steps of some numbers: while an exit gets a trace, with that, and when it has lost it again.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut machine = Machine::new()?;
    let count = |machine: &mut Machine, number, out: &mut dyn Write| {
        let helped = machine.count(number)?;
        let Vm { steps, calls, .. } = machine.vm;
        let by = format!("{helped} of them by Rust, {calls} calls by traces so far");
        writeln!(out, "{number}: {steps} steps, {by}")?;
        assert_eq!(steps, collatz(number), "by whatever way, it is the same");
        Ok::<_, Box<dyn Error>>(())
    };
    for number in [6, 7, 27, 97] {
        count(&mut machine, number, out)?;
    }
    let symbols = Symbols::new().with("triple", address_of_triple());
    writeln!(out, "\n{}", machine.main.listing(&symbols)?)?;
    if let Some(side) = &machine.side {
        writeln!(out, "{}", side.listing(&symbols)?)?;
    }
    machine.drop_side_trace()?;
    count(&mut machine, 871, out)
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
