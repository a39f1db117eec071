//! Random programs.
//!
//! What proptest generates are plain numbers; [`Program::new`] makes a program of them that is well
//! formed and ends, whatever they are. So shrinking needs no help: a smaller number is a simpler
//! program.

use std::fmt;

use opstitch::{FallThrough, LinkedTrace, Options, Reach, Target};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::step::{E, L, POLICIES, Pushed, Step};

/// A trace to build, and the exits that it leaves through.
#[derive(Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) settings: Settings,
    pub(crate) items: Vec<Item>,
    pub(crate) exits: Vec<ExitCode>,
    pub(crate) labels: usize,
    pub(crate) cells: Vec<u64>,
    pub(crate) registers: [u64; 4],
    pub(crate) fuel: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item {
    Bind(L),
    Step(Step),
    /// The builder's `jump`, behind a step that goes on.
    Jump(L),
    /// An invalidation point, in front of an `Add`.
    Point(E),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExitCode {
    pub(crate) steps: Vec<Step>,
    pub(crate) jump: Option<L>,
    pub(crate) when: When,
    pub(crate) linkable: bool,
}

/// When an exit gets its code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    /// At once, before the trace's first micro-op.
    First,
    /// Before this item of the trace; it was declared before.
    Item(usize),
    /// After everything else.
    Last,
}

/// How a program is built and linked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) fall_through: FallThrough,
    /// Of `b`, conditional branches, `tbz` and literal loads, in bytes.
    pub(crate) reach: [u32; 4],
    pub(crate) annotate: bool,
    pub(crate) pushed: Pushed,
    pub(crate) address: u64,
}

/// What the architecture gives.
pub(crate) const FULL_REACH: [u32; 4] = [128 << 20, 1 << 20, 32 << 10, 1 << 20];

impl Settings {
    pub(crate) fn options(&self) -> Options {
        let [jump, conditional, test, literal] = self.reach;
        let reach = Reach::default()
            .jump(jump)
            .and_then(|reach| reach.conditional(conditional))
            .and_then(|reach| reach.test(test))
            .and_then(|reach| reach.literal(literal))
            .expect("the reach is one that can be had");
        Options::new()
            .fall_through(self.fall_through)
            .reach(reach)
            .annotate(self.annotate)
    }

    /// Near targets, distant ones, those at the very edge of what `bl` reaches, and retargetable ones.
    pub(crate) fn targets(&self) -> [Target; 10] {
        let (near, far) = (1 << 21, 1 << 32);
        let addresses = [
            (self.address + near, false),
            (self.address - near, false),
            (self.address + far, false),
            (DISTANT, false),
            (self.address + (128 << 20) - 4, false),
            (self.address + (128 << 20), false),
            (self.address - (128 << 20) + 0x4000, false),
            (self.address - (128 << 20), false),
            (self.address + near, true),
            (DISTANT, true),
        ];
        addresses.map(|(address, retargetable)| {
            let target = if retargetable {
                Target::retargetable(address)
            } else {
                Target::new(address)
            };
            target.expect("the address is a multiple of 4")
        })
    }
}

/// The address of a call target that is near to nothing, and a literal too.
const DISTANT: u64 = 0x0000_5a5a_0000_1230;

/// The 64-bit values that literals have: some that one instruction makes, some that share a half, the
/// address of a target.
const VALUES: [u64; 16] = [
    1,
    0,
    0xffff_0000,
    u64::MAX - 5,
    0x5555_5555_5555_5555,
    0xdead_beef_cafe_f00d,
    0x1234_5678_9abc_def0,
    0x8000_0001_0000_0003,
    7 << 48,
    DISTANT,
    0x1234_5678,
    0x8765_4321,
    0x9abc_def0,
    0x0000_0001_0000_0003,
    0xfff0_0000_0000_0001,
    0x3ff0_0000_0000_0000,
];

/// Numbers that a step is made of.
pub(crate) type RawStep = (u8, [u8; 3], u8, u8, [u8; 2], u16);

/// Numbers that an exit is made of: steps, how it ends, the label, when it gets its code, whether it
/// has the code of the one before it.
type RawExit = (Vec<RawStep>, u8, u8, u8, bool);

pub(crate) fn raw_step() -> impl Strategy<Value = RawStep> {
    any::<RawStep>()
}

fn raw_exit() -> impl Strategy<Value = RawExit> {
    let steps = vec(raw_step(), 0..5);
    (steps, any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>())
}

/// A reach of one class, in bytes: mostly so little that a trace of 50 micro-ops feels it.
fn reach(full: u32) -> impl Strategy<Value = u32> {
    let words = prop_oneof![
        2 => Just(full / 4),
        4 => 24..120u32,
        3 => 100..1000u32,
        1 => 4..24u32,
    ];
    words.prop_map(|words| words * 4)
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let [b, conditional, test, literal] = FULL_REACH;
    // Where even `b` reaches little, hardly any trace can be built.
    let jump = prop_oneof![12 => Just(b / 4), 1 => 100..2000u32].prop_map(|words| words * 4);
    let address = prop_oneof![
        Just(0x1_0000_0000),
        Just(0x5555_0000_1008),
        (0x1000_0000..0x1000_0000_0000u64).prop_map(|address| address & !7),
    ];
    (
        0..2usize,
        (jump, reach(conditional), reach(test), reach(literal)),
        any::<bool>(),
        prop::sample::select(vec![
            Pushed::Enums,
            Pushed::Structs,
            Pushed::Both,
            Pushed::Together,
            Pushed::Alike,
            Pushed::AlikeTogether,
        ]),
        address,
    )
        .prop_map(|(policy, reach, annotate, pushed, address)| Settings {
            fall_through: POLICIES[policy],
            reach: reach.into(),
            annotate,
            pushed,
            address,
        })
}

/// Values of registers: small ones, and any.
fn register() -> impl Strategy<Value = u64> {
    prop_oneof![0..40u64, any::<u64>()]
}

/// Programs of at most so many steps, loops and guards for labels apart.
pub(crate) fn program(steps: usize) -> impl Strategy<Value = Program> {
    (
        settings(),
        vec(raw_step(), 0..steps),
        vec(any::<u16>(), 0..8),
        vec(raw_exit(), 0..6),
        vec(register(), 1..4),
        prop::array::uniform4(register()),
        0..6u64,
    )
        .prop_map(|(settings, steps, labels, exits, cells, registers, fuel)| {
            let labels: Vec<_> = labels.iter().map(|&place| usize::from(place)).collect();
            let mut program = Program::new(settings, &steps, &labels, &exits, cells);
            (program.registers, program.fuel) = (registers, fuel);
            program
        })
}

/// A program of so many steps, without exits but the first and without cells that anything loads. Its
/// steps are like those of [`program`], and its labels all over it.
pub(crate) fn long_program(steps: usize, settings: Settings) -> Program {
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (seed >> 33) as u32
    };
    let raw: Vec<RawStep> = (0..steps)
        .map(|_| {
            let [a, b, c] = [next(), next(), next()].map(u32::to_le_bytes);
            let kind = if matches!(a[0] % 48, 21..=23 | 28 | 45 | 46) {
                0
            } else {
                a[0]
            };
            (
                kind,
                [a[1], a[2], a[3]],
                b[0],
                b[1],
                [b[2], b[3]],
                c[0].into(),
            )
        })
        .collect();
    let labels: Vec<usize> = (0..200).map(|_| next() as usize % steps).collect();
    Program::new(settings, &raw, &labels, &[], vec![0])
}

impl Program {
    fn new(
        settings: Settings,
        steps: &[RawStep],
        labels: &[usize],
        exits: &[RawExit],
        cells: Vec<u64>,
    ) -> Program {
        let mut program = Program {
            settings,
            items: Vec::new(),
            exits: Vec::new(),
            labels: labels.len(),
            cells,
            registers: [0; 4],
            fuel: 0,
        };
        program.add_exits(exits, steps.len());
        program.add_steps(steps, labels);
        program
    }

    /// The first exit refers to nothing; each of the others only to those before it, so that no chain
    /// of exits is a loop.
    fn add_exits(&mut self, raw: &[RawExit], steps: usize) {
        self.exits.push(ExitCode {
            steps: vec![Step::Leave { id: 999 }],
            jump: None,
            when: When::First,
            linkable: false,
        });
        for (steps_of_exit, end, label, when, again) in raw {
            let when = match when % 4 {
                0 | 1 => When::First,
                2 => When::Last,
                _ => When::Item(usize::from(*when) % (steps + 1)),
            };
            let last = self.exits.last().filter(|_| *again);
            let mut exit = match last {
                Some(exit) => exit.clone(),
                None => self.new_exit(steps_of_exit, *end, usize::from(*label)),
            };
            exit.when = when;
            self.exits.push(exit);
        }
    }

    fn new_exit(&self, raw: &[RawStep], end: u8, label: usize) -> ExitCode {
        let mut exit = ExitCode {
            steps: Vec::new(),
            jump: None,
            when: When::First,
            linkable: end & 64 != 0,
        };
        for &raw in raw {
            let step = self.step(raw, false);
            // Any label may lie before the way here.
            if !step.labels().is_empty() && !step.is_bounded() {
                exit.steps.push(Step::Spend { out: 0 });
            }
            exit.steps.push(step);
        }
        let id = 100 + self.exits.len() as u64;
        match (end % 4, self.labels) {
            (0, _) | (_, 0) => exit.steps.push(Step::Leave { id }),
            (1, _) => exit.steps.push(Step::TailCall {
                function: label % 10,
                a: 0,
            }),
            (2, labels) => {
                let to = label % labels;
                exit.steps.extend([Step::Spend { out: 0 }, Step::Go { to }]);
            }
            (_, labels) => {
                exit.steps.push(Step::Spend { out: 0 });
                exit.jump = Some(label % labels);
            }
        }
        exit
    }

    /// Puts each label in front of some step, or of the last micro-op, which leaves.
    fn add_steps(&mut self, raw: &[RawStep], labels: &[usize]) {
        let places: Vec<usize> = labels
            .iter()
            .map(|&place| place % (raw.len() + 1))
            .collect();
        let mut order: Vec<L> = (0..places.len()).collect();
        order.sort_by_key(|&label| std::cmp::Reverse(places[label]));
        for place in 0..=raw.len() {
            while let Some(label) = order.pop_if(|label| places[*label] == place) {
                self.items.push(Item::Bind(label));
            }
            let Some(&raw) = raw.get(place) else { break };
            let step = self.step(raw, true);
            if raw.4[0] >= 240 {
                let exit = usize::from(raw.4[1]) % self.exits.len();
                let add = Step::Add { d: 0, n: 1 };
                self.items.extend([Item::Point(exit), Item::Step(add)]);
            }
            let back = step.labels().iter().any(|&label| places[label] <= place);
            if back && !step.is_bounded() {
                self.items.push(Item::Step(Step::Spend { out: 0 }));
            }
            self.items.push(Item::Step(step));
            let to = usize::from(raw.4[1]).checked_rem(self.labels);
            if let Some(to) = to.filter(|_| raw.4[1] >= 240) {
                if places[to] <= place {
                    self.items.push(Item::Step(Step::Spend { out: 0 }));
                    self.items.push(Item::Jump(to));
                } else if step.falls_through() {
                    self.items.push(Item::Jump(to));
                }
            }
        }
        self.items.push(Item::Step(Step::Leave { id: 7 }));
    }

    /// A step of the trace, or of the exit that comes next. Nothing is out of range.
    pub(crate) fn step(&self, raw: RawStep, in_trace: bool) -> Step {
        let (kind, [d, a, b], label, other, [exit, function], n) = raw;
        let (d, a, b) = (d % 4, a % 4, b % 4);
        let function = usize::from(function) % 10;
        let out = usize::from(exit) % self.exits.len();
        let cell = usize::from(other) % self.cells.len();
        let (n, bit) = (u64::from(n) % 4096, u64::from(n) % 64);
        let value = VALUES[usize::from(label) % VALUES.len()];
        let another = VALUES[usize::from(other) % VALUES.len()];
        let to = usize::from(label).checked_rem(self.labels);
        let no = usize::from(other).checked_rem(self.labels).unwrap_or(0);
        let add = Step::Add { d, n };
        // One word for many loads: what is cold is soon too far from it.
        let often = in_trace || n % 8 == 0;
        let id = 200 + n;
        let step = match kind % 48 {
            0 => add,
            1 if in_trace => Step::Nothing,
            1 => add,
            2 => Step::Mix { d, a, b },
            3 => Step::Store { s: d, slot: n % 8 },
            4 => Step::Load { d, slot: n % 8 },
            5..=7 => Step::Constant { d, value },
            8 => Step::Constants {
                d,
                one: value,
                other: another,
            },
            9 => Step::Spend { out },
            10 => Step::GuardZero { s: d, out },
            11..=13 => Step::GuardBit { s: d, bit, out },
            14 => Step::GuardLess { a, b, out },
            15 | 16 => Step::Call { function, d, a },
            17 => Step::Pad { d },
            18 => Step::Word {
                d,
                value: u64::from(value as u32),
            },
            19 => Step::Signed {
                d,
                value: i64::from(value as i32) as u64,
            },
            20 => Step::Double { d, value },
            21 | 22 if often => Step::Cell { d, cell },
            23 if often => Step::CellLate { d, cell },
            24 | 25 => Step::Slow { d, n },
            26 | 27 => Step::SlowCall { function, d, value },
            28 if n % 32 == 0 => Step::SlowCell { d, cell },
            28 => Step::SlowLeave { s: d, id },
            29 => Step::Long { d, out },
            30 if n % 8 == 0 && in_trace => Step::Leave { id },
            31 if n % 8 == 0 && in_trace => Step::TailCall { function, a },
            _ => match (kind % 48, to) {
                (30..=32, Some(to)) => Step::SkipZero { s: d, to },
                (33 | 34, Some(to)) => Step::SkipBit { s: d, bit, to },
                (35 | 36, Some(to)) => Step::SkipLess { a, b, to },
                (37, Some(top)) => Step::Loop { top },
                (38, Some(top)) => Step::LoopLess { top },
                (39, Some(top)) => Step::LoopBit { top },
                (40, Some(to)) => Step::Go { to },
                (41, Some(to)) => Step::GoBy { s: d, to },
                (42, Some(yes)) => Step::Fork { s: d, yes, no },
                (43 | 44, Some(to)) => Step::SlowWays { d, out, to },
                (45 | 46, Some(to)) if often => Step::Everything {
                    d,
                    value,
                    cell,
                    out,
                    to,
                    function,
                },
                _ => add,
            },
        };
        // In an exit, what follows a jump would be dead.
        if in_trace || step.falls_through() {
            step
        } else {
            add
        }
    }

    /// The item in front of which a label is.
    pub(crate) fn place(&self, label: L) -> usize {
        let bound = |item: &Item| *item == Item::Bind(label);
        let place = self.items.iter().position(bound);
        place.expect("every label is bound")
    }
}

impl Program {
    /// The words that a program became, for a failed test's message.
    pub(crate) fn listing(&self, linked: &LinkedTrace) -> String {
        let mut text = format!("{self:?}linked to {:#x}:\n", linked.address());
        for (at, bytes) in (0..).step_by(4).zip(linked.bytes().chunks_exact(4)) {
            let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let from = linked.op_at(at).map(|op| op.to_string());
            let from = from.unwrap_or_else(|| format!("{:?}", linked.part_at(at)));
            text += &format!("{at:5x} {word:08x} {from}\n");
        }
        text
    }
}

/// A line for each micro-op, alternate or not: the input that is left when a failure has been
/// shrunk is to be read by people.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program {
            settings,
            items,
            exits,
            labels,
            cells,
            registers,
            fuel,
        } = self;
        writeln!(f, "{settings:?}, {labels} labels")?;
        writeln!(f, "registers {registers:x?}, cells {cells:x?}, fuel {fuel}")?;
        for (number, exit) in exits.iter().enumerate() {
            writeln!(f, "exit {number}: {exit:?}")?;
        }
        for (number, item) in items.iter().enumerate() {
            writeln!(f, "{number:4}: {item:x?}")?;
        }
        Ok(())
    }
}
