//! Which parts of a slab are free: bookkeeping in granules, without any memory of its own in the slab.
//!
//! Two-level segregated fit. Free blocks hang in lists by size class, 16 classes to each power of
//! two, and two levels of bitmaps find the first class that surely fits in a few instructions, however
//! many blocks there are. Blocks know their neighbours, so a freed one joins the free ones beside it at
//! once. The class that a request falls into may hold blocks that fit by chance; a few of them are
//! looked at when no larger class has any, so that a nearly full slab is used to the last.
//!
//! Invariants: blocks cover the slab without a gap or an overlap; no two neighbours are both free; a
//! block is in the list of its class exactly if it is free. [`Heap::check`] tests them all.

/// Steps between two powers of two.
const STEPS: u32 = 16;
/// Powers of two: blocks of up to 2^28 granules.
const POWERS: usize = 28;
/// How many blocks of a request's own class are looked at.
const LOOKS: usize = 8;

const NONE: u32 = u32::MAX;

/// A block of granules that is in use: the way to free it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    node: u32,
    /// The first granule.
    pub(crate) start: u32,
    /// How many granules.
    pub(crate) len: u32,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    len: u32,
    /// Neighbours in the slab.
    before: u32,
    after: u32,
    /// Neighbours in the list of free blocks of the class, or of unused nodes.
    previous: u32,
    next: u32,
    free: bool,
}

/// The free and used blocks of a slab.
#[derive(Debug)]
pub(crate) struct Heap {
    nodes: Vec<Node>,
    /// Nodes that stand for no block.
    unused: u32,
    powers: u32,
    steps: [u32; POWERS],
    heads: [[u32; STEPS as usize]; POWERS],
    len: u32,
    free: u32,
}

/// The class of blocks of `len` granules: every block in it has at least the class's least size.
fn class(len: u32) -> (usize, usize) {
    if len < STEPS {
        return (0, len as usize);
    }
    let power = len.ilog2();
    let step = (len >> (power - STEPS.ilog2())) - STEPS;
    ((power - STEPS.ilog2() + 1) as usize, step as usize)
}

/// The first class whose every block has at least `len` granules.
fn class_that_fits(len: u32) -> (usize, usize) {
    if len < STEPS {
        return class(len);
    }
    let round = (1 << (len.ilog2() - STEPS.ilog2())) - 1;
    class(len.saturating_add(round))
}

impl Heap {
    /// A heap of `len` granules, all free. `len` is at least 1 and less than 2^28.
    pub(crate) fn new(len: u32) -> Heap {
        let mut heap = Heap {
            nodes: Vec::new(),
            unused: NONE,
            powers: 0,
            steps: [0; POWERS],
            heads: [[NONE; STEPS as usize]; POWERS],
            len,
            free: len,
        };
        let node = heap.new_node(Node {
            start: 0,
            len,
            before: NONE,
            after: NONE,
            previous: NONE,
            next: NONE,
            free: false,
        });
        heap.enlist(node);
        heap
    }

    /// How many granules there are.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// How many granules are free.
    pub(crate) fn free_granules(&self) -> u32 {
        self.free
    }

    /// The longest block that could be taken.
    pub(crate) fn longest(&self) -> u32 {
        let Some(power) = self.powers.checked_ilog2() else {
            return 0;
        };
        let step = self.steps[power as usize].ilog2();
        let mut node = self.heads[power as usize][step as usize];
        let mut longest = 0;
        while node != NONE {
            longest = longest.max(self.nodes[node as usize].len);
            node = self.nodes[node as usize].next;
        }
        longest
    }

    /// Takes `len` granules; `None` if no hole is that long.
    pub(crate) fn take(&mut self, len: u32) -> Option<Block> {
        let node = self.find(len.max(1))?;
        self.delist(node);
        let Node {
            start, len: found, ..
        } = self.nodes[node as usize];
        let len = len.max(1);
        if found > len {
            let after = self.nodes[node as usize].after;
            let rest = self.new_node(Node {
                start: start + len,
                len: found - len,
                before: node,
                after,
                previous: NONE,
                next: NONE,
                free: false,
            });
            self.nodes[node as usize].len = len;
            self.nodes[node as usize].after = rest;
            if after != NONE {
                self.nodes[after as usize].before = rest;
            }
            self.enlist(rest);
        }
        self.free -= len;
        Some(Block { node, start, len })
    }

    /// Gives a block back.
    pub(crate) fn give(&mut self, block: Block) {
        let Block { mut node, len, .. } = block;
        self.free += len;
        let Node { before, after, .. } = self.nodes[node as usize];
        if after != NONE && self.nodes[after as usize].free {
            self.delist(after);
            self.join(node, after);
        }
        if before != NONE && self.nodes[before as usize].free {
            self.delist(before);
            self.join(before, node);
            node = before;
        }
        self.enlist(node);
    }

    fn find(&self, len: u32) -> Option<u32> {
        let (power, step) = class_that_fits(len);
        if power < POWERS {
            // In this power of two from the step on, or in the next one that has any.
            let steps = self.steps[power] & (u32::MAX << step);
            if steps != 0 {
                return Some(self.heads[power][steps.trailing_zeros() as usize]);
            }
            let powers = self.powers & (u32::MAX << power) & !(1 << power);
            if powers != 0 {
                let power = powers.trailing_zeros() as usize;
                return Some(self.heads[power][self.steps[power].trailing_zeros() as usize]);
            }
        }
        let (power, step) = class(len);
        let mut node = self.heads[power][step];
        for _ in 0..LOOKS {
            if node == NONE || self.nodes[node as usize].len >= len {
                break;
            }
            node = self.nodes[node as usize].next;
        }
        let fits = node != NONE && self.nodes[node as usize].len >= len;
        fits.then_some(node)
    }

    /// Lets `first` take in `second`, which follows it.
    fn join(&mut self, first: u32, second: u32) {
        let Node { len, after, .. } = self.nodes[second as usize];
        self.nodes[first as usize].len += len;
        self.nodes[first as usize].after = after;
        if after != NONE {
            self.nodes[after as usize].before = first;
        }
        self.nodes[second as usize].next = self.unused;
        self.unused = second;
    }

    fn enlist(&mut self, node: u32) {
        let (power, step) = class(self.nodes[node as usize].len);
        let head = self.heads[power][step];
        let this = &mut self.nodes[node as usize];
        (this.free, this.previous, this.next) = (true, NONE, head);
        if head != NONE {
            self.nodes[head as usize].previous = node;
        }
        self.heads[power][step] = node;
        self.steps[power] |= 1 << step;
        self.powers |= 1 << power;
    }

    fn delist(&mut self, node: u32) {
        let Node {
            len,
            previous,
            next,
            ..
        } = self.nodes[node as usize];
        self.nodes[node as usize].free = false;
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        if previous != NONE {
            self.nodes[previous as usize].next = next;
            return;
        }
        let (power, step) = class(len);
        self.heads[power][step] = next;
        if next == NONE {
            self.steps[power] &= !(1 << step);
            if self.steps[power] == 0 {
                self.powers &= !(1 << power);
            }
        }
    }

    fn new_node(&mut self, node: Node) -> u32 {
        if self.unused == NONE {
            self.nodes.push(node);
            return self.nodes.len() as u32 - 1;
        }
        let index = self.unused;
        self.unused = self.nodes[index as usize].next;
        self.nodes[index as usize] = node;
        index
    }

    /// Tests the invariants.
    #[cfg(test)]
    fn check(&self) {
        let mut listed = std::collections::HashSet::new();
        for power in 0..POWERS {
            assert_eq!(self.powers >> power & 1 != 0, self.steps[power] != 0);
            for step in 0..STEPS as usize {
                let mut node = self.heads[power][step];
                assert_eq!(self.steps[power] >> step & 1 != 0, node != NONE);
                while node != NONE {
                    let this = self.nodes[node as usize];
                    assert!(this.free && class(this.len) == (power, step));
                    assert!(listed.insert(node));
                    node = this.next;
                }
            }
        }
        let mut node = (0..self.nodes.len() as u32)
            .find(|&n| self.is_block(n) && self.nodes[n as usize].start == 0)
            .expect("a block starts at 0");
        let (mut at, mut free, mut last_free, mut before) = (0, 0, false, NONE);
        while node != NONE {
            let this = self.nodes[node as usize];
            assert_eq!((this.start, this.before), (at, before));
            assert!(this.len > 0 && !(last_free && this.free));
            assert_eq!(this.free, listed.remove(&node));
            free += if this.free { this.len } else { 0 };
            (at, last_free, before) = (at + this.len, this.free, node);
            node = this.after;
        }
        assert_eq!((at, free, listed.len()), (self.len, self.free, 0));
    }

    #[cfg(test)]
    fn is_block(&self, node: u32) -> bool {
        let mut unused = self.unused;
        while unused != NONE {
            if unused == node {
                return false;
            }
            unused = self.nodes[unused as usize].next;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_ordered_and_hold_their_lengths() {
        let mut last = (0, 0);
        for len in 1..100_000 {
            let (power, step) = class(len);
            assert!((power, step) >= last, "{len}");
            last = (power, step);
            let (fit_power, fit_step) = class_that_fits(len);
            // Every shorter block lies in a class before.
            assert!(class(len - 1) < (fit_power, fit_step) || len == 1, "{len}");
        }
    }

    #[test]
    fn a_full_heap_gives_everything_and_takes_it_back() {
        let mut heap = Heap::new(1000);
        let blocks: Vec<_> = (0..1000).map(|_| heap.take(1).unwrap()).collect();
        assert_eq!(heap.take(1), None);
        blocks.into_iter().rev().for_each(|block| heap.give(block));
        heap.check();
        assert_eq!(heap.longest(), 1000);
        assert_eq!(heap.take(1001), None);
        assert_eq!(heap.take(1000).map(|b| (b.start, b.len)), Some((0, 1000)));
        assert_eq!(heap.longest(), 0);
    }

    proptest! {
        /// Against a model that marks every granule.
        #[test]
        fn blocks_never_overlap(steps in prop::collection::vec((any::<bool>(), 0u32..200, any::<prop::sample::Index>()), 1..300)) {
            let mut heap = Heap::new(4096);
            let mut taken = vec![false; 4096];
            let mut blocks: Vec<Block> = Vec::new();
            for (take, len, which) in steps {
                if take || blocks.is_empty() {
                    let before = heap.longest();
                    match heap.take(len) {
                        Some(block) => {
                            prop_assert_eq!(block.len, len.max(1));
                            for granule in block.start..block.start + block.len {
                                prop_assert!(!std::mem::replace(&mut taken[granule as usize], true));
                            }
                            blocks.push(block);
                        }
                        None => prop_assert!(before < len.max(1) * 17 / 16 + 1),
                    }
                } else {
                    let block = blocks.swap_remove(which.index(blocks.len()));
                    for granule in block.start..block.start + block.len {
                        taken[granule as usize] = false;
                    }
                    heap.give(block);
                }
                heap.check();
            }
            let free = taken.iter().filter(|t| !**t).count();
            prop_assert_eq!(heap.free_granules() as usize, free);
        }
    }
}
