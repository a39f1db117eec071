//! Random programs: opstitch against the interpreter. The variable EBPF_FUZZ_CASES says how many, 10,000 unless
//! it is set (500 under QEMU), and EBPF_FUZZ_SEED where they begin.

mod support;

use ebpf::disassemble::disassemble;
use ebpf::helpers::{Function, Helper, Memory};
use ebpf::instruction::Instruction;
use ebpf::program::Program;
use ebpf::run::{End, Machine, Settings, Stop};
use ebpf::verify::slots;
use opstitch::{FallThrough, Options};
use support::generator::Generator;
use support::interpreter::Interpreter;

struct Gather;

impl Function for Gather {
    const NAME: &'static str = "gather";
    fn call(_: &mut dyn Memory, arguments: [u64; 5]) -> u64 {
        arguments.iter().fold(7, |sum, argument| {
            sum.wrapping_mul(31).wrapping_add(*argument)
        })
    }
}

struct First;

impl Function for First {
    const NAME: &'static str = "first";
    fn call(_: &mut dyn Memory, [first, ..]: [u64; 5]) -> u64 {
        first & 3
    }
}

fn helpers() -> [Helper; 3] {
    [
        Helper::new::<Gather>(1),
        Helper::new::<Gather>(3).far(),
        Helper::new::<First>(5).ending(),
    ]
}

/// What the interpreter calls instead.
fn helper(number: i32, arguments: [u64; 5]) -> (u64, bool) {
    match number {
        5 => (arguments[0] & 3, arguments[0] & 3 == 0),
        _ => {
            let step = |sum: u64, argument: u64| sum.wrapping_mul(31).wrapping_add(argument);
            (arguments.into_iter().fold(7, step), false)
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect(variable))
}

/// How many programs. QEMU takes its time.
fn cases() -> u64 {
    let default = if std::env::var_os("OPSTITCH_QEMU").is_some() {
        500
    } else {
        10_000
    };
    number("EBPF_FUZZ_CASES", default)
}

/// How a case ended, or what differs.
fn compare(
    machine: &mut Machine,
    program: &Program,
    input: &[u8],
    budget: u64,
) -> Result<End, String> {
    let mut loaded = machine
        .load(program)
        .map_err(|error| format!("not loaded: {error}"))?;
    let data = loaded.addresses().next().ok_or("no data")?;
    let mut memory = input.to_vec();
    let outcome = machine
        .run(&mut loaded, &mut memory)
        .map_err(|error| error.to_string())?;
    let code = program.code_with(&[data]);
    let mut interpreter = Interpreter::new(&code, &helper);
    interpreter.budget = budget;
    interpreter.regions = vec![
        (outcome.input, input.to_vec()),
        (outcome.stack_top - 4096, vec![0; 4096]),
        (data, program.data[0].bytes.clone()),
    ];
    interpreter.registers[1] = outcome.input;
    interpreter.registers[2] = input.len() as u64;
    interpreter.registers[10] = outcome.stack_top;
    let end = interpreter.run();
    if end != outcome.end {
        return Err(format!(
            "ended with {:x?}, and should with {end:x?}",
            outcome.end
        ));
    }
    if memory != interpreter.regions[0].1 {
        return Err("the input differs".to_owned());
    }
    if loaded.shared(data).as_ref() != Some(&interpreter.regions[2].1) {
        return Err("the data differs".to_owned());
    }
    Ok(end)
}

fn text(code: &[Instruction]) -> String {
    let mut text = String::new();
    let mut pc = 0;
    while pc < code.len() {
        text += &format!("{pc:4}  {}\n", disassemble(code, pc));
        pc += slots(code[pc]);
    }
    text
}

#[test]
fn random_programs() {
    let cases = cases();
    let first = number("EBPF_FUZZ_SEED", 0);
    let helpers = helpers();
    let mut ends = [0; 4];
    // The budget is the machine's, so there is one for each.
    for (turn, fall_through) in [FallThrough::Elide, FallThrough::Nop]
        .into_iter()
        .enumerate()
    {
        for budget in [0, 30, 300, 3000] {
            let options = Options::new().fall_through(fall_through);
            let checked = Settings {
                checks: support::checks(true),
                options,
                budget,
            };
            let mut checked = Machine::new(checked, &helpers).unwrap();
            let unchecked = Settings {
                checks: support::checks(false),
                options,
                budget,
            };
            let mut unchecked = Machine::new(unchecked, &helpers).unwrap();
            let seeds = (first..first + cases).filter(|seed| {
                let mut generator = Generator::new(*seed);
                generator.budget() == budget && (*seed % 2) as usize == turn
            });
            for seed in seeds {
                let mut generator = Generator::new(seed);
                generator.budget();
                let input = generator.input();
                let program = generator.program();
                let end = compare(&mut checked, &program, &input, budget);
                let end = end.unwrap_or_else(|error| {
                    panic!("seed {seed}: {error}\n{}", text(&program.code))
                });
                ends[match end {
                    End::Returned(_) => 0,
                    End::Stopped(Stop::OutOfBounds { .. }) => 1,
                    End::Stopped(Stop::Misaligned { .. }) => 2,
                    End::Stopped(Stop::OutOfBudget { .. }) => 3,
                }] += 1;
                // Natively the memory lies elsewhere each time, and a program that computes with addresses
                // may then do what only checks stop.
                if matches!(end, End::Returned(_)) && cfg!(not(target_arch = "aarch64")) {
                    let end = compare(&mut unchecked, &program, &input, u64::MAX);
                    end.unwrap_or_else(|error| panic!("unchecked, seed {seed}: {error}"));
                }
            }
        }
    }
    println!("{cases} programs: returned, out of bounds, misaligned, out of budget: {ends:?}");
    if cases >= 1000 {
        assert!(
            ends.iter().all(|&count| count > cases / 1000),
            "too few of a kind: {ends:?}"
        );
    }
}

/// Long functions: about 65,536 slots, islands included.
#[test]
fn long_random_programs() {
    let helpers = helpers();
    let settings = Settings {
        budget: 300_000,
        ..Settings::default()
    };
    let mut machine = Machine::new(settings, &helpers).unwrap();
    let mut longest = 0;
    for seed in 0..cases().div_ceil(1000) {
        let mut generator = Generator::new(seed);
        generator.groups = 20_000;
        let input = generator.input();
        let program = generator.program();
        longest = longest.max(program.code.len());
        let end = compare(&mut machine, &program, &input, settings.budget);
        end.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(longest > 65_536 || longest == 0, "{longest}");
}
