//! Backtraces taken in functions that traces call, on AArch64.
#![cfg(all(unix, target_arch = "aarch64"))]

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::process::Command;

use opstitch::slab::{InstalledTrace, Mapping, Slab, SlabOptions};
use opstitch::{Target, TraceBuilder};

opstitch::uops! {
    registers { text: x19, counter: x20, saved: d8 }

    /// Takes the trace's argument, and spoils what it may spoil.
    op Enter {
        ; mov text, x0
        ; movz x21, #0xdead
        ; movz x28, #0xbeef
        ; fmov saved, 1.0
    }
    /// Calls with the argument.
    op Call(function: call) { ; mov x0, text ; bl =>function }
    /// Calls out of line, with more on the stack.
    op CallCold(function: call) {
        ; b >cold
        ; back:
    } cold {
        ; cold:
        ; sub sp, sp, #48
        ; mov x0, text
        ; bl =>function
        ; add sp, sp, #48
        ; b <back
    }
    /// Returns to Rust.
    op Return { ; ldr x30, [sp] ; ret }
}

/// What traces call here.
#[inline(never)]
extern "C" fn runtime_function(text: *mut String) {
    // SAFETY: the trace hands on what it was called with.
    let text = unsafe { &mut *text };
    *text = Backtrace::force_capture().to_string();
    black_box(text);
}

#[inline(never)]
fn rust_caller(trace: &InstalledTrace) -> String {
    let mut text = String::new();
    let entry = trace.entry::<extern "C" fn(*mut String)>();
    // SAFETY: the trace calls `runtime_function`, which does not unwind, and the slab is pinned.
    unsafe { entry.call(&trace.slab().pin(), &raw mut text) };
    black_box(text)
}

#[inline(never)]
fn rust_callers_caller(trace: &InstalledTrace) -> String {
    black_box(rust_caller(trace))
}

/// The functions of a backtrace that are this file's, from the innermost.
fn functions(backtrace: &str) -> Vec<&'static str> {
    let lines = backtrace.lines();
    let known = |line: &str| {
        // Optimized, a name is without its path.
        let name = line.trim_end().rsplit([':', ' ']).next()?;
        ALL.into_iter().find(|&known| known == name)
    };
    lines.filter_map(known).collect()
}

const ALL: [&str; 3] = ["runtime_function", "rust_caller", "rust_callers_caller"];

fn function() -> u64 {
    runtime_function as *const () as u64
}

fn install(slab: &Slab, target: Target, cold: bool) -> InstalledTrace {
    let mut builder = TraceBuilder::new();
    builder.push(Enter).expect("a micro-op");
    if cold {
        builder.push(CallCold { function: target })
    } else {
        builder.push(Call { function: target })
    }
    .expect("a micro-op");
    builder.push(Return).expect("a micro-op");
    slab.install(&builder.finish().expect("a trace"))
        .expect("room")
}

fn slab() -> Slab {
    Slab::new(1 << 20).expect("a slab")
}

#[test]
fn a_backtrace_leads_through_a_trace_to_its_callers() {
    let slab = slab();
    slab.register_frames().expect("the unwinder is told");
    // Directly where the slab is near enough, and through a trampoline.
    for target in [Target::new, Target::retargetable] {
        for cold in [false, true] {
            let trace = install(&slab, target(function()).expect("a target"), cold);
            let text = rust_callers_caller(&trace);
            assert_eq!(functions(&text), ALL, "{text}");
            // Further than that: to the test's own harness.
            assert!(text.contains("call_once"), "{text}");
        }
    }
}

#[test]
fn without_the_registration_a_backtrace_ends_at_the_trace() {
    let slab = slab();
    let trace = install(&slab, Target::new(function()).expect("a target"), false);
    let text = rust_callers_caller(&trace);
    assert_eq!(functions(&text), ["runtime_function"], "{text}");
}

#[test]
fn it_holds_for_every_way_to_map_a_slab() {
    let mappings: &[Mapping] = if cfg!(target_os = "linux") {
        &[Mapping::TwoViews, Mapping::MovedPages]
    } else {
        &[Mapping::Jit]
    };
    for &mapping in mappings {
        let options = SlabOptions::new(1 << 16).mapping(mapping);
        let slab = options.build().expect("a slab");
        slab.register_frames().expect("the unwinder is told");
        let trace = install(&slab, Target::new(function()).expect("a target"), false);
        assert_eq!(functions(&rust_callers_caller(&trace)), ALL);
    }
}

#[test]
fn the_registration_goes_with_the_slab_and_comes_with_the_next() {
    let mut addresses = Vec::new();
    for _ in 0..8 {
        let slab = slab();
        addresses.push(slab.addresses().start);
        slab.register_frames().expect("the unwinder is told");
        slab.register_frames().expect("a second time is nothing");
        slab.clone().register_frames().expect("nor is a third");
        let trace = install(&slab, Target::new(function()).expect("a target"), false);
        // The trace's handle keeps the memory, and what is known of it.
        drop(slab);
        assert_eq!(functions(&rust_callers_caller(&trace)), ALL);
    }
    // Whatever lay there before, an unregistered slab in the same place is not known.
    let slab = slab();
    let again = addresses.contains(&slab.addresses().start);
    let trace = install(&slab, Target::new(function()).expect("a target"), false);
    let found = functions(&rust_callers_caller(&trace));
    assert_eq!(found, ["runtime_function"], "in the same place: {again}");
}

#[test]
fn slabs_and_threads_do_not_mix_their_frames_up() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let slab = slab();
                    slab.register_frames().expect("the unwinder is told");
                    let trace = install(&slab, Target::new(function()).expect("a target"), true);
                    assert_eq!(functions(&rust_callers_caller(&trace)), ALL);
                }
            });
        }
    });
}

extern "C" fn panicking(_: *mut String) {
    panic!("a panic that nobody catches");
}

/// Set for the process that is to end.
const PANIC: &str = "OPSTITCH_TEST_PANIC";

#[test]
fn a_panic_ends_the_process_though_the_unwinder_knows_the_way() {
    if std::env::var_os(PANIC).is_some() {
        let slab = slab();
        slab.register_frames().expect("the unwinder is told");
        let target = Target::new(panicking as *const () as u64).expect("a target");
        let trace = install(&slab, target, false);
        let caught = std::panic::catch_unwind(|| rust_callers_caller(&trace));
        println!("went on: {}", caught.is_err());
        return;
    }
    let this = std::env::current_exe().expect("a path");
    let emulator = std::env::var("OPSTITCH_QEMU").unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let mut command = match words.next() {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words).arg(this);
            command
        }
        None => Command::new(this),
    };
    let name = "a_panic_ends_the_process_though_the_unwinder_knows_the_way";
    let command = command.args([name, "--exact", "--nocapture"]);
    let output = command.env(PANIC, "1").output().expect("a process");
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        !output.status.success() && !said.contains("went on"),
        "{said}{told}"
    );
    assert!(told.contains("a panic that nobody catches"), "{told}");
    assert!(told.contains("cannot unwind"), "{told}");
}
