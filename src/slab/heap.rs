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

use std::ops::{Index, IndexMut};

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

/// All nodes, by their numbers.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
struct Nodes(Vec<Node>);

impl Index<u32> for Nodes {
    type Output = Node;

    fn index(&self, node: u32) -> &Node {
        #[cfg(test)]
        tests::LOOKED_AT.set(tests::LOOKED_AT.get() + 1);
        &self.0[node as usize]
    }
}

impl IndexMut<u32> for Nodes {
    fn index_mut(&mut self, node: u32) -> &mut Node {
        #[cfg(test)]
        tests::LOOKED_AT.set(tests::LOOKED_AT.get() + 1);
        &mut self.0[node as usize]
    }
}

/// The free and used blocks of a slab.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Heap {
    nodes: Nodes,
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
            nodes: Nodes::default(),
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

    /// The longest block that [`take`](Heap::take) would find.
    pub(crate) fn longest(&self) -> u32 {
        let Some(power) = self.powers.checked_ilog2() else {
            return 0;
        };
        let step = self.steps[power as usize].ilog2();
        let looked_at = self.looked_at((power as usize, step as usize));
        let lengths = looked_at.map(|node| self.nodes[node].len);
        lengths.max().unwrap_or(0)
    }

    /// The blocks of a class that are looked at when there is no larger class.
    fn looked_at(&self, (power, step): (usize, usize)) -> impl Iterator<Item = u32> {
        let some = |node: u32| (node != NONE).then_some(node);
        let first = some(self.heads[power][step]);
        std::iter::successors(first, move |&node| some(self.nodes[node].next)).take(LOOKS)
    }

    /// Takes `len` granules; `None` if no hole is that long.
    pub(crate) fn take(&mut self, len: u32) -> Option<Block> {
        let len = len.max(1);
        // What is longer than the heap has no class.
        let node = (len <= self.free).then(|| self.find(len)).flatten()?;
        self.delist(node);
        if let Some(rest) = self.split(node, len) {
            self.enlist(rest);
        }
        self.free -= len;
        let start = self.nodes[node].start;
        Some(Block { node, start, len })
    }

    /// Gives back what of a block is behind its first `len` granules, which are at least one.
    pub(crate) fn shrink(&mut self, block: &mut Block, len: u32) {
        let len = len.max(1);
        if let Some(node) = self.split(block.node, len) {
            let Node {
                start, len: rest, ..
            } = self.nodes[node];
            block.len = len;
            self.give(Block {
                node,
                start,
                len: rest,
            });
        }
    }

    /// Cuts what is behind the first `len` granules off a block that is in no list.
    fn split(&mut self, node: u32, len: u32) -> Option<u32> {
        let Node {
            start,
            len: whole,
            after,
            ..
        } = self.nodes[node];
        if whole <= len {
            return None;
        }
        let rest = self.new_node(Node {
            start: start + len,
            len: whole - len,
            before: node,
            after,
            previous: NONE,
            next: NONE,
            free: false,
        });
        self.nodes[node].len = len;
        self.nodes[node].after = rest;
        if after != NONE {
            self.nodes[after].before = rest;
        }
        Some(rest)
    }

    /// Gives a block back.
    pub(crate) fn give(&mut self, block: Block) {
        let Block { mut node, len, .. } = block;
        self.free += len;
        let Node { before, after, .. } = self.nodes[node];
        if after != NONE && self.nodes[after].free {
            self.delist(after);
            self.join(node, after);
        }
        if before != NONE && self.nodes[before].free {
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
        let mut looked_at = self.looked_at(class(len));
        looked_at.find(|&node| self.nodes[node].len >= len)
    }

    /// Lets `first` take in `second`, which follows it.
    fn join(&mut self, first: u32, second: u32) {
        let Node { len, after, .. } = self.nodes[second];
        self.nodes[first].len += len;
        self.nodes[first].after = after;
        if after != NONE {
            self.nodes[after].before = first;
        }
        self.nodes[second].next = self.unused;
        self.unused = second;
    }

    fn enlist(&mut self, node: u32) {
        let (power, step) = class(self.nodes[node].len);
        let head = self.heads[power][step];
        let this = &mut self.nodes[node];
        (this.free, this.previous, this.next) = (true, NONE, head);
        if head != NONE {
            self.nodes[head].previous = node;
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
        } = self.nodes[node];
        self.nodes[node].free = false;
        if next != NONE {
            self.nodes[next].previous = previous;
        }
        if previous != NONE {
            self.nodes[previous].next = next;
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
            self.nodes.0.push(node);
            return self.nodes.0.len() as u32 - 1;
        }
        let index = self.unused;
        self.unused = self.nodes[index].next;
        self.nodes[index] = node;
        index
    }
}

#[cfg(test)]
mod tests;
