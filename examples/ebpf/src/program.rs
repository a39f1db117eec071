//! A program, as it comes from a loader.

use crate::instruction::{Instruction, decode};

/// Code, and the data that it refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The slots. The program begins at the first.
    pub code: Vec<Instruction>,
    /// Its data: constants and variables.
    pub data: Vec<Data>,
    /// The lddw instructions that load the address of data.
    pub relocations: Vec<Relocation>,
    /// Names of functions, by their first slot.
    pub symbols: Vec<(usize, String)>,
}

/// A piece of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// What it holds at first.
    pub bytes: Vec<u8>,
}

/// An lddw that loads an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// The lddw.
    pub pc: usize,
    /// The piece of data, by its number.
    pub data: usize,
    /// An offset into it, in bytes.
    pub offset: u64,
}

impl Program {
    /// Bytecode as it is: eight bytes a slot. `None` if the last slot is incomplete.
    pub fn raw(bytes: &[u8]) -> Option<Program> {
        Some(Program {
            code: decode(bytes)?,
            ..Program::default()
        })
    }

    /// The code for data at these addresses.
    pub fn code_with(&self, addresses: &[u64]) -> Vec<Instruction> {
        let mut code = self.code.clone();
        for relocation in &self.relocations {
            let address = addresses[relocation.data].wrapping_add(relocation.offset);
            code[relocation.pc].imm = address as i32;
            code[relocation.pc + 1].imm = (address >> 32) as i32;
        }
        code
    }
}
