//! Instructions one by one: opcodes, registers, and fields that must be zero.

use super::{SECOND, START, TARGET, Verified, target};
use crate::context::FRAME;
use crate::error::Invalid;
use crate::instruction::*;

impl Verified<'_> {
    /// Checks every instruction, and marks second halves, targets of jumps and starts of functions.
    pub(super) fn check_encodings(&mut self) -> Result<(), Invalid> {
        let mut pc = 0;
        while let Some(&instruction) = self.code.get(pc) {
            let checked = Checked { pc, instruction };
            match instruction.class() {
                ALU | ALU64 => checked.arithmetic()?,
                JMP | JMP32 => checked.jump()?,
                LD => checked.wide_load()?,
                _ => checked.access()?,
            }
            if instruction.is_jump() {
                self.mark(pc, instruction.distance(), TARGET)?;
            } else if instruction.is_local_call() {
                self.mark(pc, instruction.imm, START)?;
                self.uses.functions = true;
            } else if instruction.opcode == JMP | CALL {
                let number = instruction.imm;
                if self.helper(number).is_none() {
                    return Err(Invalid::NoSuchHelper { pc, number });
                }
                self.uses.helpers = true;
            } else if instruction.opcode == LDDW {
                pc += 1;
                let second = self.code.get(pc).copied().unwrap_or(instruction);
                if second.opcode != 0 || second.registers != 0 || second.offset != 0 {
                    return Err(Invalid::TruncatedLoad { pc: pc - 1 });
                }
                self.marks[pc] |= SECOND;
            }
            pc += 1;
        }
        self.marks[0] |= START;
        self.check_marks()
    }

    fn mark(&mut self, pc: usize, distance: i32, mark: u8) -> Result<(), Invalid> {
        let to = target(pc, distance);
        match usize::try_from(to)
            .ok()
            .and_then(|to| self.marks.get_mut(to))
        {
            Some(marks) => *marks |= mark,
            None if mark == START => return Err(Invalid::CallTarget { pc, to }),
            None => return Err(Invalid::JumpTarget { pc, to }),
        }
        Ok(())
    }

    /// Nothing leads into the middle of an lddw. Whoever does is looked for only if so.
    fn check_marks(&self) -> Result<(), Invalid> {
        let split = |marks: u8| marks & SECOND != 0 && marks & (TARGET | START) != 0;
        let Some(middle) = self.marks.iter().position(|&marks| split(marks)) else {
            return Ok(());
        };
        let to = middle as i64;
        for (pc, instruction) in self.code.iter().enumerate() {
            if self.marks[pc] & SECOND != 0 {
                continue;
            }
            if instruction.is_jump() && target(pc, instruction.distance()) == to {
                return Err(Invalid::JumpTarget { pc, to });
            }
            if instruction.is_local_call() && target(pc, instruction.imm) == to {
                return Err(Invalid::CallTarget { pc, to });
            }
        }
        Ok(())
    }
}

/// An instruction that is being checked.
struct Checked {
    pc: usize,
    instruction: Instruction,
}

impl Checked {
    fn arithmetic(&self) -> Result<(), Invalid> {
        let Instruction { offset, imm, .. } = self.instruction;
        let (wide, register) = (
            self.instruction.class() == ALU64,
            self.instruction.uses_register(),
        );
        match self.instruction.operation() {
            NEG if register => return self.unknown(),
            NEG => self.zero(offset == 0 && imm == 0 && self.instruction.src() == 0)?,
            END if wide && register || !matches!(imm, 16 | 32 | 64) => return self.unknown(),
            END => self.zero(offset == 0 && self.instruction.src() == 0)?,
            DIV | MOD => self.operands(matches!(offset, 0 | 1))?,
            MOV if register && offset != 0 => match (wide, offset) {
                (_, 8 | 16) | (true, 32) => self.zero(imm == 0)?,
                _ => return self.unknown(),
            },
            MOV..=ARSH | ADD..=RSH | XOR => self.operands(offset == 0)?,
            _ => return self.unknown(),
        }
        self.registers(true)
    }

    fn jump(&self) -> Result<(), Invalid> {
        let Instruction {
            opcode,
            registers,
            offset,
            imm,
        } = self.instruction;
        match (opcode, self.instruction.operation()) {
            (_, JA) if opcode == JMP | JA => self.zero(registers == 0 && imm == 0)?,
            (_, JA) if opcode == JMP32 | JA => self.zero(registers == 0 && offset == 0)?,
            (_, JA) => return self.unknown(),
            (_, CALL) if opcode == JMP | CALL | X => return self.unsupported("callx"),
            (_, CALL) if opcode == JMP | CALL => {
                match self.instruction.src() {
                    HELPER | LOCAL => {}
                    BTF => return self.unsupported("a call by BTF id"),
                    _ => return self.unknown(),
                }
                self.zero(self.instruction.dst() == 0 && offset == 0)?;
                return Ok(());
            }
            (_, EXIT) if opcode == JMP | EXIT => {
                self.zero(registers == 0 && offset == 0 && imm == 0)?;
            }
            (_, CALL | EXIT) => return self.unknown(),
            (_, JEQ..=JSGE | JLT..=JSLE) => self.operands(true)?,
            _ => return self.unknown(),
        }
        self.registers(false)
    }

    fn wide_load(&self) -> Result<(), Invalid> {
        match (self.instruction.opcode, self.instruction.mode()) {
            (LDDW, _) => {}
            (_, ABS | IND) if self.instruction.size() != 8 => {
                return self.unsupported("legacy packet access");
            }
            _ => return self.unknown(),
        }
        match self.instruction.src() {
            0 => {}
            kind @ 1..=6 => return Err(Invalid::PlatformLoad { pc: self.pc, kind }),
            _ => return self.unknown(),
        }
        self.zero(self.instruction.offset == 0)?;
        self.registers(true)
    }

    fn access(&self) -> Result<(), Invalid> {
        let instruction = self.instruction;
        let (class, imm) = (instruction.class(), instruction.imm);
        match instruction.mode() {
            MEM if class == ST => self.zero(instruction.src() == 0)?,
            MEM => self.zero(imm == 0)?,
            MEMSX if class == LDX && instruction.size() < 8 => self.zero(imm == 0)?,
            ATOMIC if class == STX && instruction.size() >= 4 => {
                let known = [
                    ADD,
                    OR,
                    AND,
                    XOR,
                    ADD | FETCH,
                    OR | FETCH,
                    AND | FETCH,
                    XOR | FETCH,
                ];
                if !u8::try_from(imm)
                    .is_ok_and(|imm| known.contains(&imm) || imm == XCHG || imm == CMPXCHG)
                {
                    return self.unknown();
                }
                if super::fetches_into(instruction) == Some(10) {
                    return Err(Invalid::FrameWritten { pc: self.pc });
                }
            }
            _ => return self.unknown(),
        }
        self.registers(class == LDX)?;
        self.frame()
    }

    /// An access by r10 is in the function's own part of the stack, so that it needs no check later.
    fn frame(&self) -> Result<(), Invalid> {
        let base = if self.instruction.class() == LDX {
            self.instruction.src()
        } else {
            self.instruction.dst()
        };
        let (offset, size) = (self.instruction.offset, self.instruction.size());
        let start = i64::from(offset);
        if base == 10 && !(-(FRAME as i64)..=-i64::from(size)).contains(&start) {
            let (pc, frame) = (self.pc, FRAME);
            return Err(Invalid::OutOfFrame {
                pc,
                offset,
                size,
                frame,
            });
        }
        Ok(())
    }

    /// The second operand: of a register and an immediate, the other one must be zero.
    fn operands(&self, others: bool) -> Result<(), Invalid> {
        let unused = if self.instruction.uses_register() {
            self.instruction.imm == 0
        } else {
            self.instruction.src() == 0
        };
        self.zero(others && unused)
    }

    fn registers(&self, writes: bool) -> Result<(), Invalid> {
        let pc = self.pc;
        for register in [self.instruction.dst(), self.instruction.src()] {
            if register > 10 {
                return Err(Invalid::NoSuchRegister { pc, register });
            }
        }
        if writes && self.instruction.dst() == 10 {
            return Err(Invalid::FrameWritten { pc });
        }
        Ok(())
    }

    fn zero(&self, are_zero: bool) -> Result<(), Invalid> {
        let (pc, instruction) = (self.pc, self.instruction);
        are_zero.then_some(()).ok_or_else(|| Invalid::Reserved {
            pc,
            instruction: instruction.to_string(),
        })
    }

    fn unknown(&self) -> Result<(), Invalid> {
        let (pc, instruction) = (self.pc, self.instruction.to_string());
        Err(Invalid::UnknownOpcode { pc, instruction })
    }

    fn unsupported(&self, name: &'static str) -> Result<(), Invalid> {
        Err(Invalid::Unsupported { pc: self.pc, name })
    }
}
