//! Arithmetic.
//!
//! # Fusion
//!
//! - A move and an operation on what was moved: the micro-ops have three operands.
//! - `lsh 32` and a shift back by 32 or more: an extension of the lower half, or a 32-bit shift.
//! - A byte swap of what a 16-bit load has just brought needs no truncation.

use opstitch::immediate::{is_logical32, is_logical64};
use opstitch::{Error, Reg};

use super::{Stitch, by_width, immediate, register};
use crate::instruction::*;
use crate::uops::alu as uops;

impl Stitch<'_, '_> {
    /// Translates arithmetic, and what is fused with it. Returns the next instruction.
    pub(super) fn arithmetic(&mut self, pc: usize) -> Result<usize, Error> {
        let instruction = self.code[pc];
        self.track(instruction);
        let is_move = instruction.operation() == MOV
            && instruction.uses_register()
            && instruction.offset == 0;
        if !is_move {
            return self.operation(pc, register(instruction.dst()));
        }
        let (dst, src) = (instruction.dst(), instruction.src());
        if let Some(next) = self.next(pc)
            && next.class() == instruction.class()
            && next.dst() == dst
            && !matches!(next.operation(), MOV | END)
        {
            self.track(next);
            return self.operation(pc + 1, register(src));
        }
        let (dst, src) = (register(dst), register(src));
        by_width!(self, instruction.class() == ALU64, Mov / Mov32 { dst, src })?;
        Ok(pc + 1)
    }

    /// An operation whose first operand is in `left`.
    fn operation(&mut self, pc: usize, left: Reg) -> Result<usize, Error> {
        let instruction = self.code[pc];
        let dst = register(instruction.dst());
        let wide = instruction.class() == ALU64;
        match instruction.operation() {
            NEG => by_width!(self, wide, Neg / Neg32 { dst, right: left })?,
            END => self.swap(pc, dst)?,
            MOV if instruction.uses_register() => self.extend(instruction)?,
            MOV => self.constant(dst, immediate(instruction))?,
            LSH if self.shift_back(pc, dst, left)? => return Ok(pc + 2),
            _ if instruction.uses_register() => {
                // A moved register is its own operand: `r1 = r2; r1 += r1`.
                let is_dst = instruction.src() == instruction.dst();
                let right = if is_dst {
                    left
                } else {
                    register(instruction.src())
                };
                self.three(instruction, dst, left, right)?;
            }
            _ => self.with_immediate(instruction, dst, left)?,
        }
        Ok(pc + 1)
    }

    /// An operation on two registers.
    fn three(&mut self, of: Instruction, dst: Reg, left: Reg, right: Reg) -> Result<(), Error> {
        let wide = of.class() == ALU64;
        let signed = of.offset == 1;
        match of.operation() {
            ADD => by_width!(self, wide, Add / Add32 { dst, left, right }),
            SUB => by_width!(self, wide, Sub / Sub32 { dst, left, right }),
            MUL => by_width!(self, wide, Mul / Mul32 { dst, left, right }),
            DIV if signed => by_width!(self, wide, SignedDiv / SignedDiv32 { dst, left, right }),
            DIV => by_width!(self, wide, Div / Div32 { dst, left, right }),
            OR => by_width!(self, wide, Or / Or32 { dst, left, right }),
            AND => by_width!(self, wide, And / And32 { dst, left, right }),
            LSH => by_width!(self, wide, ShiftLeft / ShiftLeft32 { dst, left, right }),
            RSH => by_width!(self, wide, ShiftRight / ShiftRight32 { dst, left, right }),
            MOD if signed => by_width!(self, wide, SignedMod / SignedMod32 { dst, left, right }),
            MOD => by_width!(self, wide, Mod / Mod32 { dst, left, right }),
            XOR => by_width!(self, wide, Xor / Xor32 { dst, left, right }),
            _ => by_width!(
                self,
                wide,
                ShiftRightSigned / ShiftRightSigned32 { dst, left, right }
            ),
        }
    }

    /// An operation with an immediate: in the instruction if it can hold it, else in a register.
    fn with_immediate(&mut self, of: Instruction, dst: Reg, left: Reg) -> Result<(), Error> {
        let wide = of.class() == ALU64;
        let value = immediate(of);
        let by = value & if wide { 63 } else { 31 };
        let power = value
            .is_power_of_two()
            .then(|| u64::from(value.trailing_zeros()));
        match (of.operation(), power) {
            (ADD, _) if self.add(wide, dst, left, of.imm.into())? => Ok(()),
            (SUB, _) if self.add(wide, dst, left, -i64::from(of.imm))? => Ok(()),
            (OR, _) if is_mask(wide, value) => self.mask_or(wide, dst, left, value),
            (AND, _) if is_mask(wide, value) => self.mask_and(wide, dst, left, value),
            (XOR, _) if of.imm == -1 => by_width!(self, wide, Not / Not32 { dst, right: left }),
            (XOR, _) if is_mask(wide, value) => self.mask_xor(wide, dst, left, value),
            (LSH, _) => by_width!(
                self,
                wide,
                ShiftLeftImmediate / ShiftLeftImmediate32 { dst, left, by }
            ),
            (RSH, _) => by_width!(
                self,
                wide,
                ShiftRightImmediate / ShiftRightImmediate32 { dst, left, by }
            ),
            (ARSH, _) => {
                by_width!(
                    self,
                    wide,
                    ShiftRightSignedImmediate / ShiftRightSignedImmediate32 { dst, left, by }
                )
            }
            (MUL, Some(by)) => by_width!(
                self,
                wide,
                ShiftLeftImmediate / ShiftLeftImmediate32 { dst, left, by }
            ),
            (DIV, Some(by)) if of.offset == 0 => {
                by_width!(
                    self,
                    wide,
                    ShiftRightImmediate / ShiftRightImmediate32 { dst, left, by }
                )
            }
            (MOD, Some(1..)) if of.offset == 0 => self.mask_and(wide, dst, left, value - 1),
            _ => {
                let right = self.operand(of)?;
                self.three(of, dst, left, right)
            }
        }
    }

    /// Adds a constant that one instruction can add or subtract. Whether there was one.
    fn add(&mut self, wide: bool, dst: Reg, left: Reg, value: i64) -> Result<bool, Error> {
        let right = value.unsigned_abs();
        let pages = right >> 12;
        match (value >= 0, right, right & 0xfff == 0 && pages < 4096) {
            (true, 0..=4095, _) => by_width!(
                self,
                wide,
                AddImmediate / AddImmediate32 { dst, left, right }
            )?,
            (false, 0..=4095, _) => by_width!(
                self,
                wide,
                SubImmediate / SubImmediate32 { dst, left, right }
            )?,
            (true, _, true) => by_width!(
                self,
                wide,
                AddPages
                    / AddPages32 {
                        dst,
                        left,
                        right: pages
                    }
            )?,
            (false, _, true) => by_width!(
                self,
                wide,
                SubPages
                    / SubPages32 {
                        dst,
                        left,
                        right: pages
                    }
            )?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mask_or(&mut self, wide: bool, dst: Reg, left: Reg, mask: u64) -> Result<(), Error> {
        if wide {
            return self.push(uops::OrImmediate { dst, left, mask });
        }
        let mask = mask as u32;
        self.push(uops::OrImmediate32 { dst, left, mask })
    }

    fn mask_and(&mut self, wide: bool, dst: Reg, left: Reg, mask: u64) -> Result<(), Error> {
        if wide {
            return self.push(uops::AndImmediate { dst, left, mask });
        }
        let mask = mask as u32;
        self.push(uops::AndImmediate32 { dst, left, mask })
    }

    fn mask_xor(&mut self, wide: bool, dst: Reg, left: Reg, mask: u64) -> Result<(), Error> {
        if wide {
            return self.push(uops::XorImmediate { dst, left, mask });
        }
        let mask = mask as u32;
        self.push(uops::XorImmediate32 { dst, left, mask })
    }

    /// `lsh 32` at `pc`, and the shift back behind it. Whether the two became one.
    fn shift_back(&mut self, pc: usize, dst: Reg, left: Reg) -> Result<bool, Error> {
        let instruction = self.code[pc];
        let Some(next) = self.next(pc) else {
            return Ok(false);
        };
        let is_pair = instruction.opcode == ALU64 | LSH
            && instruction.imm & 63 == 32
            && next.dst() == instruction.dst();
        match (next.opcode, next.imm & 63) {
            _ if !is_pair => return Ok(false),
            (opcode, 32) if opcode == ALU64 | RSH => self.push(uops::Mov32 { dst, src: left })?,
            (opcode, by @ 33..) if opcode == ALU64 | RSH => {
                let by = by as u64 - 32;
                self.push(uops::ShiftRightImmediate32 { dst, left, by })?;
            }
            (opcode, 32) if opcode == ALU64 | ARSH => {
                self.push(uops::SignExtend32 { dst, src: left })?
            }
            _ => return Ok(false),
        }
        self.track(next);
        Ok(true)
    }

    /// A move that extends the sign.
    fn extend(&mut self, instruction: Instruction) -> Result<(), Error> {
        let (dst, src) = (register(instruction.dst()), register(instruction.src()));
        let wide = instruction.class() == ALU64;
        match instruction.offset {
            8 => by_width!(self, wide, SignExtend8 / SignExtend8To32 { dst, src }),
            16 => by_width!(self, wide, SignExtend16 / SignExtend16To32 { dst, src }),
            _ => self.push(uops::SignExtend32 { dst, src }),
        }
    }

    /// A byte swap, or a truncation where the host's byte order, the little one, is asked for.
    fn swap(&mut self, pc: usize, dst: Reg) -> Result<(), Error> {
        let instruction = self.code[pc];
        let swaps = instruction.class() == ALU64 || instruction.uses_register();
        let src = dst;
        match (swaps, instruction.imm) {
            (true, 16) if self.has_loaded_half(pc) => self.push(uops::SwapShort { dst, src }),
            (true, 16) => self.push(uops::Swap16 { dst, src }),
            (true, 32) => self.push(uops::Swap32 { dst, src }),
            (true, _) => self.push(uops::Swap64 { dst, src }),
            (false, 16) => self.push(uops::ZeroExtend16 { dst, src }),
            (false, 32) => self.push(uops::Mov32 { dst, src }),
            (false, _) => Ok(()),
        }
    }

    /// Whether the instruction before has loaded 16 bits into the destination of this one.
    fn has_loaded_half(&self, pc: usize) -> bool {
        let Some(before) = pc.checked_sub(1).map(|before| self.code[before]) else {
            return false;
        };
        before.opcode == LDX | MEM | H
            && before.dst() == self.code[pc].dst()
            && !self.program.is_target(pc)
            && self.program.function_at(pc).is_none()
    }
}

fn is_mask(wide: bool, value: u64) -> bool {
    if wide {
        is_logical64(value)
    } else {
        is_logical32(value as u32)
    }
}
