//! dynasm-rs's `Assembler`: executable memory, and a commit for each trace.

use std::marker::PhantomData;

use dynasmrt::aarch64::{Aarch64Relocation, Assembler};
use dynasmrt::{DynasmApi, VecAssembler};

use super::Peer;
use super::dynasm::Labels;
use crate::mix::Mix;
use crate::script::Script;

/// The length of the buffer, in bytes.
const BUFFER: usize = 48 << 20;

/// One `Assembler` for all traces, with a commit behind each of them. A commit changes the rights of the whole
/// buffer twice, which costs the more the fuller it is: so it is filled to a given part first.
pub struct PerTraceCommit<M> {
    assembler: Assembler,
    labels: Labels,
    mix: PhantomData<M>,
}

impl<M> PerTraceCommit<M> {
    /// A buffer of which so many eighths are full.
    pub fn new(eighths: usize) -> Self {
        let mut assembler = Assembler::new_with_capacity(BUFFER).unwrap();
        let mut filler = VecAssembler::<Aarch64Relocation>::new(0);
        for _ in 0..BUFFER / 8 * eighths / 8 {
            filler.push_u64(0);
        }
        assembler.extend(filler.finalize().unwrap());
        assembler.commit().unwrap();
        PerTraceCommit {
            assembler,
            labels: Labels::default(),
            mix: PhantomData,
        }
    }
}

impl<M: Mix> Peer for PerTraceCommit<M> {
    const NAME: &'static str = "Assembler";

    fn declare(&mut self, script: &Script) {
        let assembler = &mut self.assembler;
        self.labels
            .declare(script, || assembler.new_dynamic_label());
    }

    fn prepare(&mut self, _: &Script) {}

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        let start = self.assembler.offset().0;
        self.labels.assemble::<M, _>(&mut self.assembler, script);
        self.assembler.commit().unwrap();
        self.assembler.offset().0 - start
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        None
    }
}
