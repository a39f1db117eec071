//! Mixes of micro-ops. Each is written once: [`mix!`](self) gives the same body to `uops!` and to `dynasm!`.

pub mod ebpf;
pub mod straight;
pub mod typical;

use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynamicLabel, DynasmLabelApi};

use crate::script::Step;

/// What a micro-op refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A function.
    Call,
    /// A side exit.
    Exit,
    /// A place in the trace.
    Label,
}

/// What a script has to know of a micro-op.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How often it comes up.
    pub weight: usize,
    /// The highest value of each number or register.
    pub values: &'static [u32],
    /// What it refers to.
    pub target: Option<Target>,
    /// Whether it does not go on to the next one.
    pub closes: bool,
}

/// The opstitch handles of what scripts refer to, by number.
#[derive(Debug, Default)]
pub struct Handles {
    /// Functions.
    pub functions: Vec<opstitch::Target>,
    /// Side exits.
    pub exits: Vec<opstitch::Exit>,
    /// Places in the trace.
    pub labels: Vec<opstitch::Label>,
}

/// The dynasm-rs labels of what scripts refer to, by number.
#[derive(Debug, Default)]
pub struct DynamicLabels {
    /// The trampolines of functions.
    pub functions: Vec<DynamicLabel>,
    /// The code of side exits.
    pub exits: Vec<DynamicLabel>,
    /// Places in the trace.
    pub labels: Vec<DynamicLabel>,
}

/// A set of micro-ops, and how often each comes up.
pub trait Mix {
    /// As it is printed.
    const NAME: &'static str;
    /// By kind.
    const SHAPES: &'static [Shape];
    /// The kind that ends a trace.
    const RETURN: u8;
    /// The length of the longest micro-op with its continuation slot, in instructions.
    const MOST_WORDS: usize;
    /// The micro-ops as opstitch knows them.
    type Op: opstitch::MicroOp + Copy;

    /// The micro-op of a step.
    fn op(step: &Step, handles: &Handles) -> Self::Op;

    /// The micro-op that exits consist of.
    fn leave(value: u32) -> Self::Op;

    /// Assembles the micro-op of a step, without its continuation slot.
    fn assemble<A>(assembler: &mut A, step: &Step, labels: &DynamicLabels)
    where
        A: DynasmLabelApi<Relocation = Aarch64Relocation>;
}

/// The kinds of operands: the highest value, and what an operand of a step is for opstitch and for dynasm-rs.
macro_rules! operand {
    (most u12) => {
        4095
    };
    (most u16) => {
        65535
    };
    (most u32) => {
        u32::MAX
    };
    (most reg) => {
        10
    };
    (op reg, $values:ident, $step:ident, $handles:ident) => {
        opstitch::Reg($values.next().unwrap_or(0) as u8)
    };
    (op call, $values:ident, $step:ident, $handles:ident) => {
        $handles.functions[usize::from($step.target)]
    };
    (op exit, $values:ident, $step:ident, $handles:ident) => {
        $handles.exits[usize::from($step.target)]
    };
    (op label, $values:ident, $step:ident, $handles:ident) => {
        $handles.labels[usize::from($step.target)]
    };
    (op $number:ident, $values:ident, $step:ident, $handles:ident) => {
        u64::from($values.next().unwrap_or(0))
    };
    (dynasm reg, $values:ident, $step:ident, $labels:ident) => {
        $values.next().unwrap_or(0) as u8
    };
    (dynasm call, $values:ident, $step:ident, $labels:ident) => {
        $labels.functions[usize::from($step.target)]
    };
    (dynasm exit, $values:ident, $step:ident, $labels:ident) => {
        $labels.exits[usize::from($step.target)]
    };
    (dynasm label, $values:ident, $step:ident, $labels:ident) => {
        $labels.labels[usize::from($step.target)]
    };
    (dynasm $number:ident, $values:ident, $step:ident, $labels:ident) => {
        $values.next().unwrap_or(0)
    };
}
pub(crate) use operand;

/// Makes a [`Mix`] of micro-ops: `WEIGHT Name(numbers and registers; target) { body }`. Those in `closing` do not go on.
macro_rules! mix {
    (
        mix $mix:ident $text:literal, at most $most:literal words;
        $($weight:literal $name:ident($($value:ident: $value_kind:ident),*; $($to:ident: $to_kind:ident)?) { $($body:tt)* })*
        closing {
            $($jump_weight:literal $jump:ident($($jump_to:ident: $jump_kind:ident)?) { $($jump_body:tt)* })*
        }
    ) => {
        opstitch::uops! {
            /// The micro-ops of the mix.
            pub enum Op;
            $(op $name($($value: $value_kind,)* $($to: $to_kind)?) { $($body)* })*
            $(op $jump($($jump_to: $jump_kind)?) { $($jump_body)* })*
            op Return { ; ret }
            op Leave(value: u16) { ; movz x0, value ; ret }
        }

        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Kind { $($name,)* $($jump,)* Return }

        const KINDS: &[Kind] = &[$(Kind::$name,)* $(Kind::$jump,)* Kind::Return];

        /// The mix.
        #[derive(Debug)]
        pub struct $mix;

        impl $crate::mix::Mix for $mix {
            const NAME: &'static str = $text;
            const RETURN: u8 = Kind::Return as u8;
            const MOST_WORDS: usize = $most;
            const SHAPES: &'static [$crate::mix::Shape] = &[
                $($crate::mix::Shape {
                    weight: $weight,
                    values: &[$($crate::mix::operand!(most $value_kind)),*],
                    target: $crate::mix::target!($($to_kind)?),
                    closes: false,
                },)*
                $($crate::mix::Shape {
                    weight: $jump_weight,
                    values: &[],
                    target: $crate::mix::target!($($jump_kind)?),
                    closes: true,
                },)*
                $crate::mix::Shape { weight: 0, values: &[], target: None, closes: true },
            ];
            type Op = Op;

            #[allow(unused_mut, unused_variables)]
            fn op(step: &$crate::Step, handles: &$crate::mix::Handles) -> Op {
                let mut values = step.values.into_iter();
                match KINDS[usize::from(step.kind)] {
                    $(Kind::$name => $name {
                        $($value: $crate::mix::operand!(op $value_kind, values, step, handles),)*
                        $($to: $crate::mix::operand!(op $to_kind, values, step, handles),)?
                    }.into(),)*
                    $(Kind::$jump => $jump {
                        $($jump_to: $crate::mix::operand!(op $jump_kind, values, step, handles),)?
                    }.into(),)*
                    Kind::Return => Return.into(),
                }
            }

            fn leave(value: u32) -> Op {
                Leave { value: value.into() }.into()
            }

            #[allow(unused_mut, unused_variables, clippy::useless_conversion)]
            fn assemble<A>(assembler: &mut A, step: &$crate::Step, labels: &$crate::mix::DynamicLabels)
            where
                A: dynasmrt::DynasmLabelApi<Relocation = dynasmrt::aarch64::Aarch64Relocation>,
            {
                let mut values = step.values.into_iter();
                match KINDS[usize::from(step.kind)] {
                    $(Kind::$name => {
                        $(let $value = $crate::mix::operand!(dynasm $value_kind, values, step, labels);)*
                        $(let $to = $crate::mix::operand!(dynasm $to_kind, values, step, labels);)?
                        dynasm::dynasm!(assembler ; .arch aarch64 $($body)*);
                    })*
                    $(Kind::$jump => {
                        $(let $jump_to = $crate::mix::operand!(dynasm $jump_kind, values, step, labels);)?
                        dynasm::dynasm!(assembler ; .arch aarch64 $($jump_body)*);
                    })*
                    Kind::Return => dynasm::dynasm!(assembler ; .arch aarch64 ; ret),
                }
            }
        }
    };
}
pub(crate) use mix;

macro_rules! target {
    () => {
        None
    };
    (call) => {
        Some($crate::mix::Target::Call)
    };
    (exit) => {
        Some($crate::mix::Target::Exit)
    };
    (label) => {
        Some($crate::mix::Target::Label)
    };
}
pub(crate) use target;
