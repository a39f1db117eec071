//! Micro-ops and a trace that has something of everything.

use opstitch::slab::{InstalledTrace, Mapping, Slab, SlabOptions};
use opstitch::{Error, Exit, MutLiteral, Options, Reach, Target, TraceBuilder};

use crate::support;

opstitch::uops! {
    registers { stack: x19 }

    /// Adds the two topmost integers; leaves on overflow.
    op AddInt(overflow: exit) {
        ; ldp x9, x10, [stack, #-16]
        ; adds x9, x9, x10
        ; b.vs =>overflow
        ; stur x9, [stack, #-16]
        ; sub stack, stack, #8
    }
    /// Calls, out of line if `x0` is not 0.
    op Slow(function: call) {
        ; cbnz x0, >slow
        ; back:
    } cold {
        ; slow:
        ; bl =>function
        ; b <back
    }
    /// Loads a constant.
    op Constant(value: literal) { ; ldr x9, =>value }
    /// Loads a changeable word.
    op Cached(value: mut literal) { ; ldr x9, =>value }
    /// Returns `pc`.
    op Leave(pc: u16) { ; movz x0, pc ; ret }
}

/// A slab that keeps annotations.
pub(crate) fn annotated(mapping: Mapping) -> Slab {
    let options = SlabOptions::new(1 << 20).mapping(mapping).annotate(true);
    options.build().expect("a slab")
}

pub(crate) struct Everything {
    pub(crate) builder: TraceBuilder,
    pub(crate) linkable: Exit,
    pub(crate) cached: MutLiteral,
}

/// A trace with cold parts, exits, a call, literals, an invalidation point, and an island if `island`.
pub(crate) fn everything(function: Target, island: bool) -> Everything {
    let mut reach = Reach::default();
    if island {
        reach = reach.conditional(64).expect("a reach");
    }
    let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
    let (linkable, cached) = fill(&mut builder, function).expect("what can be built");
    Everything {
        builder,
        linkable,
        cached,
    }
}

fn fill(b: &mut TraceBuilder, function: Target) -> Result<(Exit, MutLiteral), Error> {
    let overflow = b.exit([Leave { pc: 7 }])?;
    let linkable = b.linkable_exit([Leave { pc: 8 }])?;
    let cached = b.mut_literal(5);
    b.invalidation_point(overflow)?;
    b.push(AddInt { overflow })?;
    b.push(Slow { function })?;
    b.push(Constant {
        value: support::big(1),
    })?;
    b.push(Cached { value: cached })?;
    for _ in 0..4 {
        b.push(AddInt { overflow: linkable })?;
    }
    b.push(Leave { pc: 9 })?;
    Ok((linkable, cached))
}

/// A short trace.
pub(crate) fn leave(slab: &Slab, pc: u64, name: Option<&str>) -> InstalledTrace {
    let mut builder = TraceBuilder::new();
    builder.push(Leave { pc }).expect("a micro-op");
    if let Some(name) = name {
        builder.set_name(name);
    }
    let trace = builder.finish().expect("a trace");
    slab.install(&trace).expect("room")
}
