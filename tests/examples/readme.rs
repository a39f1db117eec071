//! What the README says of the examples' output is what they print.

use opstitch::{Options, Statistics, TraceBuilder};

use super::cpython_loop::{LAYOUTS, trace};
use super::{output, world};

const README: &str = include_str!("../../README.md");

#[test]
fn the_table_of_sizes() {
    let statistics = LAYOUTS.map(|layout| {
        let options = Options::new().fall_through(layout.fall_through);
        let mut builder = TraceBuilder::with_options(options);
        let trace = trace::stitch(&mut builder, &world()).unwrap();
        trace.link(layout.address()).unwrap().statistics()
    });
    let row = |name: &str, value: fn(&Statistics) -> usize| {
        let [far, near, elided] = statistics.each_ref().map(value);
        assert_row(&format!("| {name} | {near} | {elided} | {far} |"));
    };
    row("hot", |s| s.hot);
    row("cold", |s| s.cold);
    row("trampolines", |s| s.trampolines);
    row("literals", |s| s.literals);
    row("in all", |s| s.total());
    row("NOPs among them", |s| s.nops);
}

/// The README must have a line of these words.
fn assert_row(row: &str) {
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let found = README.lines().any(|line| words(line) == words(row));
    assert!(found, "the table should say: {row}");
}

/// The pieces of the listing in the README, between lines of dots, are in the quickstart's output, in their order.
#[test]
fn the_excerpt_of_the_quickstart() {
    let (text, result) = output(super::quickstart::run);
    result.unwrap();
    let (_, excerpt) = README.split_once("```text\n").unwrap();
    let (excerpt, _) = excerpt.split_once("```").unwrap();
    let mut rest = text.as_str();
    // The last line has what only the emulator counts.
    let excerpt = match super::EMULATED {
        true => excerpt,
        false => excerpt.rsplit_once("after ").unwrap().0,
    };
    for piece in excerpt.split("...\n") {
        let at = rest.find(piece);
        let at = at.unwrap_or_else(|| panic!("the quickstart does not print:\n{piece}"));
        rest = &rest[at + piece.len()..];
    }
}

/// The number of instructions that the table has for a round is that of the example's last output.
#[test]
#[cfg(not(target_arch = "aarch64"))]
fn the_instructions_of_a_round() {
    let (text, result) = super::cpython_loop(&[]);
    result.unwrap();
    let line = text.lines().find(|line| line.starts_with("instructions"));
    let columns: Vec<_> = line.unwrap().split_whitespace().skip(3).collect();
    let [far, near, elided] = columns[..] else {
        panic!("{columns:?}");
    };
    let round = |column: &str| column.strip_suffix(".0").unwrap().to_owned();
    let (near, elided, far) = (round(near), round(elided), round(far));
    assert_row(&format!(
        "| instructions executed a round | {near} | {elided} | {far} |"
    ));
}
