//! What holds of a program before it is translated.
//!
//! 1. `encoding.rs`: every slot is an instruction that RFC 9669 knows, or the second half of one.
//! 2. `functions.rs`: jumps stay within their function, no function goes on beyond its end, and functions call
//!    each other at most eight deep, so that the stack suffices and nothing recurses.
//! 3. `flow.rs`: no register is read before it is written. What a helper or the host has left in a
//!    register never gets to the program.
//!
//! The translation relies on all of it.

mod encoding;
mod flow;
mod functions;

pub use functions::Function;

use crate::error::Invalid;
use crate::helpers::HelperCall;
use crate::instruction::{FETCH, Instruction, LDDW};

/// The most slots of a program.
pub const MAX_SLOTS: usize = 1 << 20;

/// A jump leads to the slot.
const TARGET: u8 = 1;
/// The slot is the second half of an lddw.
const SECOND: u8 = 2;
/// A function begins at the slot.
const START: u8 = 4;

/// A program that may be translated.
#[derive(Debug)]
pub struct Verified<'p> {
    code: &'p [Instruction],
    marks: Vec<u8>,
    functions: Vec<Function>,
    uses: Uses,
    helpers: &'p [HelperCall],
}

/// What occurs in a program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uses {
    /// Calls of helpers.
    pub helpers: bool,
    /// Calls of functions of the program.
    pub functions: bool,
}

impl<'p> Verified<'p> {
    /// Checks a program that may call these helpers.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(
        code: &'p [Instruction],
        helpers: &'p [HelperCall],
    ) -> Result<Verified<'p>, Invalid> {
        if code.is_empty() {
            return Err(Invalid::Empty);
        }
        if code.len() > MAX_SLOTS {
            let (slots, max) = (code.len(), MAX_SLOTS);
            return Err(Invalid::TooLong { slots, max });
        }
        let mut verified = Verified {
            code,
            marks: vec![0; code.len()],
            functions: Vec::new(),
            uses: Uses::default(),
            helpers,
        };
        verified.check_encodings()?;
        verified.find_functions()?;
        verified.check_depth()?;
        verified.check_flow()?;
        Ok(verified)
    }

    /// The instructions.
    pub fn code(&self) -> &'p [Instruction] {
        self.code
    }

    /// The functions, in their order; the first is the program's own.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// What occurs in the program.
    pub fn uses(&self) -> Uses {
        self.uses
    }

    /// The helper of that number.
    pub fn helper(&self, number: i32) -> Option<HelperCall> {
        let mut helpers = self.helpers.iter().copied();
        helpers.find(|helper| helper.number == number)
    }

    /// Whether a jump leads to an instruction.
    pub fn is_target(&self, pc: usize) -> bool {
        self.marks[pc] & TARGET != 0
    }

    /// The number of the function that begins at an instruction.
    pub fn function_at(&self, pc: usize) -> Option<usize> {
        let found = self.functions.binary_search_by_key(&pc, |f| f.start);
        found.ok()
    }
}

/// Where a jump or a call leads.
pub fn target(pc: usize, distance: i32) -> i64 {
    pc as i64 + 1 + i64::from(distance)
}

/// How many slots an instruction has.
pub fn slots(instruction: Instruction) -> usize {
    if instruction.opcode == LDDW { 2 } else { 1 }
}

/// The register that an atomic operation of this kind fetches into: r0, `src`, or none.
pub fn fetches_into(instruction: Instruction) -> Option<u8> {
    match instruction.imm {
        imm if imm == i32::from(crate::instruction::CMPXCHG) => Some(0),
        imm if imm & i32::from(FETCH) != 0 => Some(instruction.src()),
        _ => None,
    }
}
