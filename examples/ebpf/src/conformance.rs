//! Conformance programs, from a table: a line each, with the columns name, least version of the instruction set,
//! licence, expected r0 (hex), memory (hex) and code (hex), separated by tabs. Lines that begin with `#` are
//! comments.

use crate::helpers::builtin;
use crate::program::Program;
use crate::run::{End, Error, Machine, Settings};
use crate::statistics::Words;

/// A program, and what it must return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The r0 that it must end with.
    pub expected: u64,
    /// Its input.
    pub memory: Vec<u8>,
    /// Its code.
    pub code: Vec<u8>,
}

/// Reads a table.
///
/// # Errors
/// The first line that is not one.
pub fn parse(table: &str) -> Result<Vec<Case>, String> {
    let lines = (1..).zip(table.lines());
    let cases = lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    cases
        .map(|(number, line)| {
            case(line).ok_or_else(|| format!("line {number} is no conformance program: {line:.60}"))
        })
        .collect()
}

fn case(line: &str) -> Option<Case> {
    let columns: Vec<_> = line.split('\t').collect();
    let &[name, _, _, expected, memory, code] = columns.as_slice() else {
        return None;
    };
    Some(Case {
        name: name.to_owned(),
        expected: u64::from_str_radix(expected, 16).ok()?,
        memory: hex(memory)?,
        code: hex(code)?,
    })
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
            _ => None,
        })
        .collect()
}

/// What became of a table.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many returned what they must.
    pub passed: usize,
    /// The names of the others, and what went wrong.
    pub failed: Vec<(String, String)>,
    /// Their code, all together. Only those that passed.
    pub words: Words,
    /// Their slots.
    pub slots: usize,
}

/// Runs all programs of a table.
///
/// # Errors
/// [`Error`] if there is no machine to run them on.
pub fn run(cases: &[Case], settings: Settings) -> Result<Report, Error> {
    let mut machine = Machine::new(settings, &builtin())?;
    let mut report = Report::default();
    for case in cases {
        match run_one(&mut machine, case) {
            Ok((words, slots)) => {
                report.passed += 1;
                report.words += words;
                report.slots += slots;
            }
            Err(why) => report.failed.push((case.name.clone(), why)),
        }
    }
    Ok(report)
}

fn run_one(machine: &mut Machine, case: &Case) -> Result<(Words, usize), String> {
    let program = Program::raw(&case.code).ok_or("the last slot is incomplete")?;
    let mut loaded = machine.load(&program).map_err(|error| error.to_string())?;
    let outcome = machine.run(&mut loaded, &mut case.memory.clone());
    let expected = End::Returned(case.expected);
    match outcome.map_err(|error| error.to_string())?.end {
        end if end == expected => Ok((Words::of(loaded.linked()), loaded.slots())),
        End::Returned(r0) => Err(format!("r0 is {r0:#x}, and should be {:#x}", case.expected)),
        End::Stopped(stop) => Err(stop.to_string()),
    }
}
