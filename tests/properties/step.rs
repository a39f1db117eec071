//! A micro-op as the generator, the builder, the model and the checks see it.

use opstitch::{Error, Exit, FallThrough, Label, MutLiteral, Reg, Target, TraceBuilder};

use crate::alike::Alike;
use crate::model::{Flow, State, function};
use crate::ops::alpha::{self, Alpha};
use crate::ops::beta::{self, Beta};

/// A register of the model, from 0: x20 and up.
pub(crate) type R = u8;
/// A label, an exit, a target, a cell (a changeable literal): their numbers in the program.
pub(crate) type L = usize;
pub(crate) type E = usize;
pub(crate) type T = usize;
pub(crate) type C = usize;

/// A micro-op with the numbers of what it refers to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    Add {
        d: R,
        n: u64,
    },
    Mix {
        d: R,
        a: R,
        b: R,
    },
    Store {
        s: R,
        slot: u64,
    },
    Load {
        d: R,
        slot: u64,
    },
    Constant {
        d: R,
        value: u64,
    },
    Constants {
        d: R,
        one: u64,
        other: u64,
    },
    Leave {
        id: u64,
    },
    Spend {
        out: E,
    },
    GuardZero {
        s: R,
        out: E,
    },
    GuardBit {
        s: R,
        bit: u64,
        out: E,
    },
    GuardLess {
        a: R,
        b: R,
        out: E,
    },
    SkipZero {
        s: R,
        to: L,
    },
    SkipBit {
        s: R,
        bit: u64,
        to: L,
    },
    SkipLess {
        a: R,
        b: R,
        to: L,
    },
    Loop {
        top: L,
    },
    LoopLess {
        top: L,
    },
    LoopBit {
        top: L,
    },
    Go {
        to: L,
    },
    GoBy {
        s: R,
        to: L,
    },
    Fork {
        s: R,
        yes: L,
        no: L,
    },
    Call {
        function: T,
        d: R,
        a: R,
    },
    Nothing,
    Pad {
        d: R,
    },
    Word {
        d: R,
        value: u64,
    },
    Signed {
        d: R,
        value: u64,
    },
    Double {
        d: R,
        value: u64,
    },
    Cell {
        d: R,
        cell: C,
    },
    CellLate {
        d: R,
        cell: C,
    },
    TailCall {
        function: T,
        a: R,
    },
    Slow {
        d: R,
        n: u64,
    },
    SlowCall {
        function: T,
        d: R,
        value: u64,
    },
    SlowCell {
        d: R,
        cell: C,
    },
    SlowWays {
        d: R,
        out: E,
        to: L,
    },
    SlowLeave {
        s: R,
        id: u64,
    },
    Everything {
        d: R,
        value: u64,
        cell: C,
        out: E,
        to: L,
        function: T,
    },
    Long {
        d: R,
        out: E,
    },
}

/// A micro-op of either set, with the builder's handles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    Alpha(Alpha),
    Beta(Beta),
}

/// How micro-ops are pushed: the code that does it depends on what the compiler knows of them, what it lays out does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pushed {
    Enums,
    Structs,
    /// As structs and like `Alike`, in turn.
    Both,
    /// As enums, as many at once as there are without anything else in between.
    Together,
    /// As enums, like those of a block whose micro-ops are mostly alike.
    Alike,
    /// The same, as many at once as there are.
    AlikeTogether,
}

impl Pushed {
    pub(crate) fn is_together(self) -> bool {
        matches!(self, Pushed::Together | Pushed::AlikeTogether)
    }
}

impl Op {
    pub(crate) fn push(self, builder: &mut TraceBuilder, pushed: Pushed) -> Result<(), Error> {
        let as_struct = match pushed {
            Pushed::Enums | Pushed::Together => false,
            Pushed::Structs => true,
            Pushed::Both if builder.len().is_multiple_of(2) => true,
            Pushed::Both | Pushed::Alike | Pushed::AlikeTogether => {
                return match self {
                    Op::Alpha(op) => builder.push(Alike(op)),
                    Op::Beta(op) => builder.push(Alike(op)),
                };
            }
        };
        macro_rules! push {
            ($set:ident, $op:ident: $($name:ident)*) => {
                match $op {
                    op if !as_struct => builder.push(op),
                    $($set::$name(op) => builder.push(op),)*
                }
            };
        }
        match self {
            Op::Alpha(op) => push! {
                Alpha, op: Add Mix Store Load Constant Constants Leave
                Spend GuardZero GuardBit GuardLess SkipZero SkipBit SkipLess
                Loop LoopLess LoopBit Go GoBy Fork Call Nothing Pad
            },
            Op::Beta(op) => push! {
                Beta, op: Word Signed Double Cell CellLate TailCall
                Slow SlowCall SlowCell SlowWays SlowLeave Everything Long
            },
        }
    }
}

impl Op {
    /// Pushes micro-ops of the set that the first is of.
    pub(crate) fn push_all(
        ops: impl Iterator<Item = Op> + Clone,
        builder: &mut TraceBuilder,
        pushed: Pushed,
    ) -> Result<(), Error> {
        let alpha = ops.clone().filter_map(|op| match op {
            Op::Alpha(op) => Some(op),
            Op::Beta(_) => None,
        });
        let beta = ops.filter_map(|op| match op {
            Op::Alpha(_) => None,
            Op::Beta(op) => Some(op),
        });
        if pushed == Pushed::AlikeTogether {
            builder.push_all(alpha.map(Alike))?;
            return builder.push_all(beta.map(Alike));
        }
        builder.push_all(alpha)?;
        builder.push_all(beta)
    }
}

/// What the builder handed out for a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handles {
    pub(crate) labels: Vec<Label>,
    pub(crate) exits: Vec<Exit>,
    pub(crate) cells: Vec<MutLiteral>,
    pub(crate) targets: Vec<Target>,
}

/// What an instruction refers to, in the order of the instructions of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ref {
    Label(L),
    Exit(E),
    Call(T),
    /// A load into a register of 64 bits, zero- or sign-extended from 32, or a `d` register.
    X(u64),
    W(u64),
    Sw(u64),
    D(u64),
    Cell(C),
    /// A place in the same part, in words from its start.
    Here(u32),
    /// A place in the other part.
    Other(u32),
}

fn reg(r: R) -> Reg {
    Reg(20 + r)
}

impl Step {
    /// The micro-op with the handles in place.
    pub(crate) fn op(self, h: &Handles) -> Op {
        let (label, exit) = (|l: L| h.labels[l], |e: E| h.exits[e]);
        let (target, cell) = (|t: T| h.targets[t], |c: C| h.cells[c]);
        macro_rules! alpha {
            ($name:ident { $($field:ident: $value:expr),* }) => {
                Op::Alpha(alpha::$name { $($field: $value),* }.into())
            };
        }
        macro_rules! beta {
            ($name:ident { $($field:ident: $value:expr),* }) => {
                Op::Beta(beta::$name { $($field: $value),* }.into())
            };
        }
        match self {
            Step::Add { d, n } => alpha!(Add { d: reg(d), n: n }),
            Step::Mix { d, a, b } => alpha!(Mix {
                d: reg(d),
                a: reg(a),
                b: reg(b)
            }),
            Step::Store { s, slot } => alpha!(Store {
                s: reg(s),
                slot: slot
            }),
            Step::Load { d, slot } => alpha!(Load {
                d: reg(d),
                slot: slot
            }),
            Step::Constant { d, value } => alpha!(Constant {
                d: reg(d),
                value: value
            }),
            Step::Constants { d, one, other } => {
                alpha!(Constants {
                    d: reg(d),
                    one: one,
                    other: other
                })
            }
            Step::Leave { id } => alpha!(Leave { id: id }),
            Step::Spend { out } => alpha!(Spend { out: exit(out) }),
            Step::GuardZero { s, out } => alpha!(GuardZero {
                s: reg(s),
                out: exit(out)
            }),
            Step::GuardBit { s, bit, out } => {
                alpha!(GuardBit {
                    s: reg(s),
                    bit: bit,
                    out: exit(out)
                })
            }
            Step::GuardLess { a, b, out } => {
                alpha!(GuardLess {
                    a: reg(a),
                    b: reg(b),
                    out: exit(out)
                })
            }
            Step::SkipZero { s, to } => alpha!(SkipZero {
                s: reg(s),
                to: label(to)
            }),
            Step::SkipBit { s, bit, to } => {
                alpha!(SkipBit {
                    s: reg(s),
                    bit: bit,
                    to: label(to)
                })
            }
            Step::SkipLess { a, b, to } => {
                alpha!(SkipLess {
                    a: reg(a),
                    b: reg(b),
                    to: label(to)
                })
            }
            Step::Loop { top } => alpha!(Loop { top: label(top) }),
            Step::LoopLess { top } => alpha!(LoopLess { top: label(top) }),
            Step::LoopBit { top } => alpha!(LoopBit { top: label(top) }),
            Step::Go { to } => alpha!(Go { to: label(to) }),
            Step::GoBy { s, to } => alpha!(GoBy {
                s: reg(s),
                to: label(to)
            }),
            Step::Fork { s, yes, no } => {
                alpha!(Fork {
                    s: reg(s),
                    yes: label(yes),
                    no: label(no)
                })
            }
            Step::Call { function, d, a } => {
                alpha!(Call {
                    function: target(function),
                    d: reg(d),
                    a: reg(a)
                })
            }
            Step::Nothing => alpha!(Nothing {}),
            Step::Pad { d } => alpha!(Pad { d: reg(d) }),
            Step::Word { d, value } => beta!(Word {
                d: reg(d),
                value: value
            }),
            Step::Signed { d, value } => beta!(Signed {
                d: reg(d),
                value: value
            }),
            Step::Double { d, value } => beta!(Double {
                d: reg(d),
                value: value
            }),
            Step::Cell { d, cell: c } => beta!(Cell {
                d: reg(d),
                cell: cell(c)
            }),
            Step::CellLate { d, cell: c } => beta!(CellLate {
                d: reg(d),
                cell: cell(c)
            }),
            Step::TailCall { function, a } => {
                beta!(TailCall {
                    function: target(function),
                    a: reg(a)
                })
            }
            Step::Slow { d, n } => beta!(Slow { d: reg(d), n: n }),
            Step::SlowCall { function, d, value } => {
                beta!(SlowCall {
                    function: target(function),
                    d: reg(d),
                    value: value
                })
            }
            Step::SlowCell { d, cell: c } => beta!(SlowCell {
                d: reg(d),
                cell: cell(c)
            }),
            Step::SlowWays { d, out, to } => {
                beta!(SlowWays {
                    d: reg(d),
                    out: exit(out),
                    to: label(to)
                })
            }
            Step::SlowLeave { s, id } => beta!(SlowLeave { s: reg(s), id: id }),
            Step::Everything {
                d,
                value,
                cell: c,
                out,
                to,
                function,
            } => beta!(Everything {
                d: reg(d),
                value: value,
                cell: cell(c),
                out: exit(out),
                to: label(to),
                function: target(function)
            }),
            Step::Long { d, out } => beta!(Long {
                d: reg(d),
                out: exit(out)
            }),
        }
    }

    /// What the micro-op does, by what its assembly says.
    pub(crate) fn run(self, s: &mut State) -> Flow {
        let bit = |value: u64, bit: u64| value >> bit & 1 != 0;
        let add = |s: &mut State, d: R, n: u64| {
            s.r[d as usize] = s.r[d as usize].wrapping_add(n);
        };
        macro_rules! r {
            ($number:expr) => {
                s.r[$number as usize]
            };
        }
        match self {
            Step::Add { d, n } => add(s, d, n),
            Step::Mix { d, a, b } => {
                let x9 = r!(a) ^ r!(b) << 7;
                r!(d) = r!(d).wrapping_mul(x9).wrapping_add(r!(a));
            }
            Step::Store { s: from, slot } => s.memory[slot as usize] = r!(from),
            Step::Load { d, slot } => r!(d) = s.memory[slot as usize],
            Step::Constant { d, value } | Step::Word { d, value } | Step::Signed { d, value } => {
                r!(d) = value;
            }
            Step::Double { d, value } => add(s, d, value),
            Step::Constants { d, one, other } => add(s, d, one ^ other),
            Step::Cell { d, cell } => r!(d) = s.cells[cell],
            Step::CellLate { d, cell } => {
                add(s, d, 1 + 2 + 3 + 4 + 5);
                r!(d) ^= s.cells[cell];
            }
            Step::Leave { id } => return Flow::Gone(id),
            Step::Spend { out } => {
                if s.fuel == 0 {
                    return Flow::Exit(out);
                }
                s.fuel -= 1;
            }
            Step::GuardZero { s: from, out } if r!(from) == 0 => return Flow::Exit(out),
            Step::GuardBit {
                s: from,
                bit: n,
                out,
            } if bit(r!(from), n) => return Flow::Exit(out),
            Step::GuardLess { a, b, out } if r!(a) < r!(b) => return Flow::Exit(out),
            Step::SkipZero { s: from, to } if r!(from) == 0 => return Flow::To(to),
            Step::SkipBit {
                s: from,
                bit: n,
                to,
            } if !bit(r!(from), n) => return Flow::To(to),
            Step::SkipLess { a, b, to } if r!(a) < r!(b) => return Flow::To(to),
            Step::Loop { top } | Step::LoopLess { top } | Step::LoopBit { top } if s.fuel > 0 => {
                s.fuel -= 1;
                return Flow::To(top);
            }
            Step::Go { to } => return Flow::To(to),
            Step::GoBy { s: from, to } => {
                if bit(r!(from), 0) {
                    add(s, from, 3);
                }
                return Flow::To(to);
            }
            Step::Fork { s: from, yes, no } => {
                return Flow::To(if bit(r!(from), 1) { yes } else { no });
            }
            Step::Call { function, d, a } => r!(d) = s.call(function, r!(a), r!(d)),
            Step::TailCall { function, a } => return Flow::Gone(s.call(function, r!(a), 0)),
            Step::Nothing => {}
            Step::Pad { d } => add(s, d, 1 + 2 + 3 + 4 + 5 + 6),
            Step::Slow { d, n } => {
                if !bit(r!(d), 0) {
                    add(s, d, n);
                }
                add(s, d, 1);
            }
            Step::SlowCall { function, d, value } => {
                if r!(d) != 0 {
                    r!(d) = s.call(function, value, r!(d));
                }
            }
            Step::SlowCell { d, cell } => {
                if !bit(r!(d), 5) {
                    add(s, d, s.cells[cell]);
                }
            }
            Step::SlowWays { d, out, to } => {
                if r!(d) > s.fuel {
                    if !bit(r!(d), 3) {
                        return Flow::Exit(out);
                    }
                    r!(d) >>= 1;
                    if bit(r!(d), 2) && s.fuel > 0 {
                        s.fuel -= 1;
                        return Flow::To(to);
                    }
                }
                add(s, d, 5);
            }
            Step::SlowLeave { s: from, id } if bit(r!(from), 4) => return Flow::Gone(id),
            Step::Everything {
                d,
                value,
                cell,
                out,
                to,
                function,
            } => {
                if bit(r!(d), 6) {
                    return Flow::Exit(out);
                }
                let x0 = s.call(function, value.wrapping_add(s.cells[cell]), r!(d));
                if x0 == 0 {
                    return Flow::To(to);
                }
                add(s, d, x0);
                if !bit(r!(d), 7) {
                    add(s, d, value);
                    if value != 0 {
                        return Flow::To(to);
                    }
                }
            }
            Step::Long { d, out } => {
                if r!(d) == 0 {
                    return Flow::Exit(out);
                }
                add(s, d, 78);
            }
            // A condition that does not hold.
            _ => {}
        }
        Flow::Next
    }

    /// The labels that it may go on at.
    pub(crate) fn labels(self) -> Vec<L> {
        let both = self.references().concat();
        let refs = both.into_iter().filter_map(|r| match r {
            Ref::Label(label) => Some(label),
            _ => None,
        });
        refs.chain(self.closing()).collect()
    }

    /// Whether every way to a label inside it costs fuel.
    pub(crate) fn is_bounded(self) -> bool {
        matches!(
            self,
            Step::Loop { .. }
                | Step::LoopLess { .. }
                | Step::LoopBit { .. }
                | Step::SlowWays { .. }
        )
    }

    /// The label of its closing `b =>label`.
    pub(crate) fn closing(self) -> Option<L> {
        match self {
            Step::Go { to } | Step::GoBy { to, .. } | Step::Fork { no: to, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether it can go on to the next micro-op.
    pub(crate) fn falls_through(self) -> bool {
        !matches!(self, Step::Leave { .. } | Step::TailCall { .. }) && self.closing().is_none()
    }

    /// What the PC-relative instructions of the hot and the cold part refer to, the closing jump
    /// left out, which is no part of the template.
    pub(crate) fn references(self) -> [Vec<Ref>; 2] {
        let hot = match self {
            Step::Constant { value, .. } => vec![Ref::X(value)],
            Step::Constants { one, other, .. } => vec![Ref::X(one), Ref::X(other)],
            Step::Word { value, .. } => vec![Ref::W(value)],
            Step::Signed { value, .. } => vec![Ref::Sw(value)],
            Step::Double { value, .. } => vec![Ref::D(value)],
            Step::Cell { cell, .. } | Step::CellLate { cell, .. } => vec![Ref::Cell(cell)],
            Step::Spend { out }
            | Step::GuardZero { out, .. }
            | Step::GuardBit { out, .. }
            | Step::GuardLess { out, .. }
            | Step::Long { out, .. } => vec![Ref::Exit(out)],
            Step::SkipZero { to, .. } | Step::SkipBit { to, .. } | Step::SkipLess { to, .. } => {
                vec![Ref::Label(to)]
            }
            Step::Loop { top } => vec![Ref::Here(3), Ref::Label(top)],
            Step::LoopLess { top } => vec![Ref::Label(top)],
            Step::LoopBit { top } => vec![Ref::Here(4), Ref::Label(top)],
            Step::GoBy { .. } => vec![Ref::Here(2)],
            Step::Fork { yes, .. } => vec![Ref::Label(yes)],
            Step::Call { function, .. } | Step::TailCall { function, .. } => {
                vec![Ref::Call(function)]
            }
            Step::Slow { .. }
            | Step::SlowCall { .. }
            | Step::SlowCell { .. }
            | Step::SlowWays { .. }
            | Step::SlowLeave { .. } => {
                vec![Ref::Other(0)]
            }
            Step::Everything {
                value,
                cell,
                out,
                to,
                function,
                ..
            } => vec![
                Ref::X(value),
                Ref::Cell(cell),
                Ref::Exit(out),
                Ref::Call(function),
                Ref::Label(to),
                Ref::Other(0),
            ],
            _ => vec![],
        };
        let cold = match self {
            Step::Slow { .. } => vec![Ref::Other(1)],
            Step::SlowCall {
                function, value, ..
            } => vec![
                Ref::X(value),
                Ref::Call(function),
                Ref::Other(1),
                Ref::Other(1),
            ],
            Step::SlowCell { cell, .. } => vec![Ref::Cell(cell), Ref::Other(1)],
            Step::SlowWays { out, to, .. } => {
                vec![Ref::Exit(out), Ref::Other(2), Ref::Other(2), Ref::Label(to)]
            }
            Step::Everything { value, to, .. } => {
                vec![Ref::X(value), Ref::Label(to), Ref::Other(9)]
            }
            _ => vec![],
        };
        [hot, cold]
    }
}

/// The continuation slots' policy, short.
pub(crate) const POLICIES: [FallThrough; 2] = [FallThrough::Nop, FallThrough::Elide];

impl State {
    fn call(&mut self, target: T, x0: u64, x1: u64) -> u64 {
        let address = self.targets[target];
        self.calls.push((address, x0, x1));
        function(address, x0, x1)
    }
}
