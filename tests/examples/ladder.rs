//! The example `trampolines`, and what docs/ says of it.

use super::trampolines::mca::Mca;
use super::{assert_snapshot, output, trampolines};

const CHART: &str = include_str!("../../docs/trampolines.svg");
const PAGE: &str = include_str!("../../docs/trampolines.md");

fn run(arguments: &[&str]) -> Result<String, String> {
    let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
    let (text, result) = output(|out| trampolines::run(&arguments, out));
    result.map(|()| text)
}

/// The page has a row for each line of comma-separated values, of which it has the first figures at least.
fn assert_on_page(csv: &str) {
    let mut rows = 0;
    for line in csv.lines().skip(1) {
        // trace,rung,"trampolines",bytes,lost,relocations,executed,cycles,cycles
        let (start, rest) = line.split_once(",\"").unwrap();
        let (what, figures) = rest.split_once("\",").unwrap();
        let (trace, rung) = start.split_once(',').unwrap();
        let figures = figures.trim_end_matches(',').replace(',', " | ");
        let row = format!("| {rung} | {what} | {figures} |");
        let (_, table) = PAGE.split_once(&format!("\n`{trace}`:\n\n")).unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        assert!(
            table.contains(&row),
            "docs/trampolines.md should say: {row}"
        );
        rows += 1;
    }
    assert_eq!(rows, 16);
}

/// Everything but the cycles: those are llvm-mca's, and change with it.
#[test]
fn every_rung_costs_what_it_did_and_the_page_says_so() {
    let text = run(&["--csv", "--no-mca"]).unwrap();
    assert_snapshot("example_trampolines", &text);
    assert_on_page(&text);
}

#[test]
fn the_chart_and_the_cycles_on_the_page_are_what_the_example_finds() {
    let Some(mca) = Mca::find().unwrap() else {
        return;
    };
    if !CHART.contains(&format!("llvm-mca ({})", mca.version)) {
        return; // another version estimates otherwise
    }
    let file = std::env::temp_dir().join(format!("opstitch-chart-{}.svg", std::process::id()));
    let printed = run(&["--csv", "--svg", file.to_str().unwrap()]).unwrap();
    let drawn = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(drawn == CHART, "draw it again: --svg docs/trampolines.svg");
    assert_on_page(&printed);
}

#[test]
fn it_refuses_arguments_that_mean_nothing() {
    for arguments in [&["--svg"][..], &["--help"], &["table"]] {
        assert!(run(arguments).unwrap_err().starts_with("usage: "));
    }
}
