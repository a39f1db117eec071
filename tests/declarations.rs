//! What is found in a declaration: how a micro-op ends where its last word may be anything, and names that nothing in
//! the expansion may stand in the way of.

use opstitch::{Error, MicroOpInfo, Properties, TraceBuilder};

/// Micro-ops whose words are their operands'.
mod words {
    /// The upper half of `ret`.
    const RETURN: u16 = 0xd65f;

    opstitch::uops! {
        pub(crate) enum Op;

        const HIGH: u16 = RETURN;

        /// Zero is `udf`, and most other values are something that goes on.
        op Any(w: u32) { ; .u32 w }
        /// A `ret`, whatever the operand.
        op Return(to: reg) { ; .u32 0xd65f_0000 | to << 5 }
        /// A `ret` that a constant makes; without it, it would be `udf`.
        op ByConstant(to: u5) { ; .u32 HIGH << 16 | to << 5 }
        /// `br`, `blr`, `ret` and `eret`.
        op Kind(kind: u2) { ; .u32 0xd61f_03c0 | kind << 21 }
        /// `ret`, and with both bits changed `blr`: each alone still leaves.
        op Bits(a: u1, b: u1) { ; .u32 0xd65f_03c0 ^ a << 21 ^ b << 22 }
        /// A call and nothing else.
        op Call(to: reg) { ; .u32 0xd63f_0000 | to << 5 }
        /// Not at the end.
        op Middle(w: u32) { ; .u32 w ; ret }
    }
}

fn properties(name: &str) -> Properties {
    let all = words::Op::micro_ops();
    let found = all.iter().find(|op: &MicroOpInfo| op.name() == name);
    found.expect("a micro-op").properties()
}

#[test]
fn a_word_that_may_be_anything_goes_on() {
    let goes_on = Properties::FALLS_THROUGH;
    let calls = goes_on | Properties::CALLS;
    let ends = Properties::ENDS_TRACE;
    assert_eq!(properties("Any"), goes_on);
    assert_eq!(properties("Return"), ends);
    assert_eq!(properties("ByConstant"), ends);
    assert_eq!(properties("Kind"), calls);
    assert_eq!(properties("Bits"), calls);
    assert_eq!(properties("Call"), calls);
    assert_eq!(properties("Middle"), ends);
}

#[test]
fn a_trace_does_not_end_in_a_word_that_may_be_anything() {
    let mut builder = TraceBuilder::new();
    let any = words::Any { w: 0xd503_201f };
    let exit = builder.exit([any]).unwrap_err();
    assert_eq!(exit, Error::ExitFallsOffEnd { exit: 0, op: "Any" });
    builder.push(any).unwrap();
    let end = builder.finish().map(drop).unwrap_err();
    assert_eq!(end, Error::FallsOffEnd { op: "Any" });
    let top = builder.bind_new().unwrap();
    builder.push(any).unwrap();
    builder.jump(top).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    let words = [0xd503_201f_u32; 4].into_iter().chain([0x17ff_ffff]);
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    assert_eq!(linked.bytes(), bytes);
}

/// Names that the expansion could use itself. That this compiles is the test; that it runs shows that nothing was mixed up.
#[allow(non_camel_case_types)]
mod taken {
    opstitch::uops! {
        pub(crate) enum V;

        op Variant(n: u4) { ; add x0, x0, n }
        op M(n: u4) { ; add x1, x1, n }
        op p(n: u4) { ; add x2, x2, n }
        op op { ; add x3, x3, 1 }
        op f { ; add x4, x4, 1 }
        op visitor { ; add x5, x5, 1 }
        op recorder { ; add x6, x6, 1 }
        op probes { ; add x7, x7, 1 }
        op SET { ; add x8, x8, 1 }
        op DATA { ; add x9, x9, 1 }
        op BODY { ; add x10, x10, 1 }
        op Visitor { ; add x11, x11, 1 }
        op MicroOp { ; add x12, x12, 1 }
        op Operands { ; ret }
    }

    pub(crate) mod variant {
        opstitch::uops! {
            pub(crate) enum Variant;
            op Return { ; ret }
        }
    }

    pub(crate) mod m {
        opstitch::uops! {
            pub(crate) enum M;
            op Return { ; ret }
        }
    }
}

#[test]
fn names_of_the_expansion_are_free() {
    use taken::{self as t, V};
    let ops = [
        V::from(t::Variant { n: 1 }),
        t::M { n: 1 }.into(),
        t::p { n: 1 }.into(),
        t::op.into(),
        t::f.into(),
        t::visitor.into(),
        t::recorder.into(),
        t::probes.into(),
        t::SET.into(),
        t::DATA.into(),
        t::BODY.into(),
        t::Visitor.into(),
        t::MicroOp.into(),
        t::Operands.into(),
    ];
    let mut builder = TraceBuilder::new();
    for op in ops {
        builder.push(op).unwrap();
    }
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    for (register, at) in (0..13).zip((4..).step_by(8)) {
        let add: u32 = 0x9100_0400 | register << 5 | register;
        assert_eq!(linked.bytes()[at..at + 4], add.to_le_bytes());
    }
    for only in [
        taken::variant::Variant::from(taken::variant::Return).to_string(),
        taken::m::M::from(taken::m::Return).to_string(),
    ] {
        assert_eq!(only, "Return");
    }
}

/// As many references as a micro-op may have.
mod many {
    /// The first instruction as many times as the numbers behind it multiply to.
    macro_rules! times {
        ([$($body:tt)*]) => {
            opstitch::uops! {
                pub(crate) enum Op;

                op Guards(out: exit) { $($body)* }
                op Leave { ; ret }
            }
        };
        ([$($body:tt)*] 2 $($more:tt)*) => { times! { [$($body)* $($body)*] $($more)* } };
        ([$($body:tt)*] 5 $($more:tt)*) => {
            times! { [$($body)* $($body)* $($body)* $($body)* $($body)*] $($more)* }
        };
    }
    times! { [; cbz x0, =>out] 2 5 5 5 }
}

#[test]
fn a_micro_op_may_have_250_references() {
    let mut builder = TraceBuilder::new();
    let out = builder.exit([many::Leave]).unwrap();
    builder.push(many::Guards { out }).unwrap();
    builder.push(many::Leave).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    // The entry's NOP, 250 branches and the slot behind them, `ret`, and the exit's.
    assert_eq!(linked.bytes().len() / 4, 1 + 250 + 1 + 1 + 1);
}
