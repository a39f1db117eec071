//! The conformance programs of a table, which is no part of this project: the variable EBPF_CONFORMANCE has its path.

mod support;

use ebpf::conformance::{Report, parse, run};
use ebpf::run::Settings;
use opstitch::FallThrough::{self, Elide, Nop};
use opstitch::Options;

fn report(checked: bool, fall_through: FallThrough) -> Option<Report> {
    let Ok(path) = std::env::var("EBPF_CONFORMANCE") else {
        eprintln!("SKIPPED: EBPF_CONFORMANCE is not set");
        return None;
    };
    let table = std::fs::read_to_string(path).unwrap();
    let settings = Settings {
        checks: support::checks(checked),
        options: Options::new().fall_through(fall_through),
        ..Settings::default()
    };
    let report = run(&parse(&table).unwrap(), settings).unwrap();
    let names: Vec<_> = report
        .failed
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["callx"], "{:?}", report.failed);
    assert!(
        report.failed[0]
            .1
            .contains("instruction 2: callx is not supported")
    );
    assert!(report.passed >= 192);
    Some(report)
}

/// A64 instructions a slot, prologues and epilogues apart, but with all words of literals.
fn words_a_slot(report: &Report) -> f64 {
    (report.words.body + report.words.literals) as f64 / report.slots as f64
}

#[test]
fn unchecked_programs_pass_and_are_small() {
    if let Some(report) = report(false, Elide) {
        let size = words_a_slot(&report);
        assert!(size <= 1.25, "{size} words a slot");
    }
}

#[test]
fn checked_programs_pass_and_are_small() {
    if let Some(report) = report(true, Elide) {
        let size = words_a_slot(&report);
        assert!(size <= 3.0, "{size} words a slot");
    }
}

#[test]
fn programs_that_can_be_patched_pass() {
    report(false, Nop);
    report(true, Nop);
}
