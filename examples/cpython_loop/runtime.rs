//! The functions of CPython's runtime that the trace calls. Each takes one argument and returns one
//! result, as the C functions do, and does just enough for this loop.

use super::machine::{Fault, Memory};
use super::objects::{EVAL_BREAKER, World};

/// What a request to the interpreter asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Request {
    /// Nothing of consequence.
    #[default]
    Nothing,
    /// To raise `KeyboardInterrupt`.
    Interrupt,
    /// To stop using the executor.
    Invalidate,
}

/// The runtime.
#[derive(Debug)]
pub struct Runtime {
    /// Where everything is.
    pub world: World,
    /// What the next request will ask for.
    pub request: Request,
    /// No object can be made any more.
    pub out_of_memory: bool,
    /// The finalizer of the object that is freed next changes what the executor relies on.
    pub meddling_finalizer: bool,
    /// How many requests were handled.
    pub handled: u32,
    /// The objects that were freed.
    pub freed: Vec<u64>,
}

/// A function of the runtime.
pub type Function = fn(&mut Runtime, &mut dyn Memory, u64) -> Result<u64, Fault>;

impl Runtime {
    /// The functions, by their names in CPython.
    pub const FUNCTIONS: [(&str, Function); 4] = [
        ("_Py_HandlePending", Runtime::handle_pending),
        ("PyLong_FromLong", Runtime::long_from_long),
        ("_Py_Dealloc", Runtime::dealloc),
        ("_PyLong_ExactDealloc", Runtime::exact_dealloc),
    ];

    /// The runtime of a world.
    pub fn new(world: World) -> Runtime {
        Runtime {
            world,
            request: Request::Nothing,
            out_of_memory: false,
            meddling_finalizer: false,
            handled: 0,
            freed: Vec::new(),
        }
    }

    /// Handles the request to a thread; returns -1 if an exception is set now.
    fn handle_pending(&mut self, memory: &mut dyn Memory, thread: u64) -> Result<u64, Fault> {
        self.handled += 1;
        memory.store(thread + EVAL_BREAKER, 0)?;
        match self.request {
            Request::Nothing => {}
            Request::Interrupt => return Ok(-1i64 as u64),
            Request::Invalidate => memory.store(self.world.executor, 0)?,
        }
        Ok(0)
    }

    /// Makes an integer object; returns NULL if there is no memory for it, with an exception set.
    fn long_from_long(&mut self, memory: &mut dyn Memory, value: u64) -> Result<u64, Fault> {
        if self.out_of_memory {
            return Ok(0);
        }
        let kind = self.world.int_type;
        self.world.object(memory, kind, value)
    }

    /// Runs an object's finalizer, and frees it.
    fn dealloc(&mut self, memory: &mut dyn Memory, object: u64) -> Result<u64, Fault> {
        if self.meddling_finalizer {
            memory.store(self.world.executor, 0)?;
        }
        self.freed.push(object);
        Ok(0)
    }

    /// Frees an integer object.
    fn exact_dealloc(&mut self, _memory: &mut dyn Memory, object: u64) -> Result<u64, Fault> {
        self.freed.push(object);
        Ok(0)
    }
}
