//! The trace of `cpython_loop`.

use opstitch::Error;

use super::Program;
use super::cpython_loop::machine::{FUNCTIONS, MEMORY};
use super::cpython_loop::objects::World;
use super::cpython_loop::trace::{exits, micro_ops};
use super::cpython_loop::uops::Op;
#[cfg(not(target_arch = "aarch64"))]
use super::cpython_loop::{cases, emulated::Host};
use super::ladder::{Calls, Library, OwnTrampolines};

/// The four micro-ops that call, with trampolines that are micro-ops too. They are otherwise as in
/// `cpython_loop`.
#[allow(non_camel_case_types)]
mod labelled {
    opstitch::uops! {
        registers {
            frame: x21, stack_pointer: x22, thread: x23, cache0: x24, cache2: x26
        }

        const REFCOUNT = 0;
        const RANGE_START = 16; // and RANGE_STEP = 24
        const RANGE_LEN = 32;
        const STACK_POINTER = 8;
        const EVAL_BREAKER = 8;
        const TAG = 3;
        const TAG_INT = 3;

        op _CHECK_PERIODIC(handle_pending: label, error: exit) {
            ; ldrb w9, [thread, EVAL_BREAKER]
            ; cbnz w9, >pending
            ; done:
        } cold {
            ; pending:
            ; str stack_pointer, [frame, STACK_POINTER]
            ; mov x0, thread
            ; bl =>handle_pending
            ; cbnz w0, =>error
            ; b <done
        }

        op _ITER_NEXT_RANGE(from_long: label, error: exit) {
            ; ldp x9, x10, [cache0, RANGE_START]
            ; ldr x11, [cache0, RANGE_LEN]
            ; add x10, x9, x10
            ; sub x11, x11, #1
            ; str x10, [cache0, RANGE_START]
            ; str x11, [cache0, RANGE_LEN]
            ; lsl cache2, x9, #2
            ; cmp x9, cache2, asr #2
            ; b.ne >big
            ; orr cache2, cache2, TAG_INT
            ; done:
        } cold {
            ; big:
            ; mov x0, x9
            ; bl =>from_long
            ; cbz x0, =>error
            ; mov cache2, x0
            ; b <done
        }

        op _POP_TOP(dealloc: label) {
            ; tst cache0, TAG
            ; b.eq >owned
            ; done:
        } cold {
            ; owned:
            ; cbz cache0, <done
            ; ldr w9, [cache0, REFCOUNT]
            ; tbnz w9, #31, <done
            ; subs w9, w9, #1
            ; str w9, [cache0, REFCOUNT]
            ; b.ne <done
            ; str stack_pointer, [frame, STACK_POINTER]
            ; mov x0, cache0
            ; bl =>dealloc
            ; b <done
        }

        op _POP_TOP_INT(exact_dealloc: label) {
            ; tst cache0, TAG
            ; b.eq >owned
            ; done:
        } cold {
            ; owned:
            ; ldr w9, [cache0, REFCOUNT]
            ; tbnz w9, #31, <done
            ; subs w9, w9, #1
            ; str w9, [cache0, REFCOUNT]
            ; b.ne <done
            ; mov x0, cache0
            ; bl =>exact_dealloc
            ; b <done
        }
    }
}

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

impl CpythonLoop {
    /// Stitches the trace, with `push` for each micro-op.
    fn stitch<C: Calls>(
        &self,
        calls: &mut C,
        push: impl Fn(&mut C, Op) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let builder = calls.builder();
        let top = builder.label();
        let mut handles = Vec::new();
        for code in exits(&self.world) {
            handles.push(builder.exit([code])?);
        }
        for (number, op) in micro_ops(&self.world, &handles, top)?
            .into_iter()
            .enumerate()
        {
            if number == 1 {
                calls.builder().bind(top)?;
            }
            push(calls, op)?;
        }
        Ok(())
    }
}

impl Program for CpythonLoop {
    fn name(&self) -> &'static str {
        "cpython_loop"
    }

    fn stitch_direct(&self, calls: &mut Library<'_>) -> Result<(), Error> {
        self.stitch(calls, |calls, op| calls.push(op))
    }

    fn stitch_labelled(&self, calls: &mut OwnTrampolines<'_>) -> Result<(), Error> {
        self.stitch(calls, |calls, op| match op {
            Op::_CHECK_PERIODIC(op) => {
                let handle_pending = calls.callee(op.handle_pending.address())?;
                let error = op.error;
                calls.push(labelled::_CHECK_PERIODIC {
                    handle_pending,
                    error,
                })
            }
            Op::_ITER_NEXT_RANGE(op) => {
                let from_long = calls.callee(op.from_long.address())?;
                let error = op.error;
                calls.push(labelled::_ITER_NEXT_RANGE { from_long, error })
            }
            Op::_POP_TOP(op) => {
                let dealloc = calls.callee(op.dealloc.address())?;
                calls.push(labelled::_POP_TOP { dealloc })
            }
            Op::_POP_TOP_INT(op) => {
                let exact_dealloc = calls.callee(op.exact_dealloc.address())?;
                calls.push(labelled::_POP_TOP_INT { exact_dealloc })
            }
            other => calls.push(other),
        })
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
