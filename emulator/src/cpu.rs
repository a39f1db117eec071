//! What a host closure sees of the guest.

use crate::engine::Guest;
use crate::error::Error;
use crate::registers::{accessors, v_id};

pub(crate) type Callback<'a> = Box<dyn FnMut(&mut Cpu<'_>) -> Result<(), Error> + 'a>;

/// The guest, while a host closure stands for a function that the trace has called.
///
/// Arguments are in `x0` to `x7` and `v0` to `v7`, the address to return to is in `x30`. Registers
/// that the closure sets keep what it set; see [`Emulator::set_clobber`](crate::Emulator::set_clobber)
/// for the others.
pub struct Cpu<'c> {
    engine: Noting<'c>,
    pub(crate) stop: bool,
}

impl<'c> Cpu<'c> {
    pub(crate) fn new(engine: &'c mut (dyn Guest + 'c)) -> Cpu<'c> {
        Cpu {
            engine: Noting {
                engine,
                set: Vec::new(),
            },
            stop: false,
        }
    }

    /// Ends the run when the closure returns: it does not go back to the trace, and
    /// [`run`](crate::Emulator::run) returns [`End::Stopped`](crate::End::Stopped) with every
    /// register as the closure left it.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// The registers that were set, by Unicorn's numbers.
    pub(crate) fn into_set(self) -> Vec<i32> {
        self.engine.set
    }

    accessors!();
}

/// Passes everything on to the engine, and remembers which registers were set.
struct Noting<'c> {
    engine: &'c mut (dyn Guest + 'c),
    set: Vec<i32>,
}

impl Guest for Noting<'_> {
    fn register(&self, id: i32) -> Result<u64, Error> {
        self.engine.register(id)
    }

    fn set_register(&mut self, id: i32, value: u64) -> Result<(), Error> {
        self.set.push(id);
        self.engine.set_register(id, value)
    }

    fn vector(&self, number: u8) -> Result<u128, Error> {
        self.engine.vector(number)
    }

    fn set_vector(&mut self, number: u8, value: u128) -> Result<(), Error> {
        self.set.push(v_id(number)?);
        self.engine.set_vector(number, value)
    }

    fn check(&self, address: u64, len: usize) -> Result<(), Error> {
        self.engine.check(address, len)
    }

    fn read_into(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.engine.read_into(address, bytes)
    }

    fn write_from(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        self.engine.write_from(address, bytes)
    }
}
