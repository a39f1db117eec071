//! Jumps, calls and exits.

use opstitch::{Error, Exit, Label, Reg};

use super::{Stitch, by_width, immediate, register};
use crate::instruction::*;
use crate::uops::frame::Ended;
use crate::uops::jumps as uops;
use crate::verify::target;

impl Stitch<'_, '_> {
    pub(super) fn jump(&mut self, pc: usize) -> Result<(), Error> {
        let instruction = self.code[pc];
        match instruction.operation() {
            EXIT => return self.push(uops::Jump { to: self.epilogue }),
            CALL => return self.call(pc),
            _ => {}
        }
        let target = target(pc, instruction.distance()) as usize;
        if target <= pc {
            self.draw(pc, (pc - target + 1) as u64)?;
        }
        let to = self.label(target);
        if instruction.is_ja() {
            return self.push(uops::Jump { to });
        }
        let left = register(instruction.dst());
        if !instruction.uses_register() && self.jump_by_one(instruction, left, to)? {
            return Ok(());
        }
        self.compare(instruction, left)?;
        match instruction.operation() {
            JEQ => self.push(uops::BranchEqual { to }),
            JGT => self.push(uops::BranchAbove { to }),
            JGE => self.push(uops::BranchAboveOrEqual { to }),
            JSGT => self.push(uops::BranchGreater { to }),
            JSGE => self.push(uops::BranchGreaterOrEqual { to }),
            JLT => self.push(uops::BranchBelow { to }),
            JLE => self.push(uops::BranchBelowOrEqual { to }),
            JSLT => self.push(uops::BranchLess { to }),
            JSLE => self.push(uops::BranchLessOrEqual { to }),
            _ => self.push(uops::BranchNotEqual { to }), // JNE, JSET
        }
    }

    /// A jump whose condition is that a register is zero, or one of its bits. Whether it was one.
    fn jump_by_one(&mut self, of: Instruction, value: Reg, to: Label) -> Result<bool, Error> {
        let wide = of.class() == JMP;
        let sign = if wide { 63 } else { 31 };
        let mask = immediate(of);
        match (of.operation(), of.imm) {
            (JEQ | JLE, 0) | (JLT, 1) => {
                by_width!(self, wide, BranchZero / BranchZero32 { value, to })?
            }
            (JNE | JGT, 0) | (JGE, 1) => {
                by_width!(self, wide, BranchNotZero / BranchNotZero32 { value, to })?
            }
            (JSLT, 0) | (JSLE, -1) => self.push(uops::BranchBitSet {
                value,
                bit: sign,
                to,
            })?,
            (JSGE, 0) | (JSGT, -1) => self.push(uops::BranchBitClear {
                value,
                bit: sign,
                to,
            })?,
            (JSET, _) if mask.is_power_of_two() => {
                let bit = mask.trailing_zeros().into();
                self.push(uops::BranchBitSet { value, bit, to })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets the flags for a jump.
    fn compare(&mut self, of: Instruction, left: Reg) -> Result<(), Error> {
        let wide = of.class() == JMP;
        let (mask, right) = (immediate(of), u64::from(of.imm.unsigned_abs()));
        let is_register = of.uses_register();
        match (of.operation(), of.imm) {
            (JSET, _) if !is_register && wide && opstitch::immediate::is_logical64(mask) => {
                self.push(uops::TestImmediate { left, mask })
            }
            (JSET, _)
                if !is_register && !wide && opstitch::immediate::is_logical32(mask as u32) =>
            {
                let mask = mask as u32;
                self.push(uops::TestImmediate32 { left, mask })
            }
            (JSET, _) => {
                let right = self.operand(of)?;
                by_width!(self, wide, Test / Test32 { left, right })
            }
            (_, 0..=4095) if !is_register => {
                by_width!(
                    self,
                    wide,
                    CompareImmediate / CompareImmediate32 { left, right }
                )
            }
            (_, -4095..=-1) => by_width!(
                self,
                wide,
                CompareNegative / CompareNegative32 { left, right }
            ),
            _ => {
                let right = self.operand(of)?;
                by_width!(self, wide, Compare / Compare32 { left, right })
            }
        }
    }

    fn call(&mut self, pc: usize) -> Result<(), Error> {
        let instruction = self.code[pc];
        self.track(instruction);
        if instruction.is_local_call() {
            let start = target(pc, instruction.imm) as usize;
            // The verifier has found it.
            let number = self.program.function_at(start).unwrap_or(0);
            let callee = self.program.functions()[number];
            self.draw(pc, (callee.end - callee.start) as u64)?;
            let function = self.functions[number];
            return self.push(uops::CallLocal { function });
        }
        let Some(helper) = self.program.helper(instruction.imm) else {
            return Ok(()); // the verifier refuses such calls
        };
        if helper.ends {
            let ended = self.ended()?;
            let helper = helper.target;
            return self.push(uops::CallEndingHelper { helper, ended });
        }
        let helper = helper.target;
        self.push(uops::CallHelper { helper })
    }

    fn ended(&mut self) -> Result<Exit, Error> {
        if let Some(exit) = self.ended {
            return Ok(exit);
        }
        let (exit, leave) = (self.builder.declare_exit(), self.leave);
        self.builder.define_exit(exit, |code| {
            code.push(Ended)?;
            code.jump(leave)
        })?;
        self.ended = Some(exit);
        Ok(exit)
    }
}
