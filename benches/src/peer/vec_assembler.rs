//! dynasm-rs's `VecAssembler`, with dynamic labels and a pool by hand.

use std::marker::PhantomData;

use dynasmrt::VecAssembler;
use dynasmrt::aarch64::Aarch64Relocation;

use super::Peer;
use super::dynasm::Labels;
use crate::memory;
use crate::mix::Mix;
use crate::script::Script;

/// One `VecAssembler` for all traces. Each trace's bytes are handed out as a `Vec`, which saves it a copy.
#[derive(Debug)]
pub struct VecLabels<M> {
    assembler: VecAssembler<Aarch64Relocation>,
    labels: Labels,
    bytes: Vec<u8>,
    mix: PhantomData<M>,
}

impl<M> Default for VecLabels<M> {
    fn default() -> Self {
        VecLabels {
            assembler: VecAssembler::new(memory::TRACE as usize),
            labels: Labels::default(),
            bytes: Vec::new(),
            mix: PhantomData,
        }
    }
}

impl<M: Mix> Peer for VecLabels<M> {
    const NAME: &'static str = "VecAssembler";

    fn declare(&mut self, script: &Script) {
        let assembler = &mut self.assembler;
        self.labels
            .declare(script, || assembler.new_dynamic_label());
    }

    fn prepare(&mut self, _: &Script) {}

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        let most = (script.steps.len() * M::MOST_WORDS + 100) * 4;
        self.assembler.reserve_ops(most);
        self.labels.assemble::<M, _>(&mut self.assembler, script);
        self.bytes = self.assembler.take().unwrap();
        self.bytes.len()
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}
