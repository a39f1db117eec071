//! The safe default: what is put in front of accesses, backward jumps and calls.
//!
//! An access through r10 is in the function's stack, the verifier has seen to that. So is one through a
//! register that is r10 and a constant, as long as no jump leads in between: those are followed here. All
//! others are checked.
//!
//! Every backward jump draws the slots it jumps over from the budget, every call of a function the
//! slots of that function. So no more instructions are executed than the budget and the program's length
//! together.

use opstitch::{Error, Exit, Label, Reg, TraceBuilder};

use super::Stitch;
use super::memory::Place;
use crate::context::FRAME;
use crate::instruction::*;
use crate::uops::ADDRESS;
use crate::uops::guard::*;
use crate::verify::fetches_into;

/// What the checks of a program share.
#[derive(Debug)]
pub(super) struct Checks {
    search: Label,
    outside: Exit,
    misaligned: Exit,
    exhausted: Exit,
    /// What is known of a register: that it is r10 and so many bytes.
    from_frame: [Option<i32>; 11],
    /// Whether there is a check that may have to search.
    searches: bool,
}

impl Checks {
    pub(super) fn new(builder: &mut TraceBuilder, leave: Label) -> Result<Checks, Error> {
        let outside = builder.declare_exit();
        builder.define_exit(outside, |code| {
            code.push(OutOfBounds)?;
            code.jump(leave)
        })?;
        let misaligned = builder.declare_exit();
        builder.define_exit(misaligned, |code| {
            code.push(Misaligned)?;
            code.jump(leave)
        })?;
        let exhausted = builder.declare_exit();
        builder.define_exit(exhausted, |code| {
            code.push(OutOfBudget)?;
            code.jump(leave)
        })?;
        Ok(Checks {
            search: builder.label(),
            outside,
            misaligned,
            exhausted,
            from_frame: [None; 11],
            searches: false,
        })
    }

    /// Behind the last function: what the checks call.
    pub(super) fn finish(&self, builder: &mut TraceBuilder) -> Result<(), Error> {
        if !self.searches {
            return Ok(());
        }
        builder.bind(self.search)?;
        builder.push(SearchRegions {
            outside: self.outside,
        })
    }

    /// Notes what an instruction does to the registers.
    fn track(&mut self, instruction: Instruction) {
        let dst = usize::from(instruction.dst());
        let source = self
            .from_frame
            .get(usize::from(instruction.src()))
            .copied()
            .flatten();
        let imm = instruction.imm;
        const MOV_REGISTER: u8 = ALU64 | MOV | X;
        const ADD_IMMEDIATE: u8 = ALU64 | ADD;
        const SUB_IMMEDIATE: u8 = ALU64 | SUB;
        match instruction.opcode {
            MOV_REGISTER if instruction.offset == 0 => self.from_frame[dst] = source,
            ADD_IMMEDIATE => self.move_by(dst, Some(imm)),
            SUB_IMMEDIATE => self.move_by(dst, imm.checked_neg()),
            _ => match instruction.class() {
                ALU | ALU64 | LD | LDX => self.from_frame[dst] = None,
                STX if instruction.mode() == ATOMIC => {
                    if let Some(fetched) = fetches_into(instruction) {
                        self.from_frame[usize::from(fetched)] = None;
                    }
                }
                JMP if instruction.operation() == CALL => self.from_frame[..6].fill(None),
                _ => {}
            },
        }
    }

    fn move_by(&mut self, dst: usize, by: Option<i32>) {
        let known = self.from_frame[dst];
        self.from_frame[dst] = known.and_then(|known| known.checked_add(by?));
    }
}

impl Stitch<'_, '_> {
    /// Other ways lead here.
    pub(super) fn forget_frame_pointers(&mut self) {
        if let Some(checks) = &mut self.checks {
            checks.from_frame = [None; 11];
            checks.from_frame[10] = Some(0);
        }
    }

    pub(super) fn track(&mut self, instruction: Instruction) {
        if let Some(checks) = &mut self.checks {
            checks.track(instruction);
        }
    }

    /// The place that an instruction accesses, checked if need be.
    pub(super) fn place(&mut self, pc: usize, base: Reg) -> Result<Place, Error> {
        let instruction = self.code[pc];
        let number = if instruction.class() == LDX {
            instruction.src()
        } else {
            instruction.dst()
        };
        let offset = instruction.offset;
        let mut place = Place {
            base,
            offset,
            is_frame: number == 10,
        };
        let Some(checks) = &mut self.checks else {
            return Ok(place);
        };
        let size = instruction.size();
        if let Some(from_frame) = checks.from_frame[usize::from(number)] {
            let start = i64::from(from_frame) + i64::from(offset);
            if (-(FRAME as i64)..=-i64::from(size)).contains(&start) {
                place.is_frame = from_frame % 8 == 0;
                return Ok(place);
            }
        }
        checks.searches = true;
        let search = checks.search;
        let limit = if size == 1 { ONE } else { EIGHT };
        let (size, pc) = (size.into(), pc as u64);
        let builder = &mut *self.builder;
        let distance = u64::from(offset.unsigned_abs());
        match offset {
            0 => {
                builder.push(Check {
                    base,
                    limit,
                    size,
                    pc,
                    search,
                })?;
                return Ok(place);
            }
            1..4096 => {
                let offset = distance;
                builder.push(CheckAbove {
                    base,
                    offset,
                    limit,
                    size,
                    pc,
                    search,
                })?;
            }
            -4095..0 => {
                let offset = distance;
                builder.push(CheckBelow {
                    base,
                    offset,
                    limit,
                    size,
                    pc,
                    search,
                })?;
            }
            _ => {
                let offset = offset as i64 as u64;
                builder.push(FarAddress { base, offset })?;
                builder.push(Check {
                    base: ADDRESS,
                    limit,
                    size,
                    pc,
                    search,
                })?;
            }
        }
        Ok(Place {
            base: ADDRESS,
            offset: 0,
            is_frame: false,
        })
    }

    /// Checks the alignment of an atomic operation, unless it is known.
    pub(super) fn check_aligned(
        &mut self,
        pc: usize,
        place: Place,
        address: Reg,
    ) -> Result<(), Error> {
        let size = self.code[pc].size();
        let Some(checks) = &self.checks else {
            return Ok(());
        };
        if place.is_frame && place.offset % i16::from(size) == 0 {
            return Ok(());
        }
        let (mask, misaligned) = (u64::from(size) - 1, checks.misaligned);
        self.push(CheckAligned {
            address,
            mask,
            pc: pc as u64,
            misaligned,
        })
    }

    /// Draws from the budget.
    pub(super) fn draw(&mut self, pc: usize, cost: u64) -> Result<(), Error> {
        let Some(checks) = &self.checks else {
            return Ok(());
        };
        let (pc, exhausted) = (pc as u64, checks.exhausted);
        match cost {
            0..=4095 => self.push(Draw {
                cost,
                pc,
                exhausted,
            }),
            _ => self.push(DrawMuch {
                cost,
                pc,
                exhausted,
            }),
        }
    }
}
