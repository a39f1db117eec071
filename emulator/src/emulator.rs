//! The emulator, as its users see it.

use opstitch::LinkedTrace;
use unicorn_engine::Context;

use crate::cpu::Cpu;
use crate::engine::{self, Engine, Guest};
use crate::error::{Error, Occupant};
use crate::memory::{ENTRY_SP, Kind, PAGE, RETURN_ADDRESS, STACK_LEN, STACK_TOP, pages};
use crate::outcome::{Executed, Outcome};
use crate::registers::{NZCV, SP, accessors};
use crate::run;
use crate::trace::Loaded;

/// An AArch64 core with memory, traces, and host closures for their call targets.
///
/// Creating one takes half a millisecond or more, [`clear`](Emulator::clear) a hundredth of that:
/// keep one for thousands of traces. Closures may borrow what lives for `'a`.
pub struct Emulator<'a> {
    pub(crate) engine: Engine<'a>,
    /// The core as it was at first, with its system registers.
    fresh: Context,
}

impl<'a> Emulator<'a> {
    /// A core with a stack, and nothing else in its memory. All registers but `sp` are zero.
    ///
    /// # Errors
    /// [`Error::Unicorn`] if there is no memory for a core.
    pub fn new() -> Result<Emulator<'a>, Error> {
        let mut engine = engine::new()?;
        engine::map(&mut engine, RETURN_ADDRESS, PAGE, Kind::Return)?;
        engine::map(&mut engine, STACK_TOP - STACK_LEN, STACK_LEN, Kind::Stack)?;
        engine.set_register(SP, ENTRY_SP)?;
        engine.set_register(NZCV, 0)?;
        let fresh = engine
            .context_init()
            .map_err(Error::unicorn("remember the state of the core"))?;
        Ok(Emulator { engine, fresh })
    }

    /// Puts a trace at its address, where the guest can read and execute it, but not write. Traces
    /// and call targets may share pages.
    ///
    /// # Errors
    /// [`Error::Overlap`] where another trace, a call target or guest memory lies, [`Error::TooLong`] where the
    /// address space ends, [`Error::OutOfMemory`].
    pub fn load(&mut self, linked: &LinkedTrace) -> Result<(), Error> {
        self.put(Loaded::new(linked), linked.bytes())
    }

    pub(crate) fn put(&mut self, trace: Loaded, bytes: &[u8]) -> Result<(), Error> {
        let (address, len) = (trace.address, trace.len);
        let overlap = |occupant| Error::Overlap {
            address,
            len,
            occupant,
        };
        let state = self.engine.get_data();
        if let Some(other) = state.traces.overlapping(address, len) {
            return Err(overlap(Occupant::Trace(other.address)));
        }
        if let Some(target) = state.calls.keys().find(|&&target| trace.holds(target)) {
            return Err(overlap(Occupant::Target(*target)));
        }
        engine::map(&mut self.engine, address, len, Kind::Code)?;
        self.engine.write_from(address, bytes)?;
        self.engine.get_data_mut().traces.insert(trace);
        Ok(())
    }

    /// Takes the trace away that was loaded at `address`. Call targets and memory stay.
    ///
    /// # Errors
    /// [`Error::NoSuchTrace`] if no trace begins there.
    pub fn unload(&mut self, address: u64) -> Result<(), Error> {
        let state = self.engine.get_data_mut();
        let trace = state.traces.remove(address);
        let trace = trace.ok_or(Error::NoSuchTrace { address })?;
        self.engine
            .write_from(address, &vec![0; trace.len as usize])?;
        let state = self.engine.get_data_mut();
        for page in pages(address, trace.len)? {
            let used = state.traces.overlapping(page, PAGE).is_some()
                || state
                    .calls
                    .keys()
                    .any(|target| target / PAGE * PAGE == page);
            if !used {
                state.pages.retain(|other, _| other != page);
            }
        }
        self.forget_pages()
    }

    /// Takes away all traces, call targets and memory, and resets every register: as after
    /// [`new`](Emulator::new), but faster. [`set_clobber`](Emulator::set_clobber) stays as it is.
    ///
    /// # Errors
    /// [`Error::Unicorn`] if the core cannot be reset.
    pub fn clear(&mut self) -> Result<(), Error> {
        let state = self.engine.get_data_mut();
        state.traces.clear();
        state.calls.clear();
        state.run = Default::default();
        state
            .pages
            .retain(|_, kind| matches!(kind, Kind::Stack | Kind::Return));
        state.pages.rewind();
        let stack = STACK_TOP - STACK_LEN;
        self.engine.write_from(stack, &[0; STACK_LEN as usize])?;
        self.engine
            .context_restore(&self.fresh)
            .map_err(Error::unicorn("reset the core"))?;
        self.forget_pages()
    }

    /// Pages were taken away.
    fn forget_pages(&mut self) -> Result<(), Error> {
        self.engine
            .ctl_flush_tlb()
            .map_err(Error::unicorn("forget pages"))
    }

    /// Guest memory that may be read and written: `len` bytes, all zero, 16-aligned, of which the
    /// address is returned. The pages before and behind are not mapped, and the last byte of the
    /// memory (rounded up to 16) is the last of its page, so running past the end is a fault.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the guest has no more memory.
    pub fn allocate(&mut self, len: usize) -> Result<u64, Error> {
        let state = self.engine.get_data_mut();
        let address = state.pages.choose_address(len as u64)?;
        let kind = Kind::Memory { chosen: false };
        engine::map(&mut self.engine, address, len as u64, kind)?;
        Ok(address)
    }

    /// [`allocate`](Emulator::allocate), with something in it.
    ///
    /// # Errors
    /// As [`allocate`](Emulator::allocate).
    pub fn allocate_bytes(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let address = self.allocate(bytes.len())?;
        self.engine.write_from(address, bytes)?;
        Ok(address)
    }

    /// Guest memory that may be read and written, at an address of the caller's choice, all zero
    /// where it was not mapped before. What is mapped are whole pages of 4 KiB.
    ///
    /// # Errors
    /// [`Error::Overlap`] where code or the emulator's own pages lie, [`Error::TooLong`] where the address space
    /// ends, [`Error::OutOfMemory`].
    pub fn map(&mut self, address: u64, len: usize) -> Result<(), Error> {
        let kind = Kind::Memory { chosen: true };
        engine::map(&mut self.engine, address, len as u64, kind)
    }

    /// Gives the call target at `target` a closure, instead of the one that it may have.
    ///
    /// An error that the closure returns ends the run with [`Error::InCall`]; a panic goes on from
    /// [`run`](Emulator::run), and leaves the emulator usable. A target may be anywhere but in a
    /// loaded trace or on a page of guest memory.
    ///
    /// # Errors
    /// [`Error::Unaligned`] if `target` is not a multiple of 4, [`Error::Overlap`] if it is in a loaded trace or on a
    /// page of guest memory, [`Error::OutOfMemory`].
    pub fn on_call(
        &mut self,
        target: u64,
        closure: impl FnMut(&mut Cpu<'_>) -> Result<(), Error> + 'a,
    ) -> Result<(), Error> {
        if !target.is_multiple_of(4) {
            return Err(Error::Unaligned { address: target });
        }
        let len = run::RET.len() as u64;
        let state = self.engine.get_data();
        if let Some(trace) = state.traces.overlapping(target, len) {
            return Err(Error::Overlap {
                address: target,
                len,
                occupant: Occupant::Trace(trace.address),
            });
        }
        engine::map(&mut self.engine, target, len, Kind::Code)?;
        self.engine.write_from(target, &run::RET)?;
        let state = self.engine.get_data_mut();
        state.calls.insert(target, Some(Box::new(closure)));
        Ok(())
    }

    /// Should the registers that a function may change hold junk after a host call? They do, unless
    /// this is called with `false`: `x0` to `x17`, `v0` to `v7`, `v16` to `v31`, the upper halves of
    /// `v8` to `v15`, and the flags, each but for what the closure itself has set. What a trace
    /// wants to keep across a call belongs in `x19` to `x28`, in `d8` to `d15`, or in memory.
    pub fn set_clobber(&mut self, clobber: bool) {
        self.engine.get_data_mut().clobber = clobber;
    }

    /// Runs from `entry` (an instruction of a loaded trace, mostly its first) until the trace
    /// returns or a closure stops it, but no more than `limit` instructions. It begins
    /// as where opstitch enters a trace: `x30` and `[sp]` are an address that ends the run when the trace
    /// goes there, and `x29` is a frame record. All other registers are as they were left.
    ///
    /// # Errors
    /// [`Error::NoEntry`] if `entry` is no instruction of a loaded trace; [`Error::Limit`], [`Error::ReturnsIntoItself`],
    /// [`Error::Fault`], [`Error::NoTarget`], [`Error::Unbalanced`], [`Error::FrameRecord`] and [`Error::InCall`] for what the
    /// trace did.
    pub fn run(&mut self, entry: u64, limit: u64) -> Result<Outcome, Error> {
        run::run(&mut self.engine, entry, limit)
    }

    /// The instructions that completed in the last run, one that failed included.
    pub fn executed(&self) -> Executed {
        self.engine.get_data().run.executed
    }

    accessors!();
}

impl std::fmt::Debug for Emulator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").finish_non_exhaustive()
    }
}
