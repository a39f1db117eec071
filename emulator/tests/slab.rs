//! The code of a slab, as it is when it is loaded.
#![cfg(any(target_os = "linux", target_os = "macos", target_os = "ios"))]

mod support;

use opstitch::TraceBuilder;
use opstitch::slab::{InstalledTrace, Slab, SlabOptions};
use opstitch_emulator::{Emulator, End, Error};
use support::*;

mod uops {
    opstitch::uops! {
        /// Loads `x0`.
        op Cell(cell: mut literal) { ; ldr x0, =>cell }
        /// Goes on at an exit.
        op Goto(to: exit) { ; b =>to }
    }
}
use uops::{Cell, Goto};

fn slab() -> Slab {
    SlabOptions::new(1 << 16).annotate(true).build().unwrap()
}

/// Installs a trace, and returns what the closure returns, too.
fn install<T>(
    slab: &Slab,
    push: impl FnOnce(&mut TraceBuilder) -> Result<T, opstitch::Error>,
) -> (InstalledTrace, T) {
    let mut builder = TraceBuilder::new();
    let known = push(&mut builder).unwrap();
    (slab.install(&builder.finish().unwrap()).unwrap(), known)
}

/// What is in `x0` at the end of a trace, and how many instructions of trampolines it took.
fn result(emulator: &mut Emulator<'_>, trace: &InstalledTrace) -> (u64, u64) {
    emulator.set_x(0, 0).unwrap();
    let outcome = emulator.run(trace.address(), 100).unwrap();
    assert_eq!(outcome.end, End::Returned);
    (emulator.x(0).unwrap(), outcome.executed.trampolines)
}

#[test]
fn links_and_literals_are_as_they_are_when_the_slab_is_loaded() {
    let slab = slab();
    let (first, (exit, cell)) = install(&slab, |b| {
        let exit = b.linkable_exit([Return])?;
        let cell = b.mut_literal(7);
        b.push(Cell { cell })?;
        b.push(Goto { to: exit })?;
        Ok((exit, cell))
    });
    let (second, ()) = install(&slab, |b| {
        b.push(Add { n: 100 })?;
        b.push(Return)
    });
    let mut emulator = Emulator::new().unwrap();
    emulator.load_slab(&slab).unwrap();
    assert_eq!(result(&mut emulator, &first), (7, 0));

    first.link(exit, &second).unwrap();
    first.set_literal(cell, 8).unwrap();
    assert_eq!(result(&mut emulator, &first), (7, 0), "it is a copy");
    emulator.load_slab(&slab).unwrap();
    assert_eq!(result(&mut emulator, &first), (108, 0));

    let gone = second.address();
    drop(second);
    emulator.load_slab(&slab).unwrap();
    assert_eq!(result(&mut emulator, &first), (8, 0));
    let error = emulator.run(gone, 100).unwrap_err();
    assert!(matches!(error, Error::NoEntry { .. }), "{error}");
}

#[test]
fn trampolines_lead_to_where_functions_are_now() {
    let slab = slab();
    let functions = [0x7000_0000_0000, 0x7100_0000_0000];
    let function = opstitch::Target::retargetable(functions[0]).unwrap();
    let (trace, ()) = install(&slab, |b| {
        b.push(Enter)?;
        b.push(Call { function })?;
        b.push(Leave)
    });
    let mut emulator = Emulator::new().unwrap();
    for (number, function) in (1..).zip(functions) {
        let result = move |cpu: &mut opstitch_emulator::Cpu<'_>| cpu.set_x(0, number);
        emulator.on_call(function, result).unwrap();
    }
    emulator.load_slab(&slab).unwrap();
    assert_eq!(result(&mut emulator, &trace), (1, 2));

    slab.retarget(function, functions[1]).unwrap();
    emulator.load_slab(&slab).unwrap();
    assert_eq!(result(&mut emulator, &trace), (2, 2));
}

#[test]
fn traces_from_elsewhere_stay_and_slabs_without_annotations_are_refused() {
    let slab = slab();
    let other = trace(0x1_0000, |b| {
        b.push(Add { n: 3 })?;
        b.push(Return)
    });
    let mut emulator = loaded(&other);
    emulator.load_slab(&slab).unwrap();
    let bare = Slab::new(1 << 16).unwrap();
    let refused = emulator.load_slab(&bare);
    assert!(matches!(refused, Err(Error::NotAnnotated)));
    assert_eq!(run(&mut emulator, &other), [3, 0, 0]);
}
