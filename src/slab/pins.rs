//! Which threads may be inside a slab's code, in broad strokes: epochs.
//!
//! A thread holds a [`Pin`](super::Pin) while it runs code. What is retired in epoch `e` may be reused in
//! epoch `e + 2`: the step from one epoch to the next waits until no pin of the epoch before is left, so two
//! steps outlast every pin that was there when the code was retired. Two counters, taken in turns, are
//! enough.
//!
//! A pin writes a counter and then reads the epoch, a step writes the epoch and the next one then reads
//! that counter. One of the two must see the other, so all of these are `SeqCst`.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A number that threads share, with sequentially consistent access. The model that tests [`Epochs`] has one
/// of its own.
pub(crate) trait Shared: Debug + Default {
    fn load(&self) -> u64;
    fn store(&self, value: u64);
    fn add(&self, value: u64);
}

impl Shared for AtomicU64 {
    fn load(&self) -> u64 {
        AtomicU64::load(self, SeqCst)
    }

    fn store(&self, value: u64) {
        AtomicU64::store(self, value, SeqCst);
    }

    fn add(&self, value: u64) {
        self.fetch_add(value, SeqCst);
    }
}

/// The epoch, and the pins of the present and the previous one.
#[derive(Debug, Default)]
pub(crate) struct Epochs<S: Shared = AtomicU64> {
    epoch: S,
    pins: [S; 2],
}

impl<S: Shared> Epochs<S> {
    /// Adds a pin; returns which counter it is in.
    pub(crate) fn pin(&self) -> usize {
        loop {
            let epoch = self.epoch.load();
            let counter = (epoch & 1) as usize;
            self.pins[counter].add(1);
            // Steps in between may have missed this pin.
            if self.epoch.load() == epoch {
                return counter;
            }
            self.unpin(counter);
        }
    }

    /// Takes a pin away.
    pub(crate) fn unpin(&self, counter: usize) {
        self.pins[counter].add(u64::MAX);
    }

    /// The present epoch.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.load()
    }

    /// Goes on by an epoch if no pin of the previous one is left. Called under the slab's lock.
    pub(crate) fn step(&self) -> bool {
        let epoch = self.epoch.load();
        let quiet = self.pins[(epoch & 1 ^ 1) as usize].load() == 0;
        if quiet {
            self.epoch.store(epoch + 1);
        }
        quiet
    }

    /// Whether what was retired in epoch `since` can be reused.
    pub(crate) fn has_passed(&self, since: u64) -> bool {
        self.now() >= since + 2
    }
}

#[cfg(test)]
mod tests;
