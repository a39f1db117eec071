//! Every instruction of RFC 9669 with boundary values, against the interpreter.

mod support;

use ebpf::helpers::builtin;
use ebpf::instruction::*;
use ebpf::run::{End, Machine, Settings};
use support::interpreter::Interpreter;
use support::*;

/// All ways of translating.
fn machines() -> Vec<Machine> {
    // QEMU takes its time, and the checks make no difference here.
    let is_slow = std::env::var_os("OPSTITCH_QEMU").is_some();
    let ways = &[true, false][usize::from(is_slow)..];
    let machine = |&checked: &bool| {
        let settings = Settings {
            checks: checks(checked),
            ..Settings::default()
        };
        Machine::new(settings, &builtin()).unwrap()
    };
    ways.iter().map(machine).collect()
}

/// Runs a program on all machines and in the interpreter, and compares what it returns and what it
/// leaves in its input.
fn check(machines: &mut [Machine], code: &[Instruction], input: &[u8], what: &str) {
    for machine in machines {
        let mut loaded = machine
            .load(&program(code.iter().copied()))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut memory = input.to_vec();
        let outcome = machine
            .run(&mut loaded, &mut memory)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut interpreter = Interpreter::new(code, &|_, _| (0, false));
        interpreter.regions = vec![
            (outcome.input, input.to_vec()),
            (outcome.stack_top - 4096, vec![0; 4096]),
        ];
        interpreter.registers[1] = outcome.input;
        interpreter.registers[2] = input.len() as u64;
        interpreter.registers[10] = outcome.stack_top;
        assert_eq!(outcome.end, interpreter.run(), "{what}");
        let differs = memory
            .iter()
            .zip(&interpreter.regions[0].1)
            .position(|(a, b)| a != b);
        assert_eq!(differs, None, "{what}: the first byte that differs");
    }
}

/// A program that goes through its input, three words a round, and does `body`: r3 and r4 are the first
/// two words, and go back to the first and the last; r0 goes to the second.
fn for_each(body: &[Instruction]) -> Vec<Instruction> {
    let mut code = vec![slot(ALU64 | ADD | X, 2, 1, 0, 0)];
    code.extend([load(DW, 3, 1, 0), load(DW, 4, 1, 8), mov(0, 0)]);
    code.extend(body);
    code.extend([
        store(DW, 1, 3, 0),
        store(DW, 1, 0, 8),
        store(DW, 1, 4, 16),
        add(1, 24),
    ]);
    let back = code.len() as i16;
    code.extend([slot(JMP | JLT | X, 1, 2, -back, 0), exit()]);
    code
}

/// All pairs of boundary values, in threes.
fn pairs() -> Vec<u8> {
    let pairs = BOUNDARIES
        .iter()
        .flat_map(|&a| BOUNDARIES.map(|b| [a, b, 0]));
    pairs.flatten().flat_map(u64::to_le_bytes).collect()
}

/// All boundary values, in threes.
fn values() -> Vec<u8> {
    let threes = BOUNDARIES.iter().flat_map(|&a| [a, 0, 0]);
    threes.flat_map(u64::to_le_bytes).collect()
}

const BINARY: [u8; 12] = [ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR, MOV, ARSH];

#[test]
fn arithmetic_with_registers() {
    let mut machines = machines();
    for class in [ALU, ALU64] {
        for operation in BINARY {
            let signed = matches!(operation, DIV | MOD);
            for offset in 0..=i16::from(signed) {
                let it = slot(class | operation | X, 3, 4, offset, 0);
                check(&mut machines, &for_each(&[it]), &pairs(), &it.to_string());
            }
        }
        for body in [
            slot(class | NEG, 3, 0, 0, 0),
            slot(class | ADD | X, 3, 3, 0, 0),
        ] {
            check(
                &mut machines,
                &for_each(&[body]),
                &values(),
                &body.to_string(),
            );
        }
    }
}

#[test]
fn arithmetic_with_immediates() {
    let mut machines = machines();
    for class in [ALU, ALU64] {
        for operation in BINARY {
            for imm in IMMEDIATES {
                let signed = matches!(operation, DIV | MOD);
                for offset in 0..=i16::from(signed) {
                    let it = slot(class | operation, 3, 0, offset, imm);
                    check(&mut machines, &for_each(&[it]), &values(), &it.to_string());
                }
            }
        }
    }
}

#[test]
fn moves_that_extend_and_byte_swaps() {
    let mut machines = machines();
    for (class, offset) in [(ALU, 8), (ALU, 16), (ALU64, 8), (ALU64, 16), (ALU64, 32)] {
        let it = slot(class | MOV | X, 3, 4, offset, 0);
        check(&mut machines, &for_each(&[it]), &pairs(), &it.to_string());
    }
    for opcode in [ALU | END, ALU | END | X, ALU64 | END] {
        for bits in [16, 32, 64] {
            let it = slot(opcode, 3, 0, 0, bits);
            check(&mut machines, &for_each(&[it]), &values(), &it.to_string());
        }
    }
}

#[test]
fn wide_loads_of_every_kind_of_constant() {
    let mut machines = machines();
    let shifted = (0..64).map(|by| 0x1234_5678_9abc_def1u64.rotate_left(by));
    let runs = (0..64).map(|by| 0xff00u64.rotate_left(by));
    for value in BOUNDARIES.into_iter().chain(shifted).chain(runs) {
        let code: Vec<_> = lddw(0, value).into_iter().chain([exit()]).collect();
        check(&mut machines, &code, &[], &format!("lddw {value:#x}"));
        for class in [ALU, ALU64] {
            let code = [slot(class | MOV, 0, 0, 0, value as i32), exit()];
            check(
                &mut machines,
                &code,
                &[],
                &format!("mov {:#x}", value as i32),
            );
        }
    }
}

const CONDITIONS: [u8; 11] = [JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, JLT, JLE, JSLT, JSLE];

#[test]
fn jumps() {
    let mut machines = machines();
    // r0 says whether it was taken.
    for class in [JMP, JMP32] {
        for condition in CONDITIONS {
            let it = slot(class | condition | X, 3, 4, 1, 0);
            let body = [mov(0, 1), it, mov(0, 2)];
            check(&mut machines, &for_each(&body), &pairs(), &it.to_string());
            for imm in IMMEDIATES {
                let it = slot(class | condition, 3, 0, 1, imm);
                let body = [mov(0, 1), it, mov(0, 2)];
                check(&mut machines, &for_each(&body), &values(), &it.to_string());
            }
        }
        let always = match class {
            JMP => slot(JMP | JA, 0, 0, 1, 0),
            _ => slot(JMP32 | JA, 0, 0, 0, 1),
        };
        let body = [mov(0, 1), always, mov(0, 2)];
        check(
            &mut machines,
            &for_each(&body),
            &values(),
            &always.to_string(),
        );
    }
}

#[test]
fn loads_and_stores_at_every_kind_of_offset() {
    let mut machines = machines();
    let input: Vec<u8> = (0..32_776u32 + 4096)
        .map(|n| (n * 37 + (n >> 8) * 11) as u8)
        .collect();
    let offsets = [
        0, 1, 2, 4, 7, 8, 255, 256, 257, 4088, 4095, 4096, 8190, 8192, 16_380, 16_384, 32_760,
        32_767, -1, -8, -255, -256, -257, -4095, -4096,
    ];
    for offset in offsets {
        // Room in front of the base for negative offsets.
        let base = [copy(6, 1), add(6, if offset < 0 { 4096 } else { 0 })];
        for size in [B, H, W, DW] {
            let mut run = |body: &[Instruction]| {
                let code: Vec<_> = base.iter().chain(body).copied().chain([exit()]).collect();
                check(
                    &mut machines,
                    &code,
                    &input,
                    &format!("{} of {offset}", body[body.len() - 1]),
                );
            };
            run(&[load(size, 0, 6, offset)]);
            if size != DW {
                run(&[slot(LDX | MEMSX | size, 0, 6, offset, 0)]);
            }
            let [low, high] = lddw(0, 0xfedc_ba98_7654_3210);
            run(&[low, high, store(size, 6, 0, offset)]);
            for imm in [0, 1, -1, 0x1234_5678, i32::MIN] {
                run(&[mov(0, 0), slot(ST | MEM | size, 6, 0, offset, imm)]);
            }
        }
    }
}

#[test]
fn atomic_operations() {
    let mut machines = machines();
    let operations = [ADD, OR, AND, XOR]
        .into_iter()
        .flat_map(|operation| [operation, operation | FETCH]);
    for operation in operations.chain([XCHG, CMPXCHG]) {
        for size in [W, DW] {
            let it = |base, offset| slot(STX | ATOMIC | size, base, 4, offset, operation.into());
            // With and without an offset; r0 is what the first word is, but for every other pair.
            let body = [
                copy(0, 3),
                it(1, 0),
                add(1, 8),
                it(1, -8),
                add(1, -8),
                load(DW, 3, 1, 0),
            ];
            check(
                &mut machines,
                &for_each(&body),
                &pairs(),
                &it(1, 0).to_string(),
            );
            let body = [
                mov(0, 7),
                store(DW, 10, 3, -16),
                it(10, -16),
                load(DW, 3, 10, -16),
            ];
            check(
                &mut machines,
                &for_each(&body),
                &pairs(),
                &it(10, -16).to_string(),
            );
        }
    }
}

#[test]
fn what_the_translation_fuses() {
    let mut machines = machines();
    let shift = |operation, imm| slot(ALU64 | operation, 3, 0, 0, imm);
    let half = [store(DW, 10, 3, -8), load(H, 3, 10, -8)];
    let bodies: Vec<Vec<Instruction>> = vec![
        vec![copy(3, 4), slot(ALU64 | SUB | X, 3, 3, 0, 0)],
        vec![copy(3, 4), slot(ALU64 | MOD | X, 3, 1, 0, 0)],
        vec![copy(3, 4), slot(ALU64 | NEG, 3, 0, 0, 0)],
        vec![copy(3, 4), add(3, 0x1234_5678)],
        vec![copy(3, 4), slot(ALU | ADD | X, 3, 4, 0, 0)],
        vec![slot(ALU | MOV | X, 3, 4, 0, 0), slot(ALU | SUB, 3, 0, 0, 5)],
        vec![slot(ALU | MOV | X, 3, 4, 0, 0), add(3, 5)],
        vec![shift(LSH, 32), shift(RSH, 32)],
        vec![shift(LSH, 32), shift(RSH, 40)],
        vec![shift(LSH, 32), shift(ARSH, 32)],
        vec![shift(LSH, 32), shift(ARSH, 40)],
        vec![shift(LSH, 33), shift(RSH, 33)],
        vec![copy(3, 4), shift(LSH, 32), shift(RSH, 32)],
        // A jump into the middle.
        vec![slot(JMP | JSGT | X, 3, 4, 1, 0), copy(3, 4), add(3, 5)],
        vec![
            slot(JMP | JSGT | X, 3, 4, 1, 0),
            shift(LSH, 32),
            shift(RSH, 32),
        ],
        half.into_iter()
            .chain([slot(ALU | END | X, 3, 0, 0, 16)])
            .collect(),
        vec![
            store(DW, 10, 3, -8),
            slot(JMP | JSGT | X, 3, 4, 1, 0),
            load(H, 3, 10, -8),
            slot(ALU | END | X, 3, 0, 0, 16),
        ],
    ];
    for body in bodies {
        check(
            &mut machines,
            &for_each(&body),
            &pairs(),
            &format!("{body:?}"),
        );
    }
}

/// What the RFC says in so many words, with the results written down.
#[test]
fn results_of_the_text_of_the_rfc() {
    let least = i64::MIN as u64;
    let table = [
        // 4.1: division by zero gives zero, a remainder by zero the dividend.
        (slot(ALU64 | DIV | X, 3, 4, 0, 0), 7, 0, 0),
        (slot(ALU | DIV | X, 3, 4, 1, 0), 7, 0xf_0000_0000, 0),
        (slot(ALU64 | MOD | X, 3, 4, 0, 0), 1 << 40, 0, 1 << 40),
        (slot(ALU | MOD | X, 3, 4, 0, 0), 0xf_0000_0007, 0, 7),
        (slot(ALU64 | MOD | X, 3, 4, 1, 0), u64::MAX, 0, u64::MAX),
        // The least number divided by -1, and the remainder's sign.
        (slot(ALU64 | DIV | X, 3, 4, 1, 0), least, u64::MAX, least),
        (slot(ALU64 | MOD | X, 3, 4, 1, 0), least, u64::MAX, 0),
        (
            slot(ALU | DIV | X, 3, 4, 1, 0),
            0x8000_0000,
            u64::MAX,
            0x8000_0000,
        ),
        (
            slot(ALU64 | MOD | X, 3, 4, 1, 0),
            -13i64 as u64,
            3,
            -1i64 as u64,
        ),
        (
            slot(ALU64 | DIV | X, 3, 4, 1, 0),
            -13i64 as u64,
            3,
            -4i64 as u64,
        ),
        // 32-bit operations clear the upper half; shifts use the lowest bits.
        (slot(ALU | ADD | X, 3, 4, 0, 0), u64::MAX, 2, 1),
        (slot(ALU64 | LSH | X, 3, 4, 0, 0), 1, 65, 2),
        (slot(ALU | LSH | X, 3, 4, 0, 0), 1, 33, 2),
        (
            slot(ALU | ARSH | X, 3, 4, 0, 0),
            0x8000_0000,
            4,
            0xf800_0000,
        ),
        // The immediate is extended by its sign, for unsigned operations too.
        (slot(ALU64 | DIV, 3, 0, 0, -1), u64::MAX, 0, 1),
        (
            slot(ALU64 | MOV | X, 3, 4, 8, 0),
            0,
            0x1234_5680,
            -0x80i64 as u64,
        ),
        (slot(ALU | MOV | X, 3, 4, 8, 0), 0, 0x80, 0xffff_ff80),
        // 4.2.
        (
            slot(ALU | END | X, 3, 0, 0, 16),
            0x1122_3344_5566_7788,
            0,
            0x8877,
        ),
        (
            slot(ALU | END, 3, 0, 0, 32),
            0x1122_3344_5566_7788,
            0,
            0x5566_7788,
        ),
        (
            slot(ALU64 | END, 3, 0, 0, 64),
            0x1122_3344_5566_7788,
            0,
            0x8877_6655_4433_2211,
        ),
    ];
    for machine in &mut machines() {
        for (it, left, right, expected) in table {
            let code =
                lddw(3, left)
                    .into_iter()
                    .chain(lddw(4, right))
                    .chain([it, copy(0, 3), exit()]);
            let mut loaded = machine.load(&program(code)).unwrap();
            let outcome = machine.run(&mut loaded, &mut []).unwrap();
            assert_eq!(outcome.end, End::Returned(expected), "{it}");
        }
    }
}
