//! Templates: what micro-ops are once they are compiled.
//!
//! All templates of one `uops!` block share a few constant arrays, and a [`Template`] is a row of
//! positions in them. That keeps a template at 28 bytes, puts the code of all of them side by side,
//! and needs no relocation when the program is loaded.

use std::fmt;

use super::operand::OperandKind;
use crate::asm::branch::Field;
use crate::asm::literal::Load;

bitflags::bitflags! {
    /// What a micro-op does, found in its body when it is compiled.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Properties: u8 {
        /// It can go on to the next micro-op.
        const FALLS_THROUGH = 1;
        /// It calls: `bl` to a `call` or `label` operand, or a call through a register.
        const CALLS = 1 << 1;
        /// It can leave through an `exit` operand.
        const EXITS = 1 << 2;
        /// It can go on at a `label` operand.
        const BRANCHES = 1 << 3;
        /// Its hot part ends by leaving the trace: `ret`, `br`, a trap or a tail call.
        const ENDS_TRACE = 1 << 4;
        /// It hands over to a `call` operand with `b`, without coming back.
        const TAIL_CALLS = 1 << 5;
        /// It loads a `literal` or `mut literal` operand.
        const LOADS = 1 << 6;
        /// It has a cold part.
        const COLD = 1 << 7;
    }
}

/// A micro-op's bytes, holes and references, as positions in the arrays of its [`MicroOpSet`].
///
/// The hot part's words come first, the cold part's right behind them; the same goes for holes and
/// references.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Template {
    pub(crate) words: u32,
    pub(crate) hot_words: u16,
    pub(crate) cold_words: u16,
    pub(crate) holes: u16,
    pub(crate) references: u16,
    pub(crate) operands: u16,
    pub(crate) name: u16,
    pub(crate) name_len: u8,
    pub(crate) operand_count: u8,
    pub(crate) hot_holes: u8,
    pub(crate) cold_holes: u8,
    pub(crate) hot_references: u8,
    pub(crate) cold_references: u8,
    /// The label operand of a closing `b =>label`, which is left to the continuation slot.
    pub(crate) closing: u8,
    /// Whether it is always pushed the general way: it loads a changeable literal, or is longer than
    /// [`MOST_PLAIN_WORDS`].
    pub(crate) special: bool,
    /// Whether it has an operand that is encoded first.
    pub(crate) encoded: bool,
    /// What the hot and the cold part ask of the room in front of an island: the number of the displacement field that reaches
    /// the least far, and [`LOADS`] more if they load literals.
    pub(crate) classes: [u8; 2],
    pub(crate) properties: Properties,
}

/// How many words a micro-op has at most that is pushed a quick way.
pub(crate) const MOST_PLAIN_WORDS: usize = 31;

/// See [`Template::classes`].
pub(crate) const LOADS: u8 = 4;

/// How many classes there are.
pub(crate) const CLASSES: usize = 2 * LOADS as usize;

/// [`Template::closing`] of a micro-op that closes in another way.
pub(crate) const NO_CLOSING: u8 = u8::MAX;

/// Bits of an operand, and where they go.
///
/// `word ^= ((value >> source) & (2^width - 1)) << target`. The template's word is what it has to be
/// for a value of zero, which turns bits that an instruction stores inverted into the same case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Hole {
    /// The instruction, in words from the start of its part.
    pub(crate) word: u16,
    pub(crate) operand: u8,
    pub(crate) source: u8,
    pub(crate) target: u8,
    pub(crate) width: u8,
    /// How the operand's value becomes the value whose bits are taken.
    pub(crate) map: Map,
    /// The operand's range, an entry of [`MicroOpSet::ranges`].
    pub(crate) range: u16,
}

/// What is done to an operand's value before its bits are taken: [`Map::IDENTITY`], or an entry of
/// [`MicroOpSet::affines`], or (upper bit set) a position in [`MicroOpSet::tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub(crate) struct Map(pub(crate) u16);

impl Map {
    pub(crate) const IDENTITY: Map = Map(0);
    pub(crate) const TABLE: u16 = 1 << 15;
}

/// `value * multiplier + addend`, modulo 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Affine {
    pub multiplier: i64,
    pub addend: i64,
}

impl Affine {
    pub(crate) const fn apply(self, value: u64) -> u64 {
        value
            .wrapping_mul(self.multiplier as u64)
            .wrapping_add(self.addend as u64)
    }
}

/// An instruction that names something outside its part of the micro-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Reference {
    /// The instruction, in words from the start of its part.
    pub(crate) word: u16,
    /// The operand, or for [`Goal::OtherPart`] the word in the other part.
    pub(crate) argument: u16,
    pub(crate) goal: Goal,
    /// Its displacement field.
    pub(crate) field: Field,
    /// What it reads, if it leads to a literal.
    pub(crate) load: Load,
}

impl Reference {
    pub(crate) const NONE: Reference = Reference {
        word: 0,
        argument: 0,
        goal: Goal::Call,
        field: Field::Imm26,
        load: Load::X,
    };
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub(crate) enum Goal {
    /// A call target, by `bl` or `b`.
    Call,
    /// A label.
    Label,
    /// A side exit.
    Exit,
    /// A changeable literal.
    MutLiteral,
    /// A literal.
    Literal,
    /// A place in the other part of the same micro-op.
    OtherPart,
}

/// An operand's name, kind and range.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Operand {
    pub(crate) name: u16,
    pub(crate) name_len: u8,
    pub(crate) kind: OperandKind,
    /// An entry of [`MicroOpSet::ranges`].
    pub(crate) range: u16,
}

impl Operand {
    pub const fn new(name: u16, name_len: u8, kind: OperandKind, range: u16) -> Operand {
        Operand {
            name,
            name_len,
            kind,
            range,
        }
    }
}

/// The values an operand may take: `min ..= min + span`, modulo 2^64, so that signed and unsigned
/// ranges are checked by the same comparison.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Range {
    pub min: u64,
    pub span: u64,
}

/// All micro-ops of one `uops!` block.
#[derive(Debug)]
pub struct MicroOpSet {
    #[doc(hidden)]
    pub templates: &'static [Template],
    #[doc(hidden)]
    pub words: &'static [u32],
    #[doc(hidden)]
    pub holes: &'static [Hole],
    #[doc(hidden)]
    pub references: &'static [Reference],
    #[doc(hidden)]
    pub operands: &'static [Operand],
    #[doc(hidden)]
    pub ranges: &'static [Range],
    #[doc(hidden)]
    pub affines: &'static [Affine],
    #[doc(hidden)]
    pub tables: &'static [u32],
    #[doc(hidden)]
    pub names: &'static str,
}

impl MicroOpSet {
    /// The set of a block with errors.
    #[doc(hidden)]
    pub const EMPTY: MicroOpSet = MicroOpSet {
        templates: &[],
        words: &[],
        holes: &[],
        references: &[],
        operands: &[],
        ranges: &[],
        affines: &[],
        tables: &[],
        names: "",
    };

    /// How many micro-ops there are.
    pub const fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The micro-op of that number, from 0 in the order of their declaration.
    pub const fn get(&'static self, index: usize) -> Option<MicroOpInfo> {
        if index < self.templates.len() {
            Some(MicroOpInfo { set: self, index })
        } else {
            None
        }
    }

    /// All micro-ops in the order of their declaration.
    pub fn iter(&'static self) -> impl ExactSizeIterator<Item = MicroOpInfo> {
        (0..self.len()).map(move |index| MicroOpInfo { set: self, index })
    }

    /// The holes and the references of a micro-op's hot part.
    #[inline]
    pub(crate) fn notes(&self, template: &Template) -> Option<(&[Hole], &[Reference])> {
        let holes = self.holes.get(usize::from(template.holes)..)?;
        let references = self.references.get(usize::from(template.references)..)?;
        Some((
            holes.get(..usize::from(template.hot_holes))?,
            references.get(..usize::from(template.hot_references))?,
        ))
    }

    /// The operands of a micro-op.
    #[inline]
    pub(crate) fn operands_of(&self, template: &Template) -> Option<&[Operand]> {
        let operands = self.operands.get(usize::from(template.operands)..)?;
        operands.get(..usize::from(template.operand_count))
    }

    /// Whether the ranges of all operands begin at zero.
    #[doc(hidden)]
    pub const fn is_from_zero(&self) -> bool {
        let mut ranges = self.ranges;
        while let [range, rest @ ..] = ranges {
            if range.min != 0 {
                return false;
            }
            ranges = rest;
        }
        true
    }

    pub(crate) fn name_at(&self, start: u16, len: u8) -> &'static str {
        let start = usize::from(start);
        self.names
            .get(start..start + usize::from(len))
            .unwrap_or("?")
    }
}

/// What is known of a micro-op, apart from the values of its operands.
#[derive(Clone, Copy)]
pub struct MicroOpInfo {
    set: &'static MicroOpSet,
    index: usize,
}

impl MicroOpInfo {
    #[cfg(feature = "inspect")]
    pub(crate) fn set(&self) -> &'static MicroOpSet {
        self.set
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn template(&self) -> &'static Template {
        &self.set.templates[self.index]
    }

    /// Its name, as written in `uops!`.
    pub fn name(&self) -> &'static str {
        let template = self.template();
        self.set.name_at(template.name, template.name_len)
    }

    /// What it does.
    pub fn properties(&self) -> Properties {
        self.template().properties
    }

    /// The instructions of its hot part, without the continuation slot. Holes and references are
    /// as they are for a value of zero.
    pub fn hot_words(&self) -> &'static [u32] {
        let (start, template) = (self.template().words as usize, self.template());
        &self.set.words[start..start + usize::from(template.hot_words)]
    }

    /// The instructions of its cold part, if it has one. See [`MicroOpInfo::hot_words`].
    pub fn cold_words(&self) -> &'static [u32] {
        let template = self.template();
        let start = template.words as usize + usize::from(template.hot_words);
        &self.set.words[start..start + usize::from(template.cold_words)]
    }

    /// Its operands: name, kind, and for numbers the lowest and highest value.
    pub fn operands(&self) -> impl ExactSizeIterator<Item = OperandInfo> {
        let template = self.template();
        let start = usize::from(template.operands);
        let operands = &self.set.operands[start..start + usize::from(template.operand_count)];
        let set = self.set;
        operands.iter().map(move |operand| OperandInfo {
            name: set.name_at(operand.name, operand.name_len),
            kind: operand.kind,
            range: set.ranges[usize::from(operand.range)],
        })
    }

    pub(crate) fn write(&self, values: &[u64], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (operand, &value) in self.operands().zip(values) {
            write!(f, " {}=", operand.name())?;
            operand.kind().write(value, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for MicroOpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MicroOpInfo")
            .field("name", &self.name())
            .field("properties", &self.properties())
            .finish_non_exhaustive()
    }
}

/// What is known of an operand, apart from its value.
#[derive(Debug, Clone, Copy)]
pub struct OperandInfo {
    name: &'static str,
    kind: OperandKind,
    range: Range,
}

impl OperandInfo {
    /// Its name, as written in `uops!`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is.
    pub fn kind(&self) -> OperandKind {
        self.kind
    }

    /// The lowest and the highest value of a number, a register or a literal.
    pub fn range(&self) -> Option<(i128, i128)> {
        match self.kind {
            OperandKind::Signed => {
                let min = self.range.min as i64;
                Some((min.into(), min.wrapping_add(self.range.span as i64).into()))
            }
            OperandKind::Reg => Some((0, 30)),
            OperandKind::Unsigned | OperandKind::Literal | OperandKind::VReg => {
                let (min, max) = (self.range.min, self.range.min.wrapping_add(self.range.span));
                // The word of an `ldrsw` holds a signed number.
                let min = if min > max {
                    (min as i64).into()
                } else {
                    min.into()
                };
                Some((min, max.into()))
            }
            _ => None,
        }
    }
}
