//! Building traces: opstitch against its peers.

use std::time::{Duration, Instant};

use opstitch_benches::mix::{ebpf::Ebpf, straight::Straight, typical::Typical};
use opstitch_benches::peer::{
    Cranelift, EbpfLimit, EbpfRecords, LinkedElsewhere, OneByOne, Peer, PerTraceCommit, Stitch,
    StraightLimit, StraightRecords, TypicalLimit, TypicalRecords, VecLabels,
};
use opstitch_benches::{Mix, Order, Script};

use crate::report::{Goal, Report};
use crate::sample::{Clock, Fastest, median};

/// How many micro-ops the traces of one sample have together.
const TOTAL: usize = 50_000;

/// How many of each fast peer there are, each elsewhere in memory.
const PLACES: usize = 7;

/// How long they take turns.
const TIME: Duration = Duration::from_millis(1300);

pub(crate) fn measure(clock: &Clock, report: &mut Report) {
    for len in [50, 500, 50_000] {
        for order in Order::ALL {
            cell::<Straight, StraightLimit, StraightRecords>(clock, report, order, len);
            cell::<Typical, TypicalLimit, TypicalRecords>(clock, report, order, len);
            cell::<Ebpf, EbpfLimit, EbpfRecords>(clock, report, order, len);
        }
    }
}

fn cell<M: Mix, L: Peer + Default, R: Peer + Default>(
    clock: &Clock,
    report: &mut Report,
    order: Order,
    len: usize,
) {
    let scripts = Script::many::<M>(order, len, TOTAL);
    let mut random = fastrand::Rng::new();
    // What lies in between moves what comes next.
    let mut between = Vec::new();
    let mut places = [(); PLACES].map(|()| {
        between.extend((0..8).map(|_| vec![0u8; random.usize(..20_000)]));
        Fast::<M, L, R>::new(&scripts)
    });
    let start = Instant::now();
    while start.elapsed() < TIME {
        for place in &mut places {
            place.take_turn(clock, &scripts);
        }
    }
    let [own, one_by_one, copied, least, of_records, vec] =
        std::array::from_fn(|peer| median(places.each_ref().map(|it| it.fastest[peer].get())));
    let name = format!("{}/{}/{len}", M::NAME, order.name());
    println!(
        "# {name}: {own:.2} ns per micro-op, one by one {one_by_one:.2}, linked elsewhere {copied:.2}, the limit {least:.2}, of records {of_records:.2}, VecAssembler {vec:.2}"
    );
    let gate = M::NAME == Typical::NAME && len == 500;
    let goal = |goal| if gate { goal } else { Goal::None };
    let over = match order {
        Order::Shuffled => 1.5,
        Order::Predictable => 1.25,
    };
    report.line(
        format!("{name}/to-limit"),
        own / least,
        goal(Goal::AtMost(over)),
    );
    report.line(
        format!("{name}/to-limit-of-records"),
        own / of_records,
        Goal::None,
    );
    report.line(
        format!("{name}/one-by-one/to-limit"),
        one_by_one / least,
        Goal::None,
    );
    report.line(
        format!("{name}/linked-elsewhere/to-limit"),
        copied / least,
        Goal::None,
    );
    // In a predictable order the limit itself is not four times as fast.
    let four = match order {
        Order::Shuffled => goal(Goal::AtLeast(4.0)),
        Order::Predictable => Goal::None,
    };
    report.line(format!("{name}/VecAssembler"), vec / own, four);
    if len > 500 {
        return;
    }
    let few = &scripts[..2000 / len];
    // On the average of a buffer that fills up.
    let commits = [1, 3, 5, 7].map(|eighths| {
        let mut peer = PerTraceCommit::<M>::new(eighths);
        fastest(3, || clock.sample(&mut peer, few))
    });
    let mean = commits.iter().sum::<f64>() / commits.len() as f64;
    report.line(
        format!("{name}/Assembler"),
        mean / own,
        goal(Goal::AtLeast(50.0)),
    );
    let mut cranelift = Cranelift::<M>::default();
    let compiled = fastest(5, || clock.sample(&mut cranelift, few));
    report.line(
        format!("{name}/Cranelift"),
        compiled / own,
        goal(Goal::AtLeast(100.0)),
    );
}

/// The peers that are fast enough to be measured often.
struct Fast<M: Mix, L, R> {
    stitch: Stitch<M>,
    single: OneByOne<M>,
    elsewhere: LinkedElsewhere<M>,
    limit: L,
    records: R,
    labels: VecLabels<M>,
    /// The fastest sample of each.
    fastest: [Fastest; 6],
}

impl<M: Mix, L: Peer + Default, R: Peer + Default> Fast<M, L, R> {
    /// New ones, each of which has built all scripts. The bytes of all are the same.
    fn new(scripts: &[Script]) -> Self {
        let mut fast = Fast {
            stitch: Stitch::<M>::default(),
            single: OneByOne::<M>::default(),
            elsewhere: LinkedElsewhere::<M>::default(),
            limit: L::default(),
            records: R::default(),
            labels: VecLabels::<M>::default(),
            fastest: [const { Fastest::new() }; 6],
        };
        for script in scripts {
            let bytes = fast.stitch.whole(script);
            assert!(bytes == fast.limit.whole(script), "the limit's bytes");
            assert!(bytes == fast.records.whole(script), "the limit's bytes");
            assert!(bytes == fast.labels.whole(script), "VecAssembler's bytes");
            assert!(bytes == fast.single.whole(script), "pushed one by one");
            assert!(bytes == fast.elsewhere.whole(script), "linked elsewhere");
        }
        fast
    }

    fn take_turn(&mut self, clock: &Clock, scripts: &[Script]) {
        let [own, one_by_one, copied, least, of_records, vec] = &mut self.fastest;
        own.add(clock.sample(&mut self.stitch, scripts));
        one_by_one.add(clock.sample(&mut self.single, scripts));
        copied.add(clock.sample(&mut self.elsewhere, scripts));
        least.add(clock.sample(&mut self.limit, scripts));
        of_records.add(clock.sample(&mut self.records, scripts));
        vec.add(clock.sample(&mut self.labels, scripts));
    }
}

fn fastest(times: usize, mut sample: impl FnMut() -> f64) -> f64 {
    let mut fastest = Fastest::new();
    (0..times).for_each(|_| fastest.add(sample()));
    fastest.get()
}
