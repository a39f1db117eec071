//! Functions: from one call target up to the next.

use super::{SECOND, START, Verified, target};
use crate::context::MAX_DEPTH;
use crate::error::Invalid;
use crate::instruction::*;

/// A function of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its first slot.
    pub start: usize,
    /// The slot behind its last.
    pub end: usize,
    /// Which of r6 to r9 it writes: bits 6 to 9.
    pub saves: u16,
    /// Whether it, or a function that it calls, uses r10.
    pub uses_frame: bool,
    /// Whether it calls anything.
    pub calls: bool,
}

impl Verified<'_> {
    /// Splits the program into functions, and checks that control stays in them.
    pub(super) fn find_functions(&mut self) -> Result<(), Invalid> {
        let mut start = 0;
        while start < self.code.len() {
            let rest = &self.marks[start + 1..];
            let next = rest.iter().position(|marks| marks & START != 0);
            let end = next.map_or(self.code.len(), |next| start + 1 + next);
            let function = self.function(start, end)?;
            self.functions.push(function);
            start = end;
        }
        Ok(())
    }

    fn function(&self, start: usize, end: usize) -> Result<Function, Invalid> {
        let (mut saves, mut uses_frame, mut calls) = (0, false, false);
        let mut last = start;
        for pc in start..end {
            if self.marks[pc] & SECOND != 0 {
                continue;
            }
            last = pc;
            let instruction = self.code[pc];
            if instruction.is_jump() {
                let to = target(pc, instruction.distance());
                if !(start as i64..end as i64).contains(&to) {
                    return Err(Invalid::JumpTarget { pc, to });
                }
            }
            let (reads, writes) = instruction.effects();
            saves |= writes & 0b11_1100_0000;
            uses_frame |= reads & 1 << 10 != 0;
            calls |= instruction.opcode == JMP | CALL;
        }
        if !self.code[last].is_ja() && self.code[last].opcode != JMP | EXIT {
            return Err(Invalid::FallsOffEnd { pc: last });
        }
        Ok(Function {
            start,
            end,
            saves,
            uses_frame,
            calls,
        })
    }

    /// Follows the calls from the program's own function on. Depth is checked by how deep the callees
    /// go, each function once.
    pub(super) fn check_depth(&mut self) -> Result<(), Invalid> {
        if self.uses.functions {
            let mut depths = vec![Depth::Unknown; self.functions.len()];
            for function in 0..self.functions.len() {
                self.depth(function, &mut depths, 1)?;
            }
        }
        Ok(())
    }

    /// How many functions deep a function goes, itself included. `level` bounds the recursion here.
    fn depth(
        &mut self,
        function: usize,
        depths: &mut [Depth],
        level: usize,
    ) -> Result<usize, Invalid> {
        if let Depth::Known(depth) = depths[function] {
            return Ok(depth);
        }
        depths[function] = Depth::Entered;
        let mut deepest = 1;
        let Function { start, end, .. } = self.functions[function];
        for pc in start..end {
            let instruction = self.code[pc];
            if self.marks[pc] & SECOND != 0 || !instruction.is_local_call() {
                continue;
            }
            let to = target(pc, instruction.imm);
            let callee = self
                .function_at(to as usize)
                .ok_or(Invalid::CallTarget { pc, to })?;
            if let Depth::Entered = depths[callee] {
                return Err(Invalid::Recursion { pc });
            }
            let too_deep = Invalid::TooDeep { pc, max: MAX_DEPTH };
            if level >= MAX_DEPTH && !matches!(depths[callee], Depth::Known(_)) {
                return Err(too_deep);
            }
            deepest = deepest.max(1 + self.depth(callee, depths, level + 1)?);
            if deepest > MAX_DEPTH {
                return Err(too_deep);
            }
            self.functions[function].uses_frame |= self.functions[callee].uses_frame;
        }
        depths[function] = Depth::Known(deepest);
        Ok(deepest)
    }
}

#[derive(Debug, Clone, Copy)]
enum Depth {
    Unknown,
    /// On the way from the program's own function to the one that is looked at.
    Entered,
    Known(usize),
}
