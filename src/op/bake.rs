//! Baking: from what `dynasm!` says about a body to a [`Template`], at compile time.
//!
//! `dynasm!` expands to plain method calls on whatever object it is given. `uops!` gives it a
//! [`Recorder`] inside a constant, so the calls happen while the user's crate compiles, and what is
//! left is data.
//!
//! **Holes are found, not declared.** An instruction that uses an immediate or register operand is
//! recorded once for a base value and once more for each of a number of *probes*: the lowest and the
//! highest value, one value for every single bit, a few patterns; every value, where there are at
//! most 64. For each bit of the word that changes at all, [`bake`] looks for a bit of the operand
//! that changes with it in every probe. The operand is looked at as it is, then as the value of
//! the expression it stands in (`slot * 24`), then as the negative of both (`lsl` stores `64 - n`).
//! Bits that are stored inverted (`63 - n`) change just the same. Where no such bit exists, and the
//! operand has at most 64 values, the changes become a table.
//!
//! Invariants, each checked while baking:
//! - every probe of every operand is reproduced by the holes that were found;
//! - so are the probes in which all operands of an instruction change at once: operands that share
//!   an instruction do not influence each other's bits;
//! - a reference's instruction can hold what it refers to.

use super::operand::OperandKind;
use super::template::{
    Affine, Goal, Hole, Map, NO_CLOSING, Operand, Properties, Reference, Template,
};
use crate::asm::branch::{self, Field};
use crate::asm::control::{self, Flow};
use crate::asm::literal::Load;

/// The object that `dynasm!` writes to. Its methods carry the names that the macro's expansion uses.
#[derive(Debug)]
pub struct Recorder<const WORDS: usize, const RELOCATIONS: usize> {
    words: [u32; WORDS],
    len: usize,
    relocations: [Relocation; RELOCATIONS],
    relocation_count: usize,
}

/// An instruction with a label: its place in words, the label's number, dynasm-rs's kind of field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relocation {
    word: usize,
    label: u16,
    kind: u8,
}

/// Labels from here on are places in the micro-op itself; below are operands.
const FIRST_LOCAL: u16 = 256;

impl<const WORDS: usize, const RELOCATIONS: usize> Recorder<WORDS, RELOCATIONS> {
    /// An empty recorder.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        const NONE: Relocation = Relocation {
            word: 0,
            label: 0,
            kind: 0,
        };
        Recorder {
            words: [0; WORDS],
            len: 0,
            relocations: [NONE; RELOCATIONS],
            relocation_count: 0,
        }
    }

    /// Called by the expansion: instructions without anything dynamic.
    pub const fn extend<const N: usize>(&mut self, bytes: &[u8; N]) {
        let mut i = 0;
        while i < N {
            let word = [bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]];
            self.words[self.len] = u32::from_le_bytes(word);
            self.len += 1;
            i += 4;
        }
    }

    /// Called by the expansion: the last instruction refers to a label.
    pub const fn dynamic_reloc(
        &mut self,
        label: u16,
        _target_offset: isize,
        _field_offset: u8,
        _ref_offset: u8,
        kind: u8,
    ) {
        // Probes repeat the relocations of their instruction; only the body's own count.
        if self.relocation_count < RELOCATIONS {
            self.relocations[self.relocation_count] = Relocation {
                word: self.len - 1,
                label,
                kind,
            };
            self.relocation_count += 1;
        }
    }
}

/// A place in the body that a local label marks.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    /// Whether it lies in the cold part.
    pub cold: bool,
    /// Its place, in words from the start of its part.
    pub word: u16,
}

/// An operand's part in one instruction.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// The instruction, in words from the start of the body, hot and cold together.
    pub word: u16,
    /// The operand.
    pub operand: u8,
    /// The value that the body was recorded with.
    pub base: u64,
    /// The values of the probes, the base not among them.
    pub probes: &'static [u64],
    /// Where the words of the probes start.
    pub first_probe: usize,
    /// What else to try than the operand's value itself, with the numbers they have in the set.
    pub maps: &'static [(u16, Affine)],
    /// Whether the probes are all the values there are, in order, after the base.
    pub complete: bool,
}

/// An instruction with several operands, once more with all of them changed.
#[derive(Debug, Clone, Copy)]
pub struct Joint {
    /// The instruction, in words from the start of the body.
    pub word: u16,
    /// Where its word is.
    pub probe: usize,
    /// The value of each site of the instruction: the site's number and the value.
    pub values: &'static [(u16, u64)],
}

/// All that `uops!` knows of a body.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// The length of the hot part, in words.
    pub hot: usize,
    /// The length of the cold part, in words.
    pub cold: usize,
    /// The operands.
    pub operands: &'static [Operand],
    /// The local labels.
    pub locals: &'static [Local],
    /// The operands' places.
    pub sites: &'static [Site],
    /// The joint probes.
    pub joints: &'static [Joint],
}

/// Why a body makes no template. `uops!` turns each into an error at the author's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The holes of this site cannot be found.
    Site(usize),
    /// The operands of this joint probe influence each other.
    Joint(usize),
    /// The cold part goes on behind its end.
    ColdFallsOffEnd,
    /// This relocation's instruction cannot hold what it refers to.
    Relocation(usize),
    /// More holes than a template can count.
    TooManyHoles,
}

/// A template before its place in the set is known.
#[derive(Debug)]
pub struct Draft<
    const WORDS: usize,
    const HOLES: usize,
    const REFERENCES: usize,
    const TABLE: usize,
> {
    words: [u32; WORDS],
    holes: [Hole; HOLES],
    references: [Reference; REFERENCES],
    table: [u32; TABLE],
    table_len: usize,
    template: Template,
    /// Whether and why the body makes no template.
    pub flaw: Option<Flaw>,
}

/// A [`Draft`] without its sizes in its type.
#[derive(Debug, Clone, Copy)]
pub struct Baked {
    words: &'static [u32],
    holes: &'static [Hole],
    references: &'static [Reference],
    table: &'static [u32],
    template: Template,
}

impl<const WORDS: usize, const HOLES: usize, const REFERENCES: usize, const TABLE: usize>
    Draft<WORDS, HOLES, REFERENCES, TABLE>
{
    /// The draft, cut to what it uses.
    pub const fn baked(&'static self) -> Baked {
        let t = &self.template;
        let words = t.hot_words as usize + t.cold_words as usize;
        let holes = t.hot_holes as usize + t.cold_holes as usize;
        let references = t.hot_references as usize + t.cold_references as usize;
        Baked {
            words: self.words.split_at(words).0,
            holes: self.holes.split_at(holes).0,
            references: self.references.split_at(references).0,
            table: self.table.split_at(self.table_len).0,
            template: self.template,
        }
    }
}

/// Whether bit `bit` of `a` and `b` differ.
const fn changes(a: u64, b: u64, bit: u32) -> bool {
    (a ^ b) >> bit & 1 != 0
}

/// The value of a site's operand as `map` sees it.
const fn mapped(site: &Site, map: usize, value: u64) -> u64 {
    if map == 0 {
        value
    } else {
        site.maps[map - 1].1.apply(value)
    }
}

/// In which probes bit `bit` of the operand, seen through `map`, differs from the base.
const fn operand_signature(site: &Site, map: usize, bit: u32) -> u128 {
    let base = mapped(site, map, site.base);
    let (mut signature, mut p) = (0, 0);
    while p < site.probes.len() {
        if changes(mapped(site, map, site.probes[p]), base, bit) {
            signature |= 1 << p;
        }
        p += 1;
    }
    signature
}

/// In which probes bit `bit` of the instruction differs from the base.
const fn word_signature(site: &Site, base: u32, probe_words: &[u32], bit: u32) -> u128 {
    let (mut signature, mut p) = (0, 0);
    while p < site.probes.len() {
        if changes(probe_words[site.first_probe + p] as u64, base as u64, bit) {
            signature |= 1 << p;
        }
        p += 1;
    }
    signature
}

/// The holes of one site, at most one per bit.
struct SiteHoles {
    holes: [Hole; 32],
    len: usize,
}

const NO_HOLE: Hole = Hole {
    word: 0,
    operand: 0,
    source: 0,
    target: 0,
    width: 0,
    map: Map::IDENTITY,
};

/// Finds the holes of a site bit by bit, or says that there are none.
const fn find_holes(site: &Site, base: u32, probe_words: &[u32], word: u16) -> Option<SiteHoles> {
    let mut found = SiteHoles {
        holes: [NO_HOLE; 32],
        len: 0,
    };
    let mut signatures = [[0u128; 64]; 4];
    let maps = if site.maps.len() < 3 {
        site.maps.len()
    } else {
        3
    };
    let mut map = 0;
    while map <= maps {
        let mut bit = 0;
        while bit < 64 {
            signatures[map][bit] = operand_signature(site, map, bit as u32);
            bit += 1;
        }
        map += 1;
    }
    let mut target = 0;
    while target < 32 {
        let wanted = word_signature(site, base, probe_words, target);
        if wanted != 0 {
            // A run of bits goes on where the last one ended.
            if found.len > 0 {
                let last = &mut found.holes[found.len - 1];
                let next = (last.source + last.width) as usize;
                if (last.target + last.width) as u32 == target
                    && next < 64
                    && signatures[map_index(site, last.map)][next] == wanted
                {
                    last.width += 1;
                    target += 1;
                    continue;
                }
            }
            match find_bit(&signatures, maps, wanted) {
                Some((map, bit)) => {
                    found.holes[found.len] = Hole {
                        word,
                        operand: site.operand,
                        source: bit,
                        target: target as u8,
                        width: 1,
                        map: if map == 0 {
                            Map::IDENTITY
                        } else {
                            Map(site.maps[map - 1].0)
                        },
                    };
                    found.len += 1;
                }
                None => return None,
            }
        }
        target += 1;
    }
    Some(found)
}

const fn map_index(site: &Site, map: Map) -> usize {
    let mut i = 0;
    while i < site.maps.len() {
        if site.maps[i].0 == map.0 {
            return i + 1;
        }
        i += 1;
    }
    0
}

const fn find_bit(signatures: &[[u128; 64]; 4], maps: usize, wanted: u128) -> Option<(usize, u8)> {
    let mut map = 0;
    while map <= maps {
        let mut bit = 0;
        while bit < 64 {
            if signatures[map][bit] == wanted {
                return Some((map, bit as u8));
            }
            bit += 1;
        }
        map += 1;
    }
    None
}

/// What a hole adds to its word for a value seen through its map.
pub(crate) const fn patch(hole: Hole, value: u64) -> u32 {
    ((value >> hole.source & ((1 << hole.width) - 1)) as u32) << hole.target
}

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
const fn goal(relocation: Relocation, word: u32, body: &Body) -> Option<Goal> {
    let Some(field) = field_of(relocation.kind) else {
        return None;
    };
    let load = Load::of(word);
    if relocation.label >= FIRST_LOCAL {
        return if load.is_none() {
            Some(Goal::OtherPart(field))
        } else {
            None
        };
    }
    let jumps = load.is_none();
    let far = matches!(field, Field::Imm26);
    match body.operands[relocation.label as usize].kind {
        OperandKind::Call if far => Some(Goal::Call),
        OperandKind::Exit if jumps && !branch::is_bl(word) => Some(Goal::Exit(field)),
        OperandKind::Label if jumps => Some(Goal::Label(field)),
        OperandKind::Literal => match load {
            Some(Load::Q) | None => None,
            Some(load) => Some(Goal::Literal(load)),
        },
        OperandKind::MutLiteral => match load {
            Some(Load::Q) | None => None,
            Some(_) => Some(Goal::MutLiteral),
        },
        _ => None,
    }
}

/// Bakes a body. `body_words` are its words in order, `probe_words` those of all probes.
pub const fn bake<
    const WORDS: usize,
    const RELOCATIONS: usize,
    const PROBES: usize,
    const HOLES: usize,
    const TABLE: usize,
>(
    recorded: &Recorder<WORDS, RELOCATIONS>,
    probes: &Recorder<PROBES, 0>,
    body: &Body,
) -> Draft<WORDS, HOLES, RELOCATIONS, TABLE> {
    const NO_REFERENCE: Reference = Reference {
        word: 0,
        argument: 0,
        goal: Goal::Call,
    };
    let mut draft = Draft {
        words: recorded.words,
        holes: [NO_HOLE; HOLES],
        references: [NO_REFERENCE; RELOCATIONS],
        table: [0; TABLE],
        table_len: 0,
        template: Template {
            words: 0,
            hot_words: body.hot as u16,
            cold_words: body.cold as u16,
            holes: 0,
            references: 0,
            operands: 0,
            name: 0,
            name_len: 0,
            operand_count: body.operands.len() as u8,
            hot_holes: 0,
            cold_holes: 0,
            hot_references: 0,
            cold_references: 0,
            closing: NO_CLOSING,
            properties: Properties::empty(),
        },
        flaw: None,
    };
    assert!(
        recorded.len == body.hot + body.cold && probes.len == PROBES,
        "every statement of a micro-op must be one instruction"
    );
    bake_holes(&mut draft, recorded, probes, body);
    if draft.flaw.is_none() {
        bake_joints(&mut draft, recorded, probes, body);
    }
    if draft.flaw.is_none() {
        bake_references(&mut draft, recorded, body);
    }
    if draft.flaw.is_none() {
        bake_properties(&mut draft, body);
    }
    draft
}

const fn bake_holes<
    const W: usize,
    const R: usize,
    const P: usize,
    const H: usize,
    const T: usize,
>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    probes: &Recorder<P, 0>,
    body: &Body,
) {
    let (mut s, mut len) = (0, 0);
    while s < body.sites.len() {
        let site = &body.sites[s];
        let at = site.word as usize;
        let base = recorded.words[at];
        let in_part = if at < body.hot { at } else { at - body.hot } as u16;
        let mut holes = match find_holes(site, base, &probes.words, in_part) {
            Some(holes) => holes,
            None if site.complete => {
                // The table holds the change against the base for every value from the lowest on;
                // the base is the lowest.
                let start = draft.table_len;
                draft.table[start] = 0;
                let mut p = 0;
                while p < site.probes.len() {
                    draft.table[start + 1 + p] = probes.words[site.first_probe + p] ^ base;
                    p += 1;
                }
                draft.table_len = start + 1 + p;
                let mut holes = SiteHoles {
                    holes: [NO_HOLE; 32],
                    len: 1,
                };
                holes.holes[0] = Hole {
                    word: in_part,
                    operand: site.operand,
                    source: 0,
                    target: 0,
                    width: 32,
                    map: Map(Map::TABLE | start as u16),
                };
                holes
            }
            None => {
                draft.flaw = Some(Flaw::Site(s));
                return;
            }
        };
        let mut h = 0;
        while h < holes.len {
            let hole = &mut holes.holes[h];
            if len == H {
                draft.flaw = Some(Flaw::TooManyHoles);
                return;
            }
            draft.holes[len] = *hole;
            len += 1;
            if at < body.hot {
                draft.template.hot_holes += 1;
            } else {
                draft.template.cold_holes += 1;
            }
            // From the word for the base value to the word for zero.
            if hole.map.0 & Map::TABLE == 0 {
                let value = mapped(site, map_index(site, hole.map), site.base);
                draft.words[at] ^= patch(*hole, value);
            }
            h += 1;
        }
        s += 1;
    }
}

const fn bake_joints<
    const W: usize,
    const R: usize,
    const P: usize,
    const H: usize,
    const T: usize,
>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    probes: &Recorder<P, 0>,
    body: &Body,
) {
    let mut j = 0;
    while j < body.joints.len() {
        let joint = &body.joints[j];
        // Each operand's change on its own, as its probes showed it, must add up to the joint one.
        let base = recorded.words[joint.word as usize];
        let mut word = base;
        let mut v = 0;
        while v < joint.values.len() {
            let (s, value) = joint.values[v];
            let site = &body.sites[s as usize];
            let mut p = 0;
            while p < site.probes.len() {
                if site.probes[p] == value {
                    word ^= probes.words[site.first_probe + p] ^ base;
                    break;
                }
                p += 1;
            }
            v += 1;
        }
        if word != probes.words[joint.probe] {
            draft.flaw = Some(Flaw::Joint(j));
            return;
        }
        j += 1;
    }
}

const fn bake_references<const W: usize, const R: usize, const H: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    recorded: &Recorder<W, R>,
    body: &Body,
) {
    let (mut r, mut len) = (0, 0);
    while r < recorded.relocation_count {
        let relocation = recorded.relocations[r];
        let at = relocation.word;
        let cold = at >= body.hot;
        let start = if cold { body.hot } else { 0 };
        if is_outside(relocation, body) {
            let Some(goal) = goal(relocation, draft.words[at], body) else {
                draft.flaw = Some(Flaw::Relocation(r));
                return;
            };
            draft.references[len] = Reference {
                word: (at - start) as u16,
                argument: if relocation.label < FIRST_LOCAL {
                    relocation.label
                } else {
                    body.locals[(relocation.label - FIRST_LOCAL) as usize].word
                },
                goal,
            };
            len += 1;
            if cold {
                draft.template.cold_references += 1;
            } else {
                draft.template.hot_references += 1;
            }
        } else {
            let local = body.locals[(relocation.label - FIRST_LOCAL) as usize];
            let words = local.word as i64 - (at - start) as i64;
            let word = draft.words[at];
            draft.words[at] = match field_of(relocation.kind) {
                Some(field) => field.with_displacement(word, words),
                None => {
                    // adr: the displacement in bytes, its two lowest bits in bits 30:29.
                    let bytes = (words * 4) as u32;
                    word | (bytes & 3) << 29 | (bytes >> 2 & 0x7_ffff) << 5
                }
            };
        }
        r += 1;
    }
}

const fn bake_properties<const W: usize, const H: usize, const R: usize, const T: usize>(
    draft: &mut Draft<W, H, R, T>,
    body: &Body,
) {
    let mut p = Properties::empty();
    let total = body.hot + body.cold;
    // What the words say.
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
    if body.hot > 0 && !hot_ends_labelled {
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
        if cold_ends_labelled || matches!(last, Flow::Next | Flow::Call) {
            draft.flaw = Some(Flaw::ColdFallsOffEnd);
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
            Goal::Exit(_) => p = p.union(Properties::EXITS),
            Goal::Label(_) => {
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
            Goal::Literal(_) | Goal::MutLiteral => p = p.union(Properties::LOADS),
            Goal::OtherPart(_) => {}
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

/// The lengths of the arrays that a set's templates share.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// Instructions.
    pub words: usize,
    /// Holes.
    pub holes: usize,
    /// References.
    pub references: usize,
    /// Words of tables.
    pub tables: usize,
}

/// Adds up what a set of micro-ops needs.
pub const fn totals(all: &[Baked]) -> Totals {
    let mut totals = Totals {
        words: 0,
        holes: 0,
        references: 0,
        tables: 0,
    };
    let mut i = 0;
    while i < all.len() {
        totals.words += all[i].words.len();
        totals.holes += all[i].holes.len();
        totals.references += all[i].references.len();
        totals.tables += all[i].table.len();
        i += 1;
    }
    assert!(
        totals.holes < 1 << 16 && totals.references < 1 << 16 && totals.tables < 1 << 15,
        "this block of micro-ops has too many holes, references or tables; split it into two `uops!` blocks"
    );
    totals
}

macro_rules! concatenate {
    ($name:ident, $field:ident, $type:ty, $empty:expr) => {
        /// Lays one array of all micro-ops end to end.
        pub const fn $name<const N: usize>(all: &[Baked]) -> [$type; N] {
            let mut joined = [$empty; N];
            let (mut i, mut len) = (0, 0);
            while i < all.len() {
                let mut k = 0;
                while k < all[i].$field.len() {
                    joined[len] = all[i].$field[k];
                    len += 1;
                    k += 1;
                }
                i += 1;
            }
            joined
        }
    };
}

concatenate!(words, words, u32, 0);
concatenate!(tables, table, u32, 0);
concatenate!(
    references,
    references,
    Reference,
    Reference {
        word: 0,
        argument: 0,
        goal: Goal::Call
    }
);

/// Lays the holes of all micro-ops end to end, and moves tables to their place in the set.
pub const fn holes<const N: usize>(all: &[Baked]) -> [Hole; N] {
    let mut joined = [NO_HOLE; N];
    let (mut i, mut len, mut tables) = (0, 0, 0);
    while i < all.len() {
        let mut k = 0;
        while k < all[i].holes.len() {
            let mut hole = all[i].holes[k];
            if hole.map.0 & Map::TABLE != 0 {
                hole.map.0 += tables;
            }
            joined[len] = hole;
            len += 1;
            k += 1;
        }
        tables += all[i].table.len() as u16;
        i += 1;
    }
    joined
}

/// Gives each template its place. `names` are (start, length) in the set's names, one a micro-op.
pub const fn templates<const N: usize>(all: &[Baked], names: &[(u16, u8)]) -> [Template; N] {
    let mut joined = [all[0].template; N];
    let (mut words, mut holes, mut references, mut operands) = (0, 0, 0, 0);
    let mut i = 0;
    while i < N {
        let mut template = all[i].template;
        template.words = words;
        template.holes = holes;
        template.references = references;
        template.operands = operands;
        (template.name, template.name_len) = names[i];
        words += all[i].words.len() as u32;
        holes += all[i].holes.len() as u16;
        references += all[i].references.len() as u16;
        operands += template.operand_count as u16;
        joined[i] = template;
        i += 1;
    }
    joined
}
