//! From operand values to the bits of the holes: the check, and the patch.

use dynasmrt::aarch64::{
    encode_floating_point_immediate, encode_logical_immediate_32bit, encode_logical_immediate_64bit,
};

use super::bake::patch;
use super::operand::{Handles, OperandKind, OperandValue, PLATFORM_REGISTER};
use super::template::{Hole, Map, MicroOpSet, Operand, Properties, Template};
use crate::error::Error;

/// A micro-op's template, and the set it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    pub(crate) set: &'static MicroOpSet,
    pub(crate) index: u16,
    pub(crate) template: &'static Template,
}

impl Op {
    /// The micro-op of that number; `None` if the set has none.
    #[inline]
    pub(crate) fn new(set: &'static MicroOpSet, index: usize) -> Option<Op> {
        Some(Op {
            set,
            index: u16::try_from(index).ok()?,
            template: set.templates.get(index)?,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        self.set.name_at(self.template.name, self.template.name_len)
    }

    pub(crate) fn operand_count(self) -> usize {
        usize::from(self.template.operand_count)
    }

    pub(crate) fn operand_name(self, index: usize) -> &'static str {
        self.operands()
            .get(index)
            .map_or("?", |o| self.set.name_at(o.name, o.name_len))
    }

    pub(crate) fn has_cold_part(self) -> bool {
        self.template.properties.contains(Properties::COLD)
    }

    /// Whether it can go on to the next one.
    pub(crate) fn goes_on(self) -> bool {
        self.template.properties.contains(Properties::FALLS_THROUGH)
    }

    #[inline]
    pub(crate) fn operands(self) -> &'static [super::template::Operand] {
        let start = usize::from(self.template.operands);
        &self.set.operands[start..start + self.operand_count()]
    }

    /// The operand that says where a branch or a call leads, if there is only one.
    pub(crate) fn destination(self) -> Option<usize> {
        let operands = self.operands().iter().enumerate();
        let mut found = operands.filter(|(_, operand)| operand.kind.is_destination());
        let (index, _) = found.next()?;
        found.next().is_none().then_some(index)
    }

    /// Puts operands that are in the order in which they are declared as [`MicroOp::arranged`](super::MicroOp::arranged) says.
    pub(crate) fn arrange(self, values: &mut [u64]) {
        if let Some(behind @ [_, ..]) = self.destination().and_then(|it| values.get_mut(it..)) {
            behind.rotate_left(1);
        }
    }

    /// The contrary.
    pub(crate) fn put_in_order(self, values: &mut [u64]) {
        if let Some([first, others @ ..]) = self.destination().and_then(|it| values.get_mut(it..)) {
            // A rotation by one, of few.
            others
                .iter_mut()
                .for_each(|value| std::mem::swap(first, value));
        }
    }

    /// Refuses values that the builder that made the `handles` cannot take. Masks and floating-point numbers
    /// are looked at when they are [encoded](Op::encode).
    pub(crate) fn check(self, values: &[u64], handles: &Handles) -> Result<(), Error> {
        for (index, (operand, &value)) in self.operands().iter().zip(values).enumerate() {
            let kind = operand.kind;
            let foreign = kind.is_handle() && !handles.has(kind, value);
            if foreign || !self.set.is_in_range(operand, value) {
                return Err(self.refused(index, value));
            }
        }
        Ok(())
    }

    /// What is wrong with the value of an operand.
    #[cold]
    fn refused(self, index: usize, value: u64) -> Error {
        let operand = self.operands()[index];
        let (op, operand_name) = (self.name(), self.operand_name(index));
        let range = self.set.ranges[usize::from(operand.range)];
        if value.wrapping_sub(range.min) > range.span {
            return match (operand.kind, u8::try_from(value)) {
                (OperandKind::Reg, Ok(number)) => Error::NoRegister {
                    op,
                    operand: operand_name,
                    number,
                },
                (OperandKind::VReg, Ok(number)) => Error::NoVectorRegister {
                    op,
                    operand: operand_name,
                    number,
                    max: range.span as u8,
                },
                _ => self.out_of_range(index, value),
            };
        }
        match operand.kind {
            OperandKind::Reg => Error::PlatformRegister {
                op,
                operand: operand_name,
            },
            kind => Error::Foreign {
                op,
                operand: operand_name,
                what: match kind {
                    OperandKind::Exit => "exit",
                    OperandKind::Label => "label",
                    _ => "literal",
                },
            },
        }
    }

    /// Replaces masks and floating-point numbers by their encodings.
    #[inline]
    pub(crate) fn encode(self, values: &mut [u64]) -> Result<(), Error> {
        match self.template.encoded {
            true => self.encode_all(values),
            false => Ok(()),
        }
    }

    fn encode_all(self, values: &mut [u64]) -> Result<(), Error> {
        for (index, (operand, value)) in self.operands().iter().zip(values).enumerate() {
            let (field, kind) = match operand.kind {
                OperandKind::Logical32 => {
                    let mask = u32::try_from(*value).ok();
                    let field = mask.and_then(encode_logical_immediate_32bit);
                    (field.map(u64::from), "32-bit logical immediate")
                }
                OperandKind::Logical64 => {
                    let field = encode_logical_immediate_64bit(*value);
                    (field.map(u64::from), "64-bit logical immediate")
                }
                OperandKind::Fp8 => {
                    let number = f64::from_bits(*value);
                    let field = encode_floating_point_immediate(number as f32)
                        .filter(|_| f64::from(number as f32).raw() == *value);
                    (field.map(u64::from), "8-bit floating-point immediate")
                }
                _ => continue,
            };
            *value = field.ok_or_else(|| self.not_encodable(index, *value, kind))?;
        }
        Ok(())
    }

    fn out_of_range(self, index: usize, value: u64) -> Error {
        let info = self.set.get(usize::from(self.index));
        let operand = info.and_then(|info| info.operands().nth(index));
        let (min, max) = operand.and_then(|o| o.range()).unwrap_or((0, 30));
        let signed = operand.is_some_and(|o| o.kind() == OperandKind::Signed);
        self.outside(index, value, signed, (min, max))
    }

    /// Says that a value, signed if it was given so or could be, lies outside a range.
    pub(crate) fn outside(
        self,
        index: usize,
        value: u64,
        signed: bool,
        (min, max): (i128, i128),
    ) -> Error {
        Error::OperandOutOfRange {
            op: self.name(),
            operand: self.operand_name(index),
            value: match signed || min < 0 {
                true => (value as i64).into(),
                false => value.into(),
            },
            min,
            max,
        }
    }

    #[cold]
    fn not_encodable(self, index: usize, value: u64, kind: &'static str) -> Error {
        Error::NotEncodable {
            op: self.name(),
            operand: self.operand_name(index),
            value: if matches!(self.operands()[index].kind, OperandKind::Fp8) {
                f64::from_bits(value).to_string()
            } else {
                format!("{value:#x}")
            },
            kind,
        }
    }

    /// Patches encoded values into a copy of one of the micro-op's parts.
    pub(crate) fn patch(self, holes: &[Hole], values: &[u64], code: &mut [u32]) {
        for hole in holes {
            let value = values[usize::from(hole.operand)];
            code[usize::from(hole.word)] ^= self.set.fill(self.set, hole, value);
        }
    }
}

impl MicroOpSet {
    /// Whether a value may be an operand's, as far as its kind and its range go.
    #[inline]
    pub(crate) fn is_in_range(&self, operand: &Operand, value: u64) -> bool {
        let range = self.ranges[usize::from(operand.range)];
        let is_reg = operand.kind == OperandKind::Reg;
        value.wrapping_sub(range.min) <= range.span && !(is_reg & (value == PLATFORM_REGISTER))
    }

    /// The bits that an operand's value puts into a hole of its word. `tables` is the set whose tables are
    /// looked into: the same, where the compiler need not know it.
    #[inline]
    pub(crate) fn fill(&self, tables: &MicroOpSet, hole: &Hole, value: u64) -> u32 {
        let value = match hole.map {
            Map::IDENTITY => value,
            Map(map) if map & Map::TABLE == 0 => self.affines[usize::from(map)].apply(value),
            Map(map) => tables.look_up(map & !Map::TABLE, hole.range, value),
        };
        patch(*hole, value)
    }

    #[inline(never)]
    fn look_up(&self, table: u16, range: u16, value: u64) -> u64 {
        let min = self.ranges[usize::from(range)].min;
        self.tables[usize::from(table) + value.wrapping_sub(min) as usize].into()
    }
}
