//! Registers are written before they are read.
//!
//! Forwards from the entry, each instruction gets the set of registers that are written on every way to
//! it. Sets only shrink, so an instruction is looked at eleven times at most; mostly it is once.

use super::{Verified, slots, target};
use crate::error::Invalid;
use crate::instruction::*;

/// Registers, a bit each.
type Set = u16;

/// No way to the instruction has been found.
const UNREACHED: Set = Set::MAX;
const FRAME: Set = 1 << 10;
const ARGUMENTS: Set = 0b11_1110;

impl Verified<'_> {
    pub(super) fn check_flow(&self) -> Result<(), Invalid> {
        let mut flow = Flow {
            written: vec![UNREACHED; self.code.len()],
            waiting: Vec::new(),
        };
        let mut ends = false;
        // At the entry: r1 and r2 are the input, r10 the stack.
        flow.reach(0, 0b110 | FRAME);
        while let Some(start) = flow.waiting.pop() {
            let mut pc = start;
            loop {
                let instruction = self.code[pc];
                let (reads, writes) = instruction.effects();
                let is_exit = instruction.opcode == JMP | EXIT;
                // A function need not return anything.
                let in_function =
                    is_exit && self.functions.len() > 1 && pc >= self.functions[0].end;
                let reads = if in_function { 0 } else { reads };
                let missing = reads & !flow.written[pc];
                if missing != 0 {
                    let register = missing.trailing_zeros() as u8;
                    return Err(Invalid::Uninitialized { pc, register });
                }
                let mut written = flow.written[pc] | writes;
                if is_exit {
                    ends |= pc < self.functions[0].end;
                    break;
                }
                if instruction.opcode == JMP | CALL {
                    if instruction.is_local_call() {
                        let callee = target(pc, instruction.imm) as usize;
                        flow.reach(callee, written & ARGUMENTS | FRAME);
                    }
                    written &= !ARGUMENTS;
                    written |= 1;
                }
                let next = pc + slots(instruction);
                if instruction.is_jump() {
                    let to = target(pc, instruction.distance()) as usize;
                    if instruction.is_ja() {
                        flow.reach(to, written);
                        break;
                    }
                    flow.reach(to, written);
                }
                if !flow.narrow(next, written) {
                    break;
                }
                pc = next;
            }
        }
        ends.then_some(()).ok_or(Invalid::NoExit)
    }
}

struct Flow {
    /// For each instruction.
    written: Vec<Set>,
    /// Those whose set has shrunk since they were looked at.
    waiting: Vec<usize>,
}

impl Flow {
    /// Another way to an instruction. Whether that is news.
    fn narrow(&mut self, pc: usize, written: Set) -> bool {
        let before = self.written[pc];
        self.written[pc] = before & written;
        self.written[pc] != before
    }

    fn reach(&mut self, pc: usize, written: Set) {
        if self.narrow(pc, written) {
            self.waiting.push(pc);
        }
    }
}

impl Instruction {
    /// The registers that an instruction reads and writes, a bit each. What a call does to registers
    /// is left to who asks.
    pub(super) fn effects(self) -> (Set, Set) {
        let dst: Set = 1 << self.dst();
        let src: Set = 1 << self.src();
        let operand = if self.uses_register() { src } else { 0 };
        match self.class() {
            ALU | ALU64 => match self.operation() {
                MOV => (operand, dst),
                NEG | END => (dst, dst),
                _ => (dst | operand, dst),
            },
            JMP | JMP32 => match self.operation() {
                JA | CALL => (0, 0),
                EXIT => (1, 0),
                _ => (dst | operand, 0),
            },
            LD => (0, dst),
            LDX => (src, dst),
            ST => (dst, 0),
            _ if self.mode() == ATOMIC => {
                let compared = if self.imm == i32::from(CMPXCHG) { 1 } else { 0 };
                let fetched = super::fetches_into(self).map_or(0, |register| 1 << register);
                (dst | src | compared, fetched)
            }
            _ => (dst | src, 0),
        }
    }
}
