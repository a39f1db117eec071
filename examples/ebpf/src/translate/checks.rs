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
    frame_pointers: FramePointers,
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
            frame_pointers: FramePointers::ENTRY,
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
}

/// The registers that are r10 and so many bytes.
#[derive(Debug)]
struct FramePointers {
    /// A bit for each of which that is known.
    known: u16,
    offsets: [i32; 11],
}

/// The registers that calls leave with any value: r0 to r5.
const CLOBBERED: u16 = 0x3f;

impl FramePointers {
    /// Only r10 itself.
    const ENTRY: FramePointers = FramePointers {
        known: 1 << 10,
        offsets: [0; 11],
    };

    fn get(&self, register: u8) -> Option<i32> {
        (self.known >> register & 1 != 0).then(|| self.offsets[usize::from(register)])
    }

    fn set(&mut self, register: u8, offset: Option<i32>) {
        self.known &= !(1 << register);
        if let Some(offset) = offset {
            self.known |= 1 << register;
            self.offsets[usize::from(register)] = offset;
        }
    }

    /// Notes what an instruction does to the registers.
    #[inline]
    fn track(&mut self, instruction: Instruction) {
        // Most of the time nothing is known of any other than r10, and only from r10 comes more.
        if self.known != FramePointers::ENTRY.known || instruction.src() == 10 {
            self.track_known(instruction);
        }
    }

    #[inline(never)]
    fn track_known(&mut self, instruction: Instruction) {
        let (dst, imm) = (instruction.dst(), instruction.imm);
        const MOV_REGISTER: u8 = ALU64 | MOV | X;
        const ADD_IMMEDIATE: u8 = ALU64 | ADD;
        const SUB_IMMEDIATE: u8 = ALU64 | SUB;
        match instruction.opcode {
            MOV_REGISTER if instruction.offset == 0 => self.set(dst, self.get(instruction.src())),
            ADD_IMMEDIATE => self.move_by(dst, Some(imm)),
            SUB_IMMEDIATE => self.move_by(dst, imm.checked_neg()),
            _ => match instruction.class() {
                ALU | ALU64 | LD | LDX => self.set(dst, None),
                STX if instruction.mode() == ATOMIC => {
                    if let Some(fetched) = fetches_into(instruction) {
                        self.set(fetched, None);
                    }
                }
                JMP if instruction.operation() == CALL => self.known &= !CLOBBERED,
                _ => {}
            },
        }
    }

    fn move_by(&mut self, register: u8, by: Option<i32>) {
        let known = self.get(register);
        self.set(register, known.and_then(|known| known.checked_add(by?)));
    }
}

impl Stitch<'_, '_> {
    /// Other ways lead here.
    pub(super) fn forget_frame_pointers(&mut self) {
        if let Some(checks) = &mut self.checks {
            checks.frame_pointers = FramePointers::ENTRY;
        }
    }

    pub(super) fn track(&mut self, instruction: Instruction) {
        if let Some(checks) = &mut self.checks {
            checks.frame_pointers.track(instruction);
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
        if let Some(from_frame) = checks.frame_pointers.get(number) {
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
