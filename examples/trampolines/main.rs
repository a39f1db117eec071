//! The ladder of trampolines: eight ways for a trace to call functions that `bl` does not reach, from a
//! trampoline at each place that calls to none at all. What does each bring? Is it faster too, or
//! only smaller?
//!
//! - `ladder.rs`: the rungs.
//! - `cpython.rs`, `orders/`: the two traces.
//! - `measure.rs`, `walk.rs`, `mca.rs`: what a rung costs.
//! - `report.rs`, `chart.rs`: the tables and the chart.

pub mod chart;
pub mod cpython;
#[path = "../cpython_loop/main.rs"]
#[allow(dead_code)]
pub mod cpython_loop;
pub mod ladder;
pub mod mca;
pub mod measure;
pub mod orders;
pub mod report;
pub mod walk;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ladder::Calls;
use mca::Mca;

const USAGE: &str = "usage: trampolines [--csv] [--no-mca] [--svg FILE]

  --csv       print the figures as comma-separated values
  --no-mca    do not look for llvm-mca, and estimate no cycles
  --svg FILE  write the chart to a file as well";

/// A trace to be measured.
pub trait Program {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Stitches its trace.
    fn stitch(&self, calls: &mut Calls<'_>) -> Result<(), opstitch::Error>;

    /// Runs the trace in all the ways that are out of the ordinary, and checks what it does.
    #[cfg(not(target_arch = "aarch64"))]
    fn check(&self, trace: &opstitch::LinkedTrace) -> Result<(), Box<dyn Error>>;

    /// Runs the trace for that many rounds of its loop, checks what it does, and returns how many instructions
    /// were executed.
    #[cfg(not(target_arch = "aarch64"))]
    fn executed(&self, trace: &opstitch::LinkedTrace, rounds: u64) -> Result<u64, Box<dyn Error>>;
}

/// Measures, and prints what was found.
pub fn run(arguments: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let (mut csv, mut with_mca, mut svg) = (false, true, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--csv" => csv = true,
            "--no-mca" => with_mca = false,
            "--svg" => svg = Some(PathBuf::from(arguments.next().ok_or(USAGE)?)),
            _ => return Err(USAGE.into()),
        }
    }

    let mca = if with_mca { Mca::find()? } else { None };
    let programs: [&dyn Program; 2] = [&cpython::CpythonLoop::default(), &orders::Orders];
    let mut ladders = Vec::new();
    for program in programs {
        ladders.push((program.name(), measure::ladder(program, mca.as_ref())?));
    }
    let version = mca.map(|mca| mca.version);
    if let Some(file) = svg {
        let version = version
            .as_deref()
            .ok_or("the chart shows cycles, and there is no llvm-mca")?;
        std::fs::write(file, chart::draw(&ladders, version)?)?;
    }
    match csv {
        true => report::csv(&ladders, out),
        false => report::table(&ladders, version.as_deref(), out),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match run(&arguments, &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
