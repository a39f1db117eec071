//! Running programs under an emulator.

use std::cell::RefCell;
use std::rc::Rc;

use opstitch::Target;
use opstitch_emulator::{Cpu, Emulator};

use super::{Bytes, Error, Loaded, Outcome, Settings, Shared, end};
use crate::context::{self, Region};
use crate::helpers::{Helper, HelperCall, Memory};
use crate::program::Program;
use crate::translate::Translator;
use crate::verify::Verified;

/// Where programs are linked to.
const CODE: u64 = 0x10_0000_0000;
/// Where helpers are, 16 bytes apart: in reach of `bl`, and beyond.
const NEAR: u64 = CODE - 0x10_0000;
const FAR: u64 = 0x7f00_0000_0000;
/// Where the data of programs is.
const DATA: u64 = 0x20_0000_0000;
/// The most instructions of one run.
const LIMIT: u64 = 1 << 40;

/// Translates programs and runs them.
pub struct Machine {
    emulator: Emulator<'static>,
    translator: Translator,
    settings: Settings,
    helpers: Vec<Helper>,
    calls: Vec<HelperCall>,
    /// What helpers may access in the run that is under way.
    regions: Rc<RefCell<Vec<Region>>>,
}

impl Machine {
    /// A machine whose programs may call these helpers.
    ///
    /// # Errors
    /// [`Error::Emulator`] if there is no memory for it.
    pub fn new(settings: Settings, helpers: &[Helper]) -> Result<Machine, Error> {
        let calls = helpers.iter().zip(0..).map(|(helper, index)| {
            let start = if helper.is_far { FAR } else { NEAR };
            Ok(HelperCall {
                number: helper.number,
                target: Target::new(start + 16 * index)?,
                ends: helper.ends,
            })
        });
        Ok(Machine {
            emulator: Emulator::new()?,
            translator: Translator::new(settings.options, settings.checks.are_on()),
            settings,
            helpers: helpers.to_vec(),
            calls: calls.collect::<Result<_, opstitch::Error>>()?,
            regions: Rc::default(),
        })
    }

    /// Verifies and translates a program.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Translate`].
    pub fn load(&mut self, program: &Program) -> Result<Loaded, Error> {
        let mut shared = Vec::new();
        for data in &program.data {
            share(&mut shared, &data.bytes);
        }
        let addresses: Vec<_> = shared.iter().map(|shared| shared.address).collect();
        let code = program.code_with(&addresses);
        let verified = Verified::new(&code, &self.calls)?;
        let translation = self.translator.translate(&verified)?;
        Ok(Loaded {
            linked: translation.trace.link(CODE)?,
            origins: translation.origins.to_vec(),
            slots: code.len(),
            shared,
            helpers: self.calls.clone(),
        })
    }

    /// Runs a program on this input: r1 is its address, r2 its length. It stays changed.
    ///
    /// # Errors
    /// [`Error::Emulator`], also for what only a program without checks can do.
    pub fn run(&mut self, loaded: &mut Loaded, input: &mut [u8]) -> Result<Outcome, Error> {
        let emulator = &mut self.emulator;
        emulator.clear()?;
        emulator.load(&loaded.linked)?;
        for (helper, call) in self.helpers.iter().zip(&self.calls) {
            let (body, regions) = (helper.body, self.regions.clone());
            emulator.on_call(call.target.address(), move |cpu| {
                let mut arguments = [0; 5];
                for (argument, number) in arguments.iter_mut().zip(1..) {
                    *argument = cpu.x(number)?;
                }
                let regions = regions.borrow();
                let result = body(
                    &mut Guest {
                        cpu,
                        regions: &regions,
                    },
                    arguments,
                );
                cpu.set_x(0, result)
            })?;
        }
        let mut regions = Vec::new();
        for shared in &loaded.shared {
            let len = shared.bytes.len as u64;
            emulator.map(shared.address, shared.bytes.len.max(1))?;
            emulator.write(shared.address, &shared.bytes.to_vec())?;
            regions.push(Region {
                address: shared.address,
                len,
            });
        }
        let stack = emulator.allocate(context::STACK as usize)?;
        let address = match input.len() {
            0 => 0,
            _ => emulator.allocate_bytes(input)?,
        };
        let len = input.len() as u64;
        let given = Region { address, len };
        let words = context::words(stack, given, &regions, self.settings.budget);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let context = emulator.allocate_bytes(&bytes)?;
        regions.extend([
            given,
            Region {
                address: stack,
                len: context::STACK,
            },
        ]);
        self.regions.replace(regions);

        for (register, value) in (0..).zip([context, address, len]) {
            emulator.set_x(register, value)?;
        }
        let outcome = emulator.run(loaded.linked.address(), LIMIT)?;
        if !input.is_empty() {
            input.copy_from_slice(&emulator.read(address, input.len())?);
        }
        for shared in &mut loaded.shared {
            let bytes = emulator.read(shared.address, shared.bytes.len)?;
            shared.bytes = Bytes::new(&bytes);
        }
        Ok(Outcome {
            end: end([emulator.x(0)?, emulator.x(1)?]),
            executed: Some(outcome.executed.total()),
            input: address,
            stack_top: stack + context::STACK,
        })
    }
}

/// Finds an address for bytes, with a page that is not mapped in between.
pub(super) fn share(shared: &mut Vec<Shared>, bytes: &[u8]) -> u64 {
    let last = shared.last();
    let next = last.map_or(DATA, |last| last.address + last.bytes.len as u64);
    let address = next.next_multiple_of(4096) + 4096;
    let bytes = Bytes::new(bytes);
    shared.push(Shared { address, bytes });
    address
}

/// The program's memory in the emulator.
struct Guest<'c, 'e> {
    cpu: &'c mut Cpu<'e>,
    regions: &'c [Region],
}

impl Memory for Guest<'_, '_> {
    fn read(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        context::allow(self.regions.iter().copied(), address, len)?;
        self.cpu.read(address, len as usize).ok()
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        context::allow(self.regions.iter().copied(), address, bytes.len() as u64)?;
        self.cpu.write(address, bytes).ok()
    }
}
