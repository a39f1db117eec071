use crate::op::template::CLASSES;
use crate::testing::Numbers;
use crate::trace::TraceBuilder;
use crate::trace::options::{FallThrough, Options, Reach};
use crate::{Error, Exit, Label, Target};

#[path = "../../../tests/common/alike.rs"]
mod alike;

use alike::Alike;

crate::uops! {
    enum Op;
    op Long(n: u12) {
        ; add x0, x0, n ; add x1, x1, n ; add x2, x2, n ; add x3, x3, n ; add x4, x4, n ; add x5, x5, n
    }
    op Guard(out: exit) { ; cbnz x1, =>out }
    op Back(to: label) { ; cbz x1, =>to }
    op Guards(a: exit, b: exit, to: label) { ; cbnz x1, =>a ; cbnz x2, =>b ; cbz x3, =>to }
    op GuardBit(out: exit) { ; add x0, x0, 1 ; tbz x1, 3, =>out }
    op Slow {
        ; cbz x0, >slow
        ; back:
    } cold {
        ; slow:
        ; mov x0, 1
        ; b <back
    }
    op Load(value: literal) { ; ldr x9, =>value }
    op LoadAndGuardBit(value: literal, out: exit) { ; ldr x9, =>value ; tbz x9, 3, =>out }
    op Call(function: call) { ; bl =>function }
    op Leave(id: u16) { ; mov x0, id ; ret }
}

/// The ways that a micro-op can go.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    General,
    Known,
    Row,
    Run,
}

fn reach() -> Result<Reach, Error> {
    Reach::default()
        .conditional(8 << 10)?
        .test(2 << 10)?
        .literal(6 << 10)
}

/// Pushes the same micro-ops in one of the ways, and returns the code and the number of islands.
fn build(seed: u64, way: Way) -> (Vec<u32>, usize) {
    let reach = reach().unwrap();
    let fall_through = [FallThrough::Nop, FallThrough::Elide][seed as usize / 4 % 2];
    let options = Options::new()
        .annotate(false)
        .reach(reach)
        .fall_through(fall_through);
    let mut builder = TraceBuilder::with_options(options);
    let exits: Vec<Exit> = (0..1500)
        .map(|id| builder.exit([Leave { id }]).unwrap())
        .collect();
    let mut numbers = Numbers(seed);
    // Without loads the quick ways end later.
    let loads = seed.is_multiple_of(2);
    let declared = [1, 300][seed as usize / 2 % 2];
    let mut labels: Vec<Label> = (0..declared).map(|_| builder.label()).collect();
    let mut next_exit = 0;
    let mut run: Vec<Op> = Vec::new();
    for _ in 0..100 {
        // Seldom anything but one kind of them: so each makes what is pending longer for itself, and meets deadlines.
        let kind = numbers.below(8);
        let (fresh, mixed) = (numbers.below(100), numbers.below(10));
        let most = [700, 60][numbers.below(2) as usize];
        for _ in 0..numbers.below(most) {
            let kind = if numbers.below(100) < mixed {
                numbers.below(9)
            } else {
                kind
            };
            let mut exit = || {
                if numbers.below(100) < fresh && next_exit + 1 < exits.len() {
                    next_exit += 1;
                }
                exits[next_exit]
            };
            let (a, b) = (exit(), exit());
            if numbers.below(100) < fresh {
                labels.push(builder.label());
            }
            let to = labels[numbers.below(labels.len() as u64) as usize];
            let value = numbers.below(40) << 33 | 1;
            run.push(match kind {
                5 | 6 if !loads => Back { to }.into(),
                0 => Long { n: 1 }.into(),
                1 => Guard { out: a }.into(),
                2 => Guards { a, b, to }.into(),
                3 => GuardBit { out: a }.into(),
                4 => Slow.into(),
                5 => Load { value }.into(),
                6 => LoadAndGuardBit { value, out: a }.into(),
                7 => Call {
                    function: Target::new(value << 3).unwrap(),
                }
                .into(),
                _ => Guard { out: b }.into(),
            });
        }
        push(&mut builder, &run, way);
        run.clear();
        if numbers.below(2) == 0 && labels.len() > 1 {
            builder.bind(labels.swap_remove(1)).unwrap();
        }
    }
    for label in labels {
        builder.bind(label).unwrap();
    }
    push(&mut builder, &[Leave { id: 1 }.into()], way);
    let code = builder.finish().unwrap().code().to_vec();
    (code, builder.islands.len())
}

fn push(builder: &mut TraceBuilder, ops: &[Op], way: Way) {
    match way {
        Way::General => ops.iter().for_each(|op| {
            builder.quick_end = [0; CLASSES];
            builder.push(op).unwrap();
        }),
        Way::Known => ops.iter().for_each(|&op| match op {
            Op::Long(op) => builder.push(op).unwrap(),
            Op::Guard(op) => builder.push(op).unwrap(),
            Op::Back(op) => builder.push(op).unwrap(),
            Op::Guards(op) => builder.push(op).unwrap(),
            Op::GuardBit(op) => builder.push(op).unwrap(),
            Op::Slow(op) => builder.push(op).unwrap(),
            Op::Load(op) => builder.push(op).unwrap(),
            Op::LoadAndGuardBit(op) => builder.push(op).unwrap(),
            Op::Call(op) => builder.push(op).unwrap(),
            Op::Leave(op) => builder.push(op).unwrap(),
        }),
        Way::Row => ops.iter().for_each(|op| builder.push(Alike(op)).unwrap()),
        Way::Run => builder.push_all(ops.iter().map(Alike)).unwrap(),
    }
}

/// Where islands come is what the quick ways do not look at, as long as they lie before their end.
#[test]
fn islands_come_where_they_would_if_nothing_were_pushed_a_quick_way() {
    let mut all = 0;
    for seed in 0..40 {
        let (expected, islands) = build(seed, Way::General);
        all += islands;
        for way in [Way::Known, Way::Row, Way::Run] {
            let (code, _) = build(seed, way);
            assert!(code == expected, "{way:?}, seed {seed}");
        }
    }
    assert!(all > 1000, "{all} islands");
}

/// Exits that are all wanted for the first time where the room comes to its end.
#[test]
fn exits_in_front_of_an_island_make_it_longer_and_come_no_later() {
    let reach = Reach::default().conditional(64 << 10).unwrap();
    let options = Options::new().annotate(false).reach(reach);
    let build = |fill: usize, way| {
        let mut builder = TraceBuilder::with_options(options.fall_through(FallThrough::Elide));
        let exits = (0..2000).map(|id| builder.exit([Leave { id }]).unwrap());
        let guards = exits.map(|out| Guard { out }.into());
        let mut ops: Vec<Op> = guards.collect();
        ops.splice(1..1, vec![Long { n: 1 }.into(); fill]);
        push(&mut builder, &ops, way);
        push(&mut builder, &[Leave { id: 1 }.into()], way);
        let code = builder.finish().unwrap().code().to_vec();
        (code, builder.islands.len())
    };
    for fill in (2300..2700).step_by(20) {
        let expected = build(fill, Way::General);
        assert!(expected.1 > 0);
        for way in [Way::Known, Way::Row, Way::Run] {
            assert!(build(fill, way) == expected, "{way:?}, {fill}");
        }
    }
}
