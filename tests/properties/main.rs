//! Random programs, and what must hold for each.
//!
//! `OPSTITCH_CASES` sets how many there are of each kind (2,000; 200 under AddressSanitizer, 100
//! under QEMU).

// A step is one arm of the model, whatever it consists of.
#![allow(clippy::collapsible_match)]
// Where there is no emulator, nothing is compared with the model.
#![cfg_attr(target_arch = "aarch64", allow(dead_code, unused_imports))]

#[path = "../common/alike.rs"]
mod alike;
mod api;
mod atomic;
mod build;
mod decode;
#[cfg(not(target_arch = "aarch64"))]
mod machine;
mod model;
mod ops;
mod program;
mod step;
mod structure;

use std::cell::{Cell, RefCell};

use opstitch::{Error, LinkedTrace, Part, Statistics, TraceBuilder};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use atomic::Trouble;
use model::State;
use program::{FULL_REACH, Program, Settings, long_program, program};
use step::{POLICIES, Pushed};

fn cases() -> u32 {
    let number = std::env::var("OPSTITCH_CASES").ok();
    let set = |name| std::env::var_os(name).is_some();
    match number.map(|number| number.parse()) {
        Some(number) => number.expect("OPSTITCH_CASES is a number"),
        None if set("OPSTITCH_ASAN") => 200,
        None if set("OPSTITCH_QEMU") => 100,
        None => 2_000,
    }
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 5_000,
        ..Config::default()
    })
}

fn state(program: &Program) -> State {
    let targets = program.settings.targets();
    State {
        r: program.registers,
        memory: [1, 2, 4, 8, 16, 1 << 20, u64::MAX, 0],
        fuel: program.fuel,
        cells: program.cells.clone(),
        targets: targets.iter().map(|target| target.address()).collect(),
        calls: Vec::new(),
    }
}

#[cfg(not(target_arch = "aarch64"))]
#[test]
fn a_trace_does_what_its_micro_ops_do_one_by_one() {
    use opstitch_emulator::{Emulator, Executed};

    let emulator = RefCell::new(Emulator::new().expect("there is an emulator"));
    let (ran, refused, with_islands) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let (executed, calls) = (Cell::new(Executed::default()), Cell::new(0));
    let result = runner().run(&program(50), |mut program| {
        let Ok((linked, handles)) = build::link(&mut program) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        let fail = |message: String| {
            TestCaseError::fail(format!("{message}\n{}", program.listing(&linked)))
        };
        let checked = if program.settings.annotate {
            structure::check(&program, &linked, &handles)
        } else {
            structure::check_sections(&linked)
        };
        checked.map_err(fail)?;
        let (mut expected, mut actual) = (state(&program), state(&program));
        let left = model::run(&program, &mut expected);
        let left = left.ok_or_else(|| TestCaseError::reject("it does not end"))?;
        let ended = machine::run(&mut emulator.borrow_mut(), &linked, &program, &mut actual);
        let (ended, took) = ended.map_err(|error| fail(error.to_string()))?;
        if (ended, &actual) != (left, &expected) {
            return Err(fail(format!(
                "left with {ended:#x}, not {left:#x}\n{actual:x?}\ninstead of\n{expected:x?}"
            )));
        }
        let mut sum = executed.get();
        sum += took;
        executed.set(sum);
        calls.set(calls.get() + actual.calls.len());
        ran.set(ran.get() + 1);
        with_islands.set(with_islands.get() + usize::from(linked.statistics().islands > 0));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (ran, refused, with_islands) = (ran.get(), refused.get(), with_islands.get());
    let (executed, calls) = (executed.get(), calls.get());
    println!(
        "{ran} ran, {with_islands} with islands, {refused} refused; {executed:?}, {calls} calls"
    );
    assert!(refused * 5 < ran, "the reach was too short too often");
    // What is counted is worth nothing if it is the same easy case over and over.
    assert!(with_islands * 4 > ran && calls * 2 > ran);
    let few = ran as u64;
    assert!(executed.hot > 10 * few && executed.cold > few && executed.trampolines > few / 4);
}

#[test]
fn every_reference_leads_where_it_should() {
    let (ran, refused, in_islands) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let result = runner().run(&program(300), |mut program| {
        program.settings.annotate = true;
        let Ok((linked, handles)) = build::link(&mut program) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        ran.set(ran.get() + 1);
        // Those that are not behind the code.
        let behind = linked.range(Part::Trampolines).len() / 8;
        in_islands.set(in_islands.get() + u32::from(linked.far_targets().len() > behind));
        structure::check(&program, &linked, &handles).map_err(|message| {
            TestCaseError::fail(format!("{message}\n{}", program.listing(&linked)))
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (ran, refused) = (ran.get(), refused.get());
    let in_islands = in_islands.get();
    println!("{ran} ran, {in_islands} with trampolines in islands, {refused} refused");
    assert!(refused * 3 < ran, "only {ran} ran, {refused} were refused");
    assert!(in_islands * 50 > ran, "only {in_islands} of {ran}");
}

/// The bytes of a program, built by a builder that may have been used before, with calls in between that
/// fail; or what is wrong.
fn bytes(program: &Program, builder: &mut TraceBuilder, trouble: Option<u64>) -> Outcome {
    let mut program = program.clone();
    let placed_first = trouble.is_some();
    let mut trouble = Trouble::new(trouble);
    build::stitch(&mut program, builder, &mut |builder, handles, items| {
        trouble.make(builder, handles, items);
    });
    let address = program.settings.address;
    if placed_first {
        // Linked where it is, it is the same trace afterwards.
        builder.finish_at(address)?;
    }
    let trace = builder.finish()?;
    let linked = trace.link(address)?;
    let mut bytes = vec![0; trace.linked_len(address)?];
    let statistics = trace.link_into(address, &mut bytes)?;
    assert_eq!(
        (bytes.as_slice(), statistics),
        (linked.bytes(), linked.statistics())
    );
    // Once more is the same.
    assert_eq!(builder.finish()?.link(address)?.bytes(), bytes);
    assert_placed(builder, address, &linked);
    // From elsewhere other targets are in reach.
    let elsewhere = address ^ 1 << 33;
    match builder.finish()?.link(elsewhere) {
        Ok(linked) => assert_placed(builder, elsewhere, &linked),
        Err(error) => assert_eq!(builder.finish_at(elsewhere).map(drop), Err(error)),
    }
    assert_placed(builder, address, &linked);
    Ok((bytes, statistics))
}

/// Links a trace where it is, and asserts that that makes no difference.
fn assert_placed(builder: &mut TraceBuilder, address: u64, linked: &LinkedTrace) {
    let placed = builder.finish_at(address).expect("it can be linked");
    assert_eq!(placed.bytes(), linked.bytes());
    assert_eq!(placed.statistics(), linked.statistics());
    let trace = placed.trace();
    assert_eq!(trace.link(address).unwrap().bytes(), linked.bytes());
}

type Outcome = Result<(Vec<u8>, Statistics), Error>;

#[test]
fn what_is_refused_changes_nothing() {
    let input = (program(60), any::<u64>());
    let result = runner().run(&input, |(program, seed)| {
        let options = program.settings.options();
        let plain = bytes(&program, &mut TraceBuilder::with_options(options), None);
        let mut builder = TraceBuilder::with_options(options);
        let troubled = bytes(&program, &mut builder, Some(seed));
        prop_assert_eq!(&plain, &troubled, "with errors in between");
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_builder_that_was_cleared_is_as_good_as_new() {
    let input = (program(60), program(60), any::<u64>(), any::<bool>());
    let result = runner().run(&input, |(first, mut second, seed, annotate)| {
        let options = first.settings.options();
        second.settings = first.settings;
        let fresh = bytes(&second, &mut TraceBuilder::with_options(options), None);
        let mut used = TraceBuilder::with_options(options);
        let _ = bytes(&first, &mut used, Some(seed));
        used.clear();
        prop_assert_eq!(&fresh, &bytes(&second, &mut used, None), "after `clear`");
        let mut plainer = TraceBuilder::with_options(options.annotate(annotate));
        prop_assert_eq!(
            &fresh,
            &bytes(&second, &mut plainer, None),
            "annotated or not"
        );
        let ways = [
            Pushed::Enums,
            Pushed::Structs,
            Pushed::Together,
            Pushed::Alike,
            Pushed::AlikeTogether,
        ];
        for pushed in ways {
            second.settings.pushed = pushed;
            let other = bytes(&second, &mut TraceBuilder::with_options(options), None);
            prop_assert_eq!(&fresh, &other, "pushed {:?}", pushed);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_calls_in_whatever_order_panic() {
    let finished = Cell::new(0);
    let result = runner().run(&api::calls(), |(settings, landing_pad, calls)| {
        finished.set(finished.get() + api::make(settings, landing_pad, &calls));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let finished = finished.get();
    println!("{finished} traces were finished");
    assert!(finished as u32 > cases() / 10, "only {finished} traces");
}

/// Long enough for islands of every kind at the reach of the architecture.
#[test]
fn a_trace_of_a_million_micro_ops_is_sound() {
    let long = if cases() < 2_000 { 200_000 } else { 1_000_000 };
    // One of the two has to do where every instruction is emulated.
    let policies = if cases() < 200 { 1 } else { 2 };
    let each = POLICIES.into_iter().zip([long, 200_000]);
    for (fall_through, steps) in each.take(policies) {
        let settings = Settings {
            fall_through,
            reach: FULL_REACH,
            annotate: true,
            pushed: Pushed::Both,
            address: 0x1_0000_0000,
        };
        let mut program = long_program(steps, settings);
        let (linked, handles) = build::link(&mut program).expect("the reach is long enough");
        assert!(program.items.len() > steps, "micro-ops were left out");
        assert!(linked.statistics().islands > steps / 2);
        structure::check(&program, &linked, &handles).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}
