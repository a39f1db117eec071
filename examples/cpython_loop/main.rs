//! CPython's trace of `for i in range(n): total += i`: 31 micro-ops, 8 of them exits, in CPython's order,
//! under CPython's names, with CPython's pinned registers. The objects are simpler than CPython's, but
//! they are what they seem: tagged integers, an iterator with a state, reference counts, locals, a stack
//! that is partly in registers, and a runtime that is called.
//!
//! - `uops.rs`: the micro-ops.
//! - `trace.rs`: which of them the trace consists of, and how it is stitched.
//! - `objects.rs`, `runtime.rs`: what they find in memory, and what they call.
//! - `machine.rs`, `emulated.rs`: what runs the trace.
//! - `cases.rs`: what happens when the loop does not go as expected.

#[cfg(not(target_arch = "aarch64"))]
pub mod cases;
#[cfg(not(target_arch = "aarch64"))]
pub mod emulated;
pub mod machine;
pub mod objects;
pub mod runtime;
pub mod trace;
pub mod uops;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use machine::{FAR, FUNCTIONS, MEMORY, NEAR};
use objects::World;
use opstitch::inspect::Symbols;
use opstitch::{FallThrough, LinkedTrace, Options, Statistics, TraceBuilder};
use runtime::Runtime;

const USAGE: &str = "usage: cpython_loop [--n NUMBER] [--list]

  --n NUMBER  how many numbers to add up, 1 to 1000000000; 100000 unless given
  --list      print the trace, instruction by instruction";

/// A way to lay the trace out and to link it.
struct Layout {
    name: &'static str,
    fall_through: FallThrough,
    address: u64,
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        name: "far",
        fall_through: FallThrough::Nop,
        address: FAR,
    },
    Layout {
        name: "near",
        fall_through: FallThrough::Nop,
        address: NEAR,
    },
    Layout {
        name: "near, elided",
        fall_through: FallThrough::Elide,
        address: NEAR,
    },
];

/// Stitches and links the trace, runs it, and prints what it did.
pub fn run(arguments: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let (mut n, mut list) = (100_000, false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--n" => n = number(arguments.next()).ok_or(USAGE)?,
            "--list" => list = true,
            _ => return Err(USAGE.into()),
        }
    }

    let world = World::at(MEMORY);
    let mut traces = Vec::new();
    for layout in &LAYOUTS {
        let options = Options::new().fall_through(layout.fall_through);
        let mut builder = TraceBuilder::with_options(options);
        traces.push(trace::stitch(&mut builder, &world)?.link(layout.address)?);
    }
    if list {
        let symbols = symbols(&world);
        writeln!(out, "{}", traces[0].listing(&symbols))?;
    }
    writeln!(out, "for i in range({n}): total += i\n")?;
    sizes(&traces, out)?;
    runs(&traces, &world, n, out)
}

fn number(argument: Option<&String>) -> Option<i64> {
    let number = argument?.parse().ok()?;
    (1..=1_000_000_000).contains(&number).then_some(number)
}

fn symbols(world: &World) -> Symbols {
    let mut symbols = Symbols::new();
    for (address, (name, _)) in FUNCTIONS.into_iter().zip(Runtime::FUNCTIONS) {
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
#[cfg(not(target_arch = "aarch64"))]
fn runs(
    traces: &[LinkedTrace],
    world: &World,
    n: i64,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let mut instructions = Vec::new();
    for trace in traces {
        let left = cases::count(trace, *world, n)?;
        instructions.push(left.instructions as f64 / n as f64);
    }
    let instructions = instructions.iter().map(|count| format!("{count:.1}"));
    line(out, "instructions / iteration", instructions)?;
    writeln!(
        out,
        "\ntotal = {}, as plain Rust has it",
        (0..n).sum::<i64>()
    )?;
    writeln!(out, "\nAnd when")?;
    for case in &cases::CASES {
        let left = cases::run(case, &traces[0], *world)?;
        let exit = trace::exits(world)[left.exit].to_string();
        let exit = exit.split(' ').next().unwrap_or_default();
        let (to, _) = trace::WAYS[left.exit];
        let by = cases::taken_by(&left);
        writeln!(out, "  {}:", case.what)?;
        writeln!(out, "      exit {} by {by}: {exit} to {to:?}", left.exit)?;
    }
    Ok(())
}

/// Here the trace is not run yet.
#[cfg(target_arch = "aarch64")]
fn runs(_: &[LinkedTrace], _: &World, _: i64, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(
        out,
        "\n(on AArch64 the example does not run the trace yet)"
    )?)
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
