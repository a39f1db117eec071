//! Traces of guards, each of which leaves by an exit of its own, as most interpreters build them: what declaring the exits
//! costs is in it.

use dynasm::dynasm;
use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler};
use opstitch::{Options, TraceBuilder};

use crate::memory;
use crate::mix::typical::Typical;
use crate::mix::{DynamicLabels, Handles, Mix, Target};
use crate::script::Step;

/// A trace's guards, the kinds that the typical mix has, at random.
pub fn guards(count: usize, random: &mut fastrand::Rng) -> Vec<Step> {
    let kinds = (0u8..).zip(Typical::SHAPES);
    let kinds: Vec<_> = kinds
        .filter(|(_, shape)| shape.target == Some(Target::Exit))
        .collect();
    let steps = std::iter::repeat_with(|| {
        let (kind, shape) = kinds[random.usize(..kinds.len())];
        // Of the exits that are known there is one: its own.
        Step::new(kind, shape, 0, random)
    });
    steps.take(count).collect()
}

/// opstitch, its builder used again.
#[derive(Debug)]
pub struct Stitched {
    builder: TraceBuilder,
    exits: Vec<opstitch::Exit>,
    handles: Handles,
    ops: Vec<<Typical as Mix>::Op>,
}

impl Stitched {
    /// With or without annotations.
    pub fn new(annotate: bool) -> Stitched {
        Stitched {
            builder: TraceBuilder::with_options(Options::new().annotate(annotate)),
            exits: Vec::new(),
            handles: Handles::default(),
            ops: Vec::new(),
        }
    }

    /// Forgets the trace before.
    pub fn clear(&mut self) {
        self.builder.clear();
        self.exits.clear();
        self.ops.clear();
    }

    /// Declares the exits of so many guards. Measured.
    #[inline(never)]
    pub fn guards_declare(&mut self, count: usize) {
        for number in 0..count {
            let leave = Typical::leave(memory::exit_value(number));
            self.exits.push(self.builder.exit([leave]).unwrap());
        }
    }

    /// Makes the micro-ops.
    pub fn prepare(&mut self, steps: &[Step]) {
        for (step, &out) in steps.iter().zip(&self.exits) {
            self.handles.exits.clear();
            self.handles.exits.push(out);
            self.ops.push(Typical::op(step, &self.handles));
        }
        let last = Step::last::<Typical>();
        self.ops.push(Typical::op(&last, &self.handles));
    }

    /// Builds the trace, from the first guard to its bytes. Measured.
    #[inline(never)]
    pub fn guards_build(&mut self) -> &[u8] {
        self.builder.push_all(&self.ops).unwrap();
        self.builder.finish_at(memory::TRACE).unwrap().bytes()
    }

    /// All of it.
    pub fn whole(&mut self, steps: &[Step]) -> &[u8] {
        self.clear();
        self.guards_declare(steps.len());
        self.prepare(steps);
        self.guards_build()
    }
}

/// dynasm-rs's `VecAssembler`, with a dynamic label for each exit.
#[derive(Debug)]
pub struct Assembled {
    assembler: VecAssembler<Aarch64Relocation>,
    labels: DynamicLabels,
    exits: Vec<dynasmrt::DynamicLabel>,
    bytes: Vec<u8>,
}

impl Default for Assembled {
    fn default() -> Self {
        Assembled {
            assembler: VecAssembler::new(memory::TRACE as usize),
            labels: DynamicLabels::default(),
            exits: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

impl Assembled {
    /// Builds the same trace.
    #[inline(never)]
    pub fn build(&mut self, steps: &[Step]) -> &[u8] {
        let assembler = &mut self.assembler;
        assembler.reserve_ops((steps.len() * (Typical::MOST_WORDS + 2) + 100) * 4);
        self.exits.clear();
        dynasm!(assembler ; .arch aarch64 ; nop);
        for step in steps {
            let out = assembler.new_dynamic_label();
            self.exits.push(out);
            self.labels.exits.clear();
            self.labels.exits.push(out);
            Typical::assemble(assembler, step, &self.labels);
            dynasm!(assembler ; .arch aarch64 ; nop);
        }
        dynasm!(assembler ; .arch aarch64 ; ret);
        for (number, &here) in self.exits.iter().enumerate() {
            let value = memory::exit_value(number);
            dynasm!(assembler ; .arch aarch64 ; =>here ; movz x0, value ; ret);
        }
        self.bytes = self.assembler.take().unwrap();
        &self.bytes
    }
}
