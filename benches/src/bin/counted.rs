//! Builds traces of the typical mix so many times, for Callgrind to count the instructions of `build`:
//!
//! ```text
//! counted PEER ORDER TIMES
//! ```

use opstitch_benches::mix::typical::Typical;
use opstitch_benches::peer::{Limit, Peer, Stitch};
use opstitch_benches::{Order, Script};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, order, times] = &arguments[..] else {
        panic!("usage: counted PEER ORDER TIMES");
    };
    let order = Order::ALL.into_iter().find(|known| known.name() == order);
    let order = order.expect("predictable or shuffled");
    let times = times.parse().expect("a number");
    match peer.as_str() {
        "opstitch" => build(Stitch::<Typical>::default(), order, times),
        "limit" => build(Limit::<Typical, 8, 1, 1, true>::default(), order, times),
        _ => panic!("opstitch or limit"),
    }
}

fn build(mut peer: impl Peer, order: Order, times: usize) {
    let scripts = Script::many::<Typical>(order, 500, 5000);
    for script in scripts.iter().cycle().take(times) {
        peer.whole(script);
    }
}
