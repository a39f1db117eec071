//! Installing traces into slabs that are full of others.

use std::hint::black_box;

use opstitch::slab::{InstalledTrace, Slab, SlabError};
use opstitch::{Options, Target, Trace, TraceBuilder};

use crate::memory;
use crate::mix::{Handles, Mix, typical::Typical};
use crate::script::{Order, Script, TARGETS_OF_A_KIND};

/// Small traces of different lengths, built and not yet linked, to be installed again and again.
#[derive(Debug)]
pub struct Traces(Vec<TraceBuilder>);

impl Default for Traces {
    fn default() -> Self {
        let mut random = fastrand::Rng::with_seed(11);
        let build = |len| {
            let script = Script::new::<Typical>(Order::Shuffled, len, true, &mut random);
            let mut builder = TraceBuilder::with_options(Options::new().annotate(false));
            push(&mut builder, &script);
            builder
        };
        Traces((10..42).step_by(2).map(build).collect())
    }
}

fn push(builder: &mut TraceBuilder, script: &Script) {
    let numbers = 0..TARGETS_OF_A_KIND;
    let target = |number| Target::new(memory::function(number)).unwrap();
    let mut exit = |number| builder.exit([Typical::leave(memory::exit_value(number))]);
    let handles = Handles {
        exits: numbers
            .clone()
            .map(|number| exit(number).unwrap())
            .collect(),
        functions: numbers.map(target).collect(),
        labels: script.labels.iter().map(|_| builder.label()).collect(),
    };
    let mut next = 0;
    for (number, step) in script.steps.iter().enumerate() {
        while script.labels.get(next) == Some(&number) {
            builder.bind(handles.labels[next]).unwrap();
            next += 1;
        }
        builder.push(Typical::op(step, &handles)).unwrap();
    }
}

impl Traces {
    /// `count` of them, at random.
    fn choose(&mut self, count: usize, random: &mut fastrand::Rng) -> Vec<Trace<'_>> {
        let traces = self.0.iter_mut().map(|builder| builder.finish().unwrap());
        let traces: Vec<_> = traces.collect();
        (0..count)
            .map(|_| traces[random.usize(..traces.len())])
            .collect()
    }
}

/// A slab with traces and holes all over it.
#[derive(Debug)]
pub struct Used {
    slab: Slab,
    traces: Traces,
    random: fastrand::Rng,
    /// What the linked bytes are copied to for comparison: as long as the slab, and in use throughout.
    copies: Vec<u8>,
    installed: Vec<InstalledTrace>,
}

/// How many traces are installed together before as many others are taken out.
pub const BATCH: usize = 50;

impl Used {
    /// A slab of 1 MiB, half full.
    pub fn small() -> Used {
        Used::new(1 << 20, 0.5)
    }

    /// A slab of 128 MiB, full to 90 %.
    pub fn large() -> Used {
        Used::new(128 << 20, 0.9)
    }

    /// A slab of `size` bytes of which a part is full.
    fn new(size: usize, part: f64) -> Used {
        let slab = Slab::new(size).unwrap();
        let (mut traces, mut installed) = (Traces::default(), Vec::new());
        let mut random = fastrand::Rng::with_seed(13);
        'full: loop {
            for trace in traces.choose(1000, &mut random) {
                match slab.install(&trace) {
                    Ok(trace) => installed.push(trace),
                    Err(SlabError::Full { .. }) => break 'full,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        installed.retain(|_| random.f64() < part);
        slab.reclaim().unwrap();
        Used {
            slab,
            traces,
            random,
            copies: vec![1; size],
            installed,
        }
    }

    /// Installs some traces, by `around`, then takes out as many others from all over the slab.
    pub fn install(&mut self, around: impl FnOnce(&mut dyn FnMut())) {
        let traces = self.traces.choose(BATCH, &mut self.random);
        around(&mut || install_all(&self.slab, &traces, &mut self.installed));
        for _ in 0..BATCH {
            let other = self.random.usize(..self.installed.len());
            self.installed.swap_remove(other);
        }
        self.slab.reclaim().unwrap();
    }

    /// Links as many traces to places all over as much memory, by `around`.
    pub fn copy(&mut self, around: impl FnOnce(&mut dyn FnMut())) {
        let traces = self.traces.choose(BATCH, &mut self.random);
        let places: Vec<_> = traces
            .iter()
            .map(|trace| {
                let len = trace.linked_len(memory::TRACE).unwrap();
                let start = self.random.usize(..self.copies.len() - len) & !15;
                start..start + len
            })
            .collect();
        around(&mut || copy_all(&traces, &places, &mut self.copies));
    }
}

/// A function of its own, for Callgrind.
#[inline(never)]
fn install_all(slab: &Slab, traces: &[Trace<'_>], installed: &mut Vec<InstalledTrace>) {
    installed.extend(traces.iter().map(|trace| slab.install(trace).unwrap()));
}

/// A function of its own, for Callgrind.
#[inline(never)]
fn copy_all(traces: &[Trace<'_>], places: &[std::ops::Range<usize>], to: &mut [u8]) {
    for (trace, place) in traces.iter().zip(places) {
        black_box(trace.link_into(memory::TRACE, &mut to[place.clone()])).unwrap();
    }
}

/// Installs `count` traces into one new slab of 128 MiB and keeps them; hands each thousand to `around`.
pub fn many(count: usize, mut around: impl FnMut(&mut dyn FnMut())) {
    let slab = Slab::new(128 << 20).unwrap();
    let mut traces = Traces::default();
    let mut random = fastrand::Rng::with_seed(17);
    let mut all = Vec::with_capacity(count);
    for _ in 0..count / 1000 {
        let thousand = traces.choose(1000, &mut random);
        around(&mut || install_all(&slab, &thousand, &mut all));
    }
}
