//! Running programs on AArch64.

#![allow(unsafe_code)]

use opstitch::Target;
use opstitch::slab::{ReturnValue, Slab};

use super::{Bytes, Error, Loaded, Outcome, Settings, Shared, end};
use crate::context::{self, Region};
use crate::helpers::{Function, Helper, HelperCall, Memory};
use crate::program::Program;
use crate::translate::Translator;
use crate::verify::Verified;

/// Bytes of code that all programs of a machine can have together.
const SLAB: usize = 64 << 20;

/// Translates programs and runs them.
pub struct Machine {
    slab: Slab,
    translator: Translator,
    settings: Settings,
    calls: Vec<HelperCall>,
}

impl Machine {
    /// A machine whose programs may call these helpers.
    ///
    /// # Errors
    /// [`Error::Slab`] if the system gives no executable memory.
    pub fn new(settings: Settings, helpers: &[Helper]) -> Result<Machine, Error> {
        let calls = helpers.iter().map(|helper| {
            // All code of this program is near. A trampoline is what a far one gets.
            let target = match helper.is_far {
                true => Target::retargetable(helper.code as u64)?,
                false => Target::new(helper.code as u64)?,
            };
            let (number, ends) = (helper.number, helper.ends);
            Ok(HelperCall {
                number,
                target,
                ends,
            })
        });
        Ok(Machine {
            slab: Slab::new(SLAB)?,
            translator: Translator::new(settings.options, settings.checks.are_on()),
            settings,
            calls: calls.collect::<Result<_, opstitch::Error>>()?,
        })
    }

    /// Verifies and translates a program.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Translate`]; [`Error::Slab`] if there is no room for it.
    pub fn load(&mut self, program: &Program) -> Result<Loaded, Error> {
        self.slab.reclaim()?;
        let mut shared = Vec::new();
        for data in &program.data {
            share(&mut shared, &data.bytes);
        }
        let addresses: Vec<_> = shared.iter().map(|shared| shared.address).collect();
        let code = program.code_with(&addresses);
        let verified = Verified::new(&code, &self.calls)?;
        let translation = self.translator.translate(&verified)?;
        let installed = self.slab.install(&translation.trace)?;
        Ok(Loaded {
            linked: translation.trace.link(installed.address())?,
            installed,
            origins: translation.origins.to_vec(),
            slots: code.len(),
            shared,
            helpers: self.calls.clone(),
        })
    }

    /// Runs a program on this input: r1 is its address, r2 its length. It stays changed.
    ///
    /// # Errors
    /// None; under the emulator there are some.
    pub fn run(&mut self, loaded: &mut Loaded, input: &mut [u8]) -> Result<Outcome, Error> {
        let mut stack = vec![0u64; context::STACK as usize / 8 + 1];
        // r10 is a multiple of 16, as under the emulator.
        let start = stack.as_mut_ptr() as u64;
        let stack_start = start.next_multiple_of(16);
        // The program finds its input at a multiple of 8, and never behind it what the host has there.
        let mut given = Bytes::new(input);
        let address = match input.len() {
            0 => 0,
            _ => given.words.as_mut_ptr() as u64,
        };
        let len = input.len() as u64;
        let shared = loaded.shared.iter_mut().map(|shared| Region {
            address: shared.bytes.words.as_mut_ptr() as u64,
            len: shared.bytes.len as u64,
        });
        let shared: Vec<_> = shared.collect();
        let words = context::words(
            stack_start,
            Region { address, len },
            &shared,
            self.settings.budget,
        );
        let pin = loaded.installed.slab().pin();
        let entry = loaded
            .installed
            .entry::<extern "C" fn(*const u64, u64, u64) -> Left>();
        // SAFETY: a verified program keeps the stack balanced and leaves its end in x0 and x1. With checks
        // it accesses the memory in `words` only, which outlives the call; whoever left them out vouched for
        // it. Helpers do not unwind: they are `extern "C"`. The pin is of the trace's slab.
        let left = unsafe { entry.call(&pin, words.as_ptr(), address, len) };
        input.copy_from_slice(&given.to_vec());
        Ok(Outcome {
            end: end([left.x0, left.x1]),
            executed: None,
            input: address,
            stack_top: stack_start + context::STACK,
        })
    }
}

/// What a program leaves in x0 and x1 (AAPCS64 6.9: a composite of 16 bytes).
#[repr(C)]
struct Left {
    x0: u64,
    x1: u64,
}

// SAFETY: two integers, which any contents of x0 and x1 are.
unsafe impl ReturnValue for Left {}

/// Puts bytes where they stay, and returns their address.
pub(super) fn share(shared: &mut Vec<Shared>, bytes: &[u8]) -> u64 {
    let mut bytes = Bytes::new(bytes);
    let address = bytes.words.as_mut_ptr() as u64;
    shared.push(Shared { address, bytes });
    address
}

/// The address of a helper's code.
pub(crate) fn entry_of<F: Function>() -> usize {
    let entry: extern "C" fn(*const u64, u64, u64, u64, u64, u64) -> u64 = enter::<F>;
    entry as usize
}

extern "C" fn enter<F: Function>(
    context: *const u64,
    r1: u64,
    r2: u64,
    r3: u64,
    r4: u64,
    r5: u64,
) -> u64 {
    F::call(&mut Host { context }, [r1, r2, r3, r4, r5])
}

/// The program's memory: what its context lists.
struct Host {
    context: *const u64,
}

impl Host {
    fn regions(&self) -> impl Iterator<Item = Region> {
        let mut at = context::REGIONS as usize / 8;
        std::iter::from_fn(move || {
            // SAFETY: the context is that of the program that has called, which runs, and its list ends
            // with a length of 0.
            let [address, len] = unsafe { self.context.add(at).cast::<[u64; 2]>().read() };
            at += 2;
            (len > 0).then_some(Region { address, len })
        })
    }
}

impl Memory for Host {
    fn read(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        context::allow(self.regions(), address, len)?;
        let mut bytes = vec![0; len as usize];
        // SAFETY: the bytes lie in a region that was given to the program, and nobody else uses them now.
        unsafe { std::ptr::copy(address as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Some(bytes)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        context::allow(self.regions(), address, bytes.len() as u64)?;
        // SAFETY: as above.
        unsafe { std::ptr::copy(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        Some(())
    }
}
