//! What baking may find wrong, and how it is said at the author's token.

use proc_macro2::{Span, TokenStream};

use crate::body::Names;
use crate::draft::{Joint, Site};
use crate::operand::Kind;
use crate::parse::Op;

/// A flaw that has a place of its own.
pub(crate) struct Flaw {
    /// The variant of the library's `Flaw`.
    pub(crate) kind: &'static str,
    /// Which of the sites, joints or relocations it is about.
    pub(crate) index: usize,
    pub(crate) span: Span,
    pub(crate) message: String,
}

pub(crate) const JOINT: &str = "the operands of this instruction change each other's bits; make one \
                                of them a constant, or use a form that takes its fields themselves";

/// All that can be wrong with a micro-op.
pub(crate) fn flaws(
    op: &Op,
    sites: &[Site],
    joints: &[Joint],
    relocations: &[Span],
    names: &Names<'_>,
) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut add = |kind: &'static str, index: usize, span: Span, message: &str| {
        flaws.push(Flaw {
            kind,
            index,
            span,
            message: message.to_owned(),
        });
    };
    for (index, site) in sites.iter().enumerate() {
        let operand = &names.operands[site.operand];
        let name = &operand.name;
        let message = match operand.kind {
            Kind::Number { .. } => format!(
                "`{name}` does not go bit by bit into this instruction, and has more than 64 values; \
                 declare at most 64 (`u6`, or a range), or compute the number before pushing and take \
                 that as the operand"
            ),
            kind => format!(
                "`{name}` is {}, and this instruction takes something else here",
                kind.described()
            ),
        };
        add("Site", index, site.span, &message);
    }
    for (index, joint) in joints.iter().enumerate() {
        add("Joint", index, joint.span, JOINT);
    }
    for (index, span) in relocations.iter().enumerate() {
        let message = "this instruction cannot refer to that place: from one part of a micro-op only \
                       branches reach the other, and its own literals are in the same part";
        add("Relocation", index, *span, message);
    }
    let cold_end = op.cold.as_ref().and_then(|cold| last_statement(&cold.body));
    let cold_end = cold_end.unwrap_or(op.name.span());
    let message = "the cold part goes on behind its last instruction; end it with a branch back (`b \
                   <label`), an exit or a tail call";
    add("ColdFallsOffEnd", 0, cold_end, message);
    let message = "this micro-op's operands go to too many places; split it into several micro-ops";
    add("TooManyHoles", 0, op.name.span(), message);
    let message = "a statement of this micro-op is not one instruction; write instructions only";
    add("Length", 0, op.name.span(), message);
    flaws
}

/// Where the last statement of a body begins.
fn last_statement(body: &TokenStream) -> Option<Span> {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    let semicolon = |token: &proc_macro2::TokenTree| token.to_string() == ";";
    let mut statements = tokens.split(semicolon).filter(|s| !s.is_empty());
    statements.next_back().map(|statement| statement[0].span())
}
