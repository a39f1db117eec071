//! The machine on hosts other than AArch64: an emulator.

use std::cell::RefCell;

use opstitch::LinkedTrace;
use opstitch_emulator::{Cpu, Emulator};

use super::machine::{FUNCTIONS, Fault, Left, Memory};
use super::objects::{STACK_POINTER, World};
use super::runtime::Runtime;

/// An AArch64 core, with the memory of a world.
pub struct Machine<'r> {
    emulator: Emulator<'r>,
    runtime: &'r RefCell<Runtime>,
}

impl<'r> Machine<'r> {
    /// One that calls `runtime` where the trace calls a function.
    pub fn new(runtime: &'r RefCell<Runtime>) -> Result<Machine<'r>, Fault> {
        let mut emulator = Emulator::new()?;
        emulator.map(runtime.borrow().world.start, World::LEN)?;
        for (address, (_, function)) in FUNCTIONS.into_iter().zip(Runtime::FUNCTIONS) {
            emulator.on_call(address, move |cpu| {
                let argument = cpu.x(0)?;
                let result = function(&mut runtime.borrow_mut(), cpu, argument)?;
                cpu.set_x(0, result)
            })?;
        }
        Ok(Machine { emulator, runtime })
    }

    /// Runs a trace until it is left, but for at most `limit` instructions.
    pub fn run(&mut self, trace: &LinkedTrace, limit: u64) -> Result<Left, Fault> {
        let World { frame, thread, .. } = self.runtime.borrow().world;
        let stack_pointer = self.load(frame + STACK_POINTER)?;
        let emulator = &mut self.emulator;
        emulator.load(trace)?;
        for (register, value) in [(21, frame), (22, stack_pointer), (23, thread)] {
            emulator.set_x(register, value)?;
        }
        let outcome = emulator.run(trace.address(), limit)?;
        Ok(Left {
            exit: emulator.x(0)? as usize,
            which: emulator.x(1)? as usize,
            stack_pointer: emulator.x(22)?,
            instructions: outcome.executed.total(),
        })
    }
}

impl Memory for Machine<'_> {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        self.emulator.read_u64(address)
    }

    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.emulator.write_u64(address, value)
    }
}

impl Memory for Cpu<'_> {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        self.read_u64(address)
    }

    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.write_u64(address, value)
    }
}
