//! Traces in which each guard has an exit of its own, from declaring the exits on.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opstitch_benches::guards::{Assembled, Stitched, guards};

use crate::report::{Goal, Report};
use crate::sample::Fastest;

const GUARDS: usize = 500;

/// How many traces a sample has, so that no branch predictor learns them by heart.
const TRACES: usize = 100;

const TIME: Duration = Duration::from_secs(1);

pub(crate) fn measure(report: &mut Report) {
    let mut random = fastrand::Rng::with_seed(7);
    let traces: Vec<_> = (0..TRACES).map(|_| guards(GUARDS, &mut random)).collect();
    let (mut plain, mut annotated) = (Stitched::new(false), Stitched::new(true));
    let mut assembled = Assembled::default();
    for steps in &traces {
        let bytes = assembled.build(steps).to_vec();
        for peer in [&mut plain, &mut annotated] {
            assert!(peer.whole(steps) == bytes, "the bytes differ");
        }
    }
    let [mut own, mut with, mut vec] = [const { Fastest::new() }; 3];
    let start = Instant::now();
    while start.elapsed() < TIME {
        for (peer, fastest) in [(&mut plain, &mut own), (&mut annotated, &mut with)] {
            let mut time = Duration::ZERO;
            for steps in &traces {
                peer.clear();
                let start = Instant::now();
                peer.guards_declare(black_box(steps.len()));
                time += start.elapsed();
                peer.prepare(steps);
                let start = Instant::now();
                black_box(peer.guards_build());
                time += start.elapsed();
            }
            fastest.add(per_guard(time));
        }
        let start = Instant::now();
        for steps in &traces {
            black_box(assembled.build(black_box(steps)));
        }
        vec.add(per_guard(start.elapsed()));
    }
    let [own, with, vec] = [own, with, vec].map(|fastest| fastest.get());
    println!(
        "# guards/{GUARDS}: {own:.2} ns per guard and exit, annotated {with:.2}, VecAssembler {vec:.2}"
    );
    report.line(
        format!("guards/{GUARDS}/VecAssembler"),
        vec / own,
        Goal::None,
    );
    report.line(format!("guards/{GUARDS}/annotated"), with / own, Goal::None);
}

fn per_guard(time: Duration) -> f64 {
    time.as_nanos() as f64 / (GUARDS * TRACES) as f64
}
