//! The programs in `programs/`, as clang and zig have compiled them: results, memory, and instructions executed.

mod support;

use ebpf::helpers::{Helper, builtin};
use ebpf::load::{LoadError, object};
use ebpf::program::Program;
use ebpf::run::{End, Machine, Settings};
use opstitch::FallThrough::{Elide, Nop};
use opstitch::Options;
#[cfg(not(target_arch = "aarch64"))]
use support::interpreter::Interpreter;

/// A program, its input, and what must come out, computed by other means.
struct Case {
    name: &'static str,
    object: &'static [u8],
    input: Vec<u8>,
    r0: u64,
    /// The input after the run.
    after: Vec<u8>,
}

macro_rules! object {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../programs/", $name, ".o")).as_slice(),
        )
    };
}

/// What an object says of itself may be anything.
#[test]
fn objects_that_lie_are_refused() {
    let patched = |object: &[u8], at: usize, value: u64| {
        let mut bytes = object.to_vec();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        ebpf::load::object(&bytes, None, &builtin())
    };
    // The length of `.bss`, section 4: `sh_size` in its header.
    let (_, object) = object!("hash_table");
    let headers = u64::from_le_bytes(object[40..48].try_into().unwrap()) as usize;
    let size = headers + 4 * 64 + 32;
    assert_eq!(object[size..size + 8], 0x4000u64.to_le_bytes());
    assert!(patched(object, size, 0x4000).is_ok());
    assert!(patched(object, size, 16 << 20).is_ok());
    for len in [(16 << 20) + 1, 1 << 40, 1 << 63, u64::MAX] {
        let error = patched(object, size, len).unwrap_err();
        assert!(
            error.to_string().contains("16 MiB of data at the most"),
            "{error}"
        );
    }
}

fn case((name, object): (&'static str, &'static [u8]), input: Vec<u8>, r0: u64) -> Case {
    let after = input.clone();
    Case {
        name,
        object,
        input,
        r0,
        after,
    }
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Bit by bit, as the polynomial is defined.
fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 != 0 { 0xedb8_8320 } else { 0 };
    !data
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fn crc32_case(rng: &mut fastrand::Rng) -> Case {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926); // the check value that catalogues give
    let input: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(1000).collect();
    let expected = crc32(&input);
    case(object!("crc32"), input, expected.into())
}

fn hash_table_case(rng: &mut fastrand::Rng) -> Case {
    let keys: Vec<u64> = std::iter::repeat_with(|| rng.u64(..1 << 40) >> 31)
        .take(1500)
        .collect();
    let mut counts = std::collections::HashMap::new();
    keys.iter()
        .for_each(|key| *counts.entry(key).or_insert(0u64) += 1);
    let most = counts.values().max().copied().unwrap_or(0);
    case(
        object!("hash_table"),
        bytes(&keys),
        most << 32 | counts.len() as u64,
    )
}

fn heap_sort_case(rng: &mut fastrand::Rng) -> Case {
    let mut numbers: Vec<u64> = std::iter::repeat_with(|| rng.u64(..)).take(500).collect();
    let input = bytes(&numbers);
    numbers.sort_unstable();
    Case {
        after: bytes(&numbers),
        ..case(object!("heap_sort"), input, 500)
    }
}

/// A packet with this IPv4 header length and protocol, that carries so many bytes to a port.
fn packet(options: usize, protocol: u8, port: u16, carried: usize, spoil: bool) -> Vec<u8> {
    let total = (20 + options + 20 + carried) as u16;
    let mut ip = vec![0x45 + options as u8 / 4, 0];
    ip.extend(total.to_be_bytes());
    ip.extend([
        0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 168, 0, 1,
    ]);
    ip.extend(vec![1; options]);
    let words = ip
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let checksum = !(((sum & 0xffff) + (sum >> 16)) as u16) ^ u16::from(spoil);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut tcp = 40_000u16.to_be_bytes().to_vec();
    tcp.extend(port.to_be_bytes());
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(vec![0xaa; carried]);
    let packet = [vec![2; 12], vec![8, 0], ip, tcp].concat();
    [(packet.len() as u16).to_be_bytes().to_vec(), packet].concat()
}

fn headers_case(rng: &mut fastrand::Rng) -> Case {
    let (mut input, mut whole, mut to_443) = (Vec::new(), 0, 0);
    for _ in 0..40 {
        let (options, carried) = (4 * rng.usize(0..6), rng.usize(0..300));
        let (protocol, port) = (
            [6, 6, 6, 17][rng.usize(0..4)],
            [443, 443, 80][rng.usize(0..3)],
        );
        let spoil = rng.u8(..6) == 0;
        input.extend(packet(options, protocol, port, carried, spoil));
        whole += u64::from(!spoil);
        if !spoil && protocol == 6 && port == 443 {
            to_443 += carried as u64;
        }
    }
    input.extend([1, 0, 9]); // a packet that is cut off
    case(object!("headers"), input, to_443 << 32 | whole)
}

fn matrix_case(rng: &mut fastrand::Rng) -> Case {
    let n = 13;
    let mut random =
        || -> Vec<u32> { std::iter::repeat_with(|| rng.u32(..)).take(n * n).collect() };
    let (a, b) = (random(), random());
    let element = |row: usize, column: usize| {
        let products = (0..n).map(|i| a[row * n + i].wrapping_mul(b[i * n + column]));
        products.fold(0, u32::wrapping_add)
    };
    let product: Vec<u32> = (0..n * n).map(|at| element(at / n, at % n)).collect();
    let trace = (0..n)
        .map(|at| product[at * n + at])
        .fold(0, u32::wrapping_add);
    let with = |product: &[u32]| {
        let words = a
            .iter()
            .chain(&b)
            .chain(product)
            .flat_map(|word| word.to_le_bytes());
        bytes(&[n as u64]).into_iter().chain(words).collect()
    };
    Case {
        after: with(&product),
        ..case(object!("matrix"), with(&vec![0; n * n]), trace.into())
    }
}

fn search_case(rng: &mut fastrand::Rng) -> Case {
    let wanted = b"abcab";
    let text: Vec<u8> = std::iter::repeat_with(|| b'a' + rng.u8(..3))
        .take(4000)
        .collect();
    let found: Vec<_> = (0..text.len())
        .filter(|&at| text[at..].starts_with(wanted))
        .collect();
    assert!(found.len() > 3);
    let input = [&[wanted.len() as u8], wanted.as_slice(), &text].concat();
    case(
        object!("search"),
        input,
        (found.len() as u64) << 32 | found[0] as u64,
    )
}

fn mix(arguments: [u64; 5]) -> u64 {
    let step = |mixed: u64, argument: u64| {
        (mixed ^ argument)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
    };
    arguments.into_iter().fold(0, step)
}

fn gather(arguments: [u64; 5]) -> u64 {
    arguments
        .into_iter()
        .fold(0, |gathered, argument| gathered << 8 | argument & 0xff)
}

fn helpers_case(rng: &mut fastrand::Rng, ends_at: Option<usize>) -> Case {
    let mut input: Vec<u8> = std::iter::repeat_with(|| rng.u8(1..)).take(50).collect();
    let mut mixed: u64 = input.iter().map(|&byte| u64::from(byte)).sum();
    for (i, &byte) in input.iter().enumerate() {
        let (i, byte) = (i as u64, u64::from(byte));
        let gathered = gather([i, byte, mixed, mixed >> 8, mixed >> 16]);
        let step = mix([mixed, gathered, byte, i, !mixed]).wrapping_add(gathered);
        mixed = step.wrapping_add(24 * byte);
    }
    if let Some(at) = ends_at {
        input[at] = 0;
        mixed = 0;
    }
    case(object!("helpers"), input, mixed)
}

fn calls_case(rng: &mut fastrand::Rng) -> Case {
    fn fourth(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
        (a ^ b).wrapping_mul(31).wrapping_add(c ^ d).wrapping_sub(e)
    }
    fn third(values: [u64; 4], at: u64) -> u64 {
        (0..4).fold(at, |sum, i| {
            let other = values[((i + at) % 4) as usize];
            sum.wrapping_add(fourth(values[i as usize], other, sum, i, at))
        })
    }
    fn second(seed: u64, rounds: u64) -> u64 {
        let values = [3, 4, 5, 6].map(|factor| seed * factor);
        (0..rounds).fold(0, |sum, i| {
            sum.wrapping_add(third(values, i) ^ (seed + i % 4))
        })
    }
    let input: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(60).collect();
    let before = input.len() as u64 * 7;
    let r0 = (0..).zip(&input).fold(0u64, |sum, (i, &byte)| {
        let second = second(byte.into(), i % 5);
        sum.wrapping_mul(3)
            .wrapping_add(second)
            .wrapping_add(before)
    });
    case(object!("calls"), input, r0)
}

fn cases() -> Vec<Case> {
    let rng = &mut fastrand::Rng::with_seed(7);
    vec![
        crc32_case(rng),
        hash_table_case(rng),
        heap_sort_case(rng),
        headers_case(rng),
        matrix_case(rng),
        search_case(rng),
        helpers_case(rng, None),
        helpers_case(rng, Some(17)),
        calls_case(rng),
    ]
}

/// The A64 instructions executed, if someone counts them.
fn run(case: &Case, settings: Settings) -> Option<u64> {
    let program = object(case.object, None, &builtin()).unwrap();
    let mut machine = Machine::new(settings, &builtin()).unwrap();
    let mut loaded = machine.load(&program).unwrap();
    let mut input = case.input.clone();
    let outcome = machine.run(&mut loaded, &mut input).unwrap();
    let name = case.name;
    assert_eq!(outcome.end, End::Returned(case.r0), "{name}, {settings:?}");
    assert!(input == case.after, "{name}, {settings:?}: the input");
    outcome.executed
}

#[test]
fn results_and_memory() {
    for case in cases() {
        for checked in [true, false] {
            for fall_through in [Elide, Nop] {
                let options = Options::new().fall_through(fall_through);
                run(
                    &case,
                    Settings {
                        checks: support::checks(checked),
                        options,
                        ..Settings::default()
                    },
                );
            }
        }
    }
}

/// How many eBPF instructions a case has.
#[cfg(not(target_arch = "aarch64"))]
fn interpreted(case: &Case) -> u64 {
    let program = object(case.object, None, &builtin()).unwrap();
    let addresses: Vec<u64> = (1..).map(|n| n << 32).take(program.data.len()).collect();
    let code = program.code_with(&addresses);
    // The helpers that read memory are told what it holds: the input at first, then its bytes one by one.
    let sums = std::cell::Cell::new(0);
    let helper = |number, arguments: [u64; 5]| match number {
        1 => (gather(arguments), false),
        2 => {
            let at = sums.replace(sums.get() + 1);
            let byte = |at: usize| 24 * u64::from(case.input[at]);
            let whole = case.input.iter().map(|&byte| u64::from(byte)).sum();
            (if at == 0 { whole } else { byte(at - 1) }, false)
        }
        3 => (mix(arguments), false),
        5 => (arguments[0], arguments[0] == 0),
        _ => (0, false),
    };
    let mut interpreter = Interpreter::new(&code, &helper);
    interpreter.regions = vec![(0x1000, case.input.clone()), (0x10_0000, vec![0; 4096])];
    let data = addresses
        .iter()
        .zip(&program.data)
        .map(|(&address, data)| (address, data.bytes.clone()));
    interpreter.regions.extend(data);
    interpreter.registers[1] = 0x1000;
    interpreter.registers[2] = case.input.len() as u64;
    interpreter.registers[10] = 0x10_0000 + 4096;
    assert_eq!(interpreter.run(), End::Returned(case.r0), "{}", case.name);
    interpreter.executed
}

/// The table in README.md. Natively nobody counts.
#[test]
#[cfg(not(target_arch = "aarch64"))]
fn instructions_executed() {
    println!("| program | eBPF instructions | A64 for each, unchecked | checked |");
    let mut worst = 0.0f64;
    for case in cases() {
        let executed = interpreted(&case);
        let per_instruction = |checked| {
            let settings = Settings {
                checks: support::checks(checked),
                ..Settings::default()
            };
            run(&case, settings).unwrap() as f64 / executed as f64
        };
        let (unchecked, checked) = (per_instruction(false), per_instruction(true));
        println!(
            "| {} | {executed} | {unchecked:.2} | {checked:.2} |",
            case.name
        );
        worst = worst.max(unchecked);
    }
    assert!(worst <= 1.35, "{worst} instructions for one");
}

fn load(
    name: &str,
    object_bytes: &[u8],
    entry: Option<&str>,
    helpers: &[Helper],
) -> Result<Program, LoadError> {
    let program = object(object_bytes, entry, helpers);
    if let Ok(program) = &program {
        assert_eq!(program.symbols[0].1, name);
    }
    program
}

#[test]
fn functions_and_sections_are_chosen_by_name() {
    let (name, bytes) = object!("calls");
    let whole = load(name, bytes, None, &[]).unwrap();
    let names: Vec<_> = whole
        .symbols
        .iter()
        .map(|(_, name)| name.as_str())
        .collect();
    assert_eq!(names, ["calls", "second", "third", "fourth"]);
    assert_eq!(load(name, bytes, Some("calls"), &[]), Ok(whole.clone()));
    assert_eq!(load(name, bytes, Some(".text"), &[]), Ok(whole));
    // A part of it: what it does not call is left out.
    let part = load("third", bytes, Some("third"), &[]).unwrap();
    let names: Vec<_> = part.symbols.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["third", "fourth"]);
    let error = load(name, bytes, Some("fifth"), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no function and no section of functions `fifth`; there are: calls (section .text)"
    );
}

#[test]
fn objects_that_are_not_loaded() {
    let (_, bytes) = object!("helpers");
    let error = object(bytes, None, &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no function and no helper `"),
        "{error}"
    );
    assert!(matches!(
        object(b"\x7fELF", None, &[]),
        Err(LoadError::NotBpf(_))
    ));
    assert!(matches!(
        object(&[0; 64], None, &[]),
        Err(LoadError::NotBpf(_))
    ));
    // Cut off anywhere, an object is an error or a program, never a panic.
    for end in 0..bytes.len() {
        let _ = object(&bytes[..end], None, &builtin());
    }
    // And so is one with a bit turned over.
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let _ = object(&bytes, None, &builtin());
            bytes[at] ^= 1 << bit;
        }
    }
}
