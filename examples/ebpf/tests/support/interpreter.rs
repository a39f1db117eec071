//! An interpreter, written from RFC 9669 alone: what the translation is held against.
//!
//! It is as plain as can be. Each instruction is executed as its section of the RFC says, on a u64 for each
//! register and on regions of bytes.

use std::collections::BTreeSet;

use ebpf::instruction::Instruction;
use ebpf::run::{End, Stop};

/// A helper: what it returns, and whether that ends the program.
pub(crate) type Helpers<'h> = &'h dyn Fn(i32, [u64; 5]) -> (u64, bool);

pub(crate) struct Interpreter<'p> {
    code: &'p [Instruction],
    helpers: Helpers<'p>,
    /// Address and bytes of each region.
    pub(crate) regions: Vec<(u64, Vec<u8>)>,
    pub(crate) registers: [u64; 11],
    pub(crate) budget: u64,
    /// Instructions that were executed.
    pub(crate) executed: u64,
    /// Where each call returns to, and r6 to r9 at the call.
    calls: Vec<(usize, [u64; 4])>,
    starts: BTreeSet<usize>,
}

/// How an instruction goes on.
enum Next {
    /// So many slots further.
    Relative(i64),
    At(usize),
    End(End),
}

impl<'p> Interpreter<'p> {
    pub(crate) fn new(code: &'p [Instruction], helpers: Helpers<'p>) -> Interpreter<'p> {
        let mut starts = BTreeSet::from([0]);
        let mut pc = 0;
        while let Some(&slot) = code.get(pc) {
            if slot.opcode == 0x85 && slot.src() == 1 {
                starts.insert((pc as i64 + 1 + i64::from(slot.imm)) as usize);
            }
            pc += if slot.opcode == 0x18 { 2 } else { 1 };
        }
        Interpreter {
            code,
            helpers,
            regions: Vec::new(),
            registers: [0; 11],
            budget: u64::MAX,
            executed: 0,
            calls: Vec::new(),
            starts,
        }
    }

    /// Runs from the first instruction to the end.
    pub(crate) fn run(&mut self) -> End {
        let mut pc = 0;
        loop {
            self.executed += 1;
            match self.step(pc) {
                Next::Relative(slots) => pc = (pc as i64 + slots) as usize,
                Next::At(to) => pc = to,
                Next::End(end) => return end,
            }
        }
    }

    fn step(&mut self, pc: usize) -> Next {
        let slot = self.code[pc];
        let (dst, src) = (usize::from(slot.dst()), usize::from(slot.src()));
        match slot.opcode & 7 {
            // 4.1: the source of operations is the register or the sign-extended immediate.
            class @ (4 | 7) => {
                let operand = match slot.opcode & 8 {
                    0 => slot.imm as i64 as u64,
                    _ => self.registers[src],
                };
                let left = self.registers[dst];
                self.registers[dst] = match class {
                    _ if slot.opcode & 0xf0 == 0xd0 => end(slot, left),
                    7 => alu64(slot, left, operand),
                    _ => alu32(slot, left as u32, operand as u32).into(),
                };
                Next::Relative(1)
            }
            class @ (5 | 6) => self.jump(pc, slot, class == 5),
            0 => {
                let high = self.code[pc + 1].imm as u32;
                self.registers[dst] = u64::from(high) << 32 | u64::from(slot.imm as u32);
                Next::Relative(2)
            }
            class => match self.access(pc, slot, class) {
                Ok(()) => Next::Relative(1),
                Err(stop) => Next::End(End::Stopped(stop)),
            },
        }
    }

    fn jump(&mut self, pc: usize, slot: Instruction, wide: bool) -> Next {
        match slot.opcode {
            0x85 if slot.src() == 1 => return self.call(pc, slot),
            0x85 => {
                let arguments = [1, 2, 3, 4, 5].map(|n| self.registers[n]);
                let (result, ends) = (self.helpers)(slot.imm, arguments);
                self.registers[0] = result;
                return match ends {
                    true => Next::End(End::Returned(result)),
                    false => Next::Relative(1),
                };
            }
            0x95 => {
                return match self.calls.pop() {
                    Some((to, saved)) => {
                        self.registers[6..10].copy_from_slice(&saved);
                        self.registers[10] += 512;
                        Next::At(to)
                    }
                    None => Next::End(End::Returned(self.registers[0])),
                };
            }
            _ => {}
        }
        let distance = match slot.opcode {
            0x06 => i64::from(slot.imm),
            _ => i64::from(slot.offset),
        };
        if distance < 0 {
            // From the jump back to its target, both included.
            match self.budget.checked_sub(distance.unsigned_abs()) {
                Some(left) => self.budget = left,
                None => return Next::End(End::Stopped(Stop::OutOfBudget { pc })),
            }
        }
        let (left, right) = (
            self.registers[usize::from(slot.dst())],
            match slot.opcode & 8 {
                0 => slot.imm as i64 as u64,
                _ => self.registers[usize::from(slot.src())],
            },
        );
        let taken = match wide {
            true => condition(slot, left, right, left as i64, right as i64),
            false => {
                let (left, right) = (left as u32, right as u32);
                let signed = (left as i32, right as i32);
                condition(
                    slot,
                    left.into(),
                    right.into(),
                    signed.0.into(),
                    signed.1.into(),
                )
            }
        };
        Next::Relative(if taken { 1 + distance } else { 1 })
    }

    fn call(&mut self, pc: usize, slot: Instruction) -> Next {
        let to = (pc as i64 + 1 + i64::from(slot.imm)) as usize;
        let end = self.starts.range(to + 1..).next();
        let length = end.copied().unwrap_or(self.code.len()) - to;
        match self.budget.checked_sub(length as u64) {
            Some(left) => self.budget = left,
            None => return Next::End(End::Stopped(Stop::OutOfBudget { pc })),
        }
        let saved = [6, 7, 8, 9].map(|n| self.registers[n]);
        self.calls.push((pc + 1, saved));
        self.registers[10] -= 512;
        Next::At(to)
    }

    fn access(&mut self, pc: usize, slot: Instruction, class: u8) -> Result<(), Stop> {
        let (dst, src) = (usize::from(slot.dst()), usize::from(slot.src()));
        let size = match slot.opcode & 0x18 {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        };
        let base = self.registers[if class == 1 { src } else { dst }];
        let address = base.wrapping_add(slot.offset as i64 as u64);
        let bytes = self
            .bytes(address, size)
            .ok_or(Stop::OutOfBounds { pc, address })?;
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes);
        let old = u64::from_le_bytes(word);
        let new = match (class, slot.opcode & 0xe0) {
            (1, 0x80) => {
                let bits = 64 - 8 * size as u32;
                self.registers[dst] = ((old << bits) as i64 >> bits) as u64;
                return Ok(());
            }
            (1, _) => {
                self.registers[dst] = old;
                return Ok(());
            }
            (2, _) => slot.imm as i64 as u64,
            (_, 0xc0) => {
                if !address.is_multiple_of(size as u64) {
                    return Err(Stop::Misaligned { pc, address });
                }
                self.atomic(slot, size, old)
            }
            _ => self.registers[src],
        };
        if let Some(bytes) = self.bytes(address, size) {
            bytes.copy_from_slice(&new.to_le_bytes()[..size]);
        }
        Ok(())
    }

    /// 5.3: what is stored instead of `old`.
    fn atomic(&mut self, slot: Instruction, size: usize, old: u64) -> u64 {
        let src = usize::from(slot.src());
        let operand = self.registers[src];
        let compared = match size {
            4 => self.registers[0] & 0xffff_ffff,
            _ => self.registers[0],
        };
        let new = match slot.imm & !1 {
            0x00 => old.wrapping_add(operand),
            0x40 => old | operand,
            0x50 => old & operand,
            0xa0 => old ^ operand,
            0xe0 => operand,
            _ if old == compared => operand,
            _ => old,
        };
        match slot.imm {
            0xf1 => self.registers[0] = old,
            imm if imm & 1 != 0 => self.registers[src] = old,
            _ => {}
        }
        new
    }

    fn bytes(&mut self, address: u64, size: usize) -> Option<&mut [u8]> {
        self.regions.iter_mut().find_map(|(start, bytes)| {
            let offset = usize::try_from(address.wrapping_sub(*start)).ok()?;
            bytes.get_mut(offset..offset.checked_add(size)?)
        })
    }
}

/// 4.1 and 4.2, for 64 bits.
fn alu64(slot: Instruction, left: u64, right: u64) -> u64 {
    let signed = slot.offset == 1;
    let (ileft, iright) = (left as i64, right as i64);
    match slot.opcode & 0xf0 {
        0x00 => left.wrapping_add(right),
        0x10 => left.wrapping_sub(right),
        0x20 => left.wrapping_mul(right),
        0x30 if right == 0 => 0,
        0x30 if signed => ileft.wrapping_div(iright) as u64,
        0x30 => left / right,
        0x40 => left | right,
        0x50 => left & right,
        0x60 => left << (right & 63),
        0x70 => left >> (right & 63),
        0x80 => ileft.wrapping_neg() as u64,
        0x90 if right == 0 => left,
        0x90 if signed => ileft.wrapping_rem(iright) as u64,
        0x90 => left % right,
        0xa0 => left ^ right,
        0xb0 => match slot.offset {
            8 => right as i8 as u64,
            16 => right as i16 as u64,
            32 => right as i32 as u64,
            _ => right,
        },
        _ => (ileft >> (right & 63)) as u64,
    }
}

/// 4.2: byte swaps, and conversions from the host's byte order, which is little-endian.
fn end(slot: Instruction, value: u64) -> u64 {
    let swaps = slot.opcode != 0xd4;
    match (slot.imm, swaps) {
        (16, true) => (value as u16).swap_bytes().into(),
        (32, true) => (value as u32).swap_bytes().into(),
        (_, true) => value.swap_bytes(),
        (16, false) => value & 0xffff,
        (32, false) => value & 0xffff_ffff,
        (_, false) => value,
    }
}

/// The same as [`alu64`] for 32 bits.
fn alu32(slot: Instruction, left: u32, right: u32) -> u32 {
    let signed = slot.offset == 1;
    let (ileft, iright) = (left as i32, right as i32);
    match slot.opcode & 0xf0 {
        0x00 => left.wrapping_add(right),
        0x10 => left.wrapping_sub(right),
        0x20 => left.wrapping_mul(right),
        0x30 if right == 0 => 0,
        0x30 if signed => ileft.wrapping_div(iright) as u32,
        0x30 => left / right,
        0x40 => left | right,
        0x50 => left & right,
        0x60 => left << (right & 31),
        0x70 => left >> (right & 31),
        0x80 => ileft.wrapping_neg() as u32,
        0x90 if right == 0 => left,
        0x90 if signed => ileft.wrapping_rem(iright) as u32,
        0x90 => left % right,
        0xa0 => left ^ right,
        0xb0 => match slot.offset {
            8 => right as i8 as u32,
            16 => right as i16 as u32,
            _ => right,
        },
        _ => (ileft >> (right & 31)) as u32,
    }
}

/// 4.3.
fn condition(slot: Instruction, left: u64, right: u64, ileft: i64, iright: i64) -> bool {
    match slot.opcode & 0xf0 {
        0x00 => true,
        0x10 => left == right,
        0x20 => left > right,
        0x30 => left >= right,
        0x40 => left & right != 0,
        0x50 => left != right,
        0x60 => ileft > iright,
        0x70 => ileft >= iright,
        0xa0 => left < right,
        0xb0 => left <= right,
        0xc0 => ileft < iright,
        _ => ileft <= iright,
    }
}
