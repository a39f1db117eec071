//! The checks of the safe default: what is stopped where, and what is not.

mod support;

use std::cell::RefCell;

use ebpf::helpers::builtin;
use ebpf::instruction::*;
use ebpf::program::{Data, Program, Relocation};
use ebpf::run::{End, Loaded, Machine, Outcome, Settings, Stop};
use support::*;

fn machine(budget: u64) -> Machine {
    Machine::new(
        Settings {
            budget,
            ..Settings::default()
        },
        &builtin(),
    )
    .unwrap()
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(machine(1000));
}

fn run(code: &[Instruction], input: &mut [u8]) -> Outcome {
    MACHINE.with_borrow_mut(|machine| {
        let mut loaded = machine.load(&program(code.iter().copied())).unwrap();
        machine.run(&mut loaded, input).unwrap()
    })
}

/// Where an access of `size` bytes at `offset` from the start of an input of `len` bytes ends up.
fn access(code: impl Fn(i16) -> Vec<Instruction>, len: usize, offset: i16) -> Option<Stop> {
    let outcome = run(&code(offset), &mut vec![0; len]);
    let pc = code(offset).iter().position(|it| it.is_access()).unwrap();
    match outcome.end {
        // Natively the stack may lie right beside the input, and what misses the one hits the other.
        End::Returned(_) if offset < 0 || offset as usize >= len => {
            let address = outcome.input.wrapping_add(offset as i64 as u64);
            let stack = outcome.stack_top - 4096..outcome.stack_top;
            stack
                .contains(&address)
                .then_some(Stop::OutOfBounds { pc, address })
        }
        End::Returned(_) => None,
        End::Stopped(Stop::OutOfBounds { pc: at, address }) => {
            let expected = outcome.input.wrapping_add(offset as i64 as u64);
            assert_eq!((at, address), (pc, expected));
            Some(Stop::OutOfBounds { pc: at, address })
        }
        End::Stopped(other) => panic!("{other}"),
    }
}

#[test]
fn inputs_of_every_length_are_accessed_up_to_their_last_byte() {
    for (size, bytes) in [(B, 1), (H, 2), (W, 4), (DW, 8)] {
        // By the offset of the access, and by an address that was computed.
        let direct = |offset| vec![mov(0, 0), load(size, 0, 1, offset), exit()];
        let computed = |offset: i16| {
            vec![
                mov(0, 0),
                add(1, offset.into()),
                slot(ST | MEM | size, 1, 0, 0, 5),
                exit(),
            ]
        };
        for len in 1..20usize {
            for offset in -9..30i16 {
                let is_inside = offset >= 0 && offset as usize + bytes <= len;
                assert_eq!(
                    access(direct, len, offset).is_none(),
                    is_inside,
                    "{bytes} at {offset} of {len}"
                );
                assert_eq!(
                    access(computed, len, offset).is_none(),
                    is_inside,
                    "{bytes} at {offset} of {len}"
                );
            }
        }
    }
}

#[test]
fn far_offsets_are_checked_too() {
    let code = |offset| vec![mov(0, 0), load(DW, 0, 1, offset), exit()];
    for offset in [-32_768, -4097, -4096, -4095, 4089, 4095, 4096, 4097, 32_767] {
        let outside = access(code, 4096, offset);
        assert_eq!(outside.is_some(), !(0..=4088).contains(&offset), "{offset}");
    }
    assert_eq!(access(code, 40_000, 32_767), None);
}

#[test]
fn a_stopped_program_has_changed_nothing_more() {
    let mut input = [1; 12];
    let code = [mov(0, 0), store(DW, 1, 2, 0), store(DW, 1, 2, 8), exit()];
    let outcome = run(&code, &mut input);
    let address = outcome.input + 8;
    assert_eq!(
        outcome.end,
        End::Stopped(Stop::OutOfBounds { pc: 2, address })
    );
    assert_eq!(input, [12, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
}

#[test]
fn there_may_be_no_input() {
    let outcome = run(&[load(B, 0, 1, 0), exit()], &mut []);
    assert_eq!(
        outcome.end,
        End::Stopped(Stop::OutOfBounds { pc: 0, address: 0 })
    );
    let outcome = run(
        &[copy(0, 1), slot(ALU64 | ADD | X, 0, 2, 0, 0), exit()],
        &mut [],
    );
    assert_eq!(outcome.end, End::Returned(0));
}

#[test]
fn addresses_at_the_ends_of_memory() {
    for (address, offset) in [
        (u64::MAX, 0),
        (u64::MAX - 7, 0),
        (u64::MAX, 1),
        (0, -1),
        (1 << 63, 0),
    ] {
        let code: Vec<_> = lddw(3, address)
            .into_iter()
            .chain([load(DW, 0, 3, offset), exit()])
            .collect();
        let outcome = run(&code, &mut [0; 16]);
        let address = address.wrapping_add(offset as i64 as u64);
        assert_eq!(
            outcome.end,
            End::Stopped(Stop::OutOfBounds { pc: 2, address })
        );
    }
}

#[test]
fn the_stack_is_accessed_by_copies_of_r10_with_and_without_proof() {
    // A jump in between makes the translation forget what it knows of r3.
    for forget in [false, true] {
        for (offset, inside) in [
            (-8, true),
            (-512, true),
            (-513, true),
            (-4096, true),
            (-7, false),
            (0, false),
            (-4097, false),
        ] {
            let jump = slot(JMP | JEQ, 1, 0, 0, 0);
            let code = [
                copy(3, 10),
                if forget { jump } else { copy(4, 3) },
                add(3, offset),
                store(DW, 3, 2, 0),
                load(DW, 0, 3, 0),
                exit(),
            ];
            let outcome = run(&code, &mut [0; 5]);
            let address = outcome.stack_top.wrapping_add(offset as i64 as u64);
            let expected = match inside {
                true => End::Returned(5),
                false => End::Stopped(Stop::OutOfBounds { pc: 3, address }),
            };
            assert_eq!(outcome.end, expected, "{offset}");
        }
    }
}

#[test]
fn what_is_no_longer_r10_is_checked() {
    // Each makes something else of r3, or of r0.
    let changes = [
        vec![mov(3, 0)],
        vec![slot(ALU | MOV | X, 3, 10, 0, 0)],
        vec![slot(ALU64 | MOV | X, 3, 10, 32, 0)],
        vec![slot(ALU64 | ADD | X, 3, 10, 0, 0)],
        vec![slot(ALU | ADD, 3, 0, 0, 1)],
        vec![slot(ALU64 | AND, 3, 0, 0, 7)],
        vec![slot(ALU64 | NEG, 3, 0, 0, 0)],
        vec![load(DW, 3, 1, 0)],
        lddw(3, 77).to_vec(),
        vec![slot(STX | ATOMIC | DW, 1, 3, 0, XCHG.into())],
        vec![
            copy(3, 2),
            slot(ALU64 | LSH, 3, 0, 0, 32),
            slot(ALU64 | RSH, 3, 0, 0, 32),
        ],
        vec![
            mov(0, 1),
            mov(1, 0),
            mov(2, 0),
            mov(4, 0),
            mov(5, 0),
            call_helper(1),
            copy(3, 0),
        ],
        vec![
            copy(0, 3),
            slot(STX | ATOMIC | DW, 1, 2, 0, CMPXCHG.into()),
            copy(3, 0),
        ],
    ];
    for change in changes {
        let mut code = vec![mov(0, 0), copy(3, 10)];
        code.extend(change.iter().copied());
        code.extend([load(DW, 0, 3, -8), exit()]);
        let pc = code.len() - 2;
        let outcome = run(&code, &mut [0; 16]);
        assert!(
            matches!(outcome.end, End::Stopped(Stop::OutOfBounds { pc: at, .. }) if at == pc),
            "{change:?}"
        );
    }
}

#[test]
fn functions_share_the_stack_of_their_callers() {
    // The callee writes to the caller's stack by a pointer, and to its own.
    let code = [
        copy(1, 10),
        add(1, -8),
        call(2),
        load(DW, 0, 10, -8),
        exit(),
        mov(3, 42),
        store(DW, 1, 3, 0),
        mov(3, 1),
        store(DW, 10, 3, -8),
        exit(),
    ];
    assert_eq!(run(&code, &mut []).end, End::Returned(42));
    // Stopped in a function, with things on the host's stack.
    let code = [
        mov(6, 1),
        call(1),
        exit(),
        mov(6, 2),
        mov(7, 3),
        call(1),
        exit(),
        mov(1, 0),
        mov(8, 1),
        load(DW, 0, 1, 0),
        exit(),
    ];
    assert_eq!(
        run(&code, &mut []).end,
        End::Stopped(Stop::OutOfBounds { pc: 9, address: 0 })
    );
}

/// A program with data.
fn with_data(code: Vec<Instruction>, bytes: &[u8], pc: usize) -> Program {
    Program {
        code,
        data: vec![Data {
            name: ".data".to_owned(),
            bytes: bytes.to_vec(),
        }],
        relocations: vec![Relocation {
            pc,
            data: 0,
            offset: 0,
        }],
        symbols: Vec::new(),
    }
}

#[test]
fn data_and_shared_regions_stay_between_runs() {
    let mut machine = machine(1000);
    let [low, high] = lddw(3, 0);
    // Counts in its data, and in the region whose address is its input.
    let code = vec![
        low,
        high,
        load(W, 0, 3, 4),
        add(0, 1),
        store(W, 3, 0, 4),
        load(DW, 1, 1, 0),
        load(B, 0, 1, 2),
        add(0, 2),
        store(B, 1, 0, 2),
        exit(),
    ];
    let mut loaded = machine
        .load(&with_data(code, &[0, 0, 0, 0, 9, 0, 0, 0], 0))
        .unwrap();
    let region = loaded.share(&[7, 7, 7]);
    let mut input = region.to_le_bytes();
    for round in 1..4 {
        let outcome = machine.run(&mut loaded, &mut input).unwrap();
        assert_eq!(outcome.end, End::Returned(7 + 2 * round));
    }
    let data = loaded.addresses().next().unwrap();
    assert_eq!(loaded.shared(data).unwrap(), [0, 0, 0, 0, 12, 0, 0, 0]);
    assert_eq!(loaded.shared(region).unwrap(), [7, 7, 13]);
    assert_eq!(loaded.shared(1), None);
    // One byte further is not its memory.
    let mut input = (region + 1).to_le_bytes();
    let outcome = machine.run(&mut loaded, &mut input).unwrap();
    assert_eq!(
        outcome.end,
        End::Stopped(Stop::OutOfBounds {
            pc: 6,
            address: region + 3
        })
    );
}

#[test]
fn misaligned_atomic_operations_are_stopped() {
    for (size, bytes) in [(W, 4), (DW, 8)] {
        for offset in 0..=8i16 {
            let code = [
                mov(0, 0),
                slot(STX | ATOMIC | size, 1, 2, offset, (ADD | FETCH).into()),
                exit(),
            ];
            let outcome = run(&code, &mut [0; 16]);
            let address = outcome.input + offset as u64;
            let expected = match offset as u64 % bytes {
                0 => End::Returned(0),
                _ => End::Stopped(Stop::Misaligned { pc: 1, address }),
            };
            assert_eq!(outcome.end, expected, "{bytes} at {offset}");
        }
        // On the stack the offset says it, if the base is r10.
        let code = [
            mov(0, 0),
            slot(STX | ATOMIC | size, 10, 2, -13, ADD.into()),
            exit(),
        ];
        let outcome = run(&code, &mut []);
        let address = outcome.stack_top - 13;
        assert_eq!(
            outcome.end,
            End::Stopped(Stop::Misaligned { pc: 1, address })
        );
        let code = [
            mov(0, 0),
            copy(3, 10),
            add(3, -14),
            slot(STX | ATOMIC | size, 3, 2, 0, ADD.into()),
            exit(),
        ];
        assert!(matches!(
            run(&code, &mut []).end,
            End::Stopped(Stop::Misaligned { pc: 3, .. })
        ));
    }
}

/// Runs with this budget.
fn bounded(code: &[Instruction], budget: u64) -> End {
    let mut machine = machine(budget);
    let mut loaded: Loaded = machine.load(&program(code.iter().copied())).unwrap();
    machine.run(&mut loaded, &mut []).unwrap().end
}

#[test]
fn backward_jumps_draw_what_they_jump_over() {
    // Three instructions a round, ten rounds; the last jump is drawn for too.
    let code = [
        mov(0, 0),
        add(0, 1),
        mov(3, 1),
        slot(JMP | JLT, 0, 0, -3, 10),
        exit(),
    ];
    assert_eq!(bounded(&code, 30), End::Returned(10));
    assert_eq!(
        bounded(&code, 29),
        End::Stopped(Stop::OutOfBudget { pc: 3 })
    );
    assert_eq!(bounded(&code, 0), End::Stopped(Stop::OutOfBudget { pc: 3 }));
    assert_eq!(bounded(&code, u64::MAX), End::Returned(10));
    // A loop of one instruction, both widths of ja, and a jump to itself.
    let endless = [
        mov(0, 0),
        slot(JMP | JEQ, 0, 0, 1, 1),
        slot(JMP32 | JA, 0, 0, 0, -2),
        exit(),
    ];
    assert_eq!(
        bounded(&endless, 1000),
        End::Stopped(Stop::OutOfBudget { pc: 2 })
    );
    let endless = [mov(0, 0), slot(JMP | JEQ, 0, 0, -1, 0), exit()];
    assert_eq!(
        bounded(&endless, 1000),
        End::Stopped(Stop::OutOfBudget { pc: 1 })
    );
    // A long way back.
    let mut code = vec![mov(0, 0), add(0, 1)];
    code.extend(vec![mov(3, 1); 5000]);
    code.extend([slot(JMP | JLT, 0, 0, -5002, 3), exit()]);
    assert_eq!(bounded(&code, 3 * 5002), End::Returned(3));
    assert_eq!(
        bounded(&code, 3 * 5002 - 1),
        End::Stopped(Stop::OutOfBudget { pc: 5002 })
    );
}

#[test]
fn calls_draw_the_length_of_the_function() {
    let code = [
        mov(0, 0),
        call(2),
        call(1),
        exit(),
        mov(0, 5),
        mov(3, 0),
        exit(),
    ];
    assert_eq!(bounded(&code, 6), End::Returned(5));
    assert_eq!(bounded(&code, 5), End::Stopped(Stop::OutOfBudget { pc: 2 }));
    assert_eq!(bounded(&code, 2), End::Stopped(Stop::OutOfBudget { pc: 1 }));
}

#[test]
fn a_helper_ends_the_program_from_within_a_function() {
    let code = [
        call(2),
        mov(0, 99),
        exit(),
        mov(1, 0),
        mov(6, 1),
        call_helper(5),
        mov(0, 98),
        exit(),
    ];
    assert_eq!(run(&code, &mut []).end, End::Returned(0));
    let code = [mov(1, 3), call_helper(5), add(0, 1), exit()];
    assert_eq!(run(&code, &mut []).end, End::Returned(4));
    // Without checks as well.
    let settings = Settings {
        checks: checks(false),
        ..Settings::default()
    };
    let mut machine = Machine::new(settings, &builtin()).unwrap();
    let code = [
        call(2),
        mov(0, 99),
        exit(),
        mov(1, 0),
        mov(6, 1),
        call_helper(5),
        mov(0, 98),
        exit(),
    ];
    let mut loaded = machine.load(&program(code)).unwrap();
    assert_eq!(
        machine.run(&mut loaded, &mut []).unwrap().end,
        End::Returned(0)
    );
}

#[test]
fn helpers_access_only_what_the_program_may() {
    // fill(r1, 3, 0xaa), then sum_bytes(r1, 4)
    let code = [
        copy(6, 1),
        mov(2, 3),
        mov(3, 0xaa),
        call_helper(4),
        copy(1, 6),
        mov(2, 4),
        call_helper(2),
        exit(),
    ];
    let mut input = [1; 4];
    assert_eq!(run(&code, &mut input).end, End::Returned(3 * 0xaa + 1));
    assert_eq!(input, [0xaa, 0xaa, 0xaa, 1]);
    assert_eq!(run(&code, &mut [1; 3]).end, End::Returned(u64::MAX));
    let code = [mov(1, 0x1000), mov(2, 8), call_helper(2), exit()];
    assert_eq!(run(&code, &mut [1; 3]).end, End::Returned(u64::MAX));
}
