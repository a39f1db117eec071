//! Times of building and installing traces, by divan. `ratios` is what comparisons are made with: these are for looking
//! at one thing while working on it, `cargo bench -- NAME`.

use std::cell::RefCell;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use opstitch_benches::install::{BATCH, Used};
use opstitch_benches::mix::{ebpf::Ebpf, straight::Straight, typical::Typical};
use opstitch_benches::peer::{
    Cranelift, EbpfLimit, Peer, PerTraceCommit, Stitch, StraightLimit, TypicalLimit, VecLabels,
};
use opstitch_benches::{Mix, Order, Script};

fn main() {
    divan::main();
}

/// One trace a sample, a different one each time.
fn build<M: Mix>(bencher: Bencher, mut peer: impl Peer, order: Order, len: usize) {
    let scripts = Script::many::<M>(order, len, 50_000.max(len));
    let mut next = 0..;
    let peer = RefCell::new(&mut peer);
    bencher
        .counter(ItemsCount::new(len))
        .with_inputs(|| {
            let script = &scripts[next.next().unwrap_or(0) % scripts.len()];
            let mut peer = peer.borrow_mut();
            peer.declare(script);
            peer.prepare(script);
            script
        })
        .bench_local_refs(|script| peer.borrow_mut().build(black_box(script)));
}

macro_rules! benches {
    ($($module:ident: $mix:ty, $limit:ty;)*) => {$(
        #[divan::bench_group(sample_size = 1, sample_count = 500)]
        mod $module {
            use super::*;

            const LENGTHS: [usize; 3] = [50, 500, 50_000];

            #[divan::bench(args = LENGTHS)]
            fn opstitch_predictable(bencher: Bencher, len: usize) {
                build::<$mix>(bencher, Stitch::<$mix>::default(), Order::Predictable, len);
            }

            #[divan::bench(args = LENGTHS)]
            fn opstitch_shuffled(bencher: Bencher, len: usize) {
                build::<$mix>(bencher, Stitch::<$mix>::default(), Order::Shuffled, len);
            }

            #[divan::bench(args = LENGTHS)]
            fn limit_predictable(bencher: Bencher, len: usize) {
                build::<$mix>(bencher, <$limit>::default(), Order::Predictable, len);
            }

            #[divan::bench(args = LENGTHS)]
            fn limit_shuffled(bencher: Bencher, len: usize) {
                build::<$mix>(bencher, <$limit>::default(), Order::Shuffled, len);
            }

            #[divan::bench(args = LENGTHS)]
            fn vec_assembler_shuffled(bencher: Bencher, len: usize) {
                build::<$mix>(bencher, VecLabels::<$mix>::default(), Order::Shuffled, len);
            }

            #[divan::bench(sample_count = 20)]
            fn assembler_500_shuffled(bencher: Bencher) {
                build::<$mix>(bencher, PerTraceCommit::<$mix>::new(4), Order::Shuffled, 500);
            }

            #[divan::bench(sample_count = 20)]
            fn cranelift_500_shuffled(bencher: Bencher) {
                build::<$mix>(bencher, Cranelift::<$mix>::default(), Order::Shuffled, 500);
            }
        }
    )*};
}

benches! {
    straight: Straight, StraightLimit;
    typical: Typical, TypicalLimit;
    ebpf: Ebpf, EbpfLimit;
}

/// One batch of traces, into a slab that is in use.
fn install(bencher: Bencher, mut slab: Used) {
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| slab.install(|install| install()));
}

#[divan::bench(sample_size = 1, sample_count = 200)]
fn install_and_take_out_50_in_1_mib(bencher: Bencher) {
    install(bencher, Used::small());
}

#[divan::bench(sample_size = 1, sample_count = 200)]
fn install_and_take_out_50_in_128_mib(bencher: Bencher) {
    install(bencher, Used::large());
}
