//! The forms in which the limit takes micro-ops.

use opstitch::{MicroOp, Target, TraceBuilder};

use super::{FUNCTIONS, Goal, number};
use crate::memory;
use crate::mix::{Handles, Mix};
use crate::script::{Script, TARGETS_OF_A_KIND};

/// A form of micro-ops.
pub trait Input<M>: Default {
    /// As it is printed.
    const NAME: &'static str;
    /// A micro-op.
    type Item;
    /// Its operands.
    type Values;

    /// Brings a script's micro-ops into this form.
    fn prepare(&mut self, script: &Script);

    /// The micro-ops.
    fn items(&self) -> &[Self::Item];

    /// The number of a micro-op's block, and its operands.
    fn take(item: &Self::Item) -> (usize, Self::Values);

    /// A number or register: those come first, and in their order.
    fn value(values: &mut Self::Values, index: usize) -> u32;

    /// The number of the target.
    fn target(&self, values: &mut Self::Values, goal: Goal) -> u16;
}

/// Records of what the limit needs, and nothing else.
#[derive(Debug)]
pub struct Records<const VALUES: usize>(Vec<Record<VALUES>>);

#[derive(Debug, Clone, Copy)]
pub struct Record<const VALUES: usize> {
    block: u16,
    target: u16,
    values: [u32; VALUES],
}

impl<const VALUES: usize> Default for Records<VALUES> {
    fn default() -> Self {
        Records(Vec::new())
    }
}

impl<M: Mix, const VALUES: usize> Input<M> for Records<VALUES> {
    const NAME: &'static str = "limit-of-records";
    type Item = Record<VALUES>;
    type Values = Record<VALUES>;

    fn prepare(&mut self, script: &Script) {
        self.0.clear();
        self.0.extend(script.steps.iter().map(|step| Record {
            block: step.kind.into(),
            target: number(
                Goal::of(&M::SHAPES[usize::from(step.kind)]).kind,
                step.target.into(),
            ),
            values: std::array::from_fn(|value| step.values[value]),
        }));
    }

    fn items(&self) -> &[Record<VALUES>] {
        &self.0
    }

    #[inline(always)]
    fn take(item: &Record<VALUES>) -> (usize, Record<VALUES>) {
        (item.block.into(), *item)
    }

    #[inline(always)]
    fn value(values: &mut Record<VALUES>, index: usize) -> u32 {
        // SAFETY: blocks have no more values than records.
        unsafe { *values.values.get_unchecked(index) }
    }

    #[inline(always)]
    fn target(&self, values: &mut Record<VALUES>, _: Goal) -> u16 {
        values.target
    }
}

/// The values that opstitch takes. What a target's number is follows from its handle, or from its address by a perfect
/// hash.
#[derive(Debug)]
pub struct Ops<M: Mix> {
    ops: Vec<M::Op>,
    builder: TraceBuilder,
    functions: [u16; 1 << HASH_BITS],
}

const HASH_BITS: u32 = 8;

/// For addresses in steps of 64, a different one for each of 256 in a row.
fn hash(address: u64) -> usize {
    (address >> 6) as usize % (1 << HASH_BITS)
}

impl<M: Mix> Default for Ops<M> {
    fn default() -> Self {
        let mut functions = [0; 1 << HASH_BITS];
        for index in 0..TARGETS_OF_A_KIND {
            functions[hash(memory::function(index))] = number(FUNCTIONS, index);
        }
        Ops {
            ops: Vec::new(),
            builder: TraceBuilder::new(),
            functions,
        }
    }
}

impl<M: Mix> Input<M> for Ops<M> {
    const NAME: &'static str = "limit";
    type Item = M::Op;
    type Values = <M::Op as MicroOp>::Operands;

    fn prepare(&mut self, script: &Script) {
        self.builder.clear();
        let builder = &mut self.builder;
        let numbers = 0..TARGETS_OF_A_KIND;
        let function = |number| Target::new(memory::function(number)).unwrap();
        let handles = Handles {
            functions: numbers.clone().map(function).collect(),
            exits: numbers.map(|_| builder.declare_exit()).collect(),
            labels: script.labels.iter().map(|_| builder.label()).collect(),
        };
        self.ops.clear();
        let ops = script.steps.iter().map(|step| M::op(step, &handles));
        self.ops.extend(ops);
    }

    fn items(&self) -> &[M::Op] {
        &self.ops
    }

    #[inline(always)]
    fn take(item: &M::Op) -> (usize, Self::Values) {
        (item.index(), item.arranged())
    }

    #[inline(always)]
    fn value(values: &mut Self::Values, index: usize) -> u32 {
        // SAFETY: blocks have no more operands than the micro-ops.
        unsafe { *values.as_mut().get_unchecked(index) as u32 }
    }

    #[inline(always)]
    fn target(&self, values: &mut Self::Values, goal: Goal) -> u16 {
        let raw = values.as_mut().last().copied().unwrap_or(0);
        // Without a branch: one for each micro-op could not be predicted.
        let function = self.functions[hash(raw)] & goal.calls;
        function | (raw as u16 & goal.handles)
    }
}
