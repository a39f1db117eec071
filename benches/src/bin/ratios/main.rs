//! Prints lines of a name and a ratio: what building traces costs, compared with its peers in the same run.

mod sample;

use opstitch_benches::mix::{ebpf::Ebpf, straight::Straight, typical::Typical};
use opstitch_benches::peer::{Cranelift, Limit, Peer, PerTraceCommit, Stitch, VecLabels};
use opstitch_benches::{Mix, Order, Script};
use sample::{Clock, Fastest};
use std::time::{Duration, Instant};

/// How many micro-ops the traces of one sample have together.
const TOTAL: usize = 50_000;

fn main() {
    let clock = Clock::new();
    for order in Order::ALL {
        for len in [50, 500, 50_000] {
            cell::<Straight, Limit<Straight, 9, 2, 2, false>>(&clock, order, len);
            cell::<Typical, Limit<Typical, 8, 1, 1, true>>(&clock, order, len);
            cell::<Ebpf, Limit<Ebpf, 6, 8, 3, true>>(&clock, order, len);
        }
    }
}

fn cell<M: Mix, L: Peer + Default>(clock: &Clock, order: Order, len: usize) {
    let scripts = Script::many::<M>(order, len, TOTAL);
    let (mut stitch, mut limit, mut labels) = (
        Stitch::<M>::default(),
        L::default(),
        VecLabels::<M>::default(),
    );
    for script in &scripts {
        let bytes = stitch.whole(script);
        assert!(bytes == limit.whole(script), "the limit makes other bytes");
        assert!(
            bytes == labels.whole(script),
            "VecAssembler makes other bytes"
        );
    }
    let [mut own, mut least, mut vec] = [const { Fastest::new() }; 3];
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(800) {
        own.add(clock.sample(&mut stitch, &scripts));
        least.add(clock.sample(&mut limit, &scripts));
        vec.add(clock.sample(&mut labels, &scripts));
    }
    let [own, least, vec] = [own.get(), least.get(), vec.get()];
    let name = format!("{}/{}/{len}", M::NAME, order.name());
    println!(
        "{name}/limit {:.2}   # {:.2} {:.2} ns",
        own / least,
        own,
        least
    );
    println!("{name}/VecAssembler {:.2}", vec / own);
    if len > 500 {
        return;
    }
    let few = &scripts[..2000 / len];
    let commits = [1, 3, 5, 7].map(|eighths| {
        let mut peer = PerTraceCommit::<M>::new(eighths);
        let mut fastest = Fastest::new();
        for _ in 0..3 {
            fastest.add(clock.sample(&mut peer, few));
        }
        fastest.get()
    });
    let mean = commits.iter().sum::<f64>() / 4.0;
    println!("{name}/Assembler {:.0}", mean / own);
    let mut cranelift = Cranelift::<M>::default();
    let mut fastest = Fastest::new();
    for _ in 0..10 {
        fastest.add(clock.sample(&mut cranelift, few));
    }
    println!("{name}/Cranelift {:.0}", fastest.get() / own);
}
