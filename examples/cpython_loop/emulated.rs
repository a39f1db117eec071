//! The machine on hosts other than AArch64: an emulator.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use opstitch::{LinkedTrace, Trace};
use opstitch_emulator::{Cpu, Emulator};

use super::machine::{FUNCTIONS, Fault, Layout, Left, MEMORY, Memory};
use super::objects::{STACK_POINTER, World};
use super::runtime::Runtime;

/// A trace that can be run.
pub type Code = LinkedTrace;

/// A place for objects and code: here, addresses that are as good as any.
pub struct Host;

impl Host {
    /// There is always room.
    pub fn new() -> Result<Host, Fault> {
        Ok(Host)
    }

    /// Where everything is.
    pub fn world(&self) -> World {
        World::at(MEMORY, FUNCTIONS)
    }

    /// Makes a trace runnable.
    pub fn publish(&self, trace: &Trace<'_>, layout: &Layout) -> Result<Code, Box<dyn Error>> {
        Ok(trace.link(layout.address())?)
    }
}

/// An AArch64 core, with the memory of a world.
pub struct Machine {
    emulator: Emulator<'static>,
    world: World,
}

impl Machine {
    /// One that calls `runtime` where the trace calls a function.
    pub fn new(host: &Host, runtime: &Rc<RefCell<Runtime>>) -> Result<Machine, Fault> {
        let world = host.world();
        let mut emulator = Emulator::new()?;
        emulator.map(world.start, World::LEN)?;
        for (address, (_, function)) in world.functions.into_iter().zip(Runtime::FUNCTIONS) {
            let runtime = Rc::clone(runtime);
            emulator.on_call(address, move |cpu| {
                let argument = cpu.x(0)?;
                let result = function(&mut runtime.borrow_mut(), cpu, argument)?;
                cpu.set_x(0, result)
            })?;
        }
        Ok(Machine { emulator, world })
    }

    /// Runs a trace until it is left, but for at most `limit` instructions.
    pub fn run(&mut self, code: &Code, limit: u64) -> Result<Left, Fault> {
        let World { frame, thread, .. } = self.world;
        let stack_pointer = self.load(frame + STACK_POINTER)?;
        let emulator = &mut self.emulator;
        emulator.load(code)?;
        for (register, value) in [(21, frame), (22, stack_pointer), (23, thread)] {
            emulator.set_x(register, value)?;
        }
        let outcome = emulator.run(code.address(), limit)?;
        Ok(Left {
            exit: emulator.x(0)? as usize,
            which: emulator.x(1)? as usize,
            instructions: Some(outcome.executed.total()),
        })
    }
}

impl Memory for Machine {
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
