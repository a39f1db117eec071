//! What translating eBPF costs: opstitch beside rbpf's Cranelift, on the same program, in the same run.
//!
//! The program is the code of the compiled programs of `examples/ebpf`, one behind the other, until there are 10,000
//! instructions. Figures are the best of many runs, in nanoseconds for an instruction.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ebpf::instruction::*;
use ebpf::load::object;
use ebpf::translate::Translator;
use ebpf::verify::{Verified, slots};
use opstitch::{FallThrough, Options};

const INSTRUCTIONS: usize = 10_000;

/// What an instruction may cost, and how much faster than Cranelift that must be.
const MOST_NANOSECONDS: f64 = 20.0;
const LEAST_RATIO: f64 = 40.0;

fn main() -> Result<(), Box<dyn Error>> {
    let code = program()?;
    let count = instructions(&code);
    println!(
        "{count} instructions, {} slots; nanoseconds for an instruction",
        code.len()
    );

    let per_instruction = |time: Duration| time.as_nanos() as f64 / count as f64;
    let verify = best(300, || Verified::new(black_box(&code), &[]).map(drop))?;
    println!("{:>10.2}  verify", per_instruction(verify));

    let verified = Verified::new(&code, &[])?;
    let mut slowest = Duration::ZERO;
    for (what, checked) in [("unchecked", false), ("checked", true)] {
        let options = Options::new()
            .fall_through(FallThrough::Elide)
            .annotate(false);
        let mut translator = Translator::new(options, checked);
        let translate = best(300, || translator.translate(black_box(&verified)).map(drop))?;
        println!("{:>10.2}  translate, {what}", per_instruction(translate));
        let mut bytes = Vec::new();
        let linked = best(300, || {
            let trace = translator.translate(black_box(&verified))?.trace;
            bytes.resize(trace.linked_len(0)?, 0);
            trace.link_into(0, &mut bytes).map(drop)
        })?;
        println!(
            "{:>10.2}  translate and link, {what}",
            per_instruction(linked)
        );
        slowest = slowest.max(linked);
    }

    let bytes: Vec<u8> = code.iter().flat_map(|slot| slot.to_bytes()).collect();
    let cranelift = best(5, || {
        let mut vm = rbpf::EbpfVmRaw::new(Some(black_box(&bytes)))?;
        vm.cranelift_compile()
    })?;
    println!("{:>10.2}  rbpf's Cranelift", per_instruction(cranelift));

    let ratio = cranelift.as_secs_f64() / slowest.as_secs_f64();
    println!("{ratio:>10.0}  times faster than Cranelift, checked");
    let holds = per_instruction(slowest) <= MOST_NANOSECONDS && ratio >= LEAST_RATIO;
    println!(
        "{}",
        if holds {
            "within the limits"
        } else {
            "NOT within the limits"
        }
    );
    Ok(())
}

/// The shortest time of so many runs.
fn best<E>(runs: usize, mut run: impl FnMut() -> Result<(), E>) -> Result<Duration, E> {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn instructions(code: &[Instruction]) -> usize {
    let mut count = 0;
    let mut pc = 0;
    while let Some(&slot) = code.get(pc) {
        count += 1;
        pc += slots(slot);
    }
    count
}

fn program() -> Result<Vec<Instruction>, Box<dyn Error>> {
    let objects: [&[u8]; 6] = [
        include_bytes!("../../../examples/ebpf/programs/crc32.o"),
        include_bytes!("../../../examples/ebpf/programs/hash_table.o"),
        include_bytes!("../../../examples/ebpf/programs/headers.o"),
        include_bytes!("../../../examples/ebpf/programs/heap_sort.o"),
        include_bytes!("../../../examples/ebpf/programs/matrix.o"),
        include_bytes!("../../../examples/ebpf/programs/search.o"),
    ];
    let slot = |opcode, registers, offset, imm| Instruction {
        opcode,
        registers,
        offset,
        imm,
    };
    // r1 and r2 are kept, and each piece begins with them.
    let mut code = vec![
        slot(STX | MEM | DW, 0x1a, -8, 0),
        slot(STX | MEM | DW, 0x2a, -16, 0),
        slot(ALU64 | MOV, 0x00, 0, 0),
    ];
    for bytes in objects.iter().cycle() {
        let piece = object(bytes, None, &[])?.code;
        code.push(slot(LDX | MEM | DW, 0xa1, -8, 0));
        code.push(slot(LDX | MEM | DW, 0xa2, -16, 0));
        // Instead of an exit, on to the next piece.
        code.extend(piece.iter().enumerate().map(|(at, &it)| match it.opcode {
            opcode if opcode == JMP | EXIT => slot(JMP | JA, 0, (piece.len() - at - 1) as i16, 0),
            _ => it,
        }));
        if instructions(&code) >= INSTRUCTIONS {
            break;
        }
    }
    code.push(slot(JMP | EXIT, 0, 0, 0));
    Ok(code)
}
