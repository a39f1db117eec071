//! opstitch itself.

use opstitch::{Options, Target, TraceBuilder};

use super::Peer;
use crate::memory;
use crate::mix::{Handles, Mix};
use crate::script::{Script, TARGETS_OF_A_KIND};

/// opstitch, its builder used again for every trace. The final bytes are where they were built.
#[derive(Debug)]
pub struct Stitch<M: Mix> {
    builder: TraceBuilder,
    handles: Handles,
    ops: Vec<M::Op>,
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
        }
    }
}

impl<M: Mix> Stitch<M> {
    /// Declares what the micro-ops of a long trace refer to, and prepares one round of them.
    pub fn prepare_long(&mut self, script: &Script) {
        self.declare(script);
        self.prepare(script);
    }

    /// Builds a trace of the script's micro-ops, its end apart, so many times over. Its labels are spread over the
    /// whole of it. Returns the number of micro-ops and of bytes.
    #[inline(never)]
    pub fn build_long(&mut self, script: &Script, rounds: usize) -> (usize, usize) {
        let (end, ops) = self.ops.split_last().unwrap();
        let mut labels = self.handles.labels.iter();
        for round in 0..rounds {
            if round % rounds.div_ceil(script.labels.len()) == 0 {
                self.builder.bind(*labels.next().unwrap()).unwrap();
            }
            self.builder.push_all(ops).unwrap();
        }
        self.builder.push(*end).unwrap();
        let len = self.link();
        (self.builder.len(), len)
    }

    /// Pushes a trace. `push` gets the micro-ops from one label to the next.
    #[inline(always)]
    fn push_by(&mut self, script: &Script, push: impl Fn(&mut TraceBuilder, &[M::Op])) {
        let mut from = 0;
        for (&label, &at) in self.handles.labels.iter().zip(&script.labels) {
            push(&mut self.builder, &self.ops[from..at]);
            self.builder.bind(label).unwrap();
            from = at;
        }
        push(&mut self.builder, &self.ops[from..]);
    }

    fn push_all(&mut self, script: &Script) {
        self.push_by(script, |builder, ops| builder.push_all(ops).unwrap());
    }

    fn link(&mut self) -> usize {
        self.bytes().unwrap().len()
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
        self.push_all(script);
        self.link()
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        Some(self.builder.finish_at(memory::TRACE).unwrap().bytes())
    }
}

/// The same, each micro-op pushed by a call of its own.
pub struct OneByOne<M: Mix>(Stitch<M>);

impl<M: Mix> Default for OneByOne<M> {
    fn default() -> Self {
        OneByOne(Stitch::default())
    }
}

impl<M: Mix> Peer for OneByOne<M> {
    const NAME: &'static str = "one-by-one";

    fn declare(&mut self, script: &Script) {
        self.0.declare(script);
    }

    fn prepare(&mut self, script: &Script) {
        self.0.prepare(script);
    }

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        self.0.push_by(script, |builder, ops| {
            ops.iter().for_each(|&op| builder.push(op).unwrap());
        });
        self.0.link()
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        self.0.bytes()
    }
}

/// The same, linked into memory elsewhere, as for a trace that goes into a slab.
pub struct LinkedElsewhere<M: Mix> {
    stitch: Stitch<M>,
    to: Vec<u8>,
    len: usize,
}

impl<M: Mix> Default for LinkedElsewhere<M> {
    fn default() -> Self {
        LinkedElsewhere {
            stitch: Stitch::default(),
            to: Vec::new(),
            len: 0,
        }
    }
}

impl<M: Mix> LinkedElsewhere<M> {
    fn link(&mut self) {
        let trace = self.stitch.builder.finish().unwrap();
        let link = trace.prepare_link(memory::TRACE).unwrap();
        self.len = link.len();
        if self.to.len() < self.len {
            self.to.resize(self.len, 0);
        }
        link.write_into(&mut self.to[..self.len]).unwrap();
    }
}

impl<M: Mix> Peer for LinkedElsewhere<M> {
    const NAME: &'static str = "linked-elsewhere";

    fn declare(&mut self, script: &Script) {
        self.stitch.declare(script);
    }

    fn prepare(&mut self, script: &Script) {
        self.stitch.prepare(script);
    }

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        self.stitch.push_all(script);
        self.link();
        self.len
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        Some(&self.to[..self.len])
    }
}
