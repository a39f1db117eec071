//! What is refused leaves no trace: calls that fail, anywhere between those that do not, and the bytes
//! that come out all the same.

use opstitch::{Error, Exit, Label, MutLiteral, Reg, Target, TraceBuilder};

use crate::ops::{alpha, beta};
use crate::program::Item;
use crate::step::Handles;

/// Calls that must fail, chosen by a sequence of numbers.
pub(crate) struct Trouble {
    /// Without one there are none.
    seed: Option<u64>,
    /// Handles of another builder.
    foreign: (Label, Exit, MutLiteral),
    /// A label of the builder itself that is bound.
    bound: Option<Label>,
    /// An exit of the builder itself that has no code and is never to have any.
    empty: Option<Exit>,
}

impl Trouble {
    pub(crate) fn new(seed: Option<u64>) -> Trouble {
        let mut other = TraceBuilder::new();
        // So that their numbers are in range in the builder that they do not belong to.
        let foreign = (other.label(), other.declare_exit(), other.mut_literal(0));
        Trouble {
            seed,
            foreign,
            bound: None,
            empty: None,
        }
    }

    fn next(&mut self) -> u64 {
        let seed = self.seed.unwrap_or(0);
        let seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d);
        let seed = seed.wrapping_add(0x1405_7b7e_f767_814f);
        self.seed = Some(seed);
        seed >> 33
    }

    /// Makes some of it. `items` are what the builder has been given so far.
    pub(crate) fn make(&mut self, builder: &mut TraceBuilder, handles: &Handles, items: &[Item]) {
        let bound = match self.bound {
            Some(label) => label,
            None => *self.bound.insert(builder.bind_new().expect("a label")),
        };
        let empty = match self.empty {
            Some(exit) => exit,
            None => *self.empty.insert(builder.declare_exit()),
        };
        if self.seed.is_none() {
            return;
        }
        for _ in 0..self.next() % 3 {
            let kind = self.next() % 22;
            let error = match self.one(builder, kind, bound, empty, handles, items) {
                Some(Err(error)) => error,
                Some(Ok(())) => panic!("number {kind} was not refused"),
                None => continue,
            };
            let expected = match kind {
                0..=4 => matches!(error, Error::OperandOutOfRange { .. }),
                5 => matches!(error, Error::NoRegister { .. }),
                6 => matches!(error, Error::PlatformRegister { .. }),
                7..=14 => matches!(error, Error::Foreign { .. }),
                15 => matches!(error, Error::LabelBoundTwice { .. }),
                16 => matches!(error, Error::ExitWithoutCode { .. }),
                17 => matches!(error, Error::ExitFallsOffEnd { .. }),
                18 => matches!(error, Error::NothingToRedirect { .. }),
                19 => matches!(error, Error::BehindExitsJump { .. }),
                20 => matches!(error, Error::ExitDefinedTwice { .. }),
                // Whatever comes first.
                _ => true,
            };
            assert!(expected, "number {kind}: {error}");
        }
    }

    fn one(
        &mut self,
        builder: &mut TraceBuilder,
        kind: u64,
        bound: Label,
        empty: Exit,
        handles: &Handles,
        items: &[Item],
    ) -> Option<Result<(), Error>> {
        let (label, exit, cell) = self.foreign;
        let d = Reg(20);
        let function = Target::new(64).expect("a target");
        Some(match kind {
            0 => builder.push(alpha::Add { d, n: 4096 }),
            1 => builder.push(alpha::Load { d, slot: 8 }),
            2 => builder.push(alpha::GuardBit {
                s: d,
                bit: 64,
                out: empty,
            }),
            3 => builder.push(beta::Word { d, value: 1 << 32 }),
            4 => builder.push(beta::Signed { d, value: 1 << 31 }),
            5 => builder.push(beta::Slow { d: Reg(31), n: 1 }),
            6 => builder.push(beta::Cell { d: Reg(18), cell }),
            7 => builder.push(alpha::Go { to: label }),
            8 => builder.push(alpha::SkipZero { s: d, to: label }),
            9 => builder.push(alpha::Spend { out: exit }),
            10 => builder.push(beta::Everything {
                d,
                value: 0x1_0000_0001,
                cell,
                out: empty,
                to: bound,
                function,
            }),
            11 => builder.bind(label),
            12 => builder.jump(label),
            13 => builder.define_exit(exit, |code| code.push(alpha::Leave { id: 1 })),
            14 => builder.define_exit(empty, |code| {
                code.push(alpha::Constant {
                    d,
                    value: 0x1_0000_0001,
                })?;
                code.push(beta::SlowCall {
                    function,
                    d,
                    value: 3,
                })?;
                code.push(alpha::Go { to: label })
            }),
            15 => builder.bind(bound),
            16 => builder.define_exit(empty, |_| Ok(())),
            17 => builder
                .exit([alpha::Add { d, n: 1 }, alpha::Add { d, n: 2 }])
                .map(drop),
            18 => builder.define_exit(empty, |code| {
                code.push(alpha::Leave { id: 1 })?;
                code.jump(bound)
            }),
            19 => builder.define_exit(empty, |code| {
                code.push(alpha::Add { d, n: 1 })?;
                code.jump(bound)?;
                code.push(alpha::Leave { id: 1 })
            }),
            20 => {
                let first = *handles.exits.first()?;
                builder.define_exit(first, |code| code.push(alpha::Leave { id: 1 }))
            }
            _ if must_fail(items) => builder.finish().map(drop),
            _ => return None,
        })
    }
}

/// Whether a trace of these micro-ops cannot be finished, whatever its exits are: it goes on at its
/// end, or something leads to a label that is not bound.
fn must_fail(items: &[Item]) -> bool {
    let goes_on = match items.last() {
        Some(Item::Step(step)) => step.falls_through(),
        Some(Item::Jump(_) | Item::Bind(_) | Item::Point(_)) => false,
        None => true,
    };
    let is_unbound = |label| !items.contains(&Item::Bind(label));
    let mut labels = items.iter().flat_map(|item| match item {
        Item::Step(step) => step.labels(),
        Item::Jump(label) => vec![*label],
        Item::Bind(_) | Item::Point(_) => vec![],
    });
    goes_on || labels.any(is_unbound)
}
