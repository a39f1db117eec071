//! Installing into slabs of different sizes.

use std::time::{Duration, Instant};

use opstitch_benches::install::{BATCH, Used, many};

use crate::report::{Goal, Report};
use crate::sample::Fastest;

pub(crate) fn measure(report: &mut Report) {
    let mut slabs = [Used::small(), Used::large()].map(|slab| (slab, Vec::new(), Vec::new()));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        for (slab, install, copy) in &mut slabs {
            slab.install(|act| install.push(timed(act)));
            slab.copy(|act| copy.push(timed(act)));
        }
    }
    let [small, large] = slabs.map(|(_, install, copy)| {
        // Each time is one of its own, with other blocks and other lines of the caches: not the fastest.
        let [install, copy] = [install, copy].map(|ns| median(ns) / BATCH as f64);
        println!("# {install:.0} ns an install, {copy:.0} of them for the bytes");
        install - copy
    });
    report.line("install/128MiB/to-1MiB", large / small, Goal::AtMost(1.5));

    let (mut first, mut last) = (Fastest::new(), Fastest::new());
    for _ in 0..5 {
        let mut thousands = Vec::new();
        many(100_000, |act| thousands.push(timed(act)));
        // Not the very first, in which memory grows from nothing.
        first.add(thousands[1]);
        last.add(thousands[thousands.len() - 1]);
    }
    report.line(
        "install/100000th/to-1000th",
        last.get() / first.get(),
        Goal::AtMost(1.5),
    );
}

fn timed(act: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    act();
    start.elapsed().as_nanos() as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
