//! References and properties: what the instructions with labels lead to, and how a body ends.

use super::recorder::Relocation;
use super::{Body, Draft, FIRST_LOCAL, Flaw, Recorder};
use crate::asm::branch::{self, Field};
use crate::asm::control::{self, Flow};
use crate::asm::literal::Load;
use crate::op::operand::OperandKind;
use crate::op::template::{Goal, LOADS, MOST_PLAIN_WORDS, NO_CLOSING, Properties, Reference};

/// dynasm-rs's kind of field of `adr`.
const ADR: u8 = 6;

/// Whether the template's instruction names something outside its own part.
const fn is_outside(relocation: Relocation, body: &Body) -> bool {
    if relocation.label < FIRST_LOCAL {
        return true;
    }
    let local = body.locals[(relocation.label - FIRST_LOCAL) as usize];
    local.cold != (relocation.word >= body.hot)
}

const fn field_of(kind: u8) -> Option<Field> {
    match kind {
        4 => Some(Field::Imm26),
        5 => Some(Field::Imm19),
        8 => Some(Field::Imm14),
        _ => None,
    }
}

/// What a relocation outside its part leads to; `None` where the instruction cannot hold it.
const fn reference(relocation: Relocation, word: u32, body: &Body) -> Option<Reference> {
    let (Some(goal), Some(field)) = (goal(relocation, word, body), field_of(relocation.kind))
    else {
        return None;
    };
    Some(Reference {
        word: (relocation.word
            - if relocation.word >= body.hot {
                body.hot
            } else {
                0
            }) as u16,
        argument: if relocation.label < FIRST_LOCAL {
            relocation.label
        } else {
            body.locals[(relocation.label - FIRST_LOCAL) as usize].word
        },
        goal,
        field,
        load: match Load::of(word) {
            Some(load) => load,
            None => Load::X,
        },
    })
}

const fn goal(relocation: Relocation, word: u32, body: &Body) -> Option<Goal> {
    let Some(field) = field_of(relocation.kind) else {
        return None;
    };
    let load = Load::of(word);
    if relocation.label >= FIRST_LOCAL {
        return if load.is_none() {
            Some(Goal::OtherPart)
        } else {
            None
        };
    }
    let jumps = load.is_none();
    let far = matches!(field, Field::Imm26);
    match body.operands[relocation.label as usize].kind {
        OperandKind::Call if far => Some(Goal::Call),
        OperandKind::Exit if jumps && !branch::is_bl(word) => Some(Goal::Exit),
        OperandKind::Label if jumps => Some(Goal::Label),
        OperandKind::Literal => match load {
            Some(Load::Q) | None => None,
            Some(_) => Some(Goal::Literal),
        },
        OperandKind::MutLiteral => match load {
            Some(Load::Q) | None => None,
            Some(_) => Some(Goal::MutLiteral),
        },
        _ => None,
    }
}

/// Notes the references, and writes the displacements of branches within a part.
pub(super) const fn bake<const W: usize, const R: usize, const H: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    body: &Body,
) {
    let (mut r, mut len) = (0, 0);
    while r < recorded.relocation_count {
        let relocation = recorded.relocations[r];
        let at = relocation.word;
        let cold = at >= body.hot;
        if is_outside(relocation, body) {
            let Some(reference) = reference(relocation, draft.words[at], body) else {
                draft.flaw = Some((Flaw::Relocation, r));
                return;
            };
            // Whoever links it relies on that.
            if reference.field.with_displacement(draft.words[at], 0) != draft.words[at] {
                draft.flaw = Some((Flaw::Relocation, r));
                return;
            }
            draft.references[len] = reference;
            len += 1;
            if cold {
                draft.template.cold_references += 1;
            } else {
                draft.template.hot_references += 1;
            }
        } else {
            let local = body.locals[(relocation.label - FIRST_LOCAL) as usize];
            let in_part = if cold { at - body.hot } else { at };
            let words = local.word as i64 - in_part as i64;
            let word = draft.words[at];
            draft.words[at] = match field_of(relocation.kind) {
                Some(field) => field.with_displacement(word, words),
                // The displacement in bytes; its two lowest bits, elsewhere in the word, are zero.
                None if relocation.kind == ADR => word | (words as u32 & 0x7_ffff) << 5,
                None => {
                    draft.flaw = Some((Flaw::Relocation, r));
                    return;
                }
            };
        }
        r += 1;
    }
}

/// Words of which the operands decide what they are: `.u32` of the whole word.
struct Undecided {
    hot_end: bool,
    cold_end: bool,
    may_call: bool,
}

impl Undecided {
    /// Looks for the words whose probes do not all go on as the template's word does.
    const fn find<
        const W: usize,
        const H: usize,
        const R: usize,
        const T: usize,
        const P: usize,
    >(
        draft: &Draft<W, H, R, T>,
        recorded: &Recorder<W, R>,
        probes: &Recorder<P, 0>,
        body: &Body,
    ) -> Undecided {
        let mut found = Undecided {
            hot_end: false,
            cold_end: false,
            may_call: false,
        };
        // A probe says what changes. What constants change has been patched in already.
        let mut s = 0;
        while s < body.sites.len() {
            let site = &body.sites[s];
            let at = site.word as usize;
            let mut p = site.first_probe;
            while !site.is_constant(body) && p < site.first_probe + site.probes {
                found.compare(
                    draft.words[at],
                    recorded.words[at] ^ probes.words[p],
                    at,
                    body,
                );
                p += 1;
            }
            s += 1;
        }
        let mut j = 0;
        while j < body.joints.len() {
            let joint = &body.joints[j];
            let at = joint.word as usize;
            let mut change = recorded.words[at] ^ probes.words[joint.probe];
            let mut i = 0;
            while i < joint.single.len() {
                let (site, probe) = joint.single[i];
                if body.sites[site].is_constant(body) {
                    change ^= recorded.words[at] ^ probes.words[probe];
                }
                i += 1;
            }
            found.compare(draft.words[at], change, at, body);
            j += 1;
        }
        found
    }

    const fn compare(&mut self, word: u32, change: u32, at: usize, body: &Body) {
        let probe = word ^ change;
        let flow = control::flow(probe);
        if flow as u8 != control::flow(word) as u8 {
            self.hot_end |= at + 1 == body.hot;
            self.cold_end |= at + 1 == body.hot + body.cold;
        }
        self.may_call |= matches!(flow, Flow::Call) || branch::is_bl(probe);
    }
}

/// Finds out what the micro-op does, and leaves a closing jump to the continuation.
pub(super) const fn derive_properties<
    const W: usize,
    const H: usize,
    const R: usize,
    const T: usize,
    const P: usize,
>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    probes: &Recorder<P, 0>,
    body: &Body,
) {
    let mut p = Properties::empty();
    let total = body.hot + body.cold;
    // What the words say. Of one that may be anything it is not known that it does not go on.
    let undecided = Undecided::find(draft, recorded, probes, body);
    if undecided.may_call {
        p = p.union(Properties::CALLS);
    }
    let mut w = 0;
    while w < total {
        if matches!(control::flow(draft.words[w]), Flow::Call) || branch::is_bl(draft.words[w]) {
            p = p.union(Properties::CALLS);
        }
        w += 1;
    }
    let (mut hot_ends_labelled, mut cold_ends_labelled) = (false, false);
    let mut l = 0;
    while l < body.locals.len() {
        let local = body.locals[l];
        if local.cold {
            cold_ends_labelled |= local.word as usize == body.cold;
        } else {
            hot_ends_labelled |= local.word as usize == body.hot;
        }
        l += 1;
    }
    let mut falls = true;
    if body.hot > 0 && !hot_ends_labelled && !undecided.hot_end {
        match control::flow(draft.words[body.hot - 1]) {
            Flow::Next | Flow::Call => {}
            Flow::Leaves => {
                falls = false;
                p = p.union(Properties::ENDS_TRACE);
            }
            Flow::Jump => falls = false,
        }
    }
    if body.cold > 0 {
        p = p.union(Properties::COLD);
        let last = control::flow(draft.words[total - 1]);
        let goes_on = undecided.cold_end || matches!(last, Flow::Next | Flow::Call);
        if cold_ends_labelled || goes_on {
            draft.flaw = Some((Flaw::ColdFallsOffEnd, 0));
            return;
        }
    }
    // What the references say.
    let hot_references = draft.template.hot_references as usize;
    let references = hot_references + draft.template.cold_references as usize;
    let mut r = 0;
    while r < references {
        let reference = draft.references[r];
        let hot = r < hot_references;
        let at = if hot { 0 } else { body.hot } + reference.word as usize;
        match reference.goal {
            Goal::Call if branch::is_b(draft.words[at]) => {
                p = p.union(Properties::TAIL_CALLS);
                if hot && !falls && at + 1 == body.hot {
                    p = p.union(Properties::ENDS_TRACE);
                }
            }
            Goal::Call => {}
            Goal::Exit => p = p.union(Properties::EXITS),
            Goal::Label => {
                if !branch::is_bl(draft.words[at]) {
                    p = p.union(Properties::BRANCHES);
                }
                // A closing jump is the continuation's business: the slot behind the micro-op
                // becomes the jump, or nothing where the label is right there.
                let closes = hot && !falls && at + 1 == body.hot;
                if closes && branch::is_b(draft.words[at]) {
                    draft.template.closing = reference.argument as u8;
                }
            }
            Goal::Literal | Goal::MutLiteral => p = p.union(Properties::LOADS),
            Goal::OtherPart => {}
        }
        r += 1;
    }
    if falls {
        p = p.union(Properties::FALLS_THROUGH);
    }
    draft.template.properties = p;
    if draft.template.closing != NO_CLOSING {
        drop_closing_jump(draft, body);
    }
    let (mut special, mut encoded) = (draft.template.hot_words as usize > MOST_PLAIN_WORDS, false);
    let mut o = 0;
    while o < body.operands.len() {
        let kind = body.operands[o].kind;
        special |= matches!(kind, OperandKind::MutLiteral);
        encoded |= kind.is_encoded();
        o += 1;
    }
    (draft.template.special, draft.template.encoded) = (special, encoded);
    let mut r = 0;
    while r < R {
        let hot = draft.template.hot_references as usize;
        let part = (r >= hot) as usize;
        let is_there = r < hot + draft.template.cold_references as usize;
        let reference = draft.references[r];
        if is_there {
            let class = &mut draft.template.classes[part];
            let loads = matches!(reference.goal, Goal::Literal | Goal::MutLiteral);
            let field = reference.field as u8;
            let nearest = if field > *class % LOADS {
                field
            } else {
                *class % LOADS
            };
            *class = nearest + if loads || *class >= LOADS { LOADS } else { 0 };
        }
        r += 1;
    }
}

/// Takes the last instruction of the hot part away, and its reference, which is the part's last.
const fn drop_closing_jump<const W: usize, const H: usize, const R: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    body: &Body,
) {
    let mut w = body.hot - 1;
    while w + 1 < W {
        draft.words[w] = draft.words[w + 1];
        w += 1;
    }
    draft.template.hot_words -= 1;
    let mut r = draft.template.hot_references as usize - 1;
    while r + 1 < R {
        draft.references[r] = draft.references[r + 1];
        r += 1;
    }
    draft.template.hot_references -= 1;
}
