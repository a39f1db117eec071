//! The rungs: ways to get from a trace to the functions it calls.

use opstitch::{Error, FallThrough, LinkedTrace, MicroOp, Options, Target, Trace, TraceBuilder};

use super::Program;
use super::cpython_loop::machine::{FAR, NEAR};

opstitch::uops! {
    pub enum Trampoline;

    /// 24 bytes: the address in four pieces, the jump, and padding to a multiple of 8.
    op Movk(function: u64) {
        ; movz x16, function & 0xffff
        ; movk x16, (function >> 16) & 0xffff, lsl #16
        ; movk x16, (function >> 32) & 0xffff, lsl #32
        ; movk x16, function >> 48, lsl #48
        ; br x16
        ; .u32 0
    }

    /// 16 bytes, of which 8 are the address. It lies with the trace's literals, and belongs to this
    /// trampoline alone.
    op Load(function: mut literal) { ; ldr x16, =>function ; br x16 }
}

/// How the trampolines among a trace's micro-ops look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// What they consist of.
    pub kind: Kind,
    /// One for each place that calls, not one for each function and micro-op.
    pub per_call: bool,
    /// Behind the loop, not behind the micro-op that uses it.
    pub out_of_line: bool,
}

/// What a trampoline consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `movz`, three `movk` and `br`.
    Movk,
    /// `ldr` and `br`.
    Load,
}

/// Who makes the trampolines, if there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They are micro-ops.
    Own(Own),
    /// The library, at the end of the trace.
    Trace,
    /// The library, in the slab.
    Slab,
    /// There are none.
    Direct,
}

/// A rung of the ladder.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    /// Its number, as the tables have it.
    pub number: &'static str,
    /// Its trampolines.
    pub what: &'static str,
    /// Who makes these.
    pub way: Way,
    /// What stands between micro-ops.
    pub fall_through: FallThrough,
}

const fn own(number: &'static str, what: &'static str, own: Own) -> Rung {
    rung(number, what, Way::Own(own))
}

const fn rung(number: &'static str, what: &'static str, way: Way) -> Rung {
    Rung {
        number,
        what,
        way,
        fall_through: FallThrough::Nop,
    }
}

/// All of them, from the lowest.
#[rustfmt::skip]
pub const RUNGS: [Rung; 8] = [
    own("0", "movk, one per call", Own { kind: Kind::Movk, per_call: true, out_of_line: false }),
    own("1", "movk, one per function and micro-op", Own { kind: Kind::Movk, per_call: false, out_of_line: false }),
    own("2", "ldr, one per function and micro-op", Own { kind: Kind::Load, per_call: false, out_of_line: false }),
    own("3", "the same, out of line", Own { kind: Kind::Load, per_call: false, out_of_line: true }),
    rung("4", "ldr, one per function and trace", Way::Trace),
    rung("5", "ldr, one per function and slab", Way::Slab),
    rung("6", "none: direct calls", Way::Direct),
    Rung { fall_through: FallThrough::Elide, ..rung("6e", "and fall-throughs elided", Way::Direct) },
];

impl Rung {
    /// The address that its trace is linked to.
    fn address(&self) -> u64 {
        match self.way {
            Way::Direct => NEAR,
            _ => FAR,
        }
    }

    /// A builder for its trace.
    pub fn builder(&self) -> TraceBuilder {
        TraceBuilder::with_options(Options::new().fall_through(self.fall_through))
    }

    /// Stitches a program's trace.
    pub fn stitch<'b>(
        &self,
        program: &dyn Program,
        builder: &'b mut TraceBuilder,
    ) -> Result<Trace<'b>, Error> {
        let Way::Own(own) = self.way else {
            program.stitch(&mut Calls::new(builder, None, Vec::new()))?;
            return builder.finish();
        };
        // Once to see where the trampolines come to lie, and once to call them there.
        stitch_own(program, builder, own, Vec::new())?;
        let linked = builder.finish()?.link(self.address())?;
        let places = trampolines(&linked).map(|at| self.address() + u64::from(at));
        stitch_own(program, builder, own, places.collect())?;
        builder.finish()
    }

    /// Stitches it, and links it without a slab.
    pub fn link(&self, program: &dyn Program) -> Result<LinkedTrace, Error> {
        let mut builder = self.builder();
        self.stitch(program, &mut builder)?.link(self.address())
    }
}

fn stitch_own(
    program: &dyn Program,
    builder: &mut TraceBuilder,
    own: Own,
    places: Vec<u64>,
) -> Result<(), Error> {
    let mut calls = Calls::new(builder, Some(own), places);
    program.stitch(&mut calls)?;
    let out_of_line = std::mem::take(&mut calls.later);
    calls.trampolines(&out_of_line)
}

/// Where the micro-ops of a trace that are trampolines begin, in bytes from its start.
pub fn trampolines(linked: &LinkedTrace) -> impl Iterator<Item = u32> {
    let words = (0..linked.bytes().len() as u32).step_by(4);
    words.filter(|&at| {
        let op = linked.op_at(at).filter(|op| op.offset() == at);
        op.is_some_and(|op| matches!(op.name(), "Movk" | "Load"))
    })
}

/// Stitches a trace's micro-ops, and decides what their calls lead to.
pub struct Calls<'b> {
    builder: &'b mut TraceBuilder,
    /// Trampolines that are micro-ops, if there are any, and their addresses, if they are known.
    own: Option<Own>,
    places: Vec<u64>,
    /// How many of them the micro-ops have asked for.
    made: usize,
    /// The functions that the next micro-op calls by trampolines of its own, and these.
    next: Vec<(u64, Target)>,
    /// The functions whose trampolines are to come out of line.
    later: Vec<u64>,
}

impl<'b> Calls<'b> {
    fn new(builder: &'b mut TraceBuilder, own: Option<Own>, places: Vec<u64>) -> Calls<'b> {
        builder.clear();
        Calls {
            builder,
            own,
            places,
            made: 0,
            next: Vec::new(),
            later: Vec::new(),
        }
    }

    /// The builder, for labels and exits.
    pub fn builder(&mut self) -> &mut TraceBuilder {
        self.builder
    }

    /// What the next micro-op calls, at one place, to get to a function.
    pub fn callee(&mut self, function: u64) -> Result<Target, Error> {
        let Some(own) = self.own else {
            return Target::new(function);
        };
        let mut known = self.next.iter();
        if let Some(&(_, target)) = known.find(|&&(known, _)| known == function && !own.per_call) {
            return Ok(target);
        }
        let target = Target::new(self.places.get(self.made).copied().unwrap_or(FAR))?;
        self.made += 1;
        self.next.push((function, target));
        Ok(target)
    }

    /// Appends a micro-op, and its trampolines: it jumps over them at its end.
    pub fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        self.builder.push(op)?;
        let functions: Vec<_> = self.next.drain(..).map(|(function, _)| function).collect();
        if self.own.is_some_and(|own| own.out_of_line) {
            self.later.extend(functions);
            return Ok(());
        }
        if functions.is_empty() {
            return Ok(());
        }
        let around = self.builder.label();
        self.builder.jump(around)?;
        self.trampolines(&functions)?;
        self.builder.bind(around)
    }

    fn trampolines(&mut self, functions: &[u64]) -> Result<(), Error> {
        for &function in functions {
            match self.own.map(|own| own.kind) {
                Some(Kind::Movk) => self.builder.push(Movk { function })?,
                Some(Kind::Load) => {
                    let function = self.builder.mut_literal(function);
                    self.builder.push(Load { function })?;
                }
                None => {}
            }
        }
        Ok(())
    }
}
