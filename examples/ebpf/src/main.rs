//! The command: see `USAGE`.

use std::error::Error;
use std::process::ExitCode;

use ebpf::conformance;
use ebpf::helpers::builtin;
use ebpf::interpret::interpret;
use ebpf::listing::listing;
use ebpf::load;
use ebpf::program::Program;
use ebpf::run::{Checks, End, Machine, Settings};
use ebpf::statistics::Words;
use opstitch::FallThrough;

const USAGE: &str = "usage: ebpf run PROGRAM [--mem FILE] [--entry NAME] [--interpret] [--unchecked] [--budget N] [--nop]
       ebpf list PROGRAM [--entry NAME] [--unchecked] [--nop]
       ebpf conformance FILE.tsv [--unchecked] [--nop]

PROGRAM is an ELF object for BPF, or raw bytecode.

  --mem FILE    the program's input: r1 is its address, r2 its length
  --entry NAME  the function to run, or a section whose first function it is
  --interpret   by rbpf's interpreter instead
  --unchecked   without bounds checks and budget, for trusted programs
  --budget N    the instructions that the program may execute, 2^30 unless given
  --nop         a NOP between micro-ops, so that each boundary can be patched";

type Failure = Box<dyn Error>;

#[derive(Default)]
struct Arguments {
    command: String,
    file: String,
    memory: Option<String>,
    entry: Option<String>,
    interpret: bool,
    settings: Settings,
}

fn main() -> ExitCode {
    match parse().and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Arguments, Failure> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    let mut positional = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(USAGE);
        match word.as_str() {
            "--mem" => arguments.memory = Some(value()?),
            "--entry" => arguments.entry = Some(value()?),
            "--budget" => arguments.settings.budget = value()?.parse()?,
            "--interpret" => arguments.interpret = true,
            // SAFETY: whoever says so trusts the program: that is what it means.
            "--unchecked" => arguments.settings.checks = unsafe { Checks::off() },
            "--nop" => {
                let options = arguments.settings.options;
                arguments.settings.options = options.fall_through(FallThrough::Nop);
            }
            _ if word.starts_with('-') => return Err(USAGE.into()),
            _ => positional.push(word),
        }
    }
    let [command, file] = <[String; 2]>::try_from(positional).map_err(|_| USAGE)?;
    Ok(Arguments {
        command,
        file,
        ..arguments
    })
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| format!("{file}: {error}").into())
}

/// Whether all went well.
fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let file = read(&arguments.file)?;
    if arguments.command == "conformance" {
        return conformance(&file, arguments.settings);
    }
    let program = match load::is_elf(&file) {
        true => load::object(&file, arguments.entry.as_deref(), &builtin())?,
        false => Program::raw(&file).ok_or("the file is no whole number of slots of 8 bytes")?,
    };
    let mut input = arguments
        .memory
        .as_deref()
        .map(read)
        .transpose()?
        .unwrap_or_default();
    match arguments.command.as_str() {
        "run" if arguments.interpret => {
            println!("r0 = {:#x}", interpret(&program, &mut input)?);
            Ok(true)
        }
        "run" => execute(&program, &mut input, arguments.settings),
        "list" => {
            let mut machine = Machine::new(arguments.settings, &builtin())?;
            let loaded = machine.load(&program)?;
            print!("{}", listing(&program, &loaded, &builtin()));
            Ok(true)
        }
        _ => Err(USAGE.into()),
    }
}

fn execute(program: &Program, input: &mut [u8], settings: Settings) -> Result<bool, Failure> {
    let mut machine = Machine::new(settings, &builtin())?;
    let mut loaded = machine.load(program)?;
    let outcome = machine.run(&mut loaded, input)?;
    match outcome.end {
        End::Returned(r0) => println!("r0 = {r0:#x}"),
        End::Stopped(stop) => println!("stopped: {stop}"),
    }
    match outcome.executed {
        Some(executed) => println!("{executed} A64 instructions executed"),
        None => println!("executed natively, so nobody counted instructions"),
    }
    let (bytes, slots) = (loaded.linked().bytes().len(), loaded.slots());
    println!(
        "{bytes} bytes for {slots} slots: {:.2} a slot",
        bytes as f64 / slots as f64
    );
    println!("{}", Words::of(loaded.linked()));
    Ok(matches!(outcome.end, End::Returned(_)))
}

fn conformance(table: &[u8], settings: Settings) -> Result<bool, Failure> {
    let cases = conformance::parse(std::str::from_utf8(table)?)?;
    let report = conformance::run(&cases, settings)?;
    for (name, why) in &report.failed {
        println!("{name}: {why}");
    }
    let per_slot = |words: usize| words as f64 / report.slots as f64;
    println!("{} slots: {}", report.slots, report.words);
    println!(
        "{:.3} instructions a slot, {:.3} words with literals",
        per_slot(report.words.body),
        per_slot(report.words.body + report.words.literals),
    );
    println!("{} passed, {} failed", report.passed, report.failed.len());
    Ok(report.failed.is_empty())
}
