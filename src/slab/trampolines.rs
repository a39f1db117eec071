//! The trampolines of a slab: one per distinct target that `bl` does not reach, shared and counted.
//!
//! A trampoline is 16 bytes, `ldr x16, word ; br x16 ; word`, at a multiple of 16: its word is one aligned
//! store away from another target.

use std::collections::HashMap;

use super::heap::{Block, Heap};
use crate::asm::{WORD, trampoline};
use crate::op::operand::Target;

/// The length of a trampoline, in bytes.
pub(crate) const LEN: usize = 16;
/// Where its word is, in bytes.
pub(crate) const WORD_AT: usize = 8;

/// A use of a trampoline; given back with [`Trampolines::release`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use(Target);

#[derive(Debug)]
struct Trampoline {
    block: Block,
    users: usize,
    /// Whether its bytes are in memory. Between the making of a batch and its publication they are not.
    written: bool,
}

/// The trampolines of a slab, by their targets.
#[derive(Debug, Default)]
pub(crate) struct Trampolines {
    by_target: HashMap<Target, Trampoline>,
    /// Where retargetable targets lead to now, if not to their own address.
    redirected: HashMap<Target, u64>,
    /// How many were made, and how many uses found one that was there.
    pub(crate) made: u64,
    pub(crate) saved: u64,
}

/// A trampoline that a trace is about to use.
pub(crate) struct Acquired {
    /// The first granule.
    pub(crate) start: u32,
    /// Whether it has just been made.
    pub(crate) new: bool,
    pub(crate) using: Use,
}

/// A trampoline that no trace uses any more.
pub(crate) struct Released {
    pub(crate) block: Block,
    /// Whether it was in memory, so that threads may still be in it, or in a dropped trace that leads
    /// to it.
    pub(crate) written: bool,
}

impl Trampolines {
    /// Uses the trampoline of `target`, whose block is taken now if need be; `None` if the heap is full.
    pub(crate) fn acquire(
        &mut self,
        target: Target,
        granules: u32,
        heap: &mut Heap,
    ) -> Option<Acquired> {
        let new = !self.by_target.contains_key(&target);
        if new {
            let block = heap.take(granules)?;
            self.by_target.insert(
                target,
                Trampoline {
                    block,
                    users: 0,
                    written: false,
                },
            );
        }
        let trampoline = self.by_target.get_mut(&target)?;
        trampoline.users += 1;
        Some(Acquired {
            start: trampoline.block.start,
            new,
            using: Use(target),
        })
    }

    /// The trampolines among these uses that are not in memory yet: their first granules and their bytes.
    pub(crate) fn unwritten(&self, uses: &[Use]) -> impl Iterator<Item = (u32, [u8; LEN])> {
        uses.iter().filter_map(|using| {
            let trampoline = self.by_target.get(&using.0)?;
            let bytes = bytes(self.destination(using.0));
            (!trampoline.written).then_some((trampoline.block.start, bytes))
        })
    }

    /// The trampolines among these uses that are not noted as being in memory yet: their first granules, and
    /// their targets.
    #[cfg(feature = "inspect")]
    pub(crate) fn unwritten_targets(&self, uses: &[Use]) -> impl Iterator<Item = (u32, Target)> {
        uses.iter().filter_map(|using| {
            let trampoline = self.by_target.get(&using.0)?;
            (!trampoline.written).then_some((trampoline.block.start, using.0))
        })
    }

    /// Notes that the trampolines of these uses, a trace's, are in memory.
    pub(crate) fn mark_written(&mut self, uses: &[Use]) {
        for using in uses {
            let Some(trampoline) = self.by_target.get_mut(&using.0) else {
                continue;
            };
            if std::mem::replace(&mut trampoline.written, true) {
                self.saved += 1;
            } else {
                self.made += 1;
            }
        }
    }

    /// Ends a use. The last one gives the trampoline's block back.
    pub(crate) fn release(&mut self, using: Use) -> Option<Released> {
        let trampoline = self.by_target.get_mut(&using.0)?;
        trampoline.users -= 1;
        if trampoline.users > 0 {
            return None;
        }
        let Trampoline { block, written, .. } = self.by_target.remove(&using.0)?;
        Some(Released { block, written })
    }

    /// Where calls of `target` are to end up.
    fn destination(&self, target: Target) -> u64 {
        *self.redirected.get(&target).unwrap_or(&target.address())
    }

    /// The first granule of a target's trampoline, if it has one in memory.
    pub(crate) fn written(&self, target: Target) -> Option<u32> {
        let trampoline = self.by_target.get(&target)?;
        trampoline.written.then_some(trampoline.block.start)
    }

    /// Lets trampolines of `target` that are written from now on lead to `address`.
    pub(crate) fn redirect(&mut self, target: Target, address: u64) {
        if address == target.address() {
            self.redirected.remove(&target);
        } else {
            self.redirected.insert(target, address);
        }
    }

    /// How many users each of them has.
    #[cfg(test)]
    pub(crate) fn users(&self) -> impl Iterator<Item = (Target, usize)> {
        let all = self.by_target.iter();
        all.map(|(&target, trampoline)| (target, trampoline.users))
    }

    #[cfg(test)]
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.by_target.values().map(|trampoline| &trampoline.block)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_target.len()
    }
}

/// The bytes of a trampoline that leads to `address`.
fn bytes(address: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..WORD_AT].copy_from_slice(&trampoline(WORD_AT as u32 / WORD).to_le_bytes());
    bytes[WORD_AT..].copy_from_slice(&address.to_le_bytes());
    bytes
}
