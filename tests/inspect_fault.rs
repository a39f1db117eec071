//! A fault in a trace, told by the handler of its signal, on AArch64.
#![cfg(all(target_os = "linux", target_arch = "aarch64"))]

use std::fmt::Write;
use std::process::Command;
use std::sync::OnceLock;

use libc::{c_int, c_void};
use opstitch::TraceBuilder;
use opstitch::slab::{Slab, SlabOptions};

opstitch::uops! {
    registers { object: x19 }

    /// Takes the trace's argument.
    op Enter { ; mov object, x0 }
    /// Loads a field, and faults if there is no object.
    op LoadField(offset: u12) { ; nop ; ldr x9, [object, offset * 8] }
    /// Returns to Rust.
    op Return { ; ldr x30, [sp] ; ret }
}

/// What a handler can find.
static SLAB: OnceLock<Slab> = OnceLock::new();

/// Standard error, without memory or locks.
struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        // SAFETY: a string and its length.
        let written = unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
        if written == text.len() as isize {
            Ok(())
        } else {
            Err(std::fmt::Error)
        }
    }
}

extern "C" fn fault(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands over the context of the instruction that has faulted.
    let pc = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.pc };
    let found = SLAB.get().and_then(|slab| {
        slab.try_locate(pc, |found| match found {
            Some(found) => writeln!(Raw, "fault in {found}"),
            None => writeln!(Raw, "fault elsewhere"),
        })
    });
    let code = if found.is_some() { 3 } else { 4 };
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code) };
}

#[test]
#[ignore = "the other test starts it"]
fn faulting() {
    let slab = SLAB.get_or_init(|| {
        let options = SlabOptions::new(1 << 16).annotate(true);
        options.build().expect("a slab")
    });
    // SAFETY: the handler calls nothing that a handler may not call.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        let set = libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        assert_eq!(set, 0);
    }
    let mut builder = TraceBuilder::new();
    builder.set_name("hot loop");
    builder.push(Enter).expect("a micro-op");
    builder.push(LoadField { offset: 2 }).expect("a micro-op");
    builder.push(LoadField { offset: 3 }).expect("a micro-op");
    builder.push(Return).expect("a micro-op");
    let trace = slab.install(&builder.finish().expect("a trace"));
    let trace = trace.expect("room");
    let entry = trace.entry::<extern "C" fn(u64)>();
    // SAFETY: no object, so that the first load faults, and the handler does not return.
    unsafe { entry.call(&slab.pin(), 0) };
}

#[test]
fn a_handler_tells_a_fault_by_trace_and_micro_op() {
    let this = std::env::current_exe().expect("a path");
    let emulator = std::env::var("OPSTITCH_QEMU").unwrap_or_default();
    let mut words = emulator.split_whitespace().map(std::ffi::OsStr::new);
    let program = words.next().unwrap_or(this.as_os_str());
    let mut command = Command::new(program);
    command.args(words);
    if !emulator.is_empty() {
        command.arg(&this);
    }
    command.args(["faulting", "--exact", "--ignored", "--nocapture"]);
    let output = command.output().expect("a process");
    let told = String::from_utf8_lossy(&output.stderr);
    let expected = "fault in trace 0 \"hot loop\", op 1 LoadField offset=2\n";
    assert!(told.contains(expected), "{told}");
    assert_eq!(output.status.code(), Some(3), "{told}");
}
