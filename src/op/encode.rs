//! From operand values to the bits of the holes: the check, and the patch.

use dynasmrt::aarch64::{
    encode_floating_point_immediate, encode_logical_immediate_32bit, encode_logical_immediate_64bit,
};

use super::bake::patch;
use super::operand::{Handle, OperandKind, OperandValue};
use super::template::{Hole, Map, MicroOpSet, Template};
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

    pub(crate) fn operands(self) -> &'static [super::template::Operand] {
        let start = usize::from(self.template.operands);
        &self.set.operands[start..start + self.operand_count()]
    }

    /// Checks every value that can be checked without knowing the trace, and replaces masks and
    /// floating-point numbers by their encodings. `handle` checks a label, exit or literal.
    pub(crate) fn encode(
        self,
        values: &mut [u64],
        mut handle: impl FnMut(OperandKind, Handle) -> bool,
    ) -> Result<(), Error> {
        for (index, (operand, value)) in self.operands().iter().zip(values).enumerate() {
            match operand.kind {
                OperandKind::Unsigned
                | OperandKind::Signed
                | OperandKind::Literal
                | OperandKind::VReg => {
                    let range = self.set.ranges[usize::from(operand.range)];
                    if value.wrapping_sub(range.min) > range.span {
                        return Err(self.out_of_range(index, *value));
                    }
                }
                OperandKind::Reg => match *value {
                    18 => {
                        let (op, operand) = (self.name(), self.operand_name(index));
                        return Err(Error::PlatformRegister { op, operand });
                    }
                    0..=30 => {}
                    _ => return Err(self.out_of_range(index, *value)),
                },
                OperandKind::Logical32 => {
                    let mask = u32::try_from(*value).ok();
                    let field = mask.and_then(encode_logical_immediate_32bit);
                    *value = field
                        .ok_or_else(|| {
                            self.not_encodable(index, *value, "32-bit logical immediate")
                        })?
                        .into();
                }
                OperandKind::Logical64 => {
                    let field = encode_logical_immediate_64bit(*value);
                    *value = field
                        .ok_or_else(|| {
                            self.not_encodable(index, *value, "64-bit logical immediate")
                        })?
                        .into();
                }
                OperandKind::Fp8 => {
                    let number = f64::from_bits(*value);
                    let field = encode_floating_point_immediate(number as f32)
                        .filter(|_| f64::from(number as f32).raw() == *value);
                    *value = field
                        .ok_or_else(|| {
                            self.not_encodable(index, *value, "8-bit floating-point immediate")
                        })?
                        .into();
                }
                // A target is 4-aligned by its type.
                OperandKind::Call => {}
                OperandKind::Exit | OperandKind::Label | OperandKind::MutLiteral => {
                    if !handle(operand.kind, Handle::from_raw(*value)) {
                        return Err(Error::Foreign {
                            op: self.name(),
                            operand: self.operand_name(index),
                            what: match operand.kind {
                                OperandKind::Exit => "exit",
                                OperandKind::Label => "label",
                                _ => "literal",
                            },
                        });
                    }
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn out_of_range(self, index: usize, value: u64) -> Error {
        let info = self.set.get(usize::from(self.index));
        let operand = info.and_then(|info| info.operands().nth(index));
        let (min, max) = operand.and_then(|o| o.range()).unwrap_or((0, 30));
        let signed = min < 0;
        Error::OperandOutOfRange {
            op: self.name(),
            operand: self.operand_name(index),
            value: if signed {
                (value as i64).into()
            } else {
                value.into()
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
        for &hole in holes {
            let mut value = values[usize::from(hole.operand)];
            if hole.map != Map::IDENTITY {
                value = self.mapped(hole, value);
            }
            code[usize::from(hole.word)] ^= patch(hole, value);
        }
    }

    fn mapped(self, hole: Hole, value: u64) -> u64 {
        if hole.map.0 & Map::TABLE == 0 {
            return self.set.affines[usize::from(hole.map.0)].apply(value);
        }
        let operand = self.operands()[usize::from(hole.operand)];
        let min = self.set.ranges[usize::from(operand.range)].min;
        let start = usize::from(hole.map.0 & !Map::TABLE);
        self.set.tables[start + value.wrapping_sub(min) as usize].into()
    }
}
