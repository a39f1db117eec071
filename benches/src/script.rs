//! Which micro-ops a trace consists of.

use crate::mix::{Mix, Shape, Target};

/// How many different call targets there are, exits and labels.
pub const TARGETS_OF_A_KIND: usize = 10;

/// How far any target may lie away, in instructions: what `b.cond` reaches, less a margin. Beyond it opstitch
/// makes veneers, and the peers have none.
const REACH: usize = (1 << 18) - (1 << 14);

/// One micro-op.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Which of the mix's.
    pub kind: u8,
    /// Which target of the kind that the micro-op has.
    pub target: u8,
    /// Its numbers and registers, in order.
    pub values: [u32; 3],
}

impl Step {
    /// One of this kind and shape, its values at random.
    pub fn new(kind: u8, shape: &Shape, target: u8, random: &mut fastrand::Rng) -> Step {
        let mut values = [0; 3];
        for (value, &most) in values.iter_mut().zip(shape.values) {
            *value = random.u32(0..=most);
        }
        Step {
            kind,
            target,
            values,
        }
    }

    /// The one that ends a trace.
    pub fn last<M: Mix>() -> Step {
        Step {
            kind: M::RETURN,
            target: 0,
            values: [0; 3],
        }
    }
}

/// In what order a script's micro-ops come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All of the mix's, one after the other, again and again.
    Predictable,
    /// At random.
    Shuffled,
}

impl Order {
    /// Both.
    pub const ALL: [Order; 2] = [Order::Predictable, Order::Shuffled];

    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Order::Predictable => "predictable",
            Order::Shuffled => "shuffled",
        }
    }
}

/// A trace to build.
#[derive(Debug, Clone)]
pub struct Script {
    /// The micro-ops; the last one is the mix's `Return`.
    pub steps: Vec<Step>,
    /// For each label the micro-op that it stands in front of, ascending.
    pub labels: Vec<usize>,
}

impl Script {
    /// A script of so many micro-ops. With `near`, no target is further away than a conditional branch reaches.
    pub fn new<M: Mix>(order: Order, len: usize, near: bool, random: &mut fastrand::Rng) -> Script {
        let bag: Vec<u8> = (0u8..)
            .zip(M::SHAPES)
            .flat_map(|(kind, shape)| std::iter::repeat_n(kind, shape.weight))
            .collect();
        let labels: Vec<usize> = (0..TARGETS_OF_A_KIND)
            .map(|label| (2 * label + 1) * len / (2 * TARGETS_OF_A_KIND))
            .collect();
        let mut turn = random.usize(..bag.len());
        let mut steps = Vec::with_capacity(len);
        while steps.len() + 1 < len {
            let at = steps.len();
            let kind = match order {
                Order::Predictable => bag[turn % bag.len()],
                Order::Shuffled => bag[random.usize(..bag.len())],
            };
            turn += 1;
            let shape = &M::SHAPES[usize::from(kind)];
            // No jump to what follows: it would be a NOP.
            let allowed = |&label: &usize| {
                let distance = labels[label].abs_diff(at) * M::MOST_WORDS;
                (!near || distance < REACH) && (!shape.closes || labels[label] != at + 1)
            };
            let target = match shape.target {
                Some(Target::Label) => {
                    let allowed: Vec<usize> = (0..labels.len()).filter(allowed).collect();
                    allowed[random.usize(..allowed.len())]
                }
                Some(Target::Exit) if near && (len - at) * M::MOST_WORDS >= REACH => continue,
                _ => random.usize(..TARGETS_OF_A_KIND),
            };
            steps.push(Step::new(kind, shape, target as u8, random));
        }
        steps.push(Step::last::<M>());
        Script { steps, labels }
    }

    /// How many times over a trace of a million micro-ops has those of [`Script::long`].
    pub const LONG_ROUNDS: usize = 20;

    /// Micro-ops that are pushed again and again: more than a branch predictor learns by heart.
    pub fn long<M: Mix>() -> Script {
        let mut random = fastrand::Rng::with_seed(7);
        Script::new::<M>(
            Order::Shuffled,
            1_000_000 / Script::LONG_ROUNDS,
            false,
            &mut random,
        )
    }

    /// Scripts of `len` micro-ops each, `total` in all. So many different ones that no branch predictor learns
    /// their order.
    pub fn many<M: Mix>(order: Order, len: usize, total: usize) -> Vec<Script> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..total / len)
            .map(|_| Script::new::<M>(order, len, true, &mut random))
            .collect()
    }
}
