//! Baking: from what `dynasm!` says about a body to a [`Template`], at compile time.
//!
//! `dynasm!` expands to plain method calls on whatever object it is given. `uops!` gives it a
//! [`Recorder`] inside a constant, so the calls happen while the user's crate compiles, and what is
//! left is data.
//!
//! **Holes are found, not declared.** An instruction that uses an immediate or register operand is
//! recorded once for a base value and once more for each of a number of *probes*: the lowest and the
//! highest value, one value for every single bit, a few patterns; every value, where there are at
//! most 64. For each bit of the word that changes at all, [`holes`] looks for a bit of the operand
//! that changes with it in every probe. The operand is looked at through one or more [`View`]s: as it
//! is, or as the expression it stands in makes it (`slot * 24`), and as the negative of that (`lsl`
//! stores `64 - n`). Bits that are stored inverted (`63 - n`) change just the same. Where no such bit
//! exists, and the operand has at most 64 values, the changes become a table.
//!
//! Invariants:
//! - every probe of every operand is reproduced by the holes that were found;
//! - so are the probes in which all operands of an instruction change at once: operands that share
//!   an instruction do not influence each other's bits;
//! - what holds for the probes holds for all values. dynasm-rs's encoders copy bits of the
//!   expression's value or of its negative; `uops!` chooses the probes so that any two of these bits, and
//!   those of the views, that behave alike in all probes behave alike for every value. (Where an operand has more than
//!   65,536 values, and its expression more than moves bits, this is so for a sample of them, as it is for what several
//!   operands of a `.u32` do together);
//! - a reference's instruction can hold what it refers to.

mod holes;
mod recorder;
mod references;
mod set;

pub use recorder::Recorder;
pub use set::{Baked, Totals, holes, references, tables, templates, totals, words};

pub(crate) use holes::patch;

use super::template::{Affine, Hole, NO_CLOSING, Operand, Properties, Reference, Template};

/// Labels from here on are places in the micro-op itself; below are operands.
const FIRST_LOCAL: u16 = 256;

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
    /// The operand; from the number of operands on, a constant.
    pub operand: u8,
    /// The value that the body was recorded with: the lowest one.
    pub base: u64,
    /// Where the words of the probes start.
    pub first_probe: usize,
    /// How many probes there are.
    pub probes: usize,
    /// Whether the probes are all the values there are, in order, after the base.
    pub complete: bool,
    /// What to take bits from.
    pub views: &'static [View],
}

impl Site {
    const fn is_constant(&self, body: &Body) -> bool {
        self.operand as usize >= body.operands.len()
    }
}

/// A way to look at an operand's value: through a linear map.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The map's number in the set; 0 is the identity.
    number: u16,
    map: Affine,
    /// For each probe, the bits in which it differs from the base, both seen through the map.
    flips: &'static [u64],
}

impl View {
    /// A view through `value * multiplier + addend`.
    pub const fn new(number: u16, multiplier: i64, addend: i64, flips: &'static [u64]) -> View {
        let map = Affine { multiplier, addend };
        View { number, map, flips }
    }
}

/// A constant that the compiler evaluates, and what it may be.
#[derive(Debug, Clone, Copy)]
pub struct Constant {
    /// Its value.
    pub value: i128,
    /// The lowest value that is patched in.
    pub min: i128,
    /// The highest value that is patched in.
    pub max: i128,
    /// How many times what is patched in the value is.
    pub step: i128,
}

impl Constant {
    /// Whether it can be patched in.
    pub const fn is_allowed(&self) -> bool {
        let patched = self.value / self.step;
        self.value % self.step == 0 && patched >= self.min && patched <= self.max
    }

    /// What is patched in; the lowest value if it is not allowed, which is said elsewhere.
    pub const fn value(&self) -> u64 {
        if self.is_allowed() {
            (self.value / self.step) as u64
        } else {
            self.min as u64
        }
    }
}

/// An instruction with several operands, once more with all of them changed.
#[derive(Debug, Clone, Copy)]
pub struct Joint {
    /// The instruction, in words from the start of the body.
    pub word: u16,
    /// Where its word is.
    pub probe: usize,
    /// The operands' sites, and where the words are in which only one of them is changed.
    pub single: &'static [(usize, usize)],
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
    /// The values of the constants that are patched in here and now.
    pub constants: &'static [u64],
    /// The local labels.
    pub locals: &'static [Local],
    /// The operands' places.
    pub sites: &'static [Site],
    /// The joint probes.
    pub joints: &'static [Joint],
}

/// Why a body makes no template. `uops!` turns each into an error at the author's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Flaw {
    /// A statement of the body was not one instruction.
    Length,
    /// The holes of a site cannot be found.
    Site,
    /// The operands of a joint probe influence each other.
    Joint,
    /// The cold part goes on behind its end.
    ColdFallsOffEnd,
    /// A relocation's instruction cannot hold what it refers to.
    Relocation,
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
    /// Whether and why the body makes no template, and which of its sites, joints or relocations is
    /// to blame.
    flaw: Option<(Flaw, usize)>,
}

impl<const WORDS: usize, const HOLES: usize, const REFERENCES: usize, const TABLE: usize>
    Draft<WORDS, HOLES, REFERENCES, TABLE>
{
    /// Ends the compilation with `message` at the caller's place, if the draft has this flaw.
    #[track_caller]
    pub const fn check(&self, flaw: Flaw, index: usize, message: &str) {
        if let Some((found, at)) = self.flaw
            && found as u8 == flaw as u8
            && at == index
        {
            panic!("{}", message)
        }
    }

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

/// Bakes a body. `recorded` are its words in order, `probes` those of all probes.
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
    let mut draft = Draft {
        words: recorded.words,
        holes: [holes::NO_HOLE; HOLES],
        references: [Reference::NONE; RELOCATIONS],
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
            special: false,
            encoded: false,
            classes: [0; 2],
            properties: Properties::empty(),
        },
        flaw: None,
    };
    if recorded.len != WORDS || WORDS != body.hot + body.cold || probes.len != PROBES {
        draft.flaw = Some((Flaw::Length, 0));
        return draft;
    }
    holes::bake(&mut draft, recorded, probes, body);
    if draft.flaw.is_none() {
        references::bake(&mut draft, recorded, body);
    }
    if draft.flaw.is_none() {
        references::derive_properties(&mut draft, recorded, probes, body);
    }
    draft
}
