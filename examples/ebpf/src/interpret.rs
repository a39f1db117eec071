//! Running programs by rbpf's interpreter, for comparison.

use rbpf::EbpfVmRaw;

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
    let code: Vec<u8> = program
        .code
        .iter()
        .flat_map(|slot| slot.to_bytes())
        .collect();
    let vm = EbpfVmRaw::new(Some(&code)).map_err(|error| error.to_string())?;
    vm.execute_program(input).map_err(|error| error.to_string())
}
