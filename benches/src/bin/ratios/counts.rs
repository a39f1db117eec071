//! Callgrind's instruction counts, which do not depend on what else the machine does, and those kept in `counts.txt`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use opstitch_benches::Order;
use opstitch_benches::install::BATCH;

use crate::report::{Goal, Report};
use crate::sample::beside;

/// How much more than the kept count is no worse, as a factor: hashes have a random seed.
const TOLERANCE: f64 = 1.01;

/// Counts, compares with those kept, or keeps them. Returns whether one is worse.
pub(crate) fn measure(update: bool, report: &mut Report) -> bool {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("# SKIPPED: no valgrind, no instruction counts");
        return false;
    }
    let mut counts = BTreeMap::new();
    for order in Order::ALL.map(Order::name) {
        let [own, least, _] = ["opstitch", "limit", "limit-of-records"].map(|peer| {
            let arguments = ["build", peer, order];
            let count = per_time(&arguments, "*Peer*build*", 20) / 500.0;
            counts.insert(format!("typical/{order}/500/{peer}"), count);
            count
        });
        let name = format!("typical/{order}/500/instructions/to-limit");
        report.line(name, own / least, Goal::None);
    }
    let guards = per_time(&["guards"], "*guards_*", 20) / 500.0;
    counts.insert("guards/500/opstitch".to_owned(), guards);
    let long = per_time(&["long"], "*build_long*", 1) / 1e6;
    report.line(
        "typical/1000000/instructions/to-500",
        long / counts["typical/shuffled/500/opstitch"],
        Goal::None,
    );
    counts.insert("typical/shuffled/1000000/opstitch".to_owned(), long);
    let [small, large] = ["1MiB", "128MiB"].map(|size| {
        let install = per_time(&["install", size], "*install_all*", 4) / BATCH as f64;
        let copy = per_time(&["copy", size], "*copy_all*", 4) / BATCH as f64;
        counts.insert(format!("install/{size}"), install - copy);
        install - copy
    });
    report.line(
        "install/128MiB/instructions/to-1MiB",
        large / small,
        Goal::AtMost(1.1),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.txt");
    if update {
        keep(&path, &counts);
        return false;
    }
    compare(&path, &counts)
}

/// The instructions of the functions that match `function`, each time: the difference between two runs, one twice as
/// long as the other, which has no start in it.
fn per_time(arguments: &[&str], function: &str, times: usize) -> f64 {
    let [short, long] = [times, 2 * times].map(|times| count(arguments, function, times));
    (long - short) / times as f64
}

fn count(arguments: &[&str], function: &str, times: usize) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={function}"))
        .arg("--callgrind-out-file=/dev/null")
        .arg(beside("counted"))
        .arg(times.to_string())
        .args(arguments)
        .output()
        .expect("valgrind");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .split("Collected : ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    match collected.and_then(|count| count.parse().ok()) {
        Some(count) => count,
        None => panic!("valgrind counts nothing:\n{text}"),
    }
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "an unknown rustc".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn keep(path: &PathBuf, counts: &BTreeMap<String, f64>) {
    let mut text = format!(
        "# Instructions, counted by Callgrind: per micro-op, per install. `make bench-update`\n# {}\n",
        rustc()
    );
    for (name, count) in counts {
        writeln!(text, "{name} {count:.1}").expect("memory");
    }
    std::fs::write(path, text).expect("counts.txt");
    println!("# written: benches/counts.txt");
}

/// Whether a count is worse than the one kept. Those of another compiler are told only.
fn compare(path: &PathBuf, counts: &BTreeMap<String, f64>) -> bool {
    let kept = std::fs::read_to_string(path).expect("counts.txt");
    let comparable = kept.contains(&rustc());
    if !comparable {
        println!("# the counts kept are of another compiler: they are told, not compared");
    }
    let mut worse = false;
    for line in kept.lines().filter(|line| !line.starts_with('#')) {
        let (name, was) = line.split_once(' ').expect("a name and a count");
        let was: f64 = was.parse().expect("a count");
        let Some(&now) = counts.get(name) else {
            println!("# no longer counted: {name}");
            continue;
        };
        let verdict = match now / was {
            change if change > TOLERANCE && comparable => {
                worse = true;
                "WORSE"
            }
            change if change < 1.0 / TOLERANCE && comparable => {
                "better: keep it with `make bench-update`"
            }
            _ => "as before",
        };
        println!("# {name}: {now:.1} instructions, {was} kept: {verdict}");
    }
    worse
}
