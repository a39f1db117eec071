//! What the verifier refuses, each with the number of the instruction.

mod support;

use ebpf::error::Invalid;
use ebpf::helpers::HelperCall;
use ebpf::instruction::*;
use ebpf::verify::Verified;
use opstitch::Target;
use support::*;

fn verify(code: &[Instruction]) -> Result<(), Invalid> {
    let target = Target::new(0x1000).unwrap();
    let helpers = [HelperCall {
        number: 1,
        target,
        ends: false,
    }];
    Verified::new(code, &helpers).map(|_| ())
}

/// The error for a program that begins with `r0 = 0`, ends with `exit`, and has this in between.
fn refused(body: &[Instruction]) -> Invalid {
    let mut code = vec![mov(0, 0)];
    code.extend(body);
    code.push(exit());
    verify(&code).unwrap_err()
}

#[test]
fn every_opcode_is_known_or_refused_with_its_position() {
    let mut known = 0;
    for opcode in 0..=255 {
        // Immediates and offsets that some instruction wants.
        let forms = [(0, 0), (0, 16), (0, 0xe1), (1, 0), (8, 0)];
        let results = forms.map(|(offset, imm)| {
            let mut code = vec![mov(0, 0), mov(3, 0), mov(4, 0)];
            let imm = if opcode == ALU64 | END { 64 } else { imm };
            let registers = match opcode & 7 {
                JMP | JMP32 if matches!(opcode & 0xf0, JA | CALL | EXIT) => 0,
                LDX | STX => 0x43,
                ST | LD => 0x03,
                ALU if opcode & 0xf0 == END => 0x03,
                _ if opcode & X != 0 => 0x43,
                _ => 0x03,
            };
            code.push(Instruction {
                opcode,
                registers,
                offset,
                imm,
            });
            code.extend([mov(0, 0), mov(0, 0), exit()]);
            if opcode == LDDW {
                code[4] = Instruction::default();
            }
            verify(&code)
        });
        if results.iter().any(Result::is_ok) {
            known += 1;
            continue;
        }
        for result in results {
            let at = match result.unwrap_err() {
                Invalid::UnknownOpcode { pc, .. } | Invalid::Unsupported { pc, .. } => pc,
                Invalid::NoSuchHelper { pc, .. } | Invalid::Reserved { pc, .. } => pc,
                other => panic!("{opcode:#x}: {other}"),
            };
            assert_eq!(at, 3, "{opcode:#x}");
        }
    }
    // Arithmetic: 12 operations with two sources, neg and 2 of end; in 64 bits one end. Jumps: 11 conditions
    // with two sources in two widths, 2 ja, exit (the helper of `call 0` is missing). Accesses: lddw, 4 ldx, 3 of
    // them with a sign, 4 st, 4 stx, 2 atomic.
    assert_eq!(known, 27 + 26 + 44 + 3 + 18);
}

#[test]
fn what_is_not_supported_is_named() {
    for opcode in [0x20, 0x28, 0x30, 0x40, 0x48, 0x50] {
        let error = refused(&[slot(opcode, 0, 0, 0, 0)]);
        assert_eq!(
            error,
            Invalid::Unsupported {
                pc: 1,
                name: "legacy packet access"
            }
        );
    }
    let error = refused(&[slot(0x8d, 0, 0, 0, 0)]);
    assert_eq!(
        error,
        Invalid::Unsupported {
            pc: 1,
            name: "callx"
        }
    );
    assert!(
        error
            .to_string()
            .contains("instruction 1: callx is not supported")
    );
    let error = refused(&[slot(JMP | CALL, 0, BTF, 0, 1)]);
    assert_eq!(
        error,
        Invalid::Unsupported {
            pc: 1,
            name: "a call by BTF id"
        }
    );
    let error = refused(&[slot(LDDW, 1, 1, 0, 0), Instruction::default()]);
    assert_eq!(error, Invalid::PlatformLoad { pc: 1, kind: 1 });
    assert_eq!(
        refused(&[call_helper(7)]),
        Invalid::NoSuchHelper { pc: 1, number: 7 }
    );
}

#[test]
fn registers() {
    let no_such = |register| Invalid::NoSuchRegister { pc: 1, register };
    assert_eq!(refused(&[copy(11, 0)]), no_such(11));
    assert_eq!(refused(&[copy(0, 15)]), no_such(15));
    assert_eq!(refused(&[slot(JMP | JEQ | X, 12, 0, 0, 0)]), no_such(12));
    let written = Invalid::FrameWritten { pc: 1 };
    assert_eq!(refused(&[mov(10, 0)]), written);
    assert_eq!(refused(&[load(DW, 10, 1, 0)]), written);
    assert_eq!(
        refused(&[slot(STX | ATOMIC | DW, 1, 10, 0, (ADD | FETCH).into())]),
        written
    );
    // Comparing with it and storing it is fine.
    let fine = [
        mov(0, 0),
        slot(JMP | JEQ | X, 10, 0, 0, 0),
        store(DW, 10, 10, -8),
        exit(),
    ];
    assert_eq!(verify(&fine), Ok(()));
}

#[test]
fn fields_that_must_be_zero() {
    for body in [
        slot(ALU64 | ADD, 0, 1, 0, 5),
        slot(ALU64 | ADD | X, 0, 1, 0, 5),
        slot(ALU64 | ADD, 0, 0, 1, 5),
        slot(ALU64 | DIV, 0, 0, 2, 5),
        slot(ALU64 | NEG, 0, 0, 0, 1),
        slot(JMP | JA, 1, 0, 0, 0),
        slot(JMP | EXIT, 0, 0, 0, 1),
        slot(LDX | MEM | W, 0, 1, 0, 1),
        slot(ST | MEM | W, 1, 1, 0, 0),
        slot(ALU64 | MOV | X, 0, 1, 8, 1),
        slot(JMP | CALL, 1, 0, 0, 1),
    ] {
        assert!(
            matches!(refused(&[body]), Invalid::Reserved { pc: 1, .. }),
            "{body}"
        );
    }
}

#[test]
fn jumps() {
    let ja = |offset| slot(JMP | JA, 0, 0, offset, 0);
    assert_eq!(refused(&[ja(1)]), Invalid::JumpTarget { pc: 1, to: 3 });
    assert_eq!(refused(&[ja(-3)]), Invalid::JumpTarget { pc: 1, to: -1 });
    assert_eq!(
        refused(&[ja(i16::MAX)]),
        Invalid::JumpTarget { pc: 1, to: 32_769 }
    );
    let far = slot(JMP32 | JA, 0, 0, 0, i32::MIN);
    assert_eq!(
        refused(&[far]),
        Invalid::JumpTarget {
            pc: 1,
            to: i64::from(i32::MIN) + 2
        }
    );
    // Into an lddw.
    let [low, high] = lddw(1, 1);
    assert_eq!(
        refused(&[ja(1), low, high]),
        Invalid::JumpTarget { pc: 1, to: 3 }
    );
    // Into another function.
    let code = [mov(0, 0), call(1), exit(), mov(0, 1), ja(-3), exit()];
    assert_eq!(verify(&code), Err(Invalid::JumpTarget { pc: 4, to: 2 }));
    let code = [
        mov(0, 0),
        slot(JMP | JEQ, 0, 0, 2, 0),
        call(1),
        exit(),
        mov(0, 1),
        exit(),
    ];
    assert_eq!(verify(&code), Err(Invalid::JumpTarget { pc: 1, to: 4 }));
}

#[test]
fn wide_loads() {
    let [low, high] = lddw(1, 1);
    assert_eq!(verify(&[low]), Err(Invalid::TruncatedLoad { pc: 0 }));
    assert_eq!(refused(&[low]), Invalid::TruncatedLoad { pc: 1 });
    let bad = Instruction { offset: 1, ..high };
    assert_eq!(refused(&[low, bad]), Invalid::TruncatedLoad { pc: 1 });
}

#[test]
fn ends() {
    assert_eq!(verify(&[]), Err(Invalid::Empty));
    assert_eq!(verify(&[mov(0, 0)]), Err(Invalid::FallsOffEnd { pc: 0 }));
    let skips = slot(JMP | JEQ, 0, 0, -1, 0);
    assert_eq!(
        verify(&[mov(0, 0), skips]),
        Err(Invalid::FallsOffEnd { pc: 1 })
    );
    let [low, high] = lddw(0, 1);
    assert_eq!(verify(&[low, high]), Err(Invalid::FallsOffEnd { pc: 0 }));
    // The second half of an lddw may look like an exit.
    let looks_like = Instruction { imm: 0x95, ..high };
    assert_eq!(
        verify(&[low, looks_like]),
        Err(Invalid::FallsOffEnd { pc: 0 })
    );
    // A function that goes on to the next one.
    let code = [
        mov(0, 0),
        call(1),
        exit(),
        mov(0, 1),
        call(1),
        mov(0, 1),
        exit(),
    ];
    assert_eq!(verify(&code), Err(Invalid::FallsOffEnd { pc: 5 }));
    let code = [mov(0, 0), slot(JMP | JA, 0, 0, -1, 0), exit()];
    assert_eq!(verify(&code), Err(Invalid::NoExit));
}

#[test]
fn the_most_slots() {
    let mut code = vec![mov(0, 0); 1 << 20];
    code.push(exit());
    assert!(matches!(
        verify(&code),
        Err(Invalid::TooLong {
            slots: 0x10_0001,
            ..
        })
    ));
    code.remove(0);
    assert_eq!(verify(&code), Ok(()));
}

#[test]
fn registers_are_written_before_they_are_read() {
    let uninitialized = |pc, register| Err(Invalid::Uninitialized { pc, register });
    assert_eq!(verify(&[exit()]), uninitialized(0, 0));
    assert_eq!(verify(&[copy(0, 3), exit()]), uninitialized(0, 3));
    assert_eq!(verify(&[copy(0, 2), exit()]), Ok(()));
    // On one way of two.
    let code = [
        mov(0, 0),
        slot(JMP | JEQ, 1, 0, 1, 0),
        mov(6, 1),
        copy(0, 6),
        exit(),
    ];
    assert_eq!(verify(&code), uninitialized(3, 6));
    // On the way back of a loop.
    let code = [
        mov(0, 0),
        copy(3, 1),
        call_helper(1),
        slot(JMP | JEQ, 0, 0, -3, 0),
        exit(),
    ];
    assert_eq!(verify(&code), uninitialized(1, 1));
    // What a helper leaves in r1 to r5 is not the program's.
    assert_eq!(
        verify(&[call_helper(1), copy(0, 1), exit()]),
        uninitialized(1, 1)
    );
    assert_eq!(verify(&[call_helper(1), exit()]), Ok(()));
    // Neither are they after a function, nor are r6 to r9 in one; and a function gets what its callers have written.
    let code = [call(1), exit(), copy(0, 1), exit()];
    assert_eq!(verify(&code), Ok(()));
    let code = [call(2), copy(0, 2), exit(), mov(0, 1), exit()];
    assert_eq!(verify(&code), uninitialized(1, 2));
    let code = [mov(6, 1), call(1), exit(), copy(0, 6), exit()];
    assert_eq!(verify(&code), uninitialized(3, 6));
    let code = [
        mov(3, 1),
        call(3),
        call_helper(1),
        call(1),
        exit(),
        copy(0, 3),
        exit(),
    ];
    assert_eq!(verify(&code), uninitialized(5, 3));
    // Compare-and-exchange reads r0, what fetches writes.
    let atomic = |imm: u8| slot(STX | ATOMIC | DW, 1, 2, 0, imm.into());
    assert_eq!(verify(&[atomic(CMPXCHG), exit()]), uninitialized(0, 0));
    let fetches = slot(STX | ATOMIC | DW, 1, 3, 0, (ADD | FETCH).into());
    assert_eq!(verify(&[mov(3, 1), fetches, copy(0, 3), exit()]), Ok(()));
}

#[test]
fn the_stack() {
    let out_of_frame = |offset, size| Invalid::OutOfFrame {
        pc: 1,
        offset,
        size,
        frame: 512,
    };
    assert_eq!(refused(&[store(DW, 10, 1, -7)]), out_of_frame(-7, 8));
    assert_eq!(refused(&[load(B, 0, 10, 0)]), out_of_frame(0, 1));
    assert_eq!(refused(&[store(W, 10, 1, -513)]), out_of_frame(-513, 4));
    let fine = [
        mov(0, 0),
        store(DW, 10, 1, -512),
        store(B, 10, 1, -1),
        exit(),
    ];
    assert_eq!(verify(&fine), Ok(()));
}

/// Functions that each call the next one: so many altogether.
fn chain(functions: usize) -> Vec<Instruction> {
    let mut code = Vec::new();
    for _ in 1..functions {
        code.extend([call(1), exit()]);
    }
    code.extend([mov(0, 7), exit()]);
    code
}

#[test]
fn functions_call_each_other_eight_deep() {
    assert_eq!(verify(&chain(8)), Ok(()));
    assert!(matches!(
        verify(&chain(9)),
        Err(Invalid::TooDeep { max: 8, .. })
    ));
    assert!(matches!(
        verify(&chain(3000)),
        Err(Invalid::TooDeep { max: 8, .. })
    ));
    let code = [call(1), exit(), call(-1), exit()];
    assert_eq!(verify(&code), Err(Invalid::Recursion { pc: 2 }));
    let code = [
        call(1),
        exit(),
        call(1),
        exit(),
        mov(0, 0),
        call(-4),
        exit(),
    ];
    assert_eq!(verify(&code), Err(Invalid::Recursion { pc: 5 }));
    assert_eq!(
        verify(&[call(-1), exit()]),
        Err(Invalid::Recursion { pc: 0 })
    );
    assert_eq!(
        verify(&[mov(0, 0), call(5), exit()]),
        Err(Invalid::CallTarget { pc: 1, to: 7 })
    );
    let [low, high] = lddw(0, 1);
    let code = [call(2), exit(), low, high, exit()];
    assert_eq!(verify(&code), Err(Invalid::CallTarget { pc: 0, to: 3 }));
}
