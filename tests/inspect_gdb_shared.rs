//! Another maker of code in the process has its own definitions of the names that debuggers look for: the linker
//! takes those, and traces are entered there.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::Relaxed};

use opstitch::TraceBuilder;
use opstitch::inspect::Gdb;
use opstitch::slab::SlabOptions;

opstitch::uops! {
    op Return { ; ret }
}

/// `struct jit_descriptor` of GDB's manual.
#[repr(C)]
struct Descriptor {
    version: AtomicU32,
    action: AtomicU32,
    relevant: AtomicPtr<u8>,
    first: AtomicPtr<u8>,
}

#[unsafe(no_mangle)]
static __jit_debug_descriptor: Descriptor = Descriptor {
    version: AtomicU32::new(1),
    action: AtomicU32::new(0),
    relevant: AtomicPtr::new(ptr::null_mut()),
    first: AtomicPtr::new(ptr::null_mut()),
};

/// How often it was called to register code, and to take it back.
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

#[unsafe(no_mangle)]
extern "C" fn __jit_debug_register_code() {
    let action = __jit_debug_descriptor.action.load(Relaxed);
    assert!(!__jit_debug_descriptor.relevant.load(Relaxed).is_null());
    CALLS[action as usize - 1].fetch_add(1, Relaxed);
}

fn calls() -> [usize; 2] {
    CALLS.each_ref().map(|calls| calls.load(Relaxed))
}

#[test]
fn the_names_of_another_maker_of_code_are_used() {
    let slab = SlabOptions::new(1 << 16).annotate(true).build();
    let slab = slab.expect("a slab");
    let watched = slab.watch(Arc::new(Gdb::new()));
    watched.expect("a slab with annotations");
    let mut builder = TraceBuilder::new();
    builder.push(Return).expect("a micro-op");
    let trace = slab.install(&builder.finish().expect("a trace"));
    assert_eq!(calls(), [1, 0]);
    assert!(!__jit_debug_descriptor.first.load(Relaxed).is_null());
    drop(trace);
    slab.reclaim().expect("cores are synchronized");
    assert_eq!(calls(), [1, 1]);
    assert!(__jit_debug_descriptor.first.load(Relaxed).is_null());
}
