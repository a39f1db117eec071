//! The rungs: ways to get from a trace to the functions it calls.

use opstitch::{
    Error, FallThrough, Label, LinkedTrace, MicroOp, Options, Target, Trace, TraceBuilder,
};

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
        match self.way {
            Way::Own(own) => {
                let mut calls = OwnTrampolines::new(builder, own);
                program.stitch_labelled(&mut calls)?;
                calls.behind_the_loop()?;
            }
            _ => program.stitch_direct(&mut Library { builder })?,
        }
        builder.finish()
    }

    /// Stitches it, and links it without a slab.
    pub fn link(&self, program: &dyn Program) -> Result<LinkedTrace, Error> {
        let mut builder = self.builder();
        self.stitch(program, &mut builder)?.link(self.address())
    }
}

/// What a trace's calls are made by while it is stitched.
pub trait Calls {
    /// What a micro-op has for an operand that it calls.
    type Callee: Copy;

    /// The builder.
    fn builder(&mut self) -> &mut TraceBuilder;

    /// An operand for the next micro-op, by which it calls the function at `address` at one place.
    fn callee(&mut self, address: u64) -> Result<Self::Callee, Error>;

    /// Appends a micro-op.
    fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error>;
}

/// Calls are the library's affair.
pub struct Library<'b> {
    builder: &'b mut TraceBuilder,
}

impl Calls for Library<'_> {
    type Callee = Target;

    fn builder(&mut self) -> &mut TraceBuilder {
        self.builder
    }

    fn callee(&mut self, address: u64) -> Result<Target, Error> {
        Target::new(address)
    }

    fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        self.builder.push(op)
    }
}

/// Calls lead to trampolines that are micro-ops themselves, behind the one that calls: it jumps over them
/// at its end.
pub struct OwnTrampolines<'b> {
    builder: &'b mut TraceBuilder,
    own: Own,
    /// What the next micro-op calls.
    next: Vec<(u64, Label)>,
    /// What is to come out of line.
    later: Vec<(u64, Label)>,
}

impl<'b> OwnTrampolines<'b> {
    fn new(builder: &'b mut TraceBuilder, own: Own) -> OwnTrampolines<'b> {
        OwnTrampolines {
            builder,
            own,
            next: Vec::new(),
            later: Vec::new(),
        }
    }

    fn behind_the_loop(&mut self) -> Result<(), Error> {
        let trampolines = std::mem::take(&mut self.later);
        self.trampolines(&trampolines)
    }

    fn trampolines(&mut self, trampolines: &[(u64, Label)]) -> Result<(), Error> {
        for &(function, label) in trampolines {
            self.builder.bind(label)?;
            match self.own.kind {
                Kind::Movk => self.builder.push(Movk { function })?,
                Kind::Load => {
                    let function = self.builder.mut_literal(function);
                    self.builder.push(Load { function })?;
                }
            }
        }
        Ok(())
    }
}

impl Calls for OwnTrampolines<'_> {
    type Callee = Label;

    fn builder(&mut self) -> &mut TraceBuilder {
        self.builder
    }

    fn callee(&mut self, address: u64) -> Result<Label, Error> {
        let mut known = self.next.iter();
        let known = known.find(|(function, _)| *function == address && !self.own.per_call);
        Ok(match known {
            Some(&(_, label)) => label,
            None => {
                let label = self.builder.label();
                self.next.push((address, label));
                label
            }
        })
    }

    fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        self.builder.push(op)?;
        let trampolines = std::mem::take(&mut self.next);
        if self.own.out_of_line {
            self.later.extend(trampolines);
            return Ok(());
        }
        if trampolines.is_empty() {
            return Ok(());
        }
        let around = self.builder.label();
        self.builder.jump(around)?;
        self.trampolines(&trampolines)?;
        self.builder.bind(around)
    }
}
