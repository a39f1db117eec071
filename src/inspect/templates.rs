//! Micro-ops as text, without a trace: what their templates hold.

use std::fmt;

use super::disassemble;
use crate::op::encode::Op;
use crate::op::operand::OperandKind;
use crate::op::template::{
    Goal, Hole, MicroOpInfo, MicroOpSet, NO_CLOSING, OperandInfo, Reference,
};
use crate::trace::emit::Part;

impl MicroOpSet {
    /// All micro-ops as text, as [`MicroOpInfo::listing`] gives each.
    ///
    /// ```
    /// opstitch::uops! {
    ///     pub enum Op;
    ///     op Load(slot: u12) { ; ldr x9, [x20, slot * 8] }
    ///     op Return { ; ret }
    /// }
    /// # fn main() {
    /// assert_eq!(
    ///     Op::micro_ops().listing().to_string(),
    ///     "\
    /// op Load slot=0..=4095
    ///   0000  f9400289  ldr x9, [x20]                   ; slot
    ///
    /// op Return
    ///   0000  d65f03c0  ret
    /// "
    /// );
    /// # }
    /// ```
    pub fn listing(&'static self) -> MicroOpListing {
        MicroOpListing {
            set: self,
            first: 0,
            count: self.len(),
        }
    }
}

impl MicroOpInfo {
    /// The micro-op as text: its operands, then offset, encoded word and disassembly of each of its
    /// instructions.
    ///
    /// Offsets are in bytes from the start of the hot or the cold part. The words are those for the lowest
    /// value of each operand; a remark names the operands that are patched into them.
    pub fn listing(&self) -> MicroOpListing {
        MicroOpListing {
            set: self.set(),
            first: self.index(),
            count: 1,
        }
    }
}

/// Micro-ops as text: see [`MicroOpInfo::listing`].
#[derive(Debug, Clone, Copy)]
pub struct MicroOpListing {
    set: &'static MicroOpSet,
    first: usize,
    count: usize,
}

impl fmt::Display for MicroOpListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in self.first..self.first + self.count {
            let (Some(op), Some(info)) = (Op::new(self.set, index), self.set.get(index)) else {
                continue;
            };
            if index != self.first {
                writeln!(f)?;
            }
            write!(f, "op {}", info.name())?;
            for operand in info.operands() {
                write!(f, " {}=", operand.name())?;
                write_range(operand, f)?;
            }
            writeln!(f)?;
            write_part(op, Part::Hot, f)?;
            if op.template.closing != NO_CLOSING {
                // Left to the continuation slot, which a trace writes.
                let label = op.operand_name(op.template.closing.into());
                writeln!(f, "  goes on at =>{label}")?;
            }
            if info.cold_words().is_empty() {
                continue;
            }
            writeln!(f, "cold part")?;
            write_part(op, Part::Cold, f)?;
        }
        Ok(())
    }
}

/// Writes what an operand can be.
fn write_range(operand: OperandInfo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (operand.kind(), operand.range()) {
        (OperandKind::Unsigned | OperandKind::Signed, Some((min, max))) => {
            write!(f, "{min}..={max}")
        }
        (kind, _) => f.write_str(match kind {
            OperandKind::Unsigned | OperandKind::Signed => "number",
            OperandKind::Literal => "literal",
            OperandKind::VReg => "vreg",
            OperandKind::Reg => "reg",
            OperandKind::Logical32 => "logical32",
            OperandKind::Logical64 => "logical64",
            OperandKind::Fp8 => "fp8",
            OperandKind::Call => "call",
            OperandKind::Exit => "exit",
            OperandKind::Label => "label",
            OperandKind::MutLiteral => "mut literal",
        }),
    }
}

fn write_part(op: Op, part: Part, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, line) in lines(op, part).into_iter().enumerate() {
        write!(f, "  {:04x}  {:08x}  ", at * 4, line.word)?;
        if line.operands.is_empty() {
            writeln!(f, "{}", line.text)?;
        } else {
            let names: Vec<_> = line.operands.iter().map(|&o| op.operand_name(o)).collect();
            writeln!(f, "{:32}; {}", format!("{} ", line.text), names.join(", "))?;
        }
    }
    Ok(())
}

/// An instruction of a template.
#[derive(Debug)]
pub(crate) struct Line {
    /// The word with the lowest values of the operands in it.
    pub(crate) word: u32,
    /// The word with the highest values of the operands in it.
    #[cfg(feature = "check")]
    pub(crate) highest: u32,
    /// The word with the lowest values, disassembled, with the name of what it refers to.
    pub(crate) text: String,
    /// The operands that are patched into it.
    pub(crate) operands: Vec<usize>,
}

/// The instructions of one part of a micro-op.
pub(crate) fn lines(op: Op, part: Part) -> Vec<Line> {
    let words = |values: &[u64]| {
        let mut words = part.of(op).words.to_vec();
        op.patch(part.of(op).holes, values, &mut words);
        words
    };
    let (lowest, highest) = (words(&values(op, false)), words(&values(op, true)));
    let words = lowest.into_iter().zip(highest).enumerate();
    let lines = words.map(|(at, (word, highest))| {
        let (holes, reference) = (holes(op, part, at), reference(op, part, at));
        let mut operands: Vec<_> = holes.map(|hole| usize::from(hole.operand)).collect();
        operands.sort_unstable();
        operands.dedup();
        let _ = highest; // of no interest without the feature `check`
        Line {
            word,
            #[cfg(feature = "check")]
            highest,
            text: text(op, part, at, word, reference),
            operands,
        }
    });
    lines.collect()
}

/// The holes of an instruction, by its place in words from the start of its part.
pub(crate) fn holes(op: Op, part: Part, at: usize) -> impl Iterator<Item = &'static Hole> {
    let holes = part.of(op).holes.iter();
    holes.filter(move |hole| usize::from(hole.word) == at)
}

/// What an instruction refers to, by its place in words from the start of its part.
pub(crate) fn reference(op: Op, part: Part, at: usize) -> Option<Reference> {
    let mut references = part.of(op).references.iter();
    references.find(|r| usize::from(r.word) == at).copied()
}

fn text(op: Op, part: Part, at: usize, word: u32, reference: Option<Reference>) -> String {
    let address = at as u64 * 4;
    let text = disassemble::instruction(word, address);
    let Some(reference) = reference else {
        return text;
    };
    let argument = usize::from(reference.argument);
    let name = match (reference.goal, part) {
        (Goal::OtherPart, part) => {
            let other = if matches!(part, Part::Hot) {
                "cold"
            } else {
                "hot"
            };
            format!("{other}+{:#x}", argument * 4)
        }
        _ => format!("=>{}", op.operand_name(argument)),
    };
    // Displacements of references are zero in a template.
    disassemble::renamed(&text, address, &name)
}

/// The lowest or the highest value of each operand, as [`Op::patch`] takes them.
fn values(op: Op, highest: bool) -> Vec<u64> {
    let operands = op.operands().iter();
    let values = operands.map(|operand| match operand.kind {
        OperandKind::Unsigned | OperandKind::Signed | OperandKind::VReg => {
            let range = op.set.ranges[usize::from(operand.range)];
            range.min.wrapping_add(if highest { range.span } else { 0 })
        }
        OperandKind::Reg if highest => 30,
        OperandKind::Logical32 | OperandKind::Logical64 if highest => 0x7fff_fffe,
        OperandKind::Logical32 | OperandKind::Logical64 => 1,
        OperandKind::Fp8 => (if highest { 31.0f64 } else { 2.0 }).to_bits(),
        // Not patched into the code.
        OperandKind::Literal => op.set.ranges[usize::from(operand.range)].min,
        _ => 0,
    });
    let mut values: Vec<_> = values.collect();
    let encoded = op.encode(&mut values);
    debug_assert!(encoded.is_ok(), "a value that is out of its own range");
    values
}
