//! Running programs by rbpf's interpreter, for comparison.

use rbpf::EbpfVmRaw;

use crate::instruction::{ALU64, Instruction, MOV};
use crate::program::Program;

/// Runs a program on this input. rbpf lacks atomic operations and what has come with version 4 of the instruction
/// set, and is wrong about a few instructions: an error says what it refuses, but its results are not to be relied on.
///
/// # Errors
/// What rbpf says; that a program has data or calls functions or helpers, for which nothing is set up here.
pub fn interpret(program: &Program, input: &mut [u8]) -> Result<u64, String> {
    if !program.data.is_empty() {
        return Err("rbpf is not given the data of programs here".to_owned());
    }
    // rbpf sets r1 alone, so the input's length is loaded first. Jumps are relative, so nothing else changes.
    let len = i32::try_from(input.len()).map_err(|_| "the input is too long")?;
    let load_len = Instruction {
        opcode: ALU64 | MOV,
        registers: 2,
        imm: len,
        ..Instruction::default()
    };
    let slots = [load_len].into_iter().chain(program.code.iter().copied());
    let code: Vec<u8> = slots.flat_map(Instruction::to_bytes).collect();
    let vm = EbpfVmRaw::new(Some(&code)).map_err(|error| error.to_string())?;
    vm.execute_program(input).map_err(|error| error.to_string())
}
