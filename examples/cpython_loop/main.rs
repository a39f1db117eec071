//! CPython's trace of `for i in range(n): total += i`: 31 micro-ops, 8 of them exits, in CPython's order,
//! under CPython's names, with CPython's pinned registers. The objects are simpler than CPython's, but
//! they are what they seem: tagged integers, an iterator with a state, reference counts, locals, a stack
//! that is partly in registers, and a runtime that is called.
//!
//! - `uops.rs`: the micro-ops.
//! - `trace.rs`: which of them the trace consists of, and how it is stitched.
//! - `objects.rs`, `runtime.rs`: what they find in memory, and what they call.
//! - `machine.rs`, `native.rs`, `emulated.rs`: what runs the trace.
//! - `cases.rs`: what happens when the loop does not go as expected.

pub mod cases;
#[cfg(not(target_arch = "aarch64"))]
pub mod emulated;
pub mod machine;
#[cfg(target_arch = "aarch64")]
pub mod native;
pub mod objects;
pub mod runtime;
pub mod trace;
pub mod uops;

#[cfg(not(target_arch = "aarch64"))]
pub use emulated as host;
#[cfg(target_arch = "aarch64")]
pub use native as host;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use host::Host;
use machine::{FUNCTIONS, Layout, MEMORY};
use objects::World;
use opstitch::inspect::Symbols;
use opstitch::{FallThrough, LinkedTrace, Options, Statistics, TraceBuilder};
use runtime::Runtime;

const USAGE: &str = "usage: cpython_loop [--n NUMBER] [--list] [--html FILE]

  --n NUMBER  how many numbers to add up, 1 to 1000000000; 100000 unless given
  --list      print the trace, instruction by instruction
  --html FILE draw the trace";

/// The first is the one that is listed, and run in every case.
#[rustfmt::skip]
pub const LAYOUTS: [Layout; 3] = [
    Layout { name: "far", fall_through: FallThrough::Nop, near: false },
    Layout { name: "near", fall_through: FallThrough::Nop, near: true },
    Layout { name: "near, elided", fall_through: FallThrough::Elide, near: true },
];

/// Stitches and links the trace, runs it, and prints what it did.
pub fn run(arguments: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let (mut n, mut list, mut html) = (100_000, false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--n" => n = number(arguments.next()).ok_or(USAGE)?,
            "--list" => list = true,
            "--html" => html = Some(arguments.next().ok_or(USAGE)?),
            _ => return Err(USAGE.into()),
        }
    }

    // What is listed and measured is the same on every host, so it has addresses of its own.
    let world = World::at(MEMORY, FUNCTIONS);
    let mut traces = Vec::new();
    for layout in &LAYOUTS {
        let trace = &mut builder(layout);
        traces.push(trace::stitch(trace, &world)?.link(layout.address())?);
    }
    if list {
        let symbols = symbols(&world);
        writeln!(out, "{}", traces[0].listing(&symbols))?;
    }
    if let Some(file) = html {
        let page = traces[0].to_html(&symbols(&world));
        std::fs::write(file, page).map_err(|error| format!("{file}: {error}"))?;
    }
    writeln!(out, "for i in range({n}): total += i\n")?;
    sizes(&traces, out)?;
    runs(n, out)
}

fn builder(layout: &Layout) -> TraceBuilder {
    TraceBuilder::with_options(Options::new().fall_through(layout.fall_through))
}

fn number(argument: Option<&String>) -> Option<i64> {
    let number = argument?.parse().ok()?;
    (1..=1_000_000_000).contains(&number).then_some(number)
}

fn symbols(world: &World) -> Symbols {
    let mut symbols = Symbols::new();
    for (address, (name, _)) in world.functions.into_iter().zip(Runtime::FUNCTIONS) {
        symbols.insert(name, address);
    }
    symbols.insert("PyRangeIter_Type", world.range_iterator_type);
    symbols
}

/// Prints the bytes of each part.
fn sizes(traces: &[LinkedTrace], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let row = |out: &mut dyn Write, name: &str, value: fn(&Statistics) -> usize| {
        let values = traces
            .iter()
            .map(|trace| value(&trace.statistics()).to_string());
        line(out, name, values)
    };
    line(out, "", LAYOUTS.iter().map(|layout| layout.name.to_owned()))?;
    row(out, "bytes, hot", |s| s.hot)?;
    row(out, "       cold", |s| s.cold)?;
    row(out, "       trampolines", |s| s.trampolines)?;
    row(out, "       literals", |s| s.literals)?;
    row(out, "       in all", |s| s.total())?;
    row(out, "       NOPs among them", |s| s.nops)?;
    row(out, "calls, direct", |s| s.direct_calls)?;
    row(out, "       by a trampoline", |s| s.far_calls)
}

fn line(
    out: &mut dyn Write,
    name: &str,
    values: impl Iterator<Item = String>,
) -> Result<(), Box<dyn Error>> {
    write!(out, "{name:24}")?;
    for value in values {
        write!(out, "{value:>14}")?;
    }
    Ok(writeln!(out)?)
}

/// Runs the loop in each layout, and then every case.
fn runs(n: i64, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let host = Host::new()?;
    let (world, mut codes, mut counts) = (host.world(), Vec::new(), Vec::new());
    for layout in &LAYOUTS {
        let code = host.publish(&trace::stitch(&mut builder(layout), &world)?, layout)?;
        counts.push(cases::count(&host, &code, n)?.instructions);
        codes.push(code);
    }
    // Only the emulator counts.
    if let [Some(_), ..] = counts[..] {
        let rounds = counts
            .iter()
            .flatten()
            .map(|&count| count as f64 / n as f64);
        let rounds = rounds.map(|instructions| format!("{instructions:.1}"));
        line(out, "instructions / iteration", rounds)?;
    }
    let sum: i64 = (0..n).sum();
    writeln!(out, "\ntotal = {sum}, as plain Rust has it")?;
    writeln!(out, "\nAnd when")?;
    for case in &cases::CASES {
        let left = cases::run(case, &host, &codes[0])?;
        let exit = trace::exits(&world)[left.exit].to_string();
        let exit = exit.split(' ').next().unwrap_or_default();
        let (to, _) = trace::WAYS[left.exit];
        let by = cases::taken_by(&left);
        writeln!(out, "  {}:", case.what)?;
        writeln!(out, "      exit {} by {by}: {exit} to {to:?}", left.exit)?;
    }
    Ok(())
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
