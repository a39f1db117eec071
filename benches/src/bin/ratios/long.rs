//! Long traces: time and memory per micro-op.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opstitch_benches::mix::typical::Typical;
use opstitch_benches::peer::{Peer, Stitch};
use opstitch_benches::{Order, Script};

use crate::report::{Goal, Report};
use crate::sample::{Clock, Fastest, beside};

pub(crate) fn measure(clock: &Clock, report: &mut Report) {
    let script = Script::long::<Typical>();
    let short = Script::many::<Typical>(Order::Shuffled, 500, 50_000);
    let (mut long_peer, mut peer) = (Stitch::<Typical>::default(), Stitch::<Typical>::default());
    let [mut long, mut at_500, mut copy] = [const { Fastest::new() }; 3];
    let mut copied = Vec::new();
    for _ in 0..12 {
        long_peer.prepare_long(&script);
        let start = Instant::now();
        let (ops, _) = long_peer.build_long(&script, Script::LONG_ROUNDS);
        long.add(start.elapsed().as_nanos() as f64 / ops as f64);
        let bytes = long_peer.bytes().expect("what was built");
        copied.resize(bytes.len(), 0);
        let start = Instant::now();
        black_box(&mut copied[..]).copy_from_slice(black_box(bytes));
        copy.add(start.elapsed().as_nanos() as f64 / ops as f64);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {
            at_500.add(clock.sample(&mut peer, &short));
        }
    }
    let [long, at_500, copy] = [long, at_500, copy].map(|fastest| fastest.get());
    println!(
        "# typical/shuffled: {long:.2} ns per micro-op at 1,000,000, {at_500:.2} at 500; to copy the bytes once more takes {copy:.2}"
    );
    report.line("typical/1000000/to-500", long / at_500, Goal::AtMost(1.3));
    let peak = std::process::Command::new(beside("peak"))
        .output()
        .expect("peak");
    let ratio = String::from_utf8_lossy(&peak.stdout).trim().parse();
    report.line(
        "typical/1000000/memory",
        ratio.expect("a ratio"),
        Goal::AtMost(1.0),
    );
}
