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
        Stitch::with_destination(0)
    }
}

impl<M: Mix> Stitch<M> {
    /// With a destination of so many bytes. It grows where that is not enough.
    pub fn with_destination(bytes: usize) -> Self {
        let functions = (0..TARGETS_OF_A_KIND).map(memory::function);
        Stitch {
            builder: TraceBuilder::with_options(Options::new().annotate(false)),
            handles: Handles {
                functions: functions.map(|at| Target::new(at).unwrap()).collect(),
                ..Handles::default()
            },
            ops: Vec::new(),
            to: vec![0; bytes],
            len: 0,
        }
    }

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
        self.link();
        (self.builder.len(), self.len)
    }

    /// Builds a trace. `push` gets the micro-ops from one label to the next.
    #[inline(always)]
    fn build_by(&mut self, script: &Script, push: impl Fn(&mut TraceBuilder, &[M::Op])) -> usize {
        let mut from = 0;
        for (&label, &at) in self.handles.labels.iter().zip(&script.labels) {
            push(&mut self.builder, &self.ops[from..at]);
            self.builder.bind(label).unwrap();
            from = at;
        }
        push(&mut self.builder, &self.ops[from..]);
        self.link();
        self.len
    }

    fn link(&mut self) {
        let trace = self.builder.finish().unwrap();
        let link = trace.prepare_link(memory::TRACE).unwrap();
        self.len = link.len();
        if self.to.len() < self.len {
            self.to.resize(self.len, 0);
        }
        link.write_into(&mut self.to[..self.len]).unwrap();
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
        self.build_by(script, |builder, ops| builder.push_all(ops).unwrap())
    }

    fn bytes(&self) -> Option<&[u8]> {
        Some(&self.to[..self.len])
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
        self.0.build_by(script, |builder, ops| {
            ops.iter().for_each(|&op| builder.push(op).unwrap());
        })
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.0.bytes()
    }
}
