//! Traces that run: on an AArch64 machine, or under QEMU. Elsewhere there is nothing in here.
#![cfg(all(target_arch = "aarch64", unix))]

mod calls;
mod fire;
mod guarded;
mod panics;
mod patches;
#[path = "../slab/support.rs"]
mod support;

use std::process::{Command, Output};

use opstitch::slab::{Argument, InstalledTrace};

/// Says to a test that it is to be run in a process of its own.
const IN_CHILD: &str = "OPSTITCH_TEST_CHILD";

/// Whether this is the process that [`child`] has started.
fn is_child() -> bool {
    std::env::var_os(IN_CHILD).is_some()
}

/// Runs one test of this program again, in a process of its own, where it finds [`is_child`] to be true.
fn child(test: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let emulator = std::env::var("OPSTITCH_QEMU").unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(IN_CHILD, "1").output().unwrap()
}

/// Runs a trace of `support`'s micro-ops with this in `x0`, and returns what it returns there.
fn run(trace: &InstalledTrace, x0: impl Argument) -> u64 {
    let entry = trace.entry::<extern "C" fn(u64) -> u64>();
    let pin = trace.slab().pin();
    // SAFETY: they use no memory but a pointer's that is in `x0`, leave x18, the stack and FPCR alone, and
    // return a number. What they are linked to is of the same kind.
    unsafe { entry.call(&pin, x0.word()) }
}
