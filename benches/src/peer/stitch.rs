//! opstitch itself.

use opstitch::{Options, Target, TraceBuilder};

use super::Peer;
use crate::memory;
use crate::mix::{Handles, Mix};
use crate::script::{Script, TARGETS_OF_A_KIND};

/// opstitch, its builder and the destination used again for every trace.
#[derive(Debug)]
pub struct Stitch<M: Mix> {
    builder: TraceBuilder,
    handles: Handles,
    ops: Vec<M::Op>,
    to: Vec<u8>,
    len: usize,
}

impl<M: Mix> Default for Stitch<M> {
    fn default() -> Self {
        let functions = (0..TARGETS_OF_A_KIND).map(memory::function);
        Stitch {
            builder: TraceBuilder::with_options(Options::new().annotate(false)),
            handles: Handles {
                functions: functions.map(|at| Target::new(at).unwrap()).collect(),
                ..Handles::default()
            },
            ops: Vec::new(),
            to: Vec::new(),
            len: 0,
        }
    }
}

impl<M: Mix> Peer for Stitch<M> {
    const NAME: &'static str = "opstitch";

    fn declare(&mut self, script: &Script) {
        self.builder.clear();
        let Handles { exits, labels, .. } = &mut self.handles;
        exits.clear();
        exits.extend((0..TARGETS_OF_A_KIND).map(|exit| {
            let leave = M::leave(memory::exit_value(exit));
            self.builder.exit([leave]).unwrap()
        }));
        labels.clear();
        labels.extend(script.labels.iter().map(|_| self.builder.label()));
    }

    fn prepare(&mut self, script: &Script) {
        self.ops.clear();
        let ops = script.steps.iter().map(|step| M::op(step, &self.handles));
        self.ops.extend(ops);
    }

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        let mut from = 0;
        for (&label, &at) in self.handles.labels.iter().zip(&script.labels) {
            for &op in &self.ops[from..at] {
                self.builder.push(op).unwrap();
            }
            self.builder.bind(label).unwrap();
            from = at;
        }
        for &op in &self.ops[from..] {
            self.builder.push(op).unwrap();
        }
        let trace = self.builder.finish().unwrap();
        let len = trace.linked_len(memory::TRACE).unwrap();
        if self.to.len() < len {
            self.to.resize(len, 0);
        }
        trace.link_into(memory::TRACE, &mut self.to[..len]).unwrap();
        self.len = len;
        len
    }

    fn bytes(&self) -> Option<&[u8]> {
        Some(&self.to[..self.len])
    }
}
