//! The heap against models of it.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::slab::tests::{Random, fewer};

impl Heap {
    /// Tests the invariants.
    fn check(&self) {
        let mut listed = HashSet::new();
        for power in 0..POWERS {
            assert_eq!(self.powers >> power & 1 != 0, self.steps[power] != 0);
            for step in 0..STEPS as usize {
                let mut node = self.heads[power][step];
                assert_eq!(self.steps[power] >> step & 1 != 0, node != NONE);
                while node != NONE {
                    let this = self.nodes[node];
                    assert!(this.free && class(this.len) == (power, step));
                    assert!(listed.insert(node));
                    node = this.next;
                }
            }
        }
        let mut unused = HashSet::new();
        let mut node = self.unused;
        while node != NONE {
            assert!(unused.insert(node));
            node = self.nodes[node].next;
        }
        let mut node = (0..self.nodes.0.len() as u32)
            .find(|node| !unused.contains(node) && self.nodes[*node].start == 0)
            .expect("a block starts at 0");
        let (mut at, mut free, mut last_free, mut before) = (0, 0, false, NONE);
        let mut blocks = 0;
        while node != NONE {
            let this = self.nodes[node];
            assert_eq!((this.start, this.before), (at, before));
            assert!(this.len > 0 && !(last_free && this.free));
            assert_eq!(this.free, listed.remove(&node));
            free += if this.free { this.len } else { 0 };
            (at, last_free, before) = (at + this.len, this.free, node);
            node = this.after;
            blocks += 1;
        }
        assert_eq!((at, free, listed.len()), (self.len, self.free, 0));
        assert_eq!(blocks + unused.len(), self.nodes.0.len());
    }
}

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

#[test]
fn what_no_class_holds_is_refused() {
    for len in [1, 15, 1000, (1 << 28) - 1] {
        let mut heap = Heap::new(len);
        for more in [len + 1, 1 << 28, 1 << 31, u32::MAX] {
            assert_eq!(heap.take(more), None, "{more} of {len}");
        }
        assert_eq!(heap.take(len).map(|block| block.len), Some(len));
    }
}

/// Free blocks of one class, one beside the other, are not all looked at, whoever asks.
#[test]
fn the_longest_block_is_what_can_be_taken() {
    let mut heap = Heap::new(100_000);
    // All in one class, the longest at the end of its list.
    let lengths: Vec<u32> = (32..=33).rev().cycle().take(30).collect();
    let mut blocks = Vec::new();
    for &len in &lengths {
        blocks.push(heap.take(len).unwrap());
        heap.take(1).unwrap();
    }
    heap.take(heap.longest()).unwrap();
    for block in blocks {
        heap.give(block);
    }
    heap.check();
    while heap.free_granules() > 0 {
        let longest = heap.longest();
        assert_eq!(heap.take(longest + 1), None);
        assert!(heap.take(longest).is_some());
        heap.check();
    }
}

#[test]
fn what_a_block_does_not_need_is_given_back() {
    let mut heap = Heap::new(100);
    let (mut first, second) = (heap.take(40).unwrap(), heap.take(60).unwrap());
    heap.shrink(&mut first, 10);
    heap.check();
    assert_eq!((first.len, heap.free_granules()), (10, 30));
    heap.shrink(&mut first, 10);
    heap.give(second);
    heap.check();
    heap.shrink(&mut first, 0);
    heap.check();
    assert_eq!((first.len, heap.longest()), (1, 99));
    heap.give(first);
    heap.check();
    assert_eq!(heap.longest(), 100);
}

/// Every sequence of calls up to some length on a small heap: what is taken never overlaps, and nothing
/// is refused that there is a hole for (in small heaps every length has a class of its own).
#[test]
fn every_short_sequence_of_calls_keeps_the_heap_whole() {
    const LEN: u32 = 7;
    fn go_on(heap: &Heap, taken: &[(u32, u32)], calls: usize, seen: &mut u64) {
        *seen += 1;
        heap.check();
        let mut free = [true; LEN as usize];
        for &(start, len) in taken {
            for granule in start..start + len {
                assert!(std::mem::replace(&mut free[granule as usize], false));
            }
        }
        let longest = free.split(|free| !free).map(<[bool]>::len).max();
        assert_eq!(longest, Some(heap.longest() as usize));
        if calls == 0 {
            return;
        }
        for len in 1..=4 {
            let mut next = heap.clone();
            match next.take(len) {
                Some(block) => {
                    let taken = [taken, &[(block.start, block.len)]].concat();
                    go_on(&next, &taken, calls - 1, seen);
                }
                None => assert!(len > heap.longest()),
            }
        }
        for (number, &(start, len)) in taken.iter().enumerate() {
            let node = (0..)
                .zip(&heap.nodes.0)
                .find(|(node, it)| it.start == start && !it.free && heap.is_block(*node));
            let (node, _) = node.expect("a block is there until it is given back");
            let mut next = heap.clone();
            next.give(Block { node, start, len });
            let mut taken = taken.to_vec();
            taken.remove(number);
            go_on(&next, &taken, calls - 1, seen);
        }
    }
    let mut seen = 0;
    go_on(&Heap::new(LEN), &[], 7, &mut seen);
    assert!(seen > 10_000, "only {seen} states");
}

impl Heap {
    fn is_block(&self, node: u32) -> bool {
        let mut unused = self.unused;
        while unused != NONE && unused != node {
            unused = self.nodes[unused].next;
        }
        unused == NONE
    }
}

/// Lengths in granules of traces of 1 KiB on the average: most are short, a few long.
fn trace_len(random: &mut Random, granule: u32) -> u32 {
    let bytes = match random.below(100) {
        0..70 => 64 + random.below(600),
        70..95 => 600 + random.below(1600),
        _ => 2000 + random.below(9000),
    };
    (bytes as u32).div_ceil(granule)
}

/// One million installs and drops in a slab that is 90 % full, for each size of granule.
#[test]
fn a_slab_in_use_for_long_has_room_for_a_page_of_code() {
    let rounds = fewer(1_000_000);
    for (bytes, granule) in [
        (4 << 20, 16),
        (16 << 20, 16),
        (16 << 20, 32),
        (128 << 20, 16),
    ] {
        let mut random = Random(bytes as u64 | u64::from(granule));
        let mut heap = Heap::new(bytes / granule);
        let (mut blocks, mut sum, mut count) = (Vec::new(), 0u64, 0u64);
        let (mut tried, mut failed, mut refused) = (0, 0, 0);
        let mut rounds_left = rounds;
        while rounds_left > 0 {
            let full = heap.free_granules() <= heap.len() / 10;
            // Around 90 %: up to it, then at random.
            if !full || random.below(2) == 0 {
                let len = trace_len(&mut random, granule);
                (sum, count) = (sum + u64::from(len * granule), count + 1);
                match heap.take(len) {
                    Some(block) => blocks.push(block),
                    None => refused += 1,
                }
            }
            if heap.free_granules() < heap.len() / 10 {
                let which = random.below(blocks.len() as u64) as usize;
                heap.give(blocks.swap_remove(which));
                rounds_left -= 1;
                if rounds_left.is_multiple_of(10) && rounds_left < rounds / 2 {
                    tried += 1;
                    match heap.take(4096 / granule) {
                        Some(block) => heap.give(block),
                        None => failed += 1,
                    }
                }
            }
        }
        heap.check();
        println!(
            "{} KiB by {granule}: mean {} bytes, {refused} of {count} refused, {failed} of {tried} of 4 KiB",
            bytes / 1024,
            sum / count,
        );
        assert!((900..1150).contains(&(sum / count)), "not 1 KiB on average");
        assert!(failed * 100 <= tried, "{failed} of {tried} failed");
    }
}

proptest! {
    /// Against a model that marks every granule.
    #[test]
    fn blocks_never_overlap(steps in prop::collection::vec((0u8..5, 0u32..200, any::<prop::sample::Index>()), 1..300)) {
        let mut heap = Heap::new(4096);
        let mut taken = vec![false; 4096];
        let mut blocks: Vec<Block> = Vec::new();
        for (what, len, which) in steps {
            if what < 3 || blocks.is_empty() {
                let longest = heap.longest();
                match heap.take(len) {
                    Some(block) => {
                        prop_assert_eq!(block.len, len.max(1));
                        for granule in block.start..block.start + block.len {
                            prop_assert!(!std::mem::replace(&mut taken[granule as usize], true));
                        }
                        blocks.push(block);
                    }
                    None => prop_assert!(longest < len.max(1)),
                }
            } else {
                let which = which.index(blocks.len());
                let mut block = blocks.swap_remove(which);
                let end = block.start + block.len;
                if what == 3 {
                    let kept = len.min(block.len);
                    heap.shrink(&mut block, kept);
                    taken[(block.start + block.len) as usize..end as usize].fill(false);
                    blocks.push(block);
                } else {
                    taken[block.start as usize..end as usize].fill(false);
                    heap.give(block);
                }
            }
            heap.check();
        }
        let free = taken.iter().filter(|t| !**t).count();
        prop_assert_eq!(heap.free_granules() as usize, free);
    }
}

thread_local! {
    /// How often this thread has looked at a node.
    pub(super) static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The most nodes that one call looks at in a heap of so many granules, 90 % full and in use for long.
fn most_looked_at(granules: u32, rounds: usize) -> u64 {
    let (mut heap, mut random) = (Heap::new(granules), Random(granules.into()));
    let (mut blocks, mut most) = (Vec::new(), 0);
    for _ in 0..rounds {
        let before = LOOKED_AT.get();
        let full = heap.free_granules() < granules / 10;
        if !full && random.below(10) < 9 {
            blocks.extend(heap.take(1 + random.below(100) as u32));
        } else if !blocks.is_empty() {
            let any = random.below(blocks.len() as u64) as usize;
            heap.give(blocks.swap_remove(any));
        }
        most = most.max(LOOKED_AT.get() - before);
    }
    most
}

/// From 64 KiB to the largest slab.
#[test]
fn what_a_call_costs_does_not_depend_on_the_size() {
    let rounds = fewer(1_000_000);
    let most = [1 << 12, 1 << 16, 1 << 20, 1 << 23].map(|len| most_looked_at(len, rounds));
    println!("{most:?} nodes at most");
    assert!(most.iter().all(|&most| most <= 40), "{most:?}");
}
