//! What Callgrind counts the instructions of: one thing, done so many times.
//!
//! ```text
//! counted TIMES build PEER ORDER     builds traces of 500 typical micro-ops
//! counted TIMES guards               builds traces of 500 guards, each with an exit
//! counted TIMES long                 builds traces of 1,000,000, shuffled
//! counted TIMES install SIZE         installs traces into a slab of 1MiB or 128MiB
//! counted TIMES copy SIZE            only links them
//! ```

use opstitch_benches::guards::{Stitched, guards};
use opstitch_benches::install::Used;
use opstitch_benches::mix::typical::Typical;
use opstitch_benches::peer::{OneByOne, Peer, Stitch, TypicalLimit, TypicalRecords};
use opstitch_benches::{Order, Script};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [times, what @ ..] = &arguments[..] else {
        panic!("counted TIMES ..");
    };
    let times = times.parse().expect("a number of times");
    match what {
        ["build", "opstitch", order] => build(Stitch::<Typical>::default(), order, times),
        ["build", "one-by-one", order] => build(OneByOne::<Typical>::default(), order, times),
        ["build", "limit-of-records", order] => build(TypicalRecords::default(), order, times),
        ["build", "limit", order] => build(TypicalLimit::default(), order, times),
        ["guards"] => {
            let mut stitched = Stitched::new(false);
            let steps = guards(500, &mut fastrand::Rng::with_seed(7));
            for _ in 0..times {
                stitched.whole(&steps);
            }
        }
        ["long"] => {
            let mut stitch = Stitch::<Typical>::default();
            let script = Script::long::<Typical>();
            for _ in 0..times {
                stitch.prepare_long(&script);
                stitch.build_long(&script, Script::LONG_ROUNDS);
            }
        }
        ["install", size] => {
            let mut slab = slab(size);
            (0..times).for_each(|_| slab.install(|install| install()));
        }
        ["copy", size] => {
            let mut slab = slab(size);
            (0..times).for_each(|_| slab.copy(|copy| copy()));
        }
        _ => panic!("unknown: {what:?}"),
    }
}

fn build(mut peer: impl Peer, order: &str, times: usize) {
    let order = Order::ALL.into_iter().find(|known| known.name() == order);
    let order = order.expect("predictable or shuffled");
    let scripts = Script::many::<Typical>(order, 500, 5000);
    for script in scripts.iter().cycle().take(times) {
        peer.whole(script);
    }
}

fn slab(size: &str) -> Used {
    match size {
        "1MiB" => Used::small(),
        "128MiB" => Used::large(),
        _ => panic!("1MiB or 128MiB"),
    }
}
