//! A trace that has every micro-op of a set: with its numbers at their lowest and, if it has any, once
//! more with them at their highest.

use std::collections::HashMap;

use opstitch::__private::OperandValue;
use opstitch::inspect::Symbols;
use opstitch::{
    FallThrough, LinkedTrace, MicroOp, MicroOpInfo, MicroOpSet, OperandInfo, OperandKind, Options,
    Target, TraceBuilder,
};

use super::{assert_snapshot, cpython_loop, quickstart};

/// Which end of their ranges the numbers are at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Lowest,
    Highest,
}

/// A micro-op with operands that are given as the builder has them.
#[derive(Clone)]
struct Raw {
    op: MicroOpInfo,
    index: usize,
    set: &'static MicroOpSet,
    values: Vec<u64>,
}

impl MicroOp for Raw {
    type Operands = Vec<u64>;

    fn set(&self) -> &'static MicroOpSet {
        self.set
    }

    fn index(&self) -> usize {
        self.index
    }

    fn operands(&self) -> Vec<u64> {
        self.values.clone()
    }
}

/// A literal that no instruction can hold, so that it is loaded. (The lowest, 0, need not be.)
const HIGHEST_LITERAL: u64 = 0xfedc_ba98_7654_3210;

/// The value of a number at one end of its range.
pub(crate) fn number(op: MicroOpInfo, operand: &str, end: End) -> i128 {
    let operand = op.operands().find(|known| known.name() == operand);
    let (lowest, highest) = operand.and_then(|o| o.range()).expect("a number");
    match end {
        End::Lowest => lowest,
        End::Highest => highest,
    }
}

/// A linked trace, and where in its bytes each hot and each cold part starts.
pub(crate) struct All {
    pub(crate) linked: LinkedTrace,
    pub(crate) starts: HashMap<(usize, End, bool), usize>,
}

const LABEL: OperandKind = OperandKind::Label;
const EXIT: OperandKind = OperandKind::Exit;
const CALL: OperandKind = OperandKind::Call;

/// Where the function is that every call goes to.
const FUNCTION: u64 = 0x1_8000;

/// The trace.
pub(crate) fn all(set: &'static MicroOpSet) -> All {
    let options = Options::new().fall_through(FallThrough::Elide);
    let mut builder = TraceBuilder::with_options(options);
    let top = builder.bind_new().unwrap();
    let exit = builder.declare_exit();
    let mut pushed = Vec::new();
    for (index, op) in set.iter().enumerate() {
        let mut kinds = op.operands().map(|operand| operand.kind());
        let differ = kinds.any(|kind| !matches!(kind, LABEL | EXIT | CALL));
        for end in [End::Lowest, End::Highest] {
            let value = |operand: OperandInfo| match (operand.kind(), end) {
                (LABEL, _) => top.raw(),
                (EXIT, _) => exit.raw(),
                (CALL, _) => Target::new(FUNCTION).unwrap().raw(),
                (OperandKind::Literal, End::Highest) => HIGHEST_LITERAL,
                _ => number(op, operand.name(), end) as u64,
            };
            if end == End::Lowest || differ {
                let values = op.operands().map(value).collect();
                pushed.push((
                    Raw {
                        op,
                        index,
                        set,
                        values,
                    },
                    end,
                ));
            }
        }
    }
    for (raw, _) in &pushed {
        builder.push(raw).unwrap();
    }
    // The last micro-op of each example's set leaves.
    let (leave, _) = pushed.last().expect("a micro-op");
    builder.define_exit(exit, |code| code.push(leave)).unwrap();

    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    let mut starts = HashMap::new();
    for offset in (0..linked.bytes().len() as u32).step_by(4) {
        if let Some(op) = linked.op_at(offset)
            && let Some(number) = op.number()
        {
            let (raw, end) = &pushed[number];
            assert_eq!(op.name(), raw.op.name());
            starts.insert((raw.index, *end, op.is_cold_part()), op.offset() as usize);
        }
    }
    All { linked, starts }
}

fn assert_listing(name: &str, set: &'static MicroOpSet) {
    let symbols = Symbols::new().with("function", FUNCTION);
    assert_snapshot(name, &all(set).linked.listing(&symbols).to_string());
}

#[test]
fn quickstart_micro_ops() {
    assert_listing(
        "example_quickstart_micro_ops",
        quickstart::uop::Op::micro_ops(),
    );
}

#[test]
fn cpython_loop_micro_ops() {
    assert_listing(
        "example_cpython_loop_micro_ops",
        cpython_loop::uops::Op::micro_ops(),
    );
}
