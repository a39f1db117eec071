//! Programs of 65,536 instructions: branches over every distance, islands, and literals in them.

mod support;

use ebpf::helpers::builtin;
use ebpf::instruction::*;
use ebpf::run::{End, Loaded, Machine, Settings};
use opstitch::{FallThrough, Options};
use support::interpreter::Interpreter;
use support::*;

const SLOTS: usize = 65_536;
/// The slots of a block.
const BLOCK: usize = 8;

/// Runs a program in the interpreter and in all ways of translating it. `islands` says whether there must be some.
fn check(code: &[Instruction], islands: impl Fn(bool, FallThrough) -> bool) {
    assert_eq!(code.len(), SLOTS);
    // QEMU takes its time.
    let is_slow = std::env::var_os("OPSTITCH_QEMU").is_some();
    let fall_throughs = [FallThrough::Elide, FallThrough::Nop];
    for &fall_through in &fall_throughs[usize::from(is_slow)..] {
        for checked in [false, true] {
            let options = Options::new().fall_through(fall_through).annotate(false);
            let settings = Settings {
                checks: checks(checked),
                options,
                ..Settings::default()
            };
            let mut machine = Machine::new(settings, &builtin()).unwrap();
            let mut loaded: Loaded = machine.load(&program(code.iter().copied())).unwrap();
            let outcome = machine.run(&mut loaded, &mut [0; 64]).unwrap();
            let mut interpreter = Interpreter::new(code, &|_, _| (0, false));
            interpreter.regions = vec![
                (outcome.input, vec![0; 64]),
                (outcome.stack_top - 4096, vec![0; 4096]),
            ];
            interpreter.registers[1] = outcome.input;
            interpreter.registers[2] = 64;
            interpreter.registers[10] = outcome.stack_top;
            interpreter.budget = settings.budget;
            let end = interpreter.run();
            assert!(matches!(end, End::Returned(_)), "{end:?}");
            assert_eq!(outcome.end, end);
            let statistics = loaded.linked().statistics();
            assert_eq!(
                statistics.islands > 0,
                islands(checked, fall_through),
                "{statistics:?}"
            );
        }
    }
}

/// A jump that is always taken, with r6 = 0 and r7 = 8, of the kind of this number.
fn taken(kind: usize) -> Instruction {
    [
        slot(JMP | JSET, 7, 0, 0, 8),
        slot(JMP32 | JSGE, 6, 0, 0, 0),
        slot(JMP | JEQ, 6, 0, 0, 0),
        slot(JMP32 | JNE, 7, 0, 0, 0),
        slot(JMP | JEQ, 7, 0, 0, 8),
        slot(JMP | JLT | X, 6, 7, 0, 0),
        slot(JMP | JA, 0, 0, 0, 0),
        slot(JMP32 | JA, 0, 0, 0, 0),
        slot(JMP | JSGT, 6, 0, 0, -1),
        slot(JMP32 | JSET | X, 7, 7, 0, 0),
    ][kind % 10]
}

/// Blocks that are visited in this order, each with a wide constant, an access, and a jump to the next; the kinds
/// of the jumps follow one another. Block 0 is the first and the last one visited ends the program.
fn blocks(order: &[usize], shape: impl Fn(usize) -> Instruction) -> Vec<Instruction> {
    let count = SLOTS / BLOCK;
    let mut next = vec![None; count];
    for pair in order.windows(2) {
        next[pair[0]] = Some(pair[1]);
    }
    let mut code = Vec::with_capacity(SLOTS);
    for (block, &next) in next.iter().enumerate() {
        let here = code.len();
        let first = block == 0;
        if first {
            code.extend([mov(0, 0), mov(6, 0), mov(7, 8), copy(8, 1)]);
        } else {
            code.extend(lddw(
                3,
                (block as u64 % 700).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            ));
            code.extend([
                slot(ALU64 | XOR | X, 0, 3, 0, 0),
                slot(ALU64 | MUL, 0, 0, 0, 31),
            ]);
        }
        code.extend([store(DW, 8, 0, (block % 50) as i16), load(W, 4, 8, 3)]);
        match next {
            Some(next) => {
                let distance = (next * BLOCK) as i64 - (here + 7) as i64;
                let mut jump = shape(block);
                if !(-0x8000..0x8000).contains(&distance) {
                    jump = slot(JMP32 | JA, 0, 0, 0, 0);
                }
                match jump.opcode {
                    opcode if opcode == JMP32 | JA => jump.imm = distance as i32,
                    _ => jump.offset = distance as i16,
                }
                // Not taken, it would be seen.
                code.extend([jump, exit()]);
            }
            None => code.extend([slot(ALU64 | ADD | X, 0, 4, 0, 0), exit()]),
        }
    }
    code
}

/// From the first block to the last of the first part, to the second, to the last but one, and so on.
fn back_and_forth(part: usize) -> Vec<usize> {
    let count = SLOTS / BLOCK;
    let mut order = Vec::new();
    let mut start = 0;
    while start < count {
        let end = (start + part).min(count);
        let (mut low, mut high) = (start, end - 1);
        while low < high {
            order.extend([low, high]);
            (low, high) = (low + 1, high - 1);
        }
        if low == high {
            order.push(low);
        }
        start = end;
    }
    order
}

#[test]
fn jumps_of_all_kinds_over_all_distances() {
    check(&blocks(&back_and_forth(4000), taken), |_, _| true);
}

#[test]
fn bit_tests_alone() {
    check(&blocks(&back_and_forth(3000), |_| taken(0)), |_, _| true);
}

#[test]
fn jumps_of_32_bits_over_the_whole_program() {
    check(
        &blocks(&back_and_forth(SLOTS / BLOCK), |_| taken(7)),
        |checked, fall_through| checked && fall_through == FallThrough::Nop,
    );
}

#[test]
fn one_block_after_the_other() {
    check(
        &blocks(&(0..SLOTS / BLOCK).collect::<Vec<_>>(), taken),
        |_, _| true,
    );
}

#[test]
fn a_straight_line() {
    let mut code = vec![mov(0, 1)];
    code.extend((0..SLOTS as i32 - 2).map(|n| {
        slot(
            ALU64 | if n % 3 == 0 { XOR } else { ADD },
            0,
            0,
            0,
            n & 0x7ff,
        )
    }));
    code.push(exit());
    check(&code, |_, _| false);
}

/// The cold parts of the first checks are further away than `b.hs` reaches.
#[test]
fn accesses_alone() {
    let mut code = vec![mov(0, 1)];
    code.extend((0..SLOTS - 2).map(|n| load(B, 0, 1, (n % 64) as i16)));
    code.push(exit());
    check(&code, |checked, _| checked);
}

#[test]
fn a_loop_around_everything() {
    let mut code = vec![mov(0, 0), mov(3, 0)];
    code.extend((0..SLOTS as i32 - 7).map(|n| slot(ALU64 | ADD, 0, 0, 0, n % 4096)));
    // The way back is too far for 16 bits.
    code.extend([add(3, 1), slot(JMP | JLT, 3, 0, 1, 5), exit()]);
    let back = -(code.len() as i32 - 1);
    code.extend([slot(JMP32 | JA, 0, 0, 0, back), exit()]);
    check(&code, |_, _| false);
}
