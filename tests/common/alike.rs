//! Micro-ops that are pushed by rows, whatever the others of their block are like.

use opstitch::{MicroOp, MicroOpSet};

/// A micro-op of which the compiler knows no more than it must, as of one that is mostly like the others of its block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alike<M>(pub(crate) M);

impl<M: MicroOp> MicroOp for Alike<M> {
    type Operands = M::Operands;

    fn set(&self) -> &'static MicroOpSet {
        self.0.set()
    }

    fn index(&self) -> usize {
        self.0.index()
    }

    fn operands(&self) -> M::Operands {
        self.0.operands()
    }
}
