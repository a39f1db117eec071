//! Cache maintenance, on AArch64: code that was rewritten is what runs.

use super::Raw;
use crate::asm::NOP;
use crate::slab::{InstalledTrace, Mapping, SlabOptions};

/// `movz w0, n ; ret`
fn code(n: u16) -> Vec<u8> {
    let movz = 0x5280_0000 | u32::from(n) << 5;
    [movz, 0xd65f_03c0].map(u32::to_le_bytes).concat()
}

fn install(mapping: Mapping) -> InstalledTrace {
    let slab = SlabOptions::new(1 << 16).mapping(mapping).build().unwrap();
    let raw = Raw {
        bytes: code(0),
        ..Raw::default()
    };
    raw.install(&slab, |_, _| ()).unwrap()
}

fn run(trace: &InstalledTrace) -> u32 {
    let start = trace.address() as usize;
    // SAFETY: `code` is a function of that type, and installed.
    unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(start)() }
}

/// Replaces the code, which nobody runs meanwhile.
fn rewrite(trace: &InstalledTrace, n: u16, clean: bool) {
    let shared = &*trace.slab().shared;
    let mut state = shared.lock();
    let mut writer = shared.writer(&mut state);
    let start = trace.start();
    writer.fill(start..start + 8, |to| to.copy_from_slice(&code(n)));
    if clean {
        shared.commit(&mut state, writer).unwrap();
    } else {
        writer.commit_without_cleaning().unwrap();
    }
}

#[test]
fn rewritten_code_is_what_runs() {
    for mapping in [Mapping::TwoViews, Mapping::MovedPages] {
        let trace = install(mapping);
        for n in 1..200 {
            rewrite(&trace, n, true);
            (0..3).for_each(|_| assert_eq!(run(&trace), u32::from(n)));
        }
    }
}

/// The test of the test: without the flush it would fail. A processor may run either code then; QEMU, to whom
/// the two views are two memories, goes on with what it has translated.
#[test]
fn code_that_is_not_flushed_is_not_sure_to_run() {
    let trace = install(Mapping::TwoViews);
    (0..3).for_each(|_| assert_eq!(run(&trace), 0));
    rewrite(&trace, 1, false);
    let result = run(&trace);
    if std::env::var_os("OPSTITCH_QEMU").is_some() {
        assert_eq!(result, 0, "QEMU has noticed what it was not told");
    }
    assert!(result < 2);
    rewrite(&trace, 2, true);
    assert_eq!(run(&trace), 2);
}

/// Lets the NOP in front of one piece of code lead to another one, as a link does, or not.
fn patch(trace: &InstalledTrace, word: u32, clean: bool) {
    let shared = &*trace.slab().shared;
    let mut state = shared.lock();
    let mut writer = shared.writer(&mut state);
    writer.store_word(trace.start(), word);
    if clean {
        shared.commit(&mut state, writer).unwrap();
    } else {
        writer.commit_without_cleaning().unwrap();
    }
}

/// The same for a patch site.
#[test]
fn a_patch_that_is_not_flushed_is_not_sure_to_run() {
    let slab = SlabOptions::new(1 << 16).mapping(Mapping::TwoViews);
    let raw = Raw {
        bytes: [&NOP.to_le_bytes()[..], &code(0), &code(1)].concat(),
        ..Raw::default()
    };
    let trace = raw.install(&slab.build().unwrap(), |_, _| ()).unwrap();
    let jump = crate::asm::branch::b(3);
    (0..3).for_each(|_| assert_eq!(run(&trace), 0));
    patch(&trace, jump, false);
    let result = run(&trace);
    if std::env::var_os("OPSTITCH_QEMU").is_some() {
        assert_eq!(result, 0, "QEMU has noticed what it was not told");
    }
    patch(&trace, jump, true);
    assert_eq!(run(&trace), 1);
    patch(&trace, NOP, true);
    assert_eq!(run(&trace), 0);
}
