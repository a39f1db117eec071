//! Guarded pages, where the processor has them: QEMU's `-cpu max` does.

use std::os::unix::process::ExitStatusExt;

use opstitch::slab::{InstalledTrace, Mapping, Slab, SlabOptions};
use opstitch::{Options, Target, TraceBuilder};

use crate::calls::{Call, Return};
use crate::support::{Guard, Leave, MAPPINGS, plain};
use crate::{child, is_child, run};

fn slab(mapping: Mapping, guarded: bool) -> Slab {
    let options = SlabOptions::new(1 << 16).mapping(mapping).guarded(guarded);
    options.build().unwrap()
}

/// A trace with a landing pad, an entry NOP, and an exit that returns 5 if the argument is 0.
fn with_pad(slab: &Slab) -> (InstalledTrace, opstitch::Exit) {
    let mut builder = TraceBuilder::with_options(Options::new().landing_pad(true));
    let exit = builder.linkable_exit([Leave { code: 5 }]).unwrap();
    builder.push(Guard { exit }).unwrap();
    builder.push(Leave { code: 6 }).unwrap();
    (slab.install(&builder.finish().unwrap()).unwrap(), exit)
}

/// Jumps past the landing pad, as no entry does.
fn run_past_the_pad(trace: &InstalledTrace) -> u64 {
    let second = trace.address() as usize + 4;
    // SAFETY: the code from there on is a function of that type; whether the processor lets it be called
    // is the question.
    unsafe { std::mem::transmute::<usize, extern "C" fn(u64) -> u64>(second)(0) }
}

extern "C" fn double(n: u64) -> u64 {
    2 * n
}

#[test]
fn guarded_traces_run_call_and_lead_to_each_other() {
    for &mapping in MAPPINGS {
        let elsewhere = double as *const () as u64 ^ 1 << 45;
        let near = SlabOptions::new(1 << 16).mapping(mapping).guarded(true);
        for options in [near, near.near(elsewhere)] {
            let slab = options.build().unwrap();
            if std::env::var_os("OPSTITCH_QEMU").is_some() {
                assert!(slab.is_guarded());
            }
            let (trace, exit) = with_pad(&slab);
            let (other, _) = with_pad(&slab);
            assert_eq!((run(&trace, 0u64), run(&trace, 1u64)), (5, 6));
            trace.link(exit, &other).unwrap();
            assert_eq!(run(&trace, 0u64), 5);
            // Through a trampoline too, which lies in guarded pages itself.
            let mut builder = TraceBuilder::with_options(Options::new().landing_pad(true));
            let function = Target::new(double as *const () as u64).unwrap();
            builder.push(Call { function }).unwrap();
            builder.push(Return).unwrap();
            let calling = slab.install(&builder.finish().unwrap()).unwrap();
            assert_eq!(run(&calling, 21u64), 42);
        }
    }
}

#[test]
fn an_indirect_branch_past_the_landing_pad_faults() {
    if !slab(MAPPINGS[0], true).is_guarded() {
        println!("this processor or system has no guarded pages");
        return;
    }
    if is_child() {
        let mapping = std::env::var("OPSTITCH_TEST_MAPPING").unwrap();
        let mapping = MAPPINGS[mapping.parse::<usize>().unwrap()];
        let slab = slab(mapping, true);
        let (trace, _) = with_pad(&slab);
        println!("{}", run(&trace, 0u64));
        println!("past it: {}", run_past_the_pad(&trace));
        return;
    }
    for number in 0..MAPPINGS.len() {
        // SAFETY: other threads of this program read no environment but through Rust, which has a lock.
        unsafe { std::env::set_var("OPSTITCH_TEST_MAPPING", number.to_string()) };
        let output = child("guarded::an_indirect_branch_past_the_landing_pad_faults");
        assert_eq!(output.status.signal(), Some(libc::SIGILL), "{output:?}");
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains("5\n") && !out.contains("past it"), "{out}");
    }
}

#[test]
fn without_guarded_pages_it_does_not() {
    for &mapping in MAPPINGS {
        let slab = slab(mapping, false);
        assert!(!slab.is_guarded());
        let (trace, _) = with_pad(&slab);
        assert_eq!(run_past_the_pad(&trace), 5);
        let without = slab.install(&plain(1, 7).trace()).unwrap();
        assert_eq!(run(&without, 0u64), 7);
    }
}
