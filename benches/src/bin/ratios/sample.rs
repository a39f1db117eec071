//! Times that mean something on a machine that others use as well.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opstitch_benches::Script;
use opstitch_benches::peer::Peer;

/// A clock that knows what reading it costs.
#[derive(Debug)]
pub struct Clock {
    reading: Duration,
}

impl Clock {
    /// Finds out what reading the clock twice costs.
    pub fn new() -> Clock {
        let readings = (0..10_000).map(|_| Instant::now().elapsed());
        Clock {
            reading: readings.min().unwrap_or_default(),
        }
    }

    /// Builds each script once and returns the time per micro-op, in ns.
    pub fn sample<P: Peer + ?Sized>(&self, peer: &mut P, scripts: &[Script]) -> f64 {
        let (mut time, mut ops) = (Duration::ZERO, 0);
        for script in scripts {
            peer.declare(script);
            peer.prepare(script);
            let start = Instant::now();
            black_box(peer.build(black_box(script)));
            time += start.elapsed().saturating_sub(self.reading);
            ops += script.steps.len();
        }
        time.as_nanos() as f64 / ops as f64
    }
}

/// The fastest of some samples: the one that others have disturbed the least.
#[derive(Debug)]
pub struct Fastest(f64);

impl Default for Fastest {
    fn default() -> Fastest {
        Fastest::new()
    }
}

impl Fastest {
    /// Of none yet.
    pub const fn new() -> Fastest {
        Fastest(f64::INFINITY)
    }

    /// Takes a sample into account.
    pub fn add(&mut self, sample: f64) {
        self.0 = self.0.min(sample);
    }

    /// The fastest.
    pub fn get(&self) -> f64 {
        self.0
    }
}

/// The median of what was measured at several places in memory: which lines of the caches meet there makes up to a tenth, and
/// more of a long trace.
pub fn median<const PLACES: usize>(mut times: [f64; PLACES]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[PLACES / 2]
}

/// The program of that name that was built together with this one.
pub fn beside(name: &str) -> std::path::PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    this.with_file_name(name)
}
