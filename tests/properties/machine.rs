//! Running a linked program under the emulator.

use std::cell::RefCell;
use std::rc::Rc;

use opstitch::LinkedTrace;
use opstitch_emulator::{Emulator, End, Error, Executed};

use crate::model::{State, function};
use crate::program::Program;

/// Where traces return to: a call target that stops the run.
const STOP: u64 = 0x3000_0000_0000;

/// What no program comes near: they run through their few hundred steps a few times.
const LIMIT: u64 = 1_000_000;

/// Runs a trace, changes `state` as it does, and returns what is in `x0` at its end and what it
/// executed.
pub(crate) fn run(
    emulator: &mut Emulator<'static>,
    linked: &LinkedTrace,
    program: &Program,
    state: &mut State,
) -> Result<(u64, Executed), Error> {
    emulator.clear()?;
    emulator.load(linked)?;
    let calls = Rc::new(RefCell::new(Vec::new()));
    for target in program.settings.targets() {
        let (address, calls) = (target.address(), Rc::clone(&calls));
        emulator.on_call(address, move |cpu| {
            let (x0, x1) = (cpu.x(0)?, cpu.x(1)?);
            calls.borrow_mut().push((address, x0, x1));
            cpu.set_x(0, function(address, x0, x1))
        })?;
    }
    emulator.on_call(STOP, |cpu| {
        cpu.stop();
        Ok(())
    })?;
    let memory = emulator.allocate(64)?;
    for (n, &value) in (0..).zip(&state.memory) {
        emulator.write_u64(memory + 8 * n, value)?;
    }
    for (n, &value) in (20..).zip(&state.r) {
        emulator.set_x(n, value)?;
    }
    emulator.set_x(24, memory)?;
    emulator.set_x(25, state.fuel)?;
    emulator.set_x(28, STOP)?;
    let outcome = emulator.run(linked.address(), LIMIT)?;
    assert_eq!(outcome.end, End::Stopped, "the trace returned on its own");
    for (n, value) in (0..).zip(&mut state.memory) {
        *value = emulator.read_u64(memory + 8 * n)?;
    }
    for (n, value) in (20..).zip(&mut state.r) {
        *value = emulator.x(n)?;
    }
    state.fuel = emulator.x(25)?;
    state.calls = calls.take();
    Ok((emulator.x(0)?, outcome.executed))
}
