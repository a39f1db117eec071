//! Sweeps micro-ops over the values of their operands.

use std::fmt::Display;

use opstitch::{FallThrough, MicroOp, OperandKind, Options, TraceBuilder};

use crate::llvm_mc::LlvmMc;

/// What is compared: micro-ops in one trace, and the expected text of each of their instructions.
pub(crate) struct Sweep {
    pub(crate) builder: TraceBuilder,
    /// The expected text, and the micro-op it belongs to.
    lines: Vec<(String, String)>,
    random: u64,
}

impl Sweep {
    pub(crate) fn new() -> Sweep {
        let options = Options::new().fall_through(FallThrough::Elide);
        Sweep {
            builder: TraceBuilder::with_options(options),
            lines: Vec::new(),
            random: 1,
        }
    }

    pub(crate) fn add(&mut self, op: impl MicroOp + Display, text: &str) {
        self.builder.push(&op).unwrap();
        for line in text.split("; ") {
            self.lines.push((line.to_owned(), op.to_string()));
        }
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        self.random ^ self.random >> 29
    }

    /// All values, if they are few, else those at both ends and around powers of two, and random ones.
    fn values(&mut self, (min, max): (i128, i128)) -> Vec<i128> {
        if max - min < 4096 {
            return (min..=max).collect();
        }
        let mut values = Vec::new();
        for bit in 0..64 {
            values.extend([
                min + (1 << bit) - 1,
                min + (1 << bit),
                max - (1 << bit),
                (1 << bit) - 1,
            ]);
        }
        values.extend((0..512).map(|_| min + i128::from(self.random()) % (max - min + 1)));
        values.extend([min, max]);
        values.retain(|value| (min..=max).contains(value));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The values to try for an operand, by its declaration.
    fn values_of(&mut self, op: &impl MicroOp, operand: usize) -> Vec<i128> {
        let info = op.set().get(op.index()).unwrap();
        let operand = info.operands().nth(operand).unwrap();
        match operand.kind() {
            OperandKind::Reg => (0..=30).filter(|&number| number != 18).collect(),
            _ => self.values(operand.range().unwrap()),
        }
    }

    /// Sweeps a micro-op with one operand.
    pub(crate) fn one<M: MicroOp + Display>(
        &mut self,
        op: impl Fn(i128) -> M,
        text: impl Fn(i128) -> String,
    ) {
        let values = self.values_of(&op(0), 0);
        for value in values {
            self.add(op(value), &text(value));
        }
    }

    /// Sweeps a micro-op with several operands: each one alone, with the others at random, then all
    /// at random.
    pub(crate) fn many<M: MicroOp + Display>(
        &mut self,
        count: usize,
        op: impl Fn(&[i128]) -> M,
        text: impl Fn(&[i128]) -> String,
    ) {
        let zero = op(&vec![0; count]);
        let all: Vec<_> = (0..count).map(|i| self.values_of(&zero, i)).collect();
        let choose = |sweep: &mut Sweep, fixed: Option<(usize, i128)>| {
            let values: Vec<i128> = all
                .iter()
                .enumerate()
                .map(|(index, values)| match fixed {
                    Some((at, value)) if at == index => value,
                    _ => values[sweep.random() as usize % values.len()],
                })
                .collect();
            sweep.add(op(&values), &text(&values));
        };
        for (index, values) in all.iter().enumerate() {
            // Every 61st value of long ranges: it is coprime to all that is regular in them.
            let step = if values.len() > 256 { 61 } else { 1 };
            let ends = values.iter().rev().take(1);
            for &value in values.iter().step_by(step).chain(ends) {
                choose(self, Some((index, value)));
            }
        }
        for _ in 0..64 {
            choose(self, None);
        }
    }

    /// Compares everything.
    pub(crate) fn check(mut self) {
        let Some(llvm_mc) = LlvmMc::find() else {
            return;
        };
        self.builder.push(crate::numbers::Udf { n: 0 }).unwrap();
        let linked = self.builder.finish().unwrap().link(0).unwrap();
        // The first word is the entry's NOP, the last one the `udf`.
        let (words, _) = linked.bytes().as_chunks::<4>();
        let words = &words[1..words.len() - 1];
        assert_eq!(words.len(), self.lines.len(), "not one word per line");
        let texts: Vec<&str> = self.lines.iter().map(|(text, _)| text.as_str()).collect();
        let expected = llvm_mc.assemble(&texts);
        let mut wrong = Vec::new();
        for ((word, expected), (text, op)) in words.iter().zip(expected).zip(&self.lines) {
            let word = u32::from_le_bytes(*word);
            if word != expected {
                wrong.push(format!("{op}: {word:08x}, expected {expected:08x}: {text}"));
            }
        }
        let first: Vec<_> = wrong.iter().take(40).cloned().collect();
        assert!(
            wrong.is_empty(),
            "{} differ:\n{}",
            wrong.len(),
            first.join("\n")
        );
        println!("{} instructions compared", words.len());
    }
}

/// Sweeps micro-ops with the one operand `n`: the micro-op, and the text for a value.
macro_rules! sweep {
    ($sweep:ident: $($op:ident, |$n:ident| $($format:expr),+;)*) => {$(
        $sweep.one(
            |value| $op { n: value as _ },
            |$n| format!($($format),+),
        );
    )*};
}

/// Sweeps micro-ops with several operands, numbers and registers.
macro_rules! sweep_many {
    ($sweep:ident: $($op:ident($($field:ident $(: $wrap:ident)?),+) $($format:expr),+;)*) => {$({
        const FIELDS: &[&str] = &[$(stringify!($field)),+];
        $sweep.many(
            FIELDS.len(),
            |values| {
                let mut values = values.iter().copied();
                $op { $($field: sweep_many!(@ values.next().unwrap() $(, $wrap)?)),+ }
            },
            |values| {
                let mut values = values.iter().copied();
                $(let $field = values.next().unwrap();)+
                $(let _ = $field;)+
                format!($($format),+)
            },
        );
    })*};
    (@ $value:expr) => { $value as _ };
    (@ $value:expr, $wrap:ident) => { $wrap($value as u8) };
}

pub(crate) use {sweep, sweep_many};
