//! The trace of `cpython_loop`.

use opstitch::{Error, Target};

use super::Program;
use super::cpython_loop::machine::{FUNCTIONS, MEMORY};
use super::cpython_loop::objects::World;
use super::cpython_loop::trace::{exits, micro_ops};
use super::cpython_loop::uops::Op;
#[cfg(not(target_arch = "aarch64"))]
use super::cpython_loop::{cases, emulated::Host};
use super::ladder::Calls;

/// The program.
pub struct CpythonLoop {
    world: World,
}

impl Default for CpythonLoop {
    /// The loop, with its objects where `cpython_loop` has them.
    fn default() -> Self {
        CpythonLoop {
            world: World::at(MEMORY, FUNCTIONS),
        }
    }
}

impl Program for CpythonLoop {
    fn name(&self) -> &'static str {
        "cpython_loop"
    }

    fn stitch(&self, calls: &mut Calls<'_>) -> Result<(), Error> {
        let top = calls.builder().label();
        let mut handles = Vec::new();
        for code in exits(&self.world) {
            handles.push(calls.builder().exit([code])?);
        }
        let mut ops = micro_ops(&self.world, &handles, top)?;
        for (number, op) in ops.iter_mut().enumerate() {
            if number == 1 {
                calls.builder().bind(top)?;
            }
            if let Some(function) = called(op) {
                *function = calls.callee(function.address())?;
            }
            calls.push(*op)?;
        }
        Ok(())
    }

    #[cfg(not(target_arch = "aarch64"))]
    fn check(&self, trace: &opstitch::LinkedTrace) -> Result<(), Box<dyn std::error::Error>> {
        let mut cases = cases::CASES.iter();
        cases.try_for_each(|case| cases::run(case, &Host, trace).map(drop))
    }

    #[cfg(not(target_arch = "aarch64"))]
    fn executed(
        &self,
        trace: &opstitch::LinkedTrace,
        rounds: u64,
    ) -> Result<u64, Box<dyn std::error::Error>> {
        let left = cases::count(&Host, trace, rounds as i64)?;
        Ok(left.instructions.ok_or("the emulator counts them")?)
    }
}

/// The function that a micro-op calls, if it does.
fn called(op: &mut Op) -> Option<&mut Target> {
    match op {
        Op::_CHECK_PERIODIC(op) => Some(&mut op.handle_pending),
        Op::_ITER_NEXT_RANGE(op) => Some(&mut op.from_long),
        Op::_POP_TOP(op) => Some(&mut op.dealloc),
        Op::_POP_TOP_INT(op) => Some(&mut op.exact_dealloc),
        _ => None,
    }
}
