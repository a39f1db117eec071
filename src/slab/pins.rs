//! Which threads may be inside a slab's code, in broad strokes: epochs.
//!
//! A thread holds a [`Pin`] while it runs code. What is retired in epoch `e` may be reused in epoch
//! `e + 2`: the step from one epoch to the next waits until no pin of the epoch before is left, so two steps
//! outlast every pin that was there when the code was retired. Two counters, taken in turns, are
//! enough.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// The epoch, and the pins of the present and the previous one.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    epoch: AtomicU64,
    pins: [AtomicUsize; 2],
}

impl Epochs {
    /// Adds a pin; returns which counter it is in.
    pub(crate) fn pin(&self) -> usize {
        loop {
            let epoch = self.epoch.load(SeqCst);
            let counter = (epoch & 1) as usize;
            self.pins[counter].fetch_add(1, SeqCst);
            // A step in between may have missed this pin.
            if self.epoch.load(SeqCst) == epoch {
                return counter;
            }
            self.pins[counter].fetch_sub(1, SeqCst);
        }
    }

    /// Takes a pin away.
    pub(crate) fn unpin(&self, counter: usize) {
        self.pins[counter].fetch_sub(1, SeqCst);
    }

    /// The present epoch.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Goes on by an epoch if no pin of the previous one is left. Called under the slab's lock.
    pub(crate) fn step(&self) -> bool {
        let epoch = self.epoch.load(SeqCst);
        let quiet = self.pins[(epoch & 1 ^ 1) as usize].load(SeqCst) == 0;
        if quiet {
            self.epoch.store(epoch + 1, SeqCst);
        }
        quiet
    }

    /// Whether what was retired in epoch `since` can be reused.
    pub(crate) fn has_passed(&self, since: u64) -> bool {
        self.now() >= since + 2
    }
}
