//! Every error by name: what causes it, what it says, and that the builder goes on as if nothing had
//! happened.

use opstitch::{
    Error, FallThrough, MicroOp, MicroOpSet, Options, Reach, Reg, Target, TraceBuilder, VReg,
};

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Offset(n: i9) { ; ldur x0, [x1, n] }
    op Step(n: u12 in 1..=100) { ; add x0, x0, n }
    op Upwards(n: i9 in 0..=7) { ; ldur x0, [x1, n] }
    op Mask(mask: logical64) { ; and x0, x0, mask }
    op NarrowMask(mask: logical32) { ; and w0, w0, mask }
    op Float(value: fp8) { ; fmov d0, value }
    op Clear(register: reg) { ; mov X(register), xzr }
    op Word(value: literal) { ; ldr w0, =>value }
    op Cell(cell: mut literal) { ; ldr x0, =>cell }
    op NarrowCell(cell: mut literal) { ; ldr w0, =>cell }
    op SignedCell(cell: mut literal) { ; cbz x0, >cold ; back: } cold { ; cold: ; ldrsw x0, =>cell ; b <back }
    op Guard(out: exit) { ; cbz x0, =>out }
    op Skip(to: label) { ; tbz x0, 0, =>to }
    op Jump(to: label) { ; b =>to }
    op Call(function: call) { ; bl =>function }
    op Long(to: label) {
        ; tbz x0, 0, =>to
        ; mov x0, 1
        ; mov x0, 2
        ; mov x0, 3
        ; mov x0, 4
        ; mov x0, 5
    }
    op Here {}
    op Return { ; ret }
}

/// What `add x0, x0, 1 ; ret` is linked to. A trace that had an error in its middle must be the same.
fn plain() -> Vec<u8> {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    finished(&mut builder)
}

fn finished(builder: &mut TraceBuilder) -> Vec<u8> {
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    trace.link(0x1_0000).unwrap().bytes().to_vec()
}

/// What `call` is refused with, in the middle of a trace that comes out as if it had never been called.
fn refused<T: std::fmt::Debug>(call: impl FnOnce(&mut TraceBuilder) -> Result<T, Error>) -> Error {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    let error = call(&mut builder).unwrap_err();
    assert_eq!(builder.len(), 1);
    assert_eq!(finished(&mut builder), plain(), "after {error}");
    error
}

#[track_caller]
fn says(error: Error, message: &str) {
    assert_eq!(error.to_string(), message, "{error:?}");
}

/// The jump is written when the next micro-op comes, unless that is where it leads to.
#[test]
fn a_micro_op_that_is_refused_behind_a_jump_leaves_the_jump_open() {
    type Refusal = fn(&mut TraceBuilder) -> Result<(), Error>;
    let refusals: [Refusal; 3] = [
        |_| Ok(()),
        |builder| builder.push(Add { n: 4096 }),
        |builder| builder.push(Mask { mask: 5 }),
    ];
    for (bound_first, jump_is_forward) in [(false, true), (true, true), (false, false)] {
        let traces = refusals.map(|refusal| {
            let mut builder = TraceBuilder::new();
            let to = builder.label();
            if !jump_is_forward {
                builder.bind(to).unwrap();
            }
            builder.push(Jump { to }).unwrap();
            builder.push(Jump { to }).unwrap();
            if bound_first {
                builder.bind(to).unwrap();
            }
            let _ = refusal(&mut builder);
            if !bound_first && jump_is_forward {
                builder.bind(to).unwrap();
            }
            finished(&mut builder)
        });
        assert_eq!(traces[0], traces[1]);
        assert_eq!(traces[0], traces[2]);
    }
}

#[test]
fn operand_out_of_range_names_op_operand_value_and_range() {
    let error = refused(|b| b.push(Add { n: 4096 }));
    assert_eq!(
        error,
        Error::OperandOutOfRange {
            op: "Add",
            operand: "n",
            value: 4096,
            min: 0,
            max: 4095,
        }
    );
    says(
        error,
        "Add: n=4096 is outside 0..=4095; give a value in that range, or declare a micro-op whose operand is wider",
    );
    says(
        refused(|b| b.push(Offset { n: -257 })),
        "Offset: n=-257 is outside -256..=255; give a value in that range, or declare a micro-op whose operand is wider",
    );
    // Signed is what the operand is declared as, not what its range says.
    says(
        refused(|b| b.push(Upwards { n: -1 })),
        "Upwards: n=-1 is outside 0..=7; give a value in that range, or declare a micro-op whose operand is wider",
    );
    for n in [0, 101, u64::MAX] {
        says(
            refused(|b| b.push(Step { n })),
            &format!(
                "Step: n={n} is outside 1..=100; give a value in that range, or declare a micro-op whose operand is wider"
            ),
        );
    }
    says(
        refused(|b| b.push(Word { value: 1 << 32 })),
        "Word: value=4294967296 is outside 0..=4294967295; give a value in that range, or declare a micro-op whose operand is wider",
    );
}

#[test]
fn an_operand_of_the_enum_is_checked_like_that_of_the_struct() {
    let by_struct = refused(|b| b.push(Add { n: 5000 }));
    let by_enum = refused(|b| b.push(Op::from(Add { n: 5000 })));
    #[allow(clippy::needless_borrows_for_generic_args)] // it is the borrow that is tried
    let by_reference = refused(|b| b.push(&Op::from(Add { n: 5000 })));
    assert_eq!(by_struct, by_enum);
    assert_eq!(by_struct, by_reference);
}

#[test]
fn the_platform_register_is_refused() {
    let error = refused(|b| b.push(Clear { register: Reg(18) }));
    assert!(matches!(error, Error::PlatformRegister { .. }), "{error:?}");
    says(
        error,
        "Clear: register=x18 belongs to the platform; use x0 to x17 or x19 to x30",
    );
}

#[test]
fn vector_registers_are_those_that_the_operand_names() {
    mod vectors {
        opstitch::uops! {
            op Any(n: vreg) { ; fadd d0, d0, D(n) }
            op Low(n: vreg in 0..=15) { ; fmul v0.s4, v1.s4, V(n).s[0] }
        }
    }
    use vectors::{Any, Low};
    says(
        refused(|b| b.push(Any { n: VReg(32) })),
        "Any: n=v32 is no register that the operand can name; use v0 to v31",
    );
    says(
        refused(|b| b.push(Low { n: VReg(16) })),
        "Low: n=v16 is no register that the operand can name; use v0 to v15",
    );
}

#[test]
fn register_31_and_those_that_do_not_exist_are_refused() {
    for register in [31, 32, 40, 255] {
        says(
            refused(|b| {
                b.push(Clear {
                    register: Reg(register),
                })
            }),
            &format!(
                "Clear: register=x{register} is no register that an operand can name; use x0 to x17 or x19 to x30, or write `xzr` or `sp` in a micro-op of its own"
            ),
        );
    }
}

#[test]
fn a_mask_or_number_that_no_immediate_holds_is_not_encodable() {
    says(
        refused(|b| b.push(Mask { mask: 0x1234 })),
        "Mask: mask=0x1234 is no 64-bit logical immediate; load it as a `literal` instead",
    );
    for mask in [0, u64::MAX] {
        let error = refused(|b| b.push(Mask { mask }));
        assert!(matches!(error, Error::NotEncodable { .. }), "{error:?}");
    }
    says(
        refused(|b| b.push(NarrowMask { mask: 5 })),
        "NarrowMask: mask=0x5 is no 32-bit logical immediate; load it as a `literal` instead",
    );
    says(
        refused(|b| b.push(Float { value: 0.1 })),
        "Float: value=0.1 is no 8-bit floating-point immediate; load it as a `literal` instead",
    );
}

#[test]
fn a_call_target_that_is_not_4_aligned_is_refused() {
    for address in [1, 2, 3, 0x1001, u64::MAX] {
        let error = Target::new(address).unwrap_err();
        assert_eq!(error, Error::MisalignedTarget { address });
        assert_eq!(Target::retargetable(address), Err(error));
    }
    says(
        Target::new(0x1002).unwrap_err(),
        "call target 0x1002 is not a multiple of 4, so it is no A64 instruction; check where the address comes from",
    );
}

#[test]
fn a_label_of_another_builder_is_refused_wherever_it_is_used() {
    let to = TraceBuilder::new().label();
    let error = refused(|b| {
        b.label();
        b.push(Jump { to })
    });
    assert_eq!(
        error,
        Error::Foreign {
            op: "Jump",
            operand: "to",
            what: "label",
        }
    );
    says(
        error,
        "Jump: to belongs to another trace; make the label with the builder it is used in, behind its last `clear`",
    );
    says(
        refused(|b| {
            b.label();
            b.bind(to)
        }),
        "bind: label belongs to another trace; make the label with the builder it is used in, behind its last `clear`",
    );
    says(
        refused(|b| {
            b.label();
            b.jump(to)
        }),
        "jump: label belongs to another trace; make the label with the builder it is used in, behind its last `clear`",
    );
    let error = refused(|b| {
        b.label();
        let exit = b.declare_exit();
        b.define_exit(exit, |code| {
            code.push(Add { n: 1 })?;
            code.jump(to)
        })
    });
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
}

#[test]
fn exits_and_literals_of_another_builder_are_refused() {
    let mut other = TraceBuilder::new();
    let (out, cell) = (other.declare_exit(), other.mut_literal(1));
    says(
        refused(|b| {
            b.declare_exit();
            b.push(Guard { out })
        }),
        "Guard: out belongs to another trace; make the exit with the builder it is used in, behind its last `clear`",
    );
    says(
        refused(|b| {
            b.mut_literal(2);
            b.push(Cell { cell })
        }),
        "Cell: cell belongs to another trace; make the literal with the builder it is used in, behind its last `clear`",
    );
    says(
        refused(|b| {
            b.declare_exit();
            b.define_exit(out, |code| code.push(Return))
        }),
        "define_exit: exit belongs to another trace; make the exit with the builder it is used in, behind its last `clear`",
    );
}

#[test]
fn handles_from_before_clear_are_refused() {
    let mut builder = TraceBuilder::new();
    let (to, out, cell) = (
        builder.label(),
        builder.declare_exit(),
        builder.mut_literal(1),
    );
    builder.clear();
    // The new handles have the old ones' numbers.
    builder.label();
    builder.declare_exit();
    builder.mut_literal(1);
    builder.push(Add { n: 1 }).unwrap();
    let refused = [
        builder.push(Jump { to }),
        builder.bind(to),
        builder.push(Guard { out }),
        builder.push(Cell { cell }),
        builder.invalidation_point(out),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::Foreign { .. })), "{result:?}");
    }
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_label_is_bound_once() {
    let error = refused(|b| {
        let label = b.bind_new()?;
        b.bind(label)
    });
    assert_eq!(error, Error::LabelBoundTwice { label: 0 });
    says(
        error,
        "label 0 is bound already; make a new label for the second place",
    );
    let mut builder = TraceBuilder::new();
    let label = builder.bind_new().unwrap();
    builder.push(Add { n: 1 }).unwrap();
    assert_eq!(
        builder.bind(label),
        Err(Error::LabelBoundTwice { label: 0 })
    );
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_label_that_is_used_must_be_bound() {
    let mut builder = TraceBuilder::new();
    builder.label();
    let to = builder.label();
    builder.push(Skip { to }).unwrap();
    builder.push(Return).unwrap();
    let error = builder.finish().map(drop).unwrap_err();
    assert_eq!(error, Error::LabelNeverBound { label: 1 });
    says(
        error,
        "label 1 is used but never bound; call `bind` where it belongs",
    );
    // It can be mended.
    builder.bind(to).unwrap();
    builder.push(Return).unwrap();
    assert!(builder.finish().is_ok());
}

#[test]
fn a_label_that_is_never_used_need_not_be_bound() {
    let mut builder = TraceBuilder::new();
    builder.label();
    builder.push(Add { n: 1 }).unwrap();
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn an_exit_that_is_used_must_have_code() {
    let mut builder = TraceBuilder::new();
    let out = builder.declare_exit();
    builder.push(Guard { out }).unwrap();
    builder.push(Return).unwrap();
    let error = builder.finish().map(drop).unwrap_err();
    assert_eq!(error, Error::ExitWithoutCode { exit: 0 });
    says(error, "exit 0 has no code; give it at least one micro-op");
    let empty = builder.define_exit(out, |_| Ok(()));
    assert_eq!(empty, Err(Error::ExitWithoutCode { exit: 0 }));
    builder.define_exit(out, |code| code.push(Return)).unwrap();
    assert!(builder.finish().is_ok());
}

#[test]
fn an_exit_that_could_not_be_made_is_not_there() {
    let mut builder = TraceBuilder::new();
    let refused = [
        builder.exit([Add { n: 1 }]),
        builder.exit_with(|code| code.push(Add { n: 1 })),
        builder.linkable_exit_with(|_| Ok(())),
        builder.exit_with(|code| {
            code.push(Return)?;
            code.push(Add { n: 4096 })
        }),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    // The next one has the number that these would have had.
    let exit = builder.exit_with(|code| {
        code.push(Add { n: 1 })?;
        code.push(Return)
    });
    assert_eq!(exit.unwrap().to_string(), "exit 0");
}

#[test]
fn an_exit_has_its_code_once() {
    let error = refused(|b| {
        let exit = b.exit([Return])?;
        b.define_exit(exit, |code| code.push(Return))
    });
    assert_eq!(error, Error::ExitDefinedTwice { exit: 0 });
    says(
        error,
        "exit 0 has its code already; declare a new exit for other code",
    );
}

#[test]
fn an_exit_must_not_fall_off_its_end() {
    let error = refused(|b| b.exit([Add { n: 1 }, Add { n: 2 }]));
    assert_eq!(error, Error::ExitFallsOffEnd { exit: 0, op: "Add" });
    says(
        error,
        "exit 0 falls off its end after Add; end it with a micro-op that leaves the trace, or with `jump`",
    );
}

#[test]
fn the_error_of_an_exits_closure_comes_out() {
    let error = refused(|b| {
        let exit = b.declare_exit();
        b.define_exit(exit, |code| {
            code.push(Word { value: 7 })?;
            code.push(Add { n: 1 << 20 })
        })
    });
    assert!(matches!(error, Error::OperandOutOfRange { op: "Add", .. }));
}

#[test]
fn a_trace_must_not_fall_off_its_end() {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    let error = builder.finish().map(drop).unwrap_err();
    assert_eq!(error, Error::FallsOffEnd { op: "Add" });
    says(
        error,
        "the trace falls off its end after Add; end it with a micro-op that leaves the trace, or with `jump`",
    );
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_label_behind_the_last_micro_op_is_no_place_to_go_to() {
    // By a branch, by a closing jump, by `jump`, from an exit; with cold code and without. What is cold
    // comes behind the label, but is not what it stands for.
    type End = fn(&mut TraceBuilder, opstitch::Label) -> Result<(), Error>;
    let ends: [End; 4] = [
        |b, to| b.push(Skip { to }),
        |b, to| b.push(Jump { to }),
        |b, to| {
            b.push(Add { n: 1 })?;
            b.jump(to)
        },
        |b, to| {
            let out = b.exit([Op::from(Add { n: 3 }), Op::from(Jump { to })])?;
            b.push(Guard { out })
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        for cold in [false, true] {
            let build = |fail: bool| {
                let mut builder = TraceBuilder::new();
                let to = builder.label();
                let out = builder.exit([Return]).unwrap();
                if cold {
                    builder.push(Guard { out }).unwrap();
                }
                end(&mut builder, to).unwrap();
                if number % 3 == 0 {
                    builder.push(Return).unwrap();
                }
                builder.bind(to).unwrap();
                for _ in 0..if fail { 2 } else { 0 } {
                    let error = builder.finish().map(drop).unwrap_err();
                    assert!(
                        matches!(
                            (number, &error),
                            (0 | 3, Error::LabelBehindEnd { label: 0 })
                                | (1 | 2, Error::FallsOffEnd { .. })
                        ),
                        "{number}, {cold}: {error:?}"
                    );
                }
                finished(&mut builder)
            };
            assert_eq!(build(true), build(false), "{number}, {cold}");
        }
    }
}

#[test]
fn a_label_behind_the_last_micro_op_does_no_harm_unused() {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    builder.push(Return).unwrap();
    let label = builder.bind_new().unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    assert_eq!(linked.bytes(), plain());
    assert_eq!(builder.bind(label), Err(Error::Finished));
    assert_eq!(builder.bind_new(), Err(Error::Finished));
    assert_eq!(builder.label().to_string(), "label 1", "one more was made");
}

#[test]
fn an_empty_trace_cannot_be_finished_or_redirected() {
    let mut builder = TraceBuilder::new();
    assert_eq!(builder.finish().map(drop), Err(Error::Empty));
    let label = builder.label();
    assert_eq!(builder.jump(label), Err(Error::Empty));
    says(
        Error::Empty,
        "the trace has no micro-op yet; push one first",
    );
    builder.push(Add { n: 1 }).unwrap();
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_jump_needs_a_micro_op_that_goes_on() {
    let behind = |op: Op| {
        let mut builder = TraceBuilder::new();
        let label = builder.label();
        builder.push(op).unwrap();
        builder.jump(label)
    };
    says(
        behind(Return.into()).unwrap_err(),
        "Return does not go on to a next micro-op, or jumps already, so there is nothing to redirect; leave `jump` out",
    );
    let mut builder = TraceBuilder::new();
    let to = builder.bind_new().unwrap();
    builder.push(Jump { to }).unwrap();
    assert_eq!(
        builder.jump(to),
        Err(Error::NothingToRedirect { op: "Jump" })
    );
    // Behind another jump.
    builder.clear();
    let to = builder.bind_new().unwrap();
    builder.push(Add { n: 1 }).unwrap();
    builder.jump(to).unwrap();
    assert_eq!(
        builder.jump(to),
        Err(Error::NothingToRedirect { op: "Add" })
    );
}

#[test]
fn a_jump_behind_a_label_needs_a_micro_op_in_between() {
    let mut builder = TraceBuilder::new();
    let to = builder.bind_new().unwrap();
    assert_eq!(builder.jump(to), Err(Error::JumpBehindLabel { label: 0 }));
    builder.push(Add { n: 1 }).unwrap();
    let empty = builder.bind_new().unwrap();
    let error = builder.jump(to).unwrap_err();
    assert_eq!(error, Error::JumpBehindLabel { label: 1 });
    says(
        error,
        "label 1 is bound in front of the next micro-op, and `jump` would only redirect the one before; push a micro-op first, if only one without instructions: `op Here {}`",
    );
    // As it says.
    builder.push(Here).unwrap();
    builder.jump(to).unwrap();
    builder.push(Skip { to: empty }).unwrap();
    builder.push(Return).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    let nop = 0xd503_201f;
    let expected: [u32; 7] = [
        nop,
        0x9100_0400, // 1: add x0, x0, 1
        nop,
        0x17ff_fffe, // 3: b 1
        0x3607_ffe0, // tbz x0, 0, 3
        nop,
        0xd65f_03c0,
    ];
    assert_eq!(
        linked.bytes()[..28],
        expected.map(u32::to_le_bytes).concat()
    );
}

#[test]
fn an_exits_jump_needs_a_micro_op_that_goes_on() {
    let mut builder = TraceBuilder::new();
    let (label, exit) = (builder.label(), builder.declare_exit());
    let results = [
        builder.define_exit(exit, |code| code.jump(label)),
        builder.define_exit(exit, |code| {
            code.push(Return)?;
            code.jump(label)
        }),
        builder.define_exit(exit, |code| {
            code.push(Add { n: 1 })?;
            code.jump(label)?;
            code.jump(label)
        }),
        builder.define_exit(exit, |code| {
            code.push(Add { n: 1 })?;
            code.jump(label)?;
            code.push(Return)
        }),
    ];
    let expected = [
        Error::ExitWithoutCode { exit: 0 },
        Error::NothingToRedirect { op: "Return" },
        Error::NothingToRedirect { op: "Add" },
        Error::BehindExitsJump {
            exit: 0,
            op: "Return",
        },
    ];
    assert_eq!(results, expected.map(Err));
}

fn short(test: u32, literal: u32) -> TraceBuilder {
    let reach = Reach::default().test(test).unwrap();
    let reach = reach.literal(literal).unwrap();
    TraceBuilder::with_options(Options::new().reach(reach))
}

#[test]
fn a_micro_op_that_is_too_long_for_its_branches_is_refused() {
    let mut builder = short(24, 1 << 20);
    let to = builder.label();
    builder.push(Add { n: 1 }).unwrap();
    let error = builder.push(Long { to }).unwrap_err();
    assert!(matches!(error, Error::OpTooLong { .. }), "{error:?}");
    says(
        error,
        "Long is too long for its branches: an instruction in it reaches 20 bytes, and what it refers to cannot come nearer than 36; move the branch to the end or split the micro-op",
    );
    builder.push(Skip { to }).unwrap();
    builder.bind(to).unwrap();
    builder.push(Return).unwrap();
    assert!(builder.finish().is_ok());
}

#[test]
fn a_trace_that_is_too_long_for_its_branches_is_refused_and_can_be_mended() {
    let reach = Reach::default().jump(64).unwrap();
    let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
    let to = builder.label();
    builder.push(Jump { to }).unwrap();
    for _ in 0..20 {
        builder.push(Add { n: 1 }).unwrap();
    }
    builder.bind(to).unwrap();
    builder.push(Return).unwrap();
    let error = builder.finish().map(drop).unwrap_err();
    assert!(matches!(error, Error::TraceTooLong { .. }), "{error:?}");
    says(
        error,
        "the trace is too long: an instruction would have to reach over 164 bytes, and it reaches 64; split the trace",
    );
    builder.clear();
    builder.push(Add { n: 1 }).unwrap();
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_call_that_does_not_reach_its_trampoline_is_refused() {
    let reach = Reach::default().jump(64).unwrap();
    let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
    let function = Target::new(0x1_0000_0000).unwrap();
    builder.push(Call { function }).unwrap();
    for _ in 0..20 {
        builder.push(Add { n: 1 }).unwrap();
    }
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    let error = trace.link(0x1_0000).map(drop).unwrap_err();
    assert_eq!(
        error,
        Error::TraceTooLong {
            distance: 172,
            reach: 64,
        }
    );
    assert_eq!(trace.linked_len(0x1_0000), Err(error));
}

#[test]
fn a_changeable_literal_out_of_reach_is_refused() {
    let mut builder = short(32 << 10, 64);
    let (cell, another) = (builder.mut_literal(1), builder.mut_literal(2));
    builder.push(Cell { cell }).unwrap();
    for _ in 0..40 {
        builder.push(Add { n: 1 }).unwrap();
    }
    let before = builder.len();
    let error = builder.push(Cell { cell }).unwrap_err();
    assert!(
        matches!(
            error,
            Error::LiteralOutOfReach {
                op: "Cell",
                operand: "cell",
                distance: 300..,
                reach: 64
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().ends_with(
        "and a literal load reaches 64; it has one word only, so use another `mut literal` there"
    ));
    assert_eq!(builder.len(), before);
    builder.push(Cell { cell: another }).unwrap();
    builder.push(Return).unwrap();
    assert!(builder.finish().is_ok());
}

/// A load of 32 bits would read half of what a changeable literal holds.
#[test]
fn a_changeable_literal_is_as_wide_as_it_is_loaded() {
    let says_range = |error, name, value: i64, range| {
        says(
            error,
            &format!(
                "{name}: cell={value} is outside {range}; give a value in that range, or declare a micro-op whose operand is wider"
            ),
        );
    };
    let (unsigned, signed) = ("0..=4294967295", "-2147483648..=2147483647");
    for value in [1 << 32, i64::MAX] {
        let with = |op: fn(opstitch::MutLiteral) -> Op| {
            refused(|b| {
                let cell = b.mut_literal(value as u64);
                b.push(op(cell))
            })
        };
        says_range(
            with(|cell| NarrowCell { cell }.into()),
            "NarrowCell",
            value,
            unsigned,
        );
        says_range(
            with(|cell| SignedCell { cell }.into()),
            "SignedCell",
            value,
            signed,
        );
        let in_exit = refused(|b| {
            let cell = b.mut_literal(value as u64);
            b.exit([Op::from(NarrowCell { cell }), Return.into()])
        });
        says_range(in_exit, "NarrowCell", value, unsigned);
    }
    let low = refused(|b| {
        let cell = b.mut_literal(i64::MIN as u64);
        b.push(SignedCell { cell })
    });
    says_range(low, "SignedCell", i64::MIN, signed);
    let mut builder = TraceBuilder::new();
    for value in [0, u32::MAX.into()] {
        let cell = builder.mut_literal(value);
        builder.push(NarrowCell { cell }).unwrap();
    }
    for value in [i32::MIN, -1, i32::MAX] {
        let cell = builder.mut_literal(i64::from(value) as u64);
        builder.push(SignedCell { cell }).unwrap();
    }
    builder.push(Return).unwrap();
    builder.finish().unwrap();
}

#[test]
fn a_finished_trace_cannot_be_changed() {
    let mut builder = TraceBuilder::new();
    let (label, declared) = (builder.label(), builder.declare_exit());
    builder.push(Add { n: 1 }).unwrap();
    let bytes = finished(&mut builder);
    let refused = [
        builder.push(Return),
        builder.bind(label),
        builder.bind_new().map(drop),
        builder.jump(label),
        builder.exit([Return]).map(drop),
        builder.linkable_exit([Return]).map(drop),
        builder.define_exit(declared, |code| code.push(Return)),
        builder.invalidation_point(declared),
    ];
    for result in refused {
        assert_eq!(result, Err(Error::Finished));
    }
    says(
        Error::Finished,
        "the trace is finished; call `clear` before building the next one",
    );
    // Handles can still be made; they change nothing.
    builder.label();
    builder.declare_exit();
    builder.mut_literal(3);
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    assert_eq!(linked.bytes(), bytes);
    builder.clear();
    builder.push(Add { n: 1 }).unwrap();
    assert_eq!(finished(&mut builder), plain());
}

#[test]
fn a_reach_is_a_multiple_of_4_between_16_and_what_the_architecture_gives() {
    let reach = Reach::default();
    for bytes in [0, 4, 12, 17, 18, (32 << 10) + 4, u32::MAX] {
        let error = reach.test(bytes).unwrap_err();
        let max = 32 << 10;
        assert!(
            matches!(error, Error::InvalidReach { bytes: b, max: m, .. } if (b, m) == (bytes, max)),
            "{error:?}"
        );
    }
    says(
        reach.conditional(2 << 20).unwrap_err(),
        "a reach of 2097152 bytes for conditional branches is not a multiple of 4 between 16 and 1048576; choose one",
    );
    assert!(reach.literal((1 << 20) + 4).is_err());
    assert!(reach.jump((128 << 20) + 4).is_err());
    for bytes in [16, 20, 32 << 10] {
        assert!(reach.test(bytes).is_ok());
    }
    assert!(reach.jump(128 << 20).is_ok());
}

#[test]
fn a_trace_is_linked_to_a_multiple_of_8_with_room_behind() {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    for address in [1, 4, 0x1_0004, u64::MAX, u64::MAX - 7, u64::MAX - 15] {
        let invalid = Error::InvalidAddress {
            address,
            alignment: 8,
            length: 16,
        };
        assert_eq!(trace.link(address).map(drop), Err(invalid.clone()));
        assert_eq!(trace.linked_len(address), Err(invalid.clone()));
        assert_eq!(trace.link_into(address, &mut [0; 16]), Err(invalid));
    }
    says(
        trace.link(0x1_0004).map(drop).unwrap_err(),
        "a trace cannot be linked to 0x10004: it must be a multiple of 8 and leave room for 16 bytes below 2^64; choose another address",
    );
    for address in [0, 8, u64::MAX - 23] {
        assert!(trace.link(address).is_ok(), "{address:#x}");
    }
}

#[test]
fn a_destination_has_the_length_of_the_linked_trace() {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    for actual in [0, 15, 17, 20] {
        let mut to = vec![0xaa; actual];
        let error = trace.link_into(0, &mut to).unwrap_err();
        assert_eq!(
            error,
            Error::WrongLength {
                expected: 16,
                actual,
            }
        );
        assert!(to.iter().all(|&byte| byte == 0xaa), "it was written to");
    }
    says(
        trace.link_into(0, &mut [0; 20]).unwrap_err(),
        "the linked trace has 16 bytes, and the destination 20; ask `linked_len` first",
    );
}

/// What nobody should write: micro-ops that their set does not have, or with too few operands.
struct Forged(usize, Vec<u64>);

impl MicroOp for Forged {
    type Operands = Vec<u64>;

    fn set(&self) -> &'static MicroOpSet {
        Add { n: 0 }.set()
    }

    fn index(&self) -> usize {
        self.0
    }

    fn operands(&self) -> Vec<u64> {
        self.1.clone()
    }
}

#[test]
fn a_micro_op_that_the_macro_has_not_written_can_be_wrong_but_not_fatal() {
    let skip = Skip {
        to: TraceBuilder::new().label(),
    }
    .index();
    let call = Call {
        function: Target::new(0).unwrap(),
    }
    .index();
    for (index, operands) in [
        (usize::MAX, vec![]),
        (1 << 16, vec![]),
        (0, vec![]),
        (skip, vec![]),
        (skip, vec![0]),
        (skip, vec![u64::MAX]),
        (0, vec![u64::MAX; 9]),
    ] {
        refused(|b| b.push(Forged(index, operands)));
    }
    // A target's low bits are no address.
    let mut builder = TraceBuilder::new();
    builder.push(Forged(call, vec![u64::MAX])).unwrap();
    builder.push(Return).unwrap();
    assert!(builder.finish().unwrap().link(0).is_ok());
}

/// The same once the builder knows the micro-ops, and with handles that nobody has made: of an exit that
/// was taken back, of one to come.
#[test]
fn a_micro_op_that_the_macro_has_not_written_is_refused_by_a_builder_that_knows_it_too() {
    let mut builder = TraceBuilder::new();
    let (to, out) = (builder.label(), builder.exit([Return]).unwrap());
    let labels: Vec<_> = (0..20).map(|_| builder.label()).collect();
    let (add, skip, guard) = (Add { n: 1 }, Skip { to }, Guard { out });
    for _ in 0..3 {
        let ops = [Op::from(add), Op::from(skip), Op::from(guard)];
        builder.push_all(ops).unwrap();
    }
    let [handle] = guard.operands();
    for taken_back in [false, true] {
        if taken_back {
            builder.exit([Add { n: 4096 }]).unwrap_err();
        }
        for (index, operands) in [
            (add.index(), vec![]),
            (skip.index(), vec![]),
            (guard.index(), vec![]),
            (guard.index(), vec![handle + 4]),
            (guard.index(), vec![handle + 8]),
            (guard.index(), vec![u64::MAX]),
        ] {
            let text = format!("{index} {operands:?}");
            let pushed = builder.push(Forged(index, operands.clone()));
            assert!(pushed.is_err(), "{text}");
            let pushed = builder.push_all([Forged(index, operands)]);
            assert!(pushed.is_err(), "{text}");
        }
        assert_eq!((builder.len(), labels.len()), (9, 20));
        builder.finish().map(drop).unwrap_err();
    }
}

/// As `Forged`, of a type that has room for no operands at all.
struct Bare(usize);

impl MicroOp for Bare {
    type Operands = [u64; 0];

    fn set(&self) -> &'static MicroOpSet {
        Add { n: 0 }.set()
    }

    fn index(&self) -> usize {
        self.0
    }

    fn operands(&self) -> [u64; 0] {
        []
    }
}

#[test]
fn an_exit_refuses_a_micro_op_with_too_few_operands_whether_it_knows_it_or_not() {
    let add = Add { n: 1 };
    for annotate in [false, true] {
        let options = opstitch::Options::new().annotate(annotate);
        let mut builder = TraceBuilder::with_options(options);
        for _ in 0..100 {
            let out = builder.exit_with(|code| {
                assert!(code.push(Bare(add.index())).is_err());
                code.push(Op::from(add))?;
                assert!(code.push(Bare(add.index())).is_err());
                code.push(Op::from(Return))
            });
            builder.push(Guard { out: out.unwrap() }).unwrap();
        }
        builder.push(Return).unwrap();
        assert_eq!(builder.finish().unwrap().cold_len(), 3 * 4);
    }
}

/// A micro-op that cannot be dropped in peace.
struct Fragile(Op);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!matches!(self.0, Op::Guard(_)), "dropped");
    }
}

impl MicroOp for Fragile {
    type Operands = <Op as MicroOp>::Operands;

    fn set(&self) -> &'static opstitch::MicroOpSet {
        self.0.set()
    }

    fn index(&self) -> usize {
        self.0.index()
    }

    fn operands(&self) -> Self::Operands {
        self.0.operands()
    }
}

#[test]
fn an_exit_is_wanted_even_if_the_micro_op_that_wants_it_first_panics_when_it_is_dropped() {
    let mut builder = TraceBuilder::new();
    let out = [1, 2].map(|_| builder.linkable_exit([Return]).unwrap());
    builder.push_all([Op::from(Guard { out: out[0] })]).unwrap();
    let ops = [Add { n: 1 }.into(), Guard { out: out[1] }.into()].map(Fragile);
    let pushing = std::panic::AssertUnwindSafe(|| builder.push_all(ops));
    assert!(std::panic::catch_unwind(pushing).is_err());
    builder.push(Return).unwrap();
    assert!(builder.finish().is_ok());
}

#[test]
fn an_error_in_an_elided_trace_leaves_no_trace_either() {
    let options = Options::new().fall_through(FallThrough::Elide);
    let build = |errors: bool| {
        let mut builder = TraceBuilder::with_options(options);
        let to = builder.label();
        for n in 0..10 {
            builder.push(Skip { to }).unwrap();
            if errors {
                builder.push(Add { n: 4096 + n }).unwrap_err();
                builder.finish().map(drop).unwrap_err();
            }
        }
        builder.bind(to).unwrap();
        finished(&mut builder)
    };
    assert_eq!(build(true), build(false));
}

mod ways {
    opstitch::uops! {
        pub(crate) enum Op;
        op Add(d: reg, n: u12) { ; add XSP(d), XSP(d), n }
        op Load(n: i9) { ; ldur x0, [x1, n] }
        op Turn(n: u6 in 1..=63) { ; lsl x0, x0, n }
        op Mask(mask: logical64) { ; and x0, x0, mask }
        op Word(value: literal) { ; ldr w0, =>value }
        op Guard(s: reg, out: exit) { ; cbz X(s), =>out }
        op Skip(s: reg, to: label) { ; tbz X(s), 0, =>to }
        op Slow(s: reg, n: u12) {
            ; cbz X(s), >slow
            ; back:
        } cold {
            ; slow:
            ; add x0, x0, n
            ; b <back
        }
        op Return { ; ret }
    }
}

/// A micro-op is refused alike, as a struct and in its enum, when another of its kind was pushed before and when it
/// is the first.
#[test]
fn what_a_struct_is_refused_for_its_enum_is_too() {
    use ways::{Add, Guard, Load, Mask, Op, Return, Skip, Slow, Turn, Word};

    fn check<M: MicroOp + Copy>(options: Options, good: M, bad: impl IntoIterator<Item = M>)
    where
        Op: From<M>,
    {
        for bad in bad {
            for first in [false, true] {
                let build = |push: &dyn Fn(&mut TraceBuilder) -> Result<(), Error>| {
                    let mut builder = TraceBuilder::with_options(options);
                    if !first {
                        builder.push(Op::from(good)).unwrap();
                        builder.push(Op::from(good)).unwrap();
                    }
                    let error = push(&mut builder).unwrap_err();
                    builder.push(Return {}).unwrap();
                    let trace = builder.finish().unwrap();
                    (error, trace.link(0x1_0000).unwrap().bytes().to_vec())
                };
                let as_struct = build(&|builder| builder.push(bad));
                assert_eq!(as_struct, build(&|builder| builder.push(Op::from(bad))));
            }
        }
    }

    for fall_through in [FallThrough::Nop, FallThrough::Elide] {
        let options = Options::new().fall_through(fall_through);
        let (d, n) = (Reg(0), 1);
        let registers = [18, 31, 32, 255].map(Reg);
        check(options, Add { d, n }, registers.map(|d| Add { d, n }));
        let numbers = [4096, 1 << 32, u64::MAX];
        check(options, Add { d, n }, numbers.map(|n| Add { d, n }));
        check(options, Slow { s: d, n }, numbers.map(|n| Slow { s: d, n }));
        check(options, Slow { s: d, n }, registers.map(|s| Slow { s, n }));
        check(
            options,
            Load { n: 255 },
            [256, -257, i64::MIN].map(|n| Load { n }),
        );
        check(options, Turn { n: 63 }, [0, 64].map(|n| Turn { n }));
        check(
            options,
            Mask { mask: 1 },
            [0, 5, u64::MAX].map(|mask| Mask { mask }),
        );
        check(
            options,
            Word { value: 1 },
            [1 << 32].map(|value| Word { value }),
        );
    }
    // Handles of another builder, and of the same one before it was cleared.
    let mut other = TraceBuilder::new();
    let (out, to) = (other.declare_exit(), other.label());
    for mut builder in [TraceBuilder::new(), other] {
        builder.clear();
        let (exit, label, s) = (builder.exit([Return {}]).unwrap(), builder.label(), Reg(0));
        for _ in 0..2 {
            builder.push(Op::from(Guard { s, out: exit })).unwrap();
            builder.push(Op::from(Skip { s, to: label })).unwrap();
        }
        let (guard, skip) = (Guard { s, out }, Skip { s, to });
        let refused = [
            builder.push(guard),
            builder.push(Op::from(guard)),
            builder.push(skip),
            builder.push(Op::from(skip)),
        ];
        let what = |error: Result<(), Error>| match error {
            Err(Error::Foreign { op, what, .. }) => (op, what),
            other => panic!("{other:?}"),
        };
        let expected = [
            ("Guard", "exit"),
            ("Guard", "exit"),
            ("Skip", "label"),
            ("Skip", "label"),
        ];
        assert_eq!(refused.map(what), expected);
        let s = Reg(18);
        let bad = Op::from(Guard { s, out: exit });
        let error = builder.push(bad).unwrap_err();
        assert_eq!(builder.push(Guard { s, out: exit }), Err(error));
    }
}
