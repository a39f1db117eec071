//! Any calls in any order: handles of another builder and of a trace that is gone, values of every size,
//! addresses that make no sense. Whatever is answered, nothing panics.

use opstitch::inspect::Symbols;
use opstitch::{Error, Options, Part, Reg, Trace, TraceBuilder, VReg};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::ops::{alpha, beta};
use crate::program::{ExitCode, Program, RawStep, Settings, When, raw_step, settings};
use crate::step::{Handles, Op, Pushed, Step};

/// A call: which, of which builder, and what it is called with.
pub(crate) type Call = (u8, bool, RawStep, u64);

pub(crate) fn calls() -> impl Strategy<Value = (Settings, bool, Vec<Call>)> {
    let call = (
        any::<u8>(),
        prop::bool::weighted(0.2),
        raw_step(),
        any::<u64>(),
    );
    (settings(), any::<bool>(), vec(call, 0..150))
}

/// Two builders, and all that either has handed out.
struct Bench {
    builders: [TraceBuilder; 2],
    handles: Handles,
    settings: Settings,
    finished: usize,
}

/// Makes the calls, and returns how many traces were finished.
pub(crate) fn make(settings: Settings, landing_pad: bool, calls: &[Call]) -> usize {
    let options: Options = settings.options().landing_pad(landing_pad);
    let mut builders = [
        TraceBuilder::with_options(options),
        TraceBuilder::with_options(options),
    ];
    let handles = Handles {
        labels: builders.iter_mut().map(TraceBuilder::label).collect(),
        exits: builders
            .iter_mut()
            .map(TraceBuilder::declare_exit)
            .collect(),
        cells: builders.iter_mut().map(|b| b.mut_literal(1)).collect(),
        targets: settings.targets().to_vec(),
    };
    let mut bench = Bench {
        builders,
        handles,
        settings,
        finished: 0,
    };
    for call in calls {
        if let Err(error) = bench.call(call) {
            assert!(!error.to_string().is_empty());
        }
    }
    bench.finished
}

/// The later ones of a list more often: they belong to the trace that is being built.
fn late<T: Copy>(list: &[T], choice: u64) -> T {
    let back = choice as usize % list.len();
    list[list.len() - 1 - back.min(choice as usize / 7 % list.len())]
}

impl Bench {
    fn call(&mut self, &(call, other, raw, number): &Call) -> Result<(), Error> {
        let step = self.step(raw);
        let Bench {
            builders,
            handles,
            finished,
            ..
        } = self;
        let builder = &mut builders[usize::from(other)];
        let label = late(&handles.labels, number);
        let exit = late(&handles.exits, number);
        match call % 40 {
            0..=15 => push(builder, step.op(handles))?,
            16 | 17 => builder.bind(label)?,
            18 => handles.labels.push(builder.bind_new()?),
            19 => builder.jump(label)?,
            20 => handles.labels.push(builder.label()),
            21 | 22 => {
                let op = alpha::Leave {
                    id: number % 70_000,
                };
                handles.exits.push(if number % 3 == 0 {
                    builder.linkable_exit([op])?
                } else {
                    builder.exit([op])?
                });
            }
            23 => handles.exits.push(builder.declare_exit()),
            24 => handles.exits.push(builder.declare_linkable_exit()),
            25..=29 => builder.define_exit(exit, |code| {
                for _ in 0..number % 3 {
                    match step.op(handles) {
                        Op::Alpha(op) => code.push(op),
                        Op::Beta(op) => code.push(op),
                    }?;
                }
                match number % 5 {
                    0 => code.jump(label),
                    1 => Ok(()),
                    _ => code.push(alpha::Leave { id: 1 }),
                }
            })?,
            30 => handles.cells.push(builder.mut_literal(number)),
            31 => builder.invalidation_point(exit)?,
            32..=34 => {
                let trace = builder.finish()?;
                *finished += 1;
                look(trace, self.settings.address, number, handles)?;
            }
            35 if number % 4 == 0 => builder.clear(),
            39 => {
                // Whatever is missing.
                for &label in &handles.labels {
                    let _ = builder.bind(label);
                }
                builder.push(alpha::Leave { id: 1 })?;
                for &exit in &handles.exits {
                    let _ = builder.define_exit(exit, |code| code.push(alpha::Leave { id: 2 }));
                }
            }
            36 => builder.push(beta::Cell {
                d: Reg(number as u8),
                cell: late(&handles.cells, number),
            })?,
            37 => builder.push(alpha::Add {
                d: Reg(20),
                n: number,
            })?,
            38 => {
                // A wrong number wherever there is one.
                builder.push(beta::Signed {
                    d: Reg(20),
                    value: number,
                })?;
                builder.push(alpha::GuardBit {
                    s: Reg(20),
                    bit: number % 100,
                    out: exit,
                })?;
            }
            _ => {
                let text = format!("{:?}{}{label}{exit}", builder.options(), VReg(number as u8));
                assert!(!text.is_empty());
            }
        }
        Ok(())
    }

    /// A step that refers to any of the handles.
    fn step(&self, raw: RawStep) -> Step {
        let nothing = ExitCode {
            steps: Vec::new(),
            jump: None,
            when: When::First,
            linkable: false,
        };
        let program = Program {
            settings: self.settings,
            items: Vec::new(),
            exits: vec![nothing; self.handles.exits.len()],
            labels: self.handles.labels.len(),
            cells: vec![0; self.handles.cells.len()],
            registers: [0; 4],
            fuel: 0,
        };
        program.step(raw, true)
    }
}

fn push(builder: &mut TraceBuilder, op: Op) -> Result<(), Error> {
    op.push(builder, Pushed::Both)
}

/// Asks a finished trace everything.
fn look(trace: Trace<'_>, near: u64, number: u64, handles: &Handles) -> Result<(), Error> {
    let address = match number % 5 {
        0 => number,
        1 => u64::MAX - number % 4096,
        2 => 0,
        _ => near,
    };
    let all = (trace.op_count(), trace.hot_len(), trace.cold_len());
    assert!(all.0 * 4 <= trace.hot_len() || all.0 > 0);
    let mut bytes = vec![0; number as usize % 4096];
    let _ = trace.link_into(address, &mut bytes);
    let linked = trace.link(address)?;
    assert_eq!(trace.linked_len(address), Ok(linked.bytes().len()));
    assert_eq!(linked.statistics().total(), linked.bytes().len());
    assert!(linked.far_targets().len() <= trace.targets().len());
    for &cell in &handles.cells {
        if let Some(offset) = linked.mut_literal_offset(cell) {
            let part = linked.part_at(offset);
            assert!(offset % 8 == 0 && part.is_some_and(|part| part != Part::Trampolines));
        }
    }
    for offset in (0..linked.bytes().len() as u32 + 8).chain([u32::MAX]) {
        if let Some(op) = linked.op_at(offset) {
            assert!(op.offset() <= offset && !op.name().is_empty());
            assert!(op.number().is_some() != op.exit().is_some());
        }
    }
    assert!(!linked.listing(&Symbols::new()).to_string().is_empty());
    Ok(())
}
