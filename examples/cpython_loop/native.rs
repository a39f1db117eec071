//! The machine on AArch64: the processor itself, with the program's own memory, and with slabs for the code.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;

use opstitch::slab::{ExitTaken, InstalledTrace, Slab, SlabOptions};
use opstitch::{Trace, TraceBuilder};

use super::machine::{Fault, Layout, Left, Memory};
use super::objects::{STACK_POINTER, World};
use super::runtime::Runtime;

/// What CPython's shim is to its traces: the way in from C. It is a trace of its own.
mod shim {
    opstitch::uops! {
        registers { frame: x21, stack_pointer: x22, thread: x23 }

        /// Pins what the trace expects to be pinned, and goes to its entry, which is in `x3`.
        op Shim {
            ; mov frame, x0
            ; mov stack_pointer, x1
            ; mov thread, x2
            ; br x3
        }
    }
}

/// A trace that can be run, and the way into it.
pub struct Code {
    shim: InstalledTrace,
    trace: InstalledTrace,
}

/// A place for objects and code.
pub struct Host {
    objects: Objects,
    near: Slab,
    far: Slab,
}

impl Host {
    /// Asks the system for the memory.
    pub fn new() -> Result<Host, Box<dyn Error>> {
        let here = Host::new as *const () as u64;
        Ok(Host {
            objects: Objects(vec![Cell::new(0); World::LEN / 8].into()),
            near: Slab::new(1 << 16)?,
            far: SlabOptions::new(1 << 16).near(here ^ 1 << 45).build()?,
        })
    }

    /// Where everything is.
    pub fn world(&self) -> World {
        let functions = [function::<0>, function::<1>, function::<2>, function::<3>];
        let functions =
            functions.map(|function: extern "C" fn(u64) -> u64| function as usize as u64);
        World::at(self.objects.start(), functions)
    }

    /// Makes a trace runnable.
    pub fn publish(&self, trace: &Trace<'_>, layout: &Layout) -> Result<Code, Box<dyn Error>> {
        let slab = if layout.near { &self.near } else { &self.far };
        let mut builder = TraceBuilder::new();
        builder.push(shim::Shim)?;
        Ok(Code {
            shim: slab.install(&builder.finish()?)?,
            trace: slab.install(trace)?,
        })
    }
}

thread_local! {
    /// What the functions that a trace calls find, as CPython's find theirs.
    static CURRENT: RefCell<Option<(Rc<RefCell<Runtime>>, Objects)>> = const { RefCell::new(None) };
}

/// A function of the runtime, as C has it.
extern "C" fn function<const NUMBER: usize>(argument: u64) -> u64 {
    let (_, function) = Runtime::FUNCTIONS[NUMBER];
    CURRENT.with_borrow_mut(|current| {
        let (runtime, objects) = current.as_mut().expect("a trace is being run");
        let Ok(result) = function(&mut runtime.borrow_mut(), objects, argument);
        result
    })
}

/// The processor, with the memory of a world.
pub struct Machine {
    runtime: Rc<RefCell<Runtime>>,
    objects: Objects,
    world: World,
}

impl Machine {
    /// One that calls `runtime` where the trace calls a function.
    pub fn new(host: &Host, runtime: &Rc<RefCell<Runtime>>) -> Result<Machine, Fault> {
        let objects = host.objects.clone();
        objects.0.iter().for_each(|word| word.set(0));
        let (runtime, world) = (Rc::clone(runtime), host.world());
        Ok(Machine {
            runtime,
            objects,
            world,
        })
    }

    /// Runs a trace until it is left. (Nobody counts its instructions here, or limits them.)
    pub fn run(&mut self, code: &Code, _limit: u64) -> Result<Left, Fault> {
        let World { frame, thread, .. } = self.world;
        let stack_pointer = self.load(frame + STACK_POINTER)?;
        CURRENT.set(Some((Rc::clone(&self.runtime), self.objects.clone())));
        let entry = code
            .shim
            .entry::<extern "C" fn(u64, u64, u64, u64) -> ExitTaken>();
        let pin = code.trace.slab().pin();
        // SAFETY: the shim runs a trace of the same slab. It was stitched for this world, whose objects are
        // valid, and returns an exit and an operand.
        let taken = unsafe { entry.call(&pin, frame, stack_pointer, thread, code.trace.address()) };
        CURRENT.set(None);
        Ok(Left {
            exit: taken.exit as usize,
            which: taken.operand as usize,
            instructions: None,
        })
    }
}

impl Memory for Machine {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        self.objects.load(address)
    }

    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.objects.store(address, value)
    }
}

/// The memory of a world.
#[derive(Clone)]
struct Objects(Rc<[Cell<u64>]>);

impl Objects {
    fn start(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    fn word(&self, address: u64) -> &Cell<u64> {
        assert!(address.is_multiple_of(8), "{address:#x}");
        &self.0[(address - self.start()) as usize / 8]
    }
}

impl Memory for Objects {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        Ok(self.word(address).get())
    }

    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.word(address).set(value);
        Ok(())
    }
}
