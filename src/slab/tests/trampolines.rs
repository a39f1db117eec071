//! The trampolines' counting under every short sequence of calls.
//!
//! All of a slab's changes are made under its lock, so what several threads can do to each other are
//! sequences of whole calls, no more: installing, and the parts of which a batch consists. (What is not under
//! the lock, the epochs, has a model of its own in `pins`.)

use std::collections::HashMap;

use super::fewer;
use crate::TraceBuilder;
use crate::op::operand::Target;
use crate::slab::heap::Block;
use crate::slab::{Batch, InstalledTrace, Pin, Slab, SlabOptions};

crate::uops! {
    enum Op;
    op Call(function: call) { ; bl =>function }
    op Return { ; ret }
}

fn target(number: u64) -> Target {
    Target::new(16 * number + 16).unwrap()
}

fn calling(targets: &[u64]) -> TraceBuilder {
    let mut builder = TraceBuilder::new();
    let mut push = |op: Op| builder.push(op).unwrap();
    for &number in targets {
        let function = target(number);
        push(Call { function }.into());
    }
    push(Return.into());
    builder
}

/// What a sequence of calls has led to.
#[derive(Default)]
struct World<'s> {
    traces: [Option<InstalledTrace>; 3],
    batch: Option<Batch<'s>>,
    pin: Option<Pin<'s>>,
}

/// The length of a trace with more far targets than there is room for.
const LONG: usize = 336;
const CALLS: usize = 8;
/// The targets of the three traces; the last comes in a batch.
const TARGETS: [&[u64]; 3] = [&[1, 2], &[2], &[1]];

impl<'s> World<'s> {
    fn call(&mut self, slab: &'s Slab, call: usize, builders: &mut [TraceBuilder; 4]) {
        match call {
            // Installs a trace, or drops it.
            0 | 1 => match self.traces[call].take() {
                Some(trace) => drop(trace),
                None => {
                    let trace = builders[call].finish().unwrap();
                    self.traces[call] = Some(slab.install(&trace).unwrap());
                }
            },
            // Starts a batch, or drops it.
            2 => match self.batch.take() {
                Some(batch) => drop(batch),
                None => {
                    let mut batch = slab.batch();
                    batch.add(&builders[2].finish().unwrap()).unwrap();
                    self.batch = Some(batch);
                }
            },
            // Publishes the batch, or drops what came of the last one.
            3 => match self.batch.take() {
                Some(batch) => self.traces[2] = batch.publish().unwrap().pop(),
                None => self.traces[2] = None,
            },
            // Fails for want of room, once the trampolines are there.
            4 => {
                let before = slab.statistics();
                let room = slab.reserve(before.longest - LONG).unwrap();
                let trace = builders[3].finish().unwrap();
                assert!(slab.install(&trace).is_err());
                drop(room);
                assert_eq!(slab.statistics(), before);
            }
            5 | 6 => {
                let reclaimed = slab.reclaim().unwrap();
                assert!(self.pin.is_some() || reclaimed.waiting == 0);
            }
            _ => match self.pin.take() {
                Some(pin) => drop(pin),
                None => self.pin = Some(slab.pin()),
            },
        }
    }

    /// Compares the slab with what there is.
    fn check(&self, slab: &Slab) {
        let mut users: HashMap<Target, usize> = HashMap::new();
        let mut written: HashMap<Target, bool> = HashMap::new();
        let there = [0, 1, 2].map(|n| self.traces[n].is_some());
        let pending = [false, false, self.batch.is_some()];
        for (number, targets) in TARGETS.iter().enumerate() {
            for &number_of_target in *targets {
                let target = target(number_of_target);
                let count = usize::from(there[number]) + usize::from(pending[number]);
                if count > 0 {
                    *users.entry(target).or_default() += count;
                    *written.entry(target).or_default() |= there[number];
                }
            }
        }
        let state = slab.shared.lock();
        let in_slab: HashMap<Target, usize> = state.trampolines.users().collect();
        assert_eq!(in_slab, users);
        for (target, there) in written {
            // A trampoline of a batch is in memory if it was published for another trace, once.
            let start = state.trampolines.written(target);
            assert!(start.is_some() || !there);
            if let Some(start) = start {
                let at = start as usize * slab.shared.granule;
                assert_eq!(slab.shared.region.load_literal(at + 8), target.address());
            }
        }
        // Nothing is in two places.
        let trampolines = state.trampolines.blocks();
        let retired = state.retired.iter().map(|retired| &retired.block);
        let mut blocks: Vec<&Block> = trampolines.chain(retired).collect();
        blocks.sort_unstable_by_key(|block| block.start);
        let apart = |pair: &[&Block]| pair[0].start + pair[0].len <= pair[1].start;
        assert!(blocks.windows(2).all(apart));
        drop(state);
        let all = slab.statistics();
        assert_eq!(all.trampolines, in_slab.len());
        assert_eq!(all.size, all.used + all.free + all.retired);
        assert!(self.pin.is_some() || all.retired == 0 || all.free < all.size);
    }
}

#[test]
fn every_short_sequence_of_calls_keeps_the_count() {
    let depth = if fewer(10) < 10 { 4 } else { 5 };
    let slab = SlabOptions::new(1).near(1 << 46).build().unwrap();
    // The last one finds room for itself and not for all of its trampolines.
    let many: Vec<u64> = (1..=40).collect();
    let mut builders = [TARGETS[0], TARGETS[1], TARGETS[2], &many].map(calling);
    let len = builders[3].finish().unwrap().shared_len();
    assert_eq!(len.next_multiple_of(16), LONG);
    let before = slab.statistics();
    for number in 0..CALLS.pow(depth) {
        let mut world = World::default();
        let mut left = number;
        for _ in 0..depth {
            world.call(&slab, left % CALLS, &mut builders);
            world.check(&slab);
            left /= CALLS;
        }
        drop(world);
        slab.reclaim().unwrap();
        let after = slab.statistics();
        assert_eq!(
            (after.free, after.trampolines),
            (before.free, 0),
            "{number}"
        );
    }
}
