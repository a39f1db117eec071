//! Pushes every micro-op of a set twice: all operands at their lowest, then all at their highest.

use opstitch::inspect::Symbols;
use opstitch::{
    FallThrough, MicroOp, MicroOpInfo, MicroOpSet, OperandKind, Options, Properties, TraceBuilder,
};

use super::common::assert_listing;

#[derive(Clone, Copy)]
enum End {
    Lowest,
    Highest,
}

/// A micro-op by its number, with operands that are all at one end.
struct Extreme {
    set: &'static MicroOpSet,
    index: usize,
    values: Vec<u64>,
}

impl MicroOp for Extreme {
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

/// The values of a micro-op's operands. Masks and floating-point numbers are taken in the order of
/// what they stand for.
fn values(op: MicroOpInfo, end: End) -> Vec<u64> {
    let value = |operand: opstitch::OperandInfo| {
        let (low, high) = match operand.kind() {
            OperandKind::Logical32 => (1, 0xffff_fffe),
            OperandKind::Logical64 => (1, 0xffff_ffff_ffff_fffe),
            OperandKind::Fp8 => ((-31.0f64).to_bits(), 31.0f64.to_bits()),
            OperandKind::Call | OperandKind::Exit | OperandKind::Label => {
                panic!("{} is made by a builder", operand.name())
            }
            _ => {
                let (low, high) = operand.range().expect("it is a number");
                (low as u64, high as u64)
            }
        };
        match end {
            End::Lowest => low,
            End::Highest => high,
        }
    };
    op.operands().map(value).collect()
}

/// Compares all micro-ops of the set that go on with the snapshot of that name, without the slots
/// between them. The one that does not go on ends the trace.
pub(crate) fn assert_extremes(name: &str, set: &'static MicroOpSet) {
    let options = Options::new().fall_through(FallThrough::Elide);
    let mut builder = TraceBuilder::with_options(options);
    let (mut last, mut count) = (None, 0);
    for (index, op) in set.iter().enumerate() {
        if !op.properties().contains(Properties::FALLS_THROUGH) {
            last = Some(index);
            continue;
        }
        for end in [End::Lowest, End::Highest] {
            let values = values(op, end);
            let pushed = builder.push(Extreme { set, index, values });
            pushed.unwrap_or_else(|error| panic!("{error}"));
            count += 1;
        }
    }
    let values = Vec::new();
    let index = last.expect("a micro-op that ends the trace");
    builder.push(Extreme { set, index, values }).unwrap();
    let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
    assert_eq!(count, 2 * (set.len() - 1), "each once at each end");
    assert_listing(name, &linked, &Symbols::new());
}
