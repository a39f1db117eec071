//! A panic in a function that a trace calls: it ends the process, unless it is caught inside.

use std::os::unix::process::ExitStatusExt;

use opstitch::slab::Slab;
use opstitch::{Target, TraceBuilder};

use crate::calls::{Call, Return};
use crate::{child, is_child, run};

extern "C" fn panics(n: u64) -> u64 {
    panic!("there is no object {n}")
}

/// What runtime functions that can fail should do.
extern "C" fn catches(n: u64) -> u64 {
    std::panic::catch_unwind(|| panics_within(n)).unwrap_or(u64::MAX)
}

fn panics_within(n: u64) -> u64 {
    assert!(n != 7, "not 7");
    n
}

fn call(function: extern "C" fn(u64) -> u64, argument: u64) -> u64 {
    let function = Target::new(function as usize as u64).unwrap();
    let mut builder = TraceBuilder::new();
    builder.push(Call { function }).unwrap();
    builder.push(Return).unwrap();
    let slab = Slab::new(1 << 16).unwrap();
    run(&slab.install(&builder.finish().unwrap()).unwrap(), argument)
}

#[test]
fn a_panic_in_a_runtime_function_ends_the_process() {
    if is_child() {
        call(panics, 5);
        println!("it came back");
        return;
    }
    let output = child("panics::a_panic_in_a_runtime_function_ends_the_process");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("there is no object 5"), "{error}");
    assert!(error.contains("cannot unwind"), "{error}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(!out.contains("it came back"), "{out}");
}

#[test]
fn a_panic_that_is_caught_inside_is_a_result() {
    assert_eq!(call(catches, 6), 6);
    assert_eq!(call(catches, 7), u64::MAX);
}
