//! What dynasm-rs's two assemblers have in common: labels for everything, the exits and the pool by hand.

use dynasm::dynasm;
use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynamicLabel, DynasmLabelApi};

use crate::memory;
use crate::mix::{DynamicLabels, Mix, Target};
use crate::script::{Script, TARGETS_OF_A_KIND};

/// The labels of a trace, and what is still to be emitted for them.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) of: DynamicLabels,
    /// The literal of each function's trampoline.
    words: Vec<DynamicLabel>,
    exits: Wanted,
    functions: Wanted,
}

/// What was asked for, each once, in the order of the first time.
#[derive(Debug, Default)]
struct Wanted {
    order: Vec<usize>,
    seen: [bool; TARGETS_OF_A_KIND],
}

impl Wanted {
    fn clear(&mut self) {
        self.order.clear();
        self.seen = [false; TARGETS_OF_A_KIND];
    }

    fn want(&mut self, number: usize) {
        if !self.seen[number] {
            self.seen[number] = true;
            self.order.push(number);
        }
    }
}

impl Labels {
    /// Makes the labels of a new trace.
    pub(super) fn declare(&mut self, script: &Script, mut new: impl FnMut() -> DynamicLabel) {
        let mut renew = |labels: &mut Vec<_>, count| {
            labels.clear();
            labels.extend((0..count).map(|_| new()));
        };
        renew(&mut self.of.labels, script.labels.len());
        renew(&mut self.of.exits, TARGETS_OF_A_KIND);
        renew(&mut self.of.functions, TARGETS_OF_A_KIND);
        renew(&mut self.words, TARGETS_OF_A_KIND);
        self.exits.clear();
        self.functions.clear();
    }

    /// Assembles a trace.
    pub(super) fn assemble<M: Mix, A>(&mut self, assembler: &mut A, script: &Script)
    where
        A: DynasmLabelApi<Relocation = Aarch64Relocation>,
    {
        let start = assembler.offset().0;
        dynasm!(assembler ; .arch aarch64 ; nop);
        let mut from = 0;
        for label in 0..script.labels.len() {
            self.steps::<M, A>(assembler, script, from..script.labels[label]);
            let here = self.of.labels[label];
            dynasm!(assembler ; .arch aarch64 ; =>here);
            from = script.labels[label];
        }
        self.steps::<M, A>(assembler, script, from..script.steps.len());
        for &exit in &self.exits.order {
            let (here, value) = (self.of.exits[exit], memory::exit_value(exit));
            dynasm!(assembler ; .arch aarch64 ; =>here ; movz x0, value ; ret);
        }
        for &function in &self.functions.order {
            let (here, word) = (self.of.functions[function], self.words[function]);
            dynasm!(assembler ; .arch aarch64 ; =>here ; ldr x16, =>word ; br x16);
        }
        if !self.functions.order.is_empty() && !(assembler.offset().0 - start).is_multiple_of(8) {
            assembler.push_u32(0); // udf
        }
        for &function in &self.functions.order {
            let word = self.words[function];
            dynasm!(assembler ; .arch aarch64 ; =>word);
            assembler.push_u64(memory::function(function));
        }
    }

    fn steps<M: Mix, A>(
        &mut self,
        assembler: &mut A,
        script: &Script,
        range: std::ops::Range<usize>,
    ) where
        A: DynasmLabelApi<Relocation = Aarch64Relocation>,
    {
        for step in &script.steps[range] {
            M::assemble(assembler, step, &self.of);
            let shape = M::SHAPES[usize::from(step.kind)];
            match shape.target {
                Some(Target::Exit) => self.exits.want(usize::from(step.target)),
                Some(Target::Call) => self.functions.want(usize::from(step.target)),
                _ => {}
            }
            if !shape.closes {
                dynasm!(assembler ; .arch aarch64 ; nop);
            }
        }
    }
}
