//! perf counts what runs in a slab. On x86-64 that is code of the host's, in the place of a trace: to perf, one
//! address is as good as another.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::{env, fs, io};

use super::{JitDump, PerfMap};
use crate::TraceBuilder;
use crate::inspect::Symbols;
use crate::slab::{Mapping, SlabOptions};

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Return { ; ret }
}

/// `mov ecx, 1000000000 ; 1: dec ecx ; jnz 1b ; ret`
const LOOP: [u8; 10] = [0xb9, 0x00, 0xca, 0x9a, 0x3b, 0xff, 0xc9, 0x75, 0xfc, 0xc3];

/// Set for what perf records, to the directory for the dump; it writes its map there, too.
const RECORDED: &str = "OPSTITCH_TEST_RECORDED";
/// Set to the mapping of its slab.
const MAPPING: &str = "OPSTITCH_TEST_MAPPING";

#[test]
#[ignore = "the other test starts it"]
fn recorded() {
    let directory = env::var_os(RECORDED).expect("a directory");
    let mapping = match env::var(MAPPING).unwrap().as_str() {
        "TwoViews" => Mapping::TwoViews,
        _ => Mapping::MovedPages,
    };
    let options = SlabOptions::new(1 << 16).annotate(true).mapping(mapping);
    let slab = options.build().unwrap();
    let map = Arc::new(PerfMap::of_this_process().unwrap());
    slab.watch(map.clone()).unwrap();
    slab.watch(Arc::new(
        JitDump::create(&directory, Symbols::new()).unwrap(),
    ))
    .unwrap();
    fs::write(
        Path::new(&directory).join("map"),
        map.path().to_str().unwrap(),
    )
    .unwrap();
    let mut builder = TraceBuilder::new();
    builder.set_name("hot_loop");
    for n in 0..4 {
        builder.push(Add { n }).unwrap();
    }
    builder.push(Return).unwrap();
    let trace = slab.install(&builder.finish().unwrap()).unwrap();
    assert!(trace.len() >= LOOP.len());
    slab.overwrite(trace.address(), &LOOP);
    // SAFETY: x86-64 code that counts down in a register that is the caller's to lose.
    let run: extern "C" fn() = unsafe { std::mem::transmute(trace.address()) };
    run();
}

fn perf(arguments: &[&str], directory: &Path, mapping: Mapping) -> io::Result<String> {
    let mut command = Command::new("perf");
    command.args(arguments).current_dir(directory);
    // perf keeps copies of what it has seen there.
    command.env("HOME", directory).env("JITDUMPDIR", directory);
    command
        .env(RECORDED, directory)
        .env(MAPPING, format!("{mapping:?}"));
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(io::Error::other(told.into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The share of a symbol in a report, in percent.
fn share(report: &str, symbol: &str) -> Option<f64> {
    let line = report.lines().find(|line| line.contains(symbol))?;
    line.trim().split('%').next()?.parse().ok()
}

/// How often perf finds a thread in the trace, by the map and by the dump, in percent of all it counts; `None` if perf
/// does not record here.
fn shares(mapping: Mapping) -> Option<[f64; 2]> {
    let name = format!("opstitch-perf-{mapping:?}-{}", std::process::id());
    let directory = env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    let this = env::current_exe().unwrap();
    let mut record: Vec<_> = "record -k mono -e cpu-clock:u -o perf.data --"
        .split(' ')
        .collect();
    record.push(this.to_str().unwrap());
    record.extend(["--exact", "inspect::perf::tests::recorded", "--ignored"]);
    if let Err(error) = perf(&record, &directory, mapping) {
        // Past the harness, which keeps what tests print.
        use io::Write;
        let skipped = format!("SKIPPED: perf_counts_by_the_name_of_the_trace ({error})\n");
        io::stderr().write_all(skipped.as_bytes()).unwrap();
        return None;
    }
    let report = |data| {
        let arguments = ["report", "--stdio", "-i", data, "--sort", "symbol"];
        let report = perf(&arguments, &directory, mapping).unwrap();
        share(&report, "hot_loop").unwrap_or(0.0)
    };
    let by_map = report("perf.data");
    // The dump alone, without the map.
    fs::remove_file(fs::read_to_string(directory.join("map")).unwrap()).unwrap();
    let inject = ["inject", "--jit", "-i", "perf.data", "-o", "jit.data"];
    perf(&inject, &directory, mapping).unwrap();
    let by_dump = report("jit.data");
    fs::remove_dir_all(&directory).unwrap();
    Some([by_map, by_dump])
}

#[test]
fn perf_counts_by_the_name_of_the_trace() {
    if let Some([by_map, by_dump]) = shares(Mapping::MovedPages) {
        assert!(by_map > 50.0, "{by_map} %");
        assert!(by_dump > 50.0, "{by_dump} %");
    }
    if let Some([_, by_dump]) = shares(Mapping::TwoViews) {
        assert!(by_dump > 50.0, "{by_dump} %");
    }
}
