//! Long traces: time and memory per micro-op.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opstitch_benches::mix::typical::Typical;
use opstitch_benches::peer::{Peer, Stitch};
use opstitch_benches::{Order, Script};

use crate::report::{Goal, Report};
use crate::sample::{Clock, Fastest, beside, median};

/// How many builders there are of each length: each lies elsewhere in memory, and to one in eight of the long ones that makes a
/// quarter.
const PLACES: usize = 5;

/// How often they take turns: for two seconds, because who else uses the last cache does so for a while.
const ROUNDS: usize = 10;

/// How long each builds short traces in a turn.
const TURN: Duration = Duration::from_millis(30);

pub(crate) fn measure(clock: &Clock, report: &mut Report) {
    let script = Script::long::<Typical>();
    let short = Script::many::<Typical>(Order::Shuffled, 500, 50_000);
    let mut peers = [(); PLACES].map(|()| Peers::default());
    let mut copied = Vec::new();
    for _ in 0..ROUNDS {
        for it in &mut peers {
            it.long.prepare_long(&script);
            let start = Instant::now();
            let (ops, _) = it.long.build_long(&script, Script::LONG_ROUNDS);
            let per_op = |time: Duration| time.as_nanos() as f64 / ops as f64;
            it.at_1_000_000.add(per_op(start.elapsed()));
            let bytes = it.long.bytes().expect("what was built");
            copied.resize(bytes.len(), 0);
            let start = Instant::now();
            black_box(&mut copied[..]).copy_from_slice(black_box(bytes));
            it.copy.add(per_op(start.elapsed()));
            let start = Instant::now();
            while start.elapsed() < TURN {
                it.at_500.add(clock.sample(&mut it.short, &short));
            }
        }
    }
    let of = |fastest: fn(&Peers) -> &Fastest| median(peers.each_ref().map(|it| fastest(it).get()));
    let long = of(|it| &it.at_1_000_000);
    let (at_500, copy) = (of(|it| &it.at_500), of(|it| &it.copy));
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

#[derive(Default)]
struct Peers {
    long: Stitch<Typical>,
    short: Stitch<Typical>,
    at_1_000_000: Fastest,
    at_500: Fastest,
    copy: Fastest,
}
