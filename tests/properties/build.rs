//! From a program to a trace, through the public interface.

use opstitch::{Error, LinkedTrace, TraceBuilder};

use crate::program::{Item, Program, When};
use crate::step::{Handles, Op, Pushed, Step};

/// What is called between any two calls of the builder, with the micro-ops that it has by then.
pub(crate) type Between<'n> = &'n mut dyn FnMut(&mut TraceBuilder, &Handles, &[Item]);

/// Pushes a whole program, without finishing it. A micro-op that is too long for the reach, or too
/// far from a changeable literal, is left out of the program; the builder goes on as if it had never
/// been asked.
pub(crate) fn stitch(
    program: &mut Program,
    builder: &mut TraceBuilder,
    between: Between<'_>,
) -> Handles {
    let mut handles = Handles {
        labels: (0..program.labels).map(|_| builder.label()).collect(),
        exits: Vec::new(),
        cells: program
            .cells
            .iter()
            .map(|&v| builder.mut_literal(v))
            .collect(),
        targets: program.settings.targets().to_vec(),
    };
    let mut undefined: Vec<(When, usize)> = Vec::new();
    for (index, exit) in program.exits.iter().enumerate() {
        between(builder, &handles, &[]);
        handles.exits.push(if exit.linkable {
            builder.declare_linkable_exit()
        } else {
            builder.declare_exit()
        });
        match exit.when {
            When::First => define(program, index, builder, &handles),
            when => undefined.push((when, index)),
        }
    }
    let (mut kept, mut left_out) = (Vec::new(), None);
    let pushed = program.settings.pushed;
    let together = pushed.is_together();
    let mut held = Held::default();
    for (number, &item) in program.items.iter().enumerate() {
        let op = match item {
            Item::Step(step) if together => Some(step.op(&handles)),
            _ => None,
        };
        let defines = undefined
            .iter()
            .any(|&(when, _)| when == When::Item(number));
        if defines || !held.takes(op) {
            held.push_all(builder, pushed, &mut kept, &mut left_out, false);
        }
        undefined.retain(|&(when, index)| {
            let now = when == When::Item(number);
            if now {
                define(program, index, builder, &handles);
                between(builder, &handles, &kept);
            }
            !now
        });
        between(builder, &handles, &kept);
        // What costs fuel, and could not be had, is not for free.
        let unpaid = matches!(left_out.take(), Some(Item::Step(Step::Spend { .. })));
        if unpaid && !matches!(item, Item::Bind(_)) && number + 1 < program.items.len() {
            continue;
        }
        if let Some(op) = op {
            held.ops.push((item, op));
            continue;
        }
        let done = match item {
            Item::Bind(label) => builder.bind(handles.labels[label]),
            Item::Jump(label) => builder.jump(handles.labels[label]),
            Item::Point(exit) => builder.invalidation_point(handles.exits[exit]),
            Item::Step(step) => push(builder, step, &handles, program.settings.pushed),
        };
        match (done, item) {
            (Ok(()), _) => kept.push(item),
            // The jump is behind a micro-op that was left out.
            (Err(error), Item::Jump(_)) if is_without_micro_op(&error) => {}
            (Err(error), Item::Step(_)) if is_short_reach(&error) => left_out = Some(item),
            (Err(error), _) => panic!("{item:?}: {error}"),
        }
    }
    held.push_all(builder, pushed, &mut kept, &mut left_out, true);
    program.items = kept;
    between(builder, &handles, &program.items);
    for (_, index) in undefined {
        define(program, index, builder, &handles);
        between(builder, &handles, &program.items);
    }
    handles
}

/// Micro-ops of one set that are to be pushed all at once.
#[derive(Debug, Default)]
struct Held {
    ops: Vec<(Item, Op)>,
}

impl Held {
    /// Whether a micro-op can be pushed together with those that are held.
    fn takes(&self, op: Option<Op>) -> bool {
        let alike = |&(_, first): &(Item, Op)| {
            op.is_some_and(|op| std::mem::discriminant(&op) == std::mem::discriminant(&first))
        };
        self.ops.first().is_none_or(alike)
    }

    /// Pushes them, `at_end` of the program or not. Those that cannot be are left out, as when they are pushed one by one.
    fn push_all(
        &mut self,
        builder: &mut TraceBuilder,
        pushed: Pushed,
        kept: &mut Vec<Item>,
        left_out: &mut Option<Item>,
        at_end: bool,
    ) {
        let held = std::mem::take(&mut self.ops);
        let mut rest = &held[..];
        while !rest.is_empty() {
            let len = builder.len();
            let done = Op::push_all(rest.iter().map(|&(_, op)| op), builder, pushed);
            let (done_with, others) = rest.split_at(builder.len() - len);
            kept.extend(done_with.iter().map(|&(item, _)| item));
            rest = match (done, others) {
                (Ok(()), []) => others,
                (Err(error), [(refused, _), others @ ..]) if is_short_reach(&error) => {
                    let unpaid = matches!(refused, Item::Step(Step::Spend { .. }));
                    if others.is_empty() {
                        *left_out = Some(*refused);
                    }
                    // What ends the program stays.
                    let last = usize::from(at_end);
                    &others[usize::from(unpaid && others.len() > last)..]
                }
                (done, others) => panic!("{done:?}, and {} were not pushed", others.len()),
            };
        }
    }
}

fn push(
    builder: &mut TraceBuilder,
    step: Step,
    handles: &Handles,
    pushed: Pushed,
) -> Result<(), Error> {
    step.op(handles).push(builder, pushed)
}

fn define(program: &Program, index: usize, builder: &mut TraceBuilder, handles: &Handles) {
    let exit = &program.exits[index];
    let defined = builder.define_exit(handles.exits[index], |code| {
        for step in &exit.steps {
            match step.op(handles) {
                Op::Alpha(op) => code.push(op),
                Op::Beta(op) => code.push(op),
            }?;
        }
        exit.jump
            .map_or(Ok(()), |label| code.jump(handles.labels[label]))
    });
    defined.unwrap_or_else(|error| panic!("exit {index}: {error}"));
}

/// Whether an error is one that a short reach can cause.
pub(crate) fn is_short_reach(error: &Error) -> bool {
    matches!(
        error,
        Error::OpTooLong { .. } | Error::TraceTooLong { .. } | Error::LiteralOutOfReach { .. }
    )
}

/// Whether a jump was refused because there is no micro-op that it could redirect.
pub(crate) fn is_without_micro_op(error: &Error) -> bool {
    matches!(
        error,
        Error::NothingToRedirect { .. } | Error::JumpBehindLabel { .. } | Error::Empty
    )
}

/// Builds and links a program. It loses the micro-ops that the reach is too short for.
///
/// # Errors
/// If the reach is too short for the whole; any other error is a failure of the test.
pub(crate) fn link(program: &mut Program) -> Result<(LinkedTrace, Handles), Error> {
    let mut builder = TraceBuilder::with_options(program.settings.options());
    let handles = stitch(program, &mut builder, &mut |_, _, _| {});
    let linked = builder
        .finish()
        .and_then(|trace| trace.link(program.settings.address));
    match linked {
        Ok(linked) => Ok((linked, handles)),
        Err(error) if is_short_reach(&error) => Err(error),
        Err(error) => panic!("{error}"),
    }
}
