//! Prints lines of a name and a ratio: what opstitch costs, compared with its peers or with itself in the same run.
//!
//! ```text
//! ratios [build] [guards] [long] [install] [templates] [counts] [--prepare | --update]
//! ```
//!
//! Without a name, all parts. With `--prepare`, builds the programs whose size and compile time are measured, and nothing else.
//!
//! With `--update`, writes the instruction counts to `benches/counts.txt` and the table to `docs/performance.md`.

mod build;
mod counts;
mod guards;
mod install;
mod long;
mod report;
mod sample;
mod templates;

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--prepare") {
        return templates::prepare();
    }
    let all = !arguments.iter().any(|argument| !argument.starts_with("--"));
    let part = |name: &str| all || has(name);
    let update = all && has("--update");
    let mut report = Report::default();
    let clock = sample::Clock::new();
    if part("build") {
        build::measure(&clock, &mut report);
    }
    if part("guards") {
        guards::measure(&mut report);
    }
    if part("long") {
        long::measure(&clock, &mut report);
    }
    if part("install") {
        install::measure(&mut report);
    }
    if part("templates") {
        templates::measure(&mut report);
    }
    let worse = part("counts") && counts::measure(update, &mut report);
    if update {
        report.write_table();
    }
    report.print_missed();
    if worse {
        std::process::exit(1);
    }
}
