//! Operands in whatever order they are declared: where a branch or a call leads may come first, in the middle or last, alone,
//! twice or not at all.

#[path = "common/alike.rs"]
mod alike;

use alike::Alike;
use opstitch::{Exit, Label, LinkedTrace, MicroOp, Reg, Target, TraceBuilder};

opstitch::uops! {
    /// Mostly alike, so that they are pushed by their rows.
    pub(crate) enum Op;

    op First(to: label, a: u12, b: u16) { ; add x0, x0, a ; movz x1, b ; b.eq =>to }
    op Middle(a: u12, out: exit, b: u16) { ; add x0, x0, a ; b.ne =>out ; movz x1, b }
    op Last(a: u12, b: u16, function: call) { ; movz x1, b ; add x0, x0, a ; bl =>function }
    op Signed(out: exit, s: i9, b: u16) { ; ldur x2, [x3, s] ; movz x1, b ; cbz x2, =>out }
    op Near(bit: u6, to: label, a: u12) { ; add x0, x0, a ; tbz x4, bit, =>to }
    op Twice(to: label, out: exit, a: u12) { ; cbz x5, =>to ; add x0, x0, a ; cbnz x5, =>out }
    op Nothing(a: u12, b: u16, c: u12) { ; add x0, x0, a ; movz x1, b ; add x0, x0, c }
    op Register(to: label, r: reg) { ; cbnz X(r), =>to ; mov X(r), x7 }
    op Only(to: label) { ; cbnz x6, =>to }
    op Pair(function: call, a: u12) { ; sub x0, x0, a ; bl =>function }
    op Behind(a: u12, b: u16, to: label) { ; movz x1, b ; add x0, x0, a ; b.lo =>to }
    op Out(a: u12, b: u16, out: exit) { ; movz x1, b ; b.hs =>out ; add x0, x0, a }
    op Before(function: call, a: u12, b: u16) { ; add x0, x0, a ; movz x1, b ; bl =>function }
    op Between(a: u12, function: call, b: u16) { ; bl =>function ; add x0, x0, a ; movz x1, b }
    op Away(a: u12, out: exit, b: u16) { ; movz x1, b ; add x0, x0, a ; b =>out }
    op Zero { ; nop }
    op Leave(id: u16, a: u12, b: u12) { ; movz x0, id ; add x0, x0, a ; sub x0, x0, b ; ret }
}

const ADDRESS: u64 = 0x1_0000_0000;

/// Micro-ops of all kinds, with operands up to their extremes.
fn ops(to: Label, out: Exit, function: Target) -> Vec<Op> {
    let mut ops = Vec::new();
    for (a, b, c, bit, s, r) in [
        (1, 2, 3, 5, 7, 9),
        (0xfff, 0xffff, 0xfff, 63, -256, 30),
        (0, 0xffff, 0, 32, 255, 0),
        (0xfff, 0, 1, 0, -1, 17),
    ] {
        let r = Reg(r);
        ops.extend([
            Op::from(First { to, a, b }),
            Middle { a, out, b }.into(),
            Last { a, b, function }.into(),
            Signed { out, s, b }.into(),
            Near { bit, to, a }.into(),
            Twice { to, out, a }.into(),
            Nothing { a, b, c }.into(),
            Register { to, r }.into(),
            Only { to }.into(),
            Pair { function, a }.into(),
            Behind { a, b, to }.into(),
            Out { a, b, out }.into(),
            Before { function, a, b }.into(),
            Between { a, function, b }.into(),
            Away { a, out, b }.into(),
            Zero.into(),
        ]);
    }
    ops
}

/// A trace of these micro-ops twice: before the second time their rows have been made.
fn build(push: impl Fn(&mut TraceBuilder, Vec<Op>)) -> LinkedTrace {
    let mut builder = TraceBuilder::new();
    let leave = Leave { id: 7, a: 8, b: 9 };
    let out = builder.exit([Op::from(leave)]).unwrap();
    let to = builder.bind_new().unwrap();
    let function = Target::new(ADDRESS + (1 << 40)).unwrap();
    let ops = ops(to, out, function);
    push(&mut builder, ops.clone());
    push(&mut builder, ops);
    builder.push(leave).unwrap();
    builder.finish().unwrap().link(ADDRESS).unwrap()
}

#[test]
fn where_it_leads_comes_last_if_there_is_one_such_operand() {
    const { assert!(!Op::IS_KNOWN) };
    let mut builder = TraceBuilder::new();
    let (to, out) = (builder.label(), builder.declare_exit());
    let function = Target::new(ADDRESS).unwrap();
    for op in ops(to, out, function) {
        assert_eq!(op.arranged(), Alike(op).arranged(), "{op}");
        let operands = op.operands();
        let [x, y, z] = operands;
        let arranged = match op {
            Op::First(_) | Op::Signed(_) | Op::Before(_) => [y, z, x],
            Op::Register(_) | Op::Only(_) | Op::Pair(_) => [y, z, x],
            Op::Middle(_) | Op::Near(_) | Op::Between(_) | Op::Away(_) => [x, z, y],
            _ => operands,
        };
        assert_eq!(op.arranged(), arranged, "{op}");
    }
}

#[test]
fn micro_ops_are_the_same_however_they_are_pushed() {
    let one_by_one = build(|builder, ops| {
        for op in ops {
            // As the structs that they are made of.
            match op {
                Op::First(op) => builder.push(op),
                Op::Middle(op) => builder.push(op),
                Op::Last(op) => builder.push(op),
                Op::Signed(op) => builder.push(op),
                Op::Near(op) => builder.push(op),
                Op::Twice(op) => builder.push(op),
                Op::Nothing(op) => builder.push(op),
                Op::Register(op) => builder.push(op),
                Op::Only(op) => builder.push(op),
                Op::Pair(op) => builder.push(op),
                Op::Behind(op) => builder.push(op),
                Op::Out(op) => builder.push(op),
                Op::Before(op) => builder.push(op),
                Op::Between(op) => builder.push(op),
                Op::Away(op) => builder.push(op),
                Op::Zero(op) => builder.push(op),
                Op::Leave(op) => builder.push(op),
            }
            .unwrap();
        }
    });
    let at_once = build(|builder, ops| builder.push_all(ops).unwrap());
    let of_enum = build(|builder, ops| {
        ops.into_iter().for_each(|op| builder.push(op).unwrap());
    });
    let alike = build(|builder, ops| builder.push_all(ops.into_iter().map(Alike)).unwrap());
    for other in [at_once, of_enum, alike] {
        assert_eq!(one_by_one.bytes(), other.bytes());
        for offset in (0..one_by_one.bytes().len() as u32).step_by(4) {
            let (expected, found) = (one_by_one.op_at(offset), other.op_at(offset));
            assert_eq!(format!("{expected:?}"), format!("{found:?}"));
        }
    }
}

opstitch::uops! {
    /// Some of whose ranges begin below zero.
    pub(crate) enum Around;

    op Load(at: i9) { ; ldur x2, [x3, at] }
    op Store(at: i9) { ; stur x2, [x3, at] }
    op Plus(a: u12) { ; add x0, x0, a }
    op Back { ; ret }
}

opstitch::uops! {
    /// All of whose ranges begin at zero.
    pub(crate) enum Above;

    op Get(slot: u12) { ; ldr x2, [x3, slot * 8] }
    op Put(slot: u12) { ; str x2, [x3, slot * 8] }
    op Half(value: u16) { ; movz x0, value }
    op Done { ; ret }
}

/// Pushes a micro-op in every way, behind two usual ones, so that its row has been made. What is said of it must be the same.
fn pushes<M: MicroOp + Copy + Into<E>, E: MicroOp + Copy>(op: M, usual: M) {
    let error = |push: &dyn Fn(&mut TraceBuilder) -> Result<(), opstitch::Error>| {
        let mut builder = TraceBuilder::new();
        builder.push_all([usual.into(), usual.into()]).unwrap();
        let pushed = push(&mut builder);
        assert_eq!(builder.len(), if pushed.is_ok() { 3 } else { 2 });
        pushed.map_err(|error| error.to_string())
    };
    let expected = error(&|builder| builder.push(op));
    assert_eq!(expected, error(&|builder| builder.push_all([op.into()])));
    assert_eq!(expected, error(&|builder| builder.push(op.into())));
    let alike = |builder: &mut TraceBuilder| builder.push_all([Alike(op.into())]);
    assert_eq!(expected, error(&alike));
}

#[test]
fn what_is_out_of_range_is_refused_however_it_is_pushed() {
    const { assert!(!Around::IS_KNOWN && !Around::FROM_ZERO) };
    const { assert!(!Above::IS_KNOWN && Above::FROM_ZERO) };
    for at in [
        i64::MIN,
        -4096,
        -257,
        -256,
        -1,
        0,
        255,
        256,
        511,
        512,
        i64::MAX,
    ] {
        pushes::<_, Around>(Load { at }, Load { at: 0 });
        pushes::<_, Around>(Store { at }, Store { at: 0 });
    }
    for a in [0, 4095, 4096, 1 << 32, 1 << 63, u64::MAX] {
        pushes::<_, Around>(Plus { a }, Plus { a: 0 });
        pushes::<_, Above>(Get { slot: a }, Get { slot: 0 });
        pushes::<_, Above>(Put { slot: a }, Put { slot: 0 });
    }
    for value in [0, 65_535, 65_536, u64::MAX] {
        pushes::<_, Above>(Half { value }, Half { value: 0 });
    }
}
