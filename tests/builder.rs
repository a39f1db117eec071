//! The layout of traces, case by case: slots, labels, exits, cold parts, islands at the edge of every
//! reach, calls at the edge of theirs, the pool, relaxed loads.

#[path = "common/alike.rs"]
mod alike;
#[path = "common/slow.rs"]
mod slow;

use opstitch::{
    Error, Exit, FallThrough, Label, LinkedTrace, MicroOp, Options, Part, Reach, Reg, Statistics,
    Target, TraceBuilder,
};

use alike::Alike;
use slow::is_slow;

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Return { ; ret }
    op Leave(id: u16) { ; movz x0, id ; br x28 }
    op Test(to: label) { ; tbz x1, 0, =>to }
    op Zero(to: label) { ; cbz x1, =>to }
    op Overflow(to: label) { ; b.vs =>to }
    op Jump(to: label) { ; b =>to }
    op Guard(out: exit) { ; cbnz x1, =>out }
    op GuardBit(out: exit) { ; tbnz x1, 5, =>out }
    op Call(function: call) { ; bl =>function }
    op TailCall(function: call) { ; b =>function }
    op Load(value: literal) { ; ldr x9, =>value }
    op LoadTo(register: reg, value: literal) { ; ldr X(register), =>value }
    op LoadWord(value: literal) { ; ldr w9, =>value }
    op LoadSigned(value: literal) { ; ldrsw x9, =>value }
    op LoadDouble(value: literal) { ; ldr d9, =>value }
    op LoadSingle(value: literal) { ; ldr s9, =>value }
    op Prefetch(value: literal) { ; prfm 0, =>value }
    op Cell(cell: mut literal) { ; ldr x9, =>cell }
    op LateCell(cell: mut literal) {
        ; add x0, x0, 1
        ; add x0, x0, 2
        ; add x0, x0, 3
        ; add x0, x0, 4
        ; add x0, x0, 5
        ; add x0, x0, 6
        ; add x0, x0, 7
        ; add x0, x0, 8
        ; add x0, x0, 9
        ; add x0, x0, 10
        ; add x0, x0, 11
        ; add x0, x0, 12
        ; ldr x9, =>cell
    }
    op Slow {
        ; cbz x0, >slow
        ; back:
        ; add x0, x0, 1
    } cold {
        ; slow:
        ; add x0, x0, 2
        ; tbz x0, 0, <back
        ; tbz x0, 1, <back
        ; b <back
    }
    op Nothing { }
    op LoadAndReturn(value: literal) { ; ldr x0, =>value ; ret }
    op CallHere(to: label) { ; bl =>to }
    op SlowWord {
        ; cbz x0, >slow
        ; back:
    } cold {
        ; slow:
        ; b <back
    }
}

mod long {
    /// `$body`, doubled for each 2.
    macro_rules! repeat {
        ([$($body:tt)*]) => {
            opstitch::uops! {
                /// 512 instructions.
                op Block { $($body)* }
            }
        };
        (2 $($rest:tt)*) => { repeat!(@ $($rest)*); };
        (@ $($twos:literal)* [$($body:tt)*]) => { repeat!(# [$($twos)*] [$($body)*]); };
        (# [] [$($body:tt)*]) => { repeat!([$($body)*]); };
        (# [$two:literal $($twos:literal)*] [$($body:tt)*]) => {
            repeat!(# [$($twos)*] [$($body)* $($body)*]);
        };
    }
    repeat!(@ 2 2 2 2 2 2 2 2 2 [; add x2, x2, 1]);
}
use long::Block;

/// The instructions of a [`Block`].
const BLOCK: u32 = 512;

const ADDRESS: u64 = 0x1_0000_0000;
const NOP: u32 = 0xd503_201f;
const RET: u32 = 0xd65f_03c0;
const ADD: u32 = 0x9100_0000;

fn elide() -> TraceBuilder {
    TraceBuilder::with_options(Options::new().fall_through(FallThrough::Elide))
}

fn with_reach(reach: Result<Reach, Error>) -> TraceBuilder {
    let options = Options::new().fall_through(FallThrough::Elide);
    TraceBuilder::with_options(options.reach(reach.unwrap()))
}

fn linked(builder: &mut TraceBuilder) -> LinkedTrace {
    builder.finish().unwrap().link(ADDRESS).unwrap()
}

fn words(linked: &LinkedTrace) -> Vec<u32> {
    let words = linked.bytes().chunks_exact(4);
    words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

fn add(n: u32) -> u32 {
    ADD | n << 10
}

/// `b` over `n` words.
fn b(n: i32) -> u32 {
    0x1400_0000 | n as u32 & 0x03ff_ffff
}

/// Where the instruction at `at` leads or loads from, in words: of 26, 19 or 14 bits.
fn place(words: &[u32], at: usize) -> i64 {
    let word = words[at];
    let distance = match word >> 24 {
        0x14..=0x17 | 0x94..=0x97 => (word << 6) as i32 >> 6,
        0x36 | 0x37 | 0xb6 | 0xb7 => (word << 13) as i32 >> 18,
        0x34 | 0x35 | 0x54 | 0xb4 | 0xb5 | 0x18 | 0x58 | 0x98 | 0xd8 | 0x1c | 0x5c => {
            (word << 8) as i32 >> 13
        }
        _ => panic!("{word:08x} at {at} leads nowhere"),
    };
    at as i64 + i64::from(distance)
}

/// Pushes so many instructions, without slots in between.
fn fill(builder: &mut TraceBuilder, words: u32) {
    for _ in 0..words / BLOCK {
        builder.push(Block).unwrap();
    }
    for n in 0..words % BLOCK {
        builder.push(Add { n: n.into() }).unwrap();
    }
}

// Slots and labels.

#[test]
fn labels_and_exits_have_offsets() {
    let mut builder = TraceBuilder::new();
    let [never, behind] = [(); 2].map(|()| builder.label());
    let same = [1, 1].map(|id| builder.exit([Leave { id }]).unwrap());
    let unwanted = builder.exit([Leave { id: 2 }]).unwrap();
    let top = builder.bind_new().unwrap();
    builder.push(Add { n: 1 }).unwrap();
    let middle = builder.bind_new().unwrap();
    for exit in same {
        builder.push(Guard { out: exit }).unwrap();
    }
    builder.push(Leave { id: 3 }).unwrap();
    builder.bind(behind).unwrap();
    let mut other = TraceBuilder::new();
    let foreign = (other.bind_new().unwrap(), other.declare_exit());
    let trace = builder.finish().unwrap();
    // NOP, add, NOP, cbz, NOP, cbz, NOP, and two of `Leave`; then the exit.
    assert_eq!(trace.label_offset(top), Some(4));
    assert_eq!(trace.label_offset(middle), Some(3 * 4));
    let exit = trace.hot_len() as u32;
    assert_eq!(same.map(|exit| trace.exit_offset(exit)), [Some(exit); 2]);
    for label in [never, behind, foreign.0] {
        assert_eq!(trace.label_offset(label), None);
    }
    for exit in [unwanted, foreign.1] {
        assert_eq!(trace.exit_offset(exit), None);
    }
}

#[test]
fn of_equal_exits_all_have_an_offset_if_one_is_led_to() {
    for wanted in 0..2 {
        let mut builder = TraceBuilder::new();
        let same = [1, 1].map(|id| builder.exit([Leave { id }]).unwrap());
        builder.push(Guard { out: same[wanted] }).unwrap();
        builder.push(Leave { id: 3 }).unwrap();
        let trace = builder.finish().unwrap();
        let exit = Some(trace.hot_len() as u32);
        assert_eq!(same.map(|exit| trace.exit_offset(exit)), [exit; 2]);
    }
}

#[test]
fn every_boundary_has_a_nop_and_the_entry_too() {
    let mut builder = TraceBuilder::new();
    builder.push(Add { n: 1 }).unwrap();
    builder.push(Add { n: 2 }).unwrap();
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    assert_eq!(words(&linked), [NOP, add(1), NOP, add(2), NOP, RET]);
    assert_eq!(linked.statistics().nops, 12);
}

#[test]
fn elided_slots_leave_the_entrys_nop() {
    let mut builder = elide();
    builder.push(Add { n: 1 }).unwrap();
    builder.push(Add { n: 2 }).unwrap();
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    assert_eq!(words(&linked), [NOP, add(1), add(2), RET]);
    assert_eq!(linked.statistics().nops, 4);
}

#[test]
fn a_jump_to_what_follows_is_a_fall_through() {
    for (policy, slot) in [(FallThrough::Nop, vec![NOP]), (FallThrough::Elide, vec![])] {
        // By a closing `b`, and by `jump`.
        for closing in [true, false] {
            let options = Options::new().fall_through(policy);
            let mut builder = TraceBuilder::with_options(options);
            let to = builder.label();
            let mut expected = vec![NOP];
            if closing {
                builder.push(Jump { to }).unwrap();
            } else {
                builder.push(Add { n: 1 }).unwrap();
                builder.jump(to).unwrap();
                expected.push(add(1));
            }
            builder.bind(to).unwrap();
            builder.push(Return).unwrap();
            expected.extend(&slot);
            expected.push(RET);
            assert_eq!(words(&linked(&mut builder)), expected, "{policy:?}");
        }
    }
}

#[test]
fn a_jump_elsewhere_is_a_branch_in_the_slot_under_either_policy() {
    for policy in [FallThrough::Nop, FallThrough::Elide] {
        let mut builder = TraceBuilder::with_options(Options::new().fall_through(policy));
        let (top, end) = (builder.bind_new().unwrap(), builder.label());
        builder.push(Add { n: 1 }).unwrap();
        builder.jump(end).unwrap();
        builder.push(Jump { to: top }).unwrap();
        builder.bind(end).unwrap();
        builder.push(Add { n: 2 }).unwrap();
        builder.jump(top).unwrap();
        let expected = [NOP, add(1), b(2), b(-2), add(2), b(-4)];
        assert_eq!(words(&linked(&mut builder)), expected, "{policy:?}");
    }
}

#[test]
fn labels_at_one_place_are_one_place() {
    let mut builder = elide();
    let (one, two) = (builder.label(), builder.label());
    builder.push(Zero { to: one }).unwrap();
    builder.push(Zero { to: two }).unwrap();
    builder.bind(one).unwrap();
    builder.bind(two).unwrap();
    builder.push(Return).unwrap();
    let words = words(&linked(&mut builder));
    assert_eq!((place(&words, 1), place(&words, 2)), (3, 3));
}

#[test]
fn an_enum_is_pushed_like_the_struct_in_it() {
    fn both(a: &mut TraceBuilder, b: &mut TraceBuilder, op: impl MicroOp + Into<Op> + Copy) {
        a.push(op).unwrap();
        b.push(op.into()).unwrap();
    }
    let (mut structs, mut enums) = (TraceBuilder::new(), TraceBuilder::new());
    let function = Target::new(0x1000).unwrap();
    {
        let (a, b) = (&mut structs, &mut enums);
        both(a, b, Add { n: 7 });
        both(
            a,
            b,
            Load {
                value: 0x1234_5678_9abc,
            },
        );
        both(
            a,
            b,
            LoadTo {
                register: Reg(3),
                value: 5,
            },
        );
        both(a, b, Call { function });
        both(a, b, Slow);
        both(a, b, TailCall { function });
    }
    assert_eq!(linked(&mut structs).bytes(), linked(&mut enums).bytes());
}

// Exits.

#[test]
fn equal_exits_become_one_and_unused_ones_none() {
    let mut builder = elide();
    let exits: Vec<Exit> = [1, 2, 1, 3]
        .map(|id| builder.exit([Leave { id }]).unwrap())
        .into();
    for &out in &exits[..3] {
        builder.push(Guard { out }).unwrap();
    }
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let words = words(&linked);
    assert_eq!(
        (place(&words, 1), place(&words, 2), place(&words, 3)),
        (5, 7, 5)
    );
    assert_eq!(linked.statistics().cold, 2 * 2 * 4);
}

#[test]
fn an_exit_that_was_declared_and_used_can_turn_out_equal_to_another() {
    for late_first in [false, true] {
        let mut builder = elide();
        let late = builder.declare_exit();
        let early = builder.exit([Leave { id: 1 }]).unwrap();
        let outs = if late_first {
            [late, early]
        } else {
            [early, late]
        };
        for out in outs {
            builder.push(Guard { out }).unwrap();
        }
        builder.push(Return).unwrap();
        builder
            .define_exit(late, |code| code.push(Leave { id: 1 }))
            .unwrap();
        let linked = linked(&mut builder);
        let words = words(&linked);
        assert_eq!((place(&words, 1), place(&words, 2)), (4, 4));
        assert_eq!(linked.statistics().cold, 2 * 4);
    }
}

#[test]
fn exits_that_go_on_at_different_labels_are_different() {
    let mut builder = elide();
    let (one, two) = (builder.bind_new().unwrap(), builder.label());
    let exits = [one, two, one].map(|to| {
        let exit = builder.exit_with(|code| {
            code.push(Add { n: 9 })?;
            code.jump(to)
        });
        exit.unwrap()
    });
    for out in exits {
        builder.push(Guard { out }).unwrap();
    }
    builder.bind(two).unwrap();
    builder.push(Return).unwrap();
    let words = words(&linked(&mut builder));
    assert_eq!(words[4..], [RET, add(9), b(-5), add(9), b(-4)]);
    assert_eq!(
        (place(&words, 1), place(&words, 2), place(&words, 3)),
        (5, 7, 5)
    );
}

#[test]
fn an_exit_that_can_be_linked_begins_with_a_nop_and_is_no_other() {
    let mut builder = elide();
    let plain = builder.exit([Leave { id: 1 }]).unwrap();
    let linkable = builder.linkable_exit([Leave { id: 1 }]).unwrap();
    let unused = builder.linkable_exit([Leave { id: 2 }]).unwrap();
    for out in [plain, linkable] {
        builder.push(Guard { out }).unwrap();
    }
    builder.push(Return).unwrap();
    let words = words(&linked(&mut builder));
    assert_eq!((place(&words, 1), place(&words, 2)), (4, 6));
    assert_eq!(words[6], NOP);
    assert_eq!(words.len(), 9, "{unused} has code");
}

// Islands. All traces here are elided, so that every place is easy to see: the entry's NOP is word 0.

/// A class of branches: a name, how far it reaches in words, and a micro-op of one of them.
type Class = (&'static str, u32, fn(Label) -> Op);

const CLASSES: [Class; 3] = [
    ("tbz", 8 << 10, |to| Test { to }.into()),
    ("cbz", 256 << 10, |to| Zero { to }.into()),
    ("b.cond", 256 << 10, |to| Overflow { to }.into()),
];

#[test]
fn a_branch_back_over_all_it_reaches_needs_no_veneer_and_one_word_more_does() {
    for (name, reach, branch) in CLASSES {
        let build = |between: u32| {
            let mut builder = elide();
            let to = builder.bind_new().unwrap();
            fill(&mut builder, between);
            builder.push(branch(to)).unwrap();
            builder.push(Return).unwrap();
            let linked = linked(&mut builder);
            (words(&linked), linked.statistics())
        };
        let (words, statistics) = build(reach);
        assert_eq!(statistics.islands, 0, "{name}");
        assert_eq!(place(&words, 1 + reach as usize), 1, "{name}");
        let (words, statistics) = build(reach + 1);
        // One `b`, behind everything.
        assert_eq!(statistics.islands, 4, "{name}");
        let veneer = place(&words, 2 + reach as usize);
        assert_eq!(veneer as usize, words.len() - 1, "{name}");
        assert_eq!(place(&words, words.len() - 1), 1, "{name}");
    }
}

#[test]
fn a_branch_forward_gives_up_five_words_of_its_reach_for_the_island_it_might_have_needed() {
    for (name, reach, branch) in CLASSES {
        // The label is so many words behind the branch.
        let build = |distance: u32| {
            let mut builder = elide();
            let to = builder.label();
            builder.push(branch(to)).unwrap();
            fill(&mut builder, distance - 1);
            builder.bind(to).unwrap();
            builder.push(Return).unwrap();
            let linked = linked(&mut builder);
            (words(&linked), linked.statistics())
        };
        let (words, statistics) = build(reach - 1 - 5);
        assert_eq!(statistics.islands, 0, "{name}");
        assert_eq!(place(&words, 1), i64::from(reach) - 5, "{name}");
        for further in 1..if reach > 10_000 { 8 } else { 40 } {
            let (words, statistics) = build(reach - 1 - 5 + further);
            // A jump around and a `b`, or a `b` alone.
            assert!(
                [4, 8].contains(&statistics.islands),
                "{name}: {statistics:?}"
            );
            let veneer = place(&words, 1);
            assert!(veneer <= i64::from(reach), "{name}: {veneer}");
            let label = place(&words, veneer as usize);
            assert_eq!(words[label as usize], RET, "{name}");
            let hot = words.len() as i64 - 1;
            assert_eq!(label, hot, "{name}: the label is not in front of the last");
        }
    }
}

#[test]
fn a_load_reads_the_pool_as_long_as_it_reaches_it_and_an_island_from_then_on() {
    let value = 0x1234_5678_9abc_def0;
    let reach = 256 << 10;
    let build = |between: u32| {
        let mut builder = elide();
        builder.push(Load { value }).unwrap();
        fill(&mut builder, between);
        builder.push(Return).unwrap();
        let linked = linked(&mut builder);
        (words(&linked), linked.statistics())
    };
    let check = |words: &[u32]| {
        let place = place(words, 1);
        assert!(place < 1 + reach && place % 2 == 0, "{place}");
        let at = place as usize;
        let word = u64::from(words[at]) | u64::from(words[at + 1]) << 32;
        assert_eq!(word, value);
        place
    };
    let mut last_in_pool = 0;
    for between in reach as u32 - 12..reach as u32 + 12 {
        let (words, statistics) = build(between);
        let place = check(&words);
        if statistics.islands == 0 {
            last_in_pool = place;
            assert_eq!(statistics.literals, 8);
        } else {
            assert_eq!(statistics.literals, 0);
        }
    }
    // Almost to the last word: what padding could have cost is kept free.
    assert!(last_in_pool > reach - 8, "{last_in_pool} of {reach}");
}

#[test]
fn a_changeable_literal_is_read_back_over_all_but_two_words_of_what_a_load_reaches() {
    let reach = 256 << 10;
    let build = |between: u32| {
        let mut builder = elide();
        let cell = builder.mut_literal(7);
        builder.push(Cell { cell }).unwrap();
        // Its word comes into the island that the first load needs.
        fill(&mut builder, reach + BLOCK);
        fill(&mut builder, between);
        let second = builder.push(Cell { cell });
        builder.push(Return).unwrap();
        let linked = linked(&mut builder);
        let at = linked.mut_literal_offset(cell).unwrap() / 4;
        assert_eq!(place(&words(&linked), 1), i64::from(at));
        assert_eq!(linked.statistics().literals, 0);
        let words = words(&linked);
        let load = words.len() - 2;
        if second.is_ok() {
            assert_eq!(place(&words, load), i64::from(at));
        }
        second.map(|()| load as u32 - at)
    };
    let already = build(0).unwrap();
    let distances: Vec<_> = (reach - 4..reach + 4)
        .map(|distance| (distance, build(distance - already)))
        .collect();
    for (distance, result) in distances {
        match result {
            Ok(actual) => assert!(actual == distance && distance <= reach - 2),
            Err(Error::LiteralOutOfReach { .. }) => assert!(distance > reach - 2),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_island_has_one_way_to_each_place_and_one_word_for_each_literal() {
    let mut builder = with_reach(
        Reach::default()
            .conditional(120)
            .and_then(|reach| reach.literal(120)),
    );
    let (one, two) = (0x1111_2222_3333_4444, 0x5555_6666_7777_8888);
    let cell = builder.mut_literal(one);
    let out = builder.exit([Leave { id: 1 }]).unwrap();
    let same = builder.exit([Leave { id: 1 }]).unwrap();
    let end = builder.label();
    builder.push(Guard { out }).unwrap(); // 1
    builder.push(Load { value: one }).unwrap(); // 2
    builder.push(Guard { out: same }).unwrap(); // 3
    builder.push(Load { value: two }).unwrap(); // 4
    builder.push(Load { value: one }).unwrap(); // 5
    builder.push(Zero { to: end }).unwrap(); // 6
    builder.push(Cell { cell }).unwrap(); // 7 is the jump around
    for n in 0..40 {
        builder.push(Add { n }).unwrap();
    }
    builder.bind(end).unwrap();
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let words = words(&linked);
    let island = words.iter().position(|&word| word >> 26 == 5).unwrap();
    // Around it, then a `b` each for the exit and the label, padding as needed, and the literals.
    let around = place(&words, island) as usize;
    let ways: Vec<usize> = (island + 1..around)
        .take_while(|&at| words[at] >> 26 == 5)
        .collect();
    assert_eq!(ways.len(), 2, "{words:x?}");
    assert_eq!(place(&words, 1), place(&words, 3));
    assert_eq!(place(&words, 1), ways[0] as i64);
    assert_eq!(place(&words, 6), ways[1] as i64);
    assert_eq!(words[place(&words, ways[1]) as usize], RET);
    assert_eq!(place(&words, 2), place(&words, 5));
    let load = |at: usize| {
        let at = place(&words, at) as usize;
        (at, u64::from(words[at]) | u64::from(words[at + 1]) << 32)
    };
    let literals = [load(2), load(4), load(around_cell(&words))];
    assert_eq!(literals.map(|(_, value)| value), [one, two, one]);
    let first = literals[0].0;
    assert_eq!(literals.map(|(at, _)| at), [first, first + 2, first + 4]);
    assert!(first % 2 == 0 && first + 6 == around, "{words:x?}");
    assert_eq!(linked.statistics().literals, 0);
    assert_eq!(linked.statistics().islands, 4 * (around - island));
}

/// The last literal load in front of the first island.
fn around_cell(words: &[u32]) -> usize {
    let island = words.iter().position(|&word| word >> 26 == 5).unwrap();
    (0..island).rfind(|&at| words[at] >> 24 == 0x58).unwrap()
}

#[test]
fn an_island_behind_what_leaves_needs_no_jump_around_it() {
    for leaves in [true, false] {
        let mut builder = with_reach(Reach::default().test(40));
        let end = builder.label();
        builder.push(Test { to: end }).unwrap(); // 1
        for n in 0..3 {
            builder.push(Add { n }).unwrap(); // 2 to 4
        }
        let behind = builder.label();
        if leaves {
            builder.push(Return).unwrap(); // 5
        } else {
            builder.push(Add { n: 3 }).unwrap(); // 5
        }
        builder.bind(behind).unwrap();
        builder.push(Add { n: 4 }).unwrap();
        builder.push(Jump { to: behind }).unwrap();
        builder.bind(end).unwrap();
        builder.push(Return).unwrap();
        let words = words(&linked(&mut builder));
        let (veneer, label) = if leaves { (6, 7) } else { (7, 8) };
        assert_eq!(place(&words, 1), veneer, "{words:x?}");
        assert_eq!(place(&words, veneer as usize), label + 2);
        // The label is behind the island.
        assert_eq!(place(&words, label as usize + 1), label);
        assert_eq!(words[label as usize], add(4));
        if !leaves {
            assert_eq!(words[6], b(2));
        }
    }
}

#[test]
fn an_island_makes_use_of_the_slot_that_would_have_been_a_nop() {
    let count = |policy| {
        let reach = Reach::default().test(40).unwrap();
        let options = Options::new().fall_through(policy).reach(reach);
        let mut builder = TraceBuilder::with_options(options);
        let end = builder.label();
        builder.push(Test { to: end }).unwrap();
        for n in 0..20 {
            builder.push(Add { n }).unwrap();
        }
        builder.bind(end).unwrap();
        builder.push(Return).unwrap();
        linked(&mut builder).statistics()
    };
    let (nop, elided) = (count(FallThrough::Nop), count(FallThrough::Elide));
    assert_eq!((nop.islands, elided.islands), (8, 8));
    assert_eq!(nop.nops / 4, 1 + 21 - 1);
    assert_eq!(elided.nops / 4, 1);
}

#[test]
fn branches_of_a_cold_part_share_the_way_back() {
    let reach = Reach::default().test(40).unwrap();
    let options = Options::new().fall_through(FallThrough::Elide).reach(reach);
    let mut builder = TraceBuilder::with_options(options);
    builder.push(Slow).unwrap();
    fill(&mut builder, 20);
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let words = words(&linked);
    let cold = linked.range(Part::Cold).start as usize / 4;
    assert_eq!(linked.statistics().islands, 4, "{words:x?}");
    let veneer = cold as i64 + 4;
    assert_eq!(place(&words, cold + 1), veneer);
    assert_eq!(place(&words, cold + 2), veneer);
    assert_eq!(place(&words, veneer as usize), 2);
    // The `b` needs none.
    assert_eq!(place(&words, cold + 3), 2);
}

#[test]
fn a_cold_part_leads_back_to_the_slot_where_the_hot_part_ends() {
    for (policy, back) in [(FallThrough::Nop, NOP), (FallThrough::Elide, RET)] {
        let mut builder = TraceBuilder::with_options(Options::new().fall_through(policy));
        builder.push(SlowWord).unwrap();
        builder.push(Return).unwrap();
        let linked = linked(&mut builder);
        let words = words(&linked);
        let cold = linked.range(Part::Cold).start as usize / 4;
        assert_eq!(place(&words, 1), cold as i64);
        assert_eq!(words[place(&words, cold) as usize], back);
    }
}

#[test]
fn a_changeable_literal_whose_word_an_island_is_about_to_get_is_not_read_from_too_far() {
    let build = |late: bool| {
        let mut builder = with_reach(Reach::default().literal(44));
        let cells = [builder.mut_literal(1), builder.mut_literal(2)];
        for cell in cells {
            builder.push(Cell { cell }).unwrap();
        }
        // An island comes in front of this, with the words of both; the load at its end is too far from
        // the first.
        let [cell, _] = cells;
        let result = late.then(|| builder.push(LateCell { cell }));
        builder.push(Return).unwrap();
        (words(&linked(&mut builder)), result)
    };
    let (refused, result) = build(true);
    let out_of_reach = matches!(result, Some(Err(Error::LiteralOutOfReach { .. })));
    assert!(out_of_reach, "{result:?}");
    assert_eq!(refused, build(false).0);
}

#[test]
fn an_island_that_is_too_long_to_be_jumped_around_is_an_error() {
    let reach = Reach::default().jump(32).unwrap().conditional(256).unwrap();
    let options = Options::new().reach(reach);
    let mut builder = TraceBuilder::with_options(options);
    let labels: Vec<Label> = (0..12).map(|_| builder.label()).collect();
    for &to in &labels {
        builder.push(Zero { to }).unwrap();
    }
    for n in 0..30 {
        builder.push(Add { n }).unwrap();
    }
    for &label in &labels {
        builder.bind(label).unwrap();
    }
    builder.push(Return).unwrap();
    let result = builder.finish().map(drop);
    assert!(
        matches!(result, Err(Error::TraceTooLong { .. })),
        "{result:?}"
    );
}

#[test]
fn exits_out_of_reach_of_each_other_are_reached_through_islands_in_the_cold_section() {
    let mut builder = with_reach(Reach::default().conditional(64));
    let mut outs = Vec::new();
    for id in 0..40 {
        let leave = Op::from(Leave { id });
        let exit = match outs.get((id as usize).wrapping_sub(20)) {
            None => builder.exit([leave]),
            Some(&out) => builder.exit([Guard { out }.into(), leave]),
        };
        outs.push(exit.unwrap());
    }
    for &out in &outs {
        builder.push(Guard { out }).unwrap();
    }
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let words = words(&linked);
    let guards = (1..words.len()).filter(|&at| words[at] >> 24 == 0xb5);
    let leave = |at: usize| (words[at] >> 5 & 0xffff) as usize;
    for (id, guard) in guards.take(40).enumerate() {
        let exit = follow(&words, guard);
        if id < 20 {
            assert_eq!(leave(exit), id);
        } else {
            assert_eq!(leave(follow(&words, exit)), id - 20);
            // An island may lie in the middle of the exit.
            let next = exit + 1;
            let around = words[next] >> 26 == 5;
            let next = if around { follow(&words, next) } else { next };
            assert_eq!(leave(next), id);
        }
    }
    let cold = linked.range(Part::Cold);
    let in_cold = (0..).step_by(4).zip(&words);
    let veneers = in_cold.filter(|(at, word)| cold.contains(at) && **word >> 26 == 5);
    assert!(veneers.count() >= 20);
}

/// Where the branch at `at` leads, through veneers.
fn follow(words: &[u32], at: usize) -> usize {
    let mut to = place(words, at) as usize;
    while words[to] >> 26 == 5 {
        to = place(words, to) as usize;
    }
    to
}

// Calls.

const REACH: u64 = 128 << 20;

/// `NOP ; bl ; ret`, which is three words.
fn call(function: Target, address: u64) -> LinkedTrace {
    let mut builder = elide();
    builder.push(Call { function }).unwrap();
    builder.push(Return).unwrap();
    builder.finish().unwrap().link(address).unwrap()
}

#[test]
fn a_call_is_direct_as_long_as_the_whole_trace_reaches_the_target() {
    let direct = [
        ADDRESS + REACH - 4,
        ADDRESS + 4096,
        ADDRESS,
        ADDRESS - 4,
        ADDRESS - REACH + 12,
    ];
    for target in direct {
        let linked = call(Target::new(target).unwrap(), ADDRESS);
        let words = words(&linked);
        assert_eq!(words.len(), 3, "{target:#x}");
        assert_eq!(words[1] >> 26, 0b10_0101);
        let distance = place(&words, 1) * 4;
        assert_eq!(ADDRESS.wrapping_add(distance as u64), target);
        assert_eq!(linked.statistics().direct_calls, 1);
        assert!(linked.far_targets().is_empty());
    }
}

#[test]
fn a_call_beyond_the_reach_of_bl_goes_through_a_trampoline() {
    let far = [
        ADDRESS + REACH,
        ADDRESS - REACH,
        ADDRESS - REACH - 4,
        0,
        0x7fff_ffff_fffc,
        u64::MAX - 3,
    ];
    for target in far {
        let function = Target::new(target).unwrap();
        let linked = call(function, ADDRESS);
        let (low, high) = (target as u32, (target >> 32) as u32);
        let expected = [
            NOP,
            0x9400_0002, // bl, over the `ret`
            RET,
            0x5800_0070, // ldr x16, the word behind the padding
            0xd61f_0200, // br x16
            0,
            low,
            high,
        ];
        assert_eq!(words(&linked), expected, "{target:#x}");
        assert_eq!(linked.far_targets(), [function]);
        let s = linked.statistics();
        assert_eq!((s.trampolines, s.literals, s.far_calls), (12, 8, 1));
    }
}

#[test]
fn addresses_do_not_wrap_around() {
    // From one end of the address space to the other it is not near, whatever 64 bits say.
    for (address, target) in [(0, u64::MAX - 3), (u64::MAX - 63, 0), (u64::MAX - 63, 4096)] {
        let linked = call(Target::new(target).unwrap(), address);
        assert_eq!(linked.statistics().far_calls, 1, "{address:#x}");
    }
    for (address, target) in [(0, 0), (0, 4096), (u64::MAX - 63, u64::MAX - 3)] {
        let linked = call(Target::new(target).unwrap(), address);
        assert_eq!(linked.statistics().direct_calls, 1, "{address:#x}");
    }
}

#[test]
fn a_retargetable_target_has_a_trampoline_and_a_word_of_its_own_however_near() {
    let (near, far) = (ADDRESS + 4096, ADDRESS + (1 << 40));
    let mut builder = elide();
    for address in [near, far] {
        for function in [Target::new(address), Target::retargetable(address)] {
            let function = function.unwrap();
            builder.push(Call { function }).unwrap();
            builder.push(Call { function }).unwrap();
        }
    }
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let s = linked.statistics();
    assert_eq!((s.direct_calls, s.far_calls), (2, 6));
    assert_eq!(s.literals, 3 * 8);
    let targets = [
        Target::retargetable(near),
        Target::new(far),
        Target::retargetable(far),
    ];
    assert_eq!(linked.far_targets(), targets.map(Result::unwrap));
}

#[test]
fn islands_have_trampolines_where_a_trace_is_longer_than_half_of_what_conditional_branches_reach() {
    let far = Target::new(ADDRESS + (1 << 40)).unwrap();
    // An island comes 64 bytes behind the branch, which is behind `before` instructions.
    let build = |before: u64, conditional: u32| {
        let reach = Reach::default().test(64).unwrap();
        let mut builder = with_reach(reach.conditional(conditional));
        let end = builder.label();
        builder.push(Call { function: far }).unwrap();
        (0..before).for_each(|_| builder.push(Add { n: 1 }).unwrap());
        builder.push(Test { to: end }).unwrap();
        (0..20).for_each(|n| builder.push(Add { n }).unwrap());
        builder.bind(end).unwrap();
        builder.push(Return).unwrap();
        let s = linked(&mut builder).statistics();
        assert!(s.islands > 0);
        s.trampolines == 0
    };
    for conditional in [1024, 4096, 16384] {
        let half = u64::from(conditional / 4 / 2);
        for (before, there) in [
            (0, false),
            (half - 20, false),
            (half, true),
            (2 * half, true),
        ] {
            assert_eq!(build(before, conditional), there, "{before}, {conditional}");
        }
    }
    // 512 KiB, unless told otherwise.
    let full = 1 << 20;
    assert!(!build((1 << 17) - 20, full) && build(1 << 17, full));
}

#[test]
fn trampolines_in_an_island_leave_room_for_the_next_one() {
    // More targets than an island takes, and branches that wait for the next one: with less and less reach.
    for test in [1 << 15, 4096, 1024, 512, 256] {
        let reach = Reach::default().test(test).unwrap();
        let mut builder = with_reach(reach.conditional(256));
        let (end, far) = (builder.label(), ADDRESS + (1 << 40));
        for number in 0..300 {
            let function = Target::new(far + number * 8).unwrap();
            builder.push(Call { function }).unwrap();
        }
        let branches = test / 4 + 300;
        for _ in 0..branches {
            builder.push(Test { to: end }).unwrap();
        }
        builder.bind(end).unwrap();
        builder.push(Return).unwrap();
        let linked = linked(&mut builder);
        let (words, s) = (words(&linked), linked.statistics());
        let in_islands = 300 - s.trampolines / 8;
        let room = test as usize / 16;
        assert!(
            ((room / 3).min(256)..=room.min(256)).contains(&in_islands),
            "{test}: {in_islands}"
        );
        let of_a_test = words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word >> 24 == 0x36);
        let tests: Vec<_> = of_a_test.map(|(at, _)| at).collect();
        assert_eq!(tests.len(), branches as usize);
        for at in tests {
            assert_eq!(words[follow(&words, at)], RET, "{test}: {at}");
        }
        for number in 0..300 {
            let at = place(&words, 1 + number) as usize;
            assert_eq!(
                (words[at] & 0xff00_001f, words[at + 1]),
                (0x5800_0010, 0xd61f_0200)
            );
            let word = place(&words, at) as usize;
            assert_eq!(
                u64::from(words[word]) | u64::from(words[word + 1]) << 32,
                far + number as u64 * 8
            );
        }
    }
}

#[test]
fn a_trampoline_shares_its_word_with_an_equal_constant_but_not_with_a_changeable_one() {
    let far = ADDRESS + (1 << 40) + 0x1234;
    let function = Target::new(far).unwrap();
    let build = |shared: bool| {
        let mut builder = elide();
        let cell = builder.mut_literal(far);
        builder.push(Call { function }).unwrap();
        builder.push(TailCall { function }).unwrap();
        if shared {
            builder.push(Load { value: far }).unwrap();
        }
        builder.push(Cell { cell }).unwrap();
        builder.push(Return).unwrap();
        linked(&mut builder).statistics().literals
    };
    assert_eq!((build(true), build(false)), (16, 16));
}

#[test]
fn a_tail_call_is_a_branch_without_a_link() {
    let mut builder = elide();
    let function = Target::new(ADDRESS + 4096).unwrap();
    builder.push(TailCall { function }).unwrap();
    let linked = linked(&mut builder);
    assert_eq!(words(&linked), [NOP, b(1023)]);
    assert_eq!(linked.statistics().direct_calls, 1);
}

#[test]
fn one_trace_is_linked_to_many_addresses() {
    let mut builder = elide();
    let function = Target::new(ADDRESS).unwrap();
    builder
        .push(Load {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
    builder.push(Call { function }).unwrap();
    builder.push(Return).unwrap();
    let trace = builder.finish().unwrap();
    let near = trace.link(ADDRESS + 8).unwrap();
    let far = trace.link(ADDRESS + (1 << 40)).unwrap();
    let again = trace.link(ADDRESS + 8).unwrap();
    assert_eq!(near.bytes(), again.bytes());
    assert_eq!(trace.linked_len(near.address()), Ok(near.bytes().len()));
    assert_eq!(trace.linked_len(far.address()), Ok(far.bytes().len()));
    assert_eq!(far.bytes().len() - near.bytes().len(), 2 * 4 + 8);
}

#[test]
fn a_trace_is_linked_where_it_is_as_often_as_one_likes() {
    const FUNCTION: u64 = 0x40_0000_0000;
    let (near, far) = (FUNCTION + 0x1000, FUNCTION + 0x8000_0000);
    let mut builder = TraceBuilder::new();
    for length in [1u64, 30, 2] {
        builder.clear();
        let out = builder.exit([Leave { id: 7 }]).unwrap();
        let cell = builder.mut_literal(0x1234_5678_9abc_def0);
        builder.push(Cell { cell }).unwrap();
        for n in 0..length {
            let function = Target::new(FUNCTION + n % 3 * 8).unwrap();
            builder.push(Call { function }).unwrap();
            builder.push(Guard { out }).unwrap();
            let value = FUNCTION + 0xabcd;
            builder
                .push(LoadTo {
                    register: Reg(3),
                    value,
                })
                .unwrap();
        }
        builder.push(Return).unwrap();
        // Not finished before the first.
        for address in [far, near, near + 8, far, near] {
            let placed = builder.finish_at(address).unwrap();
            assert_eq!(placed.address(), address);
            let bytes = placed.bytes().to_vec();
            let (statistics, trace) = (placed.statistics(), placed.trace());
            assert_eq!(statistics.far_calls > 0, address == far);
            let linked = trace.link(address).unwrap();
            assert_eq!(
                (linked.bytes(), linked.statistics()),
                (&bytes[..], statistics)
            );
            assert_eq!(placed.to_linked().bytes(), bytes);
            assert!(placed.to_linked().mut_literal_offset(cell).is_some());
            assert_eq!(trace.exit_offset(out), Some(trace.hot_len() as u32));
        }
        // What cannot be done changes nothing.
        let error = builder.finish_at(near + 4).map(drop).unwrap_err();
        assert!(matches!(error, Error::InvalidAddress { .. }), "{error}");
        assert_eq!(builder.push(Return), Err(Error::Finished));
        let linked = builder.finish().unwrap().link(near).unwrap();
        assert_eq!(builder.finish_at(near).unwrap().bytes(), linked.bytes());
    }
}

#[test]
fn a_trace_that_is_not_complete_is_not_linked_where_it_is() {
    let mut builder = TraceBuilder::new();
    assert_eq!(builder.finish_at(0).map(drop), Err(Error::Empty));
    builder.push(Add { n: 1 }).unwrap();
    let error = builder.finish_at(0).map(drop);
    assert_eq!(error, Err(Error::FallsOffEnd { op: "Add" }));
    builder.push(Return).unwrap();
    assert_eq!(builder.finish_at(0).unwrap().bytes().len(), 4 * 4);
}

// The pool.

#[test]
fn constants_are_in_the_pool_once_and_changeable_literals_on_their_own() {
    let (one, two) = (0x1111_2222_3333_4444, 0x5555_6666_7777_8888);
    let mut builder = elide();
    let cells = [one, one].map(|value| builder.mut_literal(value));
    let unused = builder.mut_literal(3);
    for value in [one, two, one] {
        builder.push(Load { value }).unwrap();
    }
    for cell in [cells[0], cells[1], cells[0]] {
        builder.push(Cell { cell }).unwrap();
    }
    // The lower half of a word that is there anyway is another constant all the same.
    builder
        .push(LoadWord {
            value: one & 0xffff_ffff,
        })
        .unwrap();
    builder.push(LoadDouble { value: two }).unwrap();
    builder.push(Return).unwrap();
    let linked = linked(&mut builder);
    let words = words(&linked);
    let literals = linked.range(Part::Literals).start as i64 / 4;
    let places: Vec<i64> = (1..9)
        .map(|at| (place(&words, at) - literals) / 2)
        .collect();
    assert_eq!(places, [0, 1, 0, 2, 3, 2, 4, 1]);
    assert_eq!(literals % 2, 0);
    assert_eq!(linked.statistics().literals, 5 * 8);
    let offset = |at: i64| Some((literals + 2 * at) as u32 * 4);
    assert_eq!(linked.mut_literal_offset(cells[0]), offset(2));
    assert_eq!(linked.mut_literal_offset(cells[1]), offset(3));
    assert_eq!(linked.mut_literal_offset(unused), None);
    let foreign = TraceBuilder::new().mut_literal(1);
    assert_eq!(linked.mut_literal_offset(foreign), None);
}

#[test]
fn a_load_of_what_one_instruction_makes_becomes_that_instruction() {
    let x = |value: u64| Op::from(Load { value });
    let w = |value: u64| Op::from(LoadWord { value });
    let sw = |value: u64| Op::from(LoadSigned { value });
    let cases = [
        (x(0), 0xd280_0009),                       // movz x9, #0
        (x(0xffff), 0xd29f_ffe9),                  // movz x9, #0xffff
        (x(0xabcd << 32), 0xd2d5_79a9),            // movz x9, #0xabcd, lsl #32
        (x(u64::MAX), 0x9280_0009),                // movn x9, #0
        (x(!(0x1234 << 48)), 0x92e2_4689),         // movn x9, #0x1234, lsl #48
        (x(0x5555_5555_5555_5555), 0xb200_f3e9),   // orr x9, xzr, #0x5555555555555555
        (x(0x00ff_ffff_ff00_0000), 0xb268_7fe9),   // orr x9, xzr, #0xffffffff000000
        (w(0), 0x5280_0009),                       // movz w9, #0
        (w(0xffff_fffe), 0x1280_0029),             // movn w9, #1
        (w(0x00ff_ff00), 0x3218_3fe9),             // orr w9, wzr, #0xffff00
        (sw(1), 0xd280_0029),                      // movz x9, #1
        (sw(-1i64 as u64), 0x9280_0009),           // movn x9, #0
        (sw(i32::MIN as i64 as u64), 0xb261_83e9), // orr x9, xzr, #0xffffffff80000000
    ];
    for (op, word) in cases {
        let mut builder = elide();
        builder.push(op).unwrap();
        builder.push(Return).unwrap();
        let words = words(&linked(&mut builder));
        assert_eq!(words, [NOP, word, RET], "{op}: {words:x?}");
    }
}

#[test]
fn a_relaxed_load_keeps_the_register_that_was_chosen() {
    for register in (0..31).filter(|&register| register != 18) {
        let mut builder = elide();
        let value = 7;
        let register = Reg(register);
        builder.push(LoadTo { register, value }).unwrap();
        builder.push(Return).unwrap();
        let movz = 0xd280_00e0 | u32::from(register.0);
        assert_eq!(words(&linked(&mut builder)), [NOP, movz, RET]);
    }
}

#[test]
fn loads_that_no_move_replaces_stay_loads() {
    let ops: [Op; 6] = [
        Load { value: 0x1_0001 }.into(),
        LoadWord { value: 0x1234_5678 }.into(),
        LoadSigned { value: 0x1234_5678 }.into(),
        LoadDouble { value: 0 }.into(),
        LoadSingle { value: 1 }.into(),
        Prefetch { value: 0 }.into(),
    ];
    for op in ops {
        let mut builder = elide();
        builder.push(op).unwrap();
        builder.push(Return).unwrap();
        let linked = linked(&mut builder);
        assert_eq!(linked.statistics().literals, 8, "{op}");
        let words = words(&linked);
        assert_eq!(
            place(&words, 1) * 4,
            i64::from(linked.range(Part::Literals).start)
        );
    }
}

// Invalidation points.

#[test]
fn an_invalidation_point_uses_the_nop_that_is_there_and_brings_one_where_there_is_none() {
    let build = |policy, label: bool| {
        let mut builder = TraceBuilder::with_options(Options::new().fall_through(policy));
        let out = builder.exit([Leave { id: 1 }]).unwrap();
        // At the entry.
        builder.invalidation_point(out).unwrap();
        builder.push(Add { n: 1 }).unwrap();
        if label {
            builder.bind_new().unwrap();
        }
        builder.invalidation_point(out).unwrap();
        builder.push(Return).unwrap();
        words(&linked(&mut builder))
    };
    let leave = [0xd280_0020, 0xd61f_0380];
    let (nop, elide) = (FallThrough::Nop, FallThrough::Elide);
    let behind = |hot: &[u32]| [hot, &leave].concat();
    let one = behind(&[NOP, add(1), NOP, RET]);
    // What comes by the label does not come by the slot.
    let two = behind(&[NOP, add(1), NOP, NOP, RET]);
    assert_eq!(build(nop, false), one);
    assert_eq!(build(nop, true), two);
    assert_eq!(build(elide, false), one);
    assert_eq!(build(elide, true), one);
}

#[test]
fn an_invalidation_point_behind_an_island_has_a_nop_of_its_own() {
    let mut builder = with_reach(Reach::default().test(48));
    let end = builder.label();
    let out = builder.exit([Leave { id: 1 }]).unwrap();
    builder.push(Test { to: end }).unwrap();
    for n in 0..12 {
        builder.invalidation_point(out).unwrap();
        builder.push(Add { n }).unwrap();
    }
    builder.bind(end).unwrap();
    builder.push(Return).unwrap();
    let words = words(&linked(&mut builder));
    assert_eq!(words[follow(&words, 1)], RET);
    // Each `add` has its NOP in front of it, elided slots or not.
    for n in 0..12 {
        let at = words.iter().position(|&word| word == add(n)).unwrap();
        assert_eq!(words[at - 1], NOP, "{n}");
    }
}

mod as_enum {
    opstitch::uops! {
        pub(crate) enum Op;
        op Call(function: call) { ; bl =>function }
    }
}

#[test]
fn no_exit_is_emitted_for_a_call_whatever_the_bits_of_its_target() {
    for annotate in [true, false] {
        let mut builder = TraceBuilder::with_options(Options::new().annotate(annotate));
        builder.exit([Leave { id: 1 }]).unwrap();
        for bits in 0..8 {
            let function = Target::new(1 << 32 | bits << 29).unwrap();
            let call = as_enum::Op::from(as_enum::Call { function });
            // The first of all makes the row of the others.
            builder.push(call).unwrap();
            builder.push(call).unwrap();
        }
        builder.push(Return).unwrap();
        let trace = builder.finish().unwrap();
        assert_eq!((trace.cold_len(), trace.targets().len()), (0, 8));
    }
}

#[test]
fn an_island_comes_where_it_would_have_come_without_a_finish_that_failed() {
    let build = |fails: bool| {
        let mut builder = with_reach(Reach::default().literal(28));
        let (last, label) = (builder.label(), builder.label());
        builder.push(CallHere { to: last }).unwrap();
        let value = 0x1234_5678_9abc;
        builder.push(LoadAndReturn { value }).unwrap();
        if fails {
            assert!(builder.finish().is_err());
        }
        builder.bind(label).unwrap();
        // There is no more room for it in front of the island, small as it is.
        builder.push(Nothing {}).unwrap();
        builder.push(Jump { to: label }).unwrap();
        builder.bind(last).unwrap();
        builder.push(Return).unwrap();
        builder.push(Return).unwrap();
        words(&linked(&mut builder))
    };
    assert_eq!(build(false), build(true));
}

#[test]
fn displacements_that_a_failed_finish_wrote_are_written_anew() {
    let build = |fails: bool| {
        let mut builder = TraceBuilder::new();
        let out = builder.exit([Leave { id: 1 }]).unwrap();
        let (never, end) = (builder.label(), builder.label());
        let function = Target::new(0x1_0000_0000).unwrap();
        builder.push(GuardBit { out }).unwrap();
        builder.push(Guard { out }).unwrap();
        builder.push(Call { function }).unwrap();
        builder.push(Slow).unwrap();
        builder.push(Zero { to: never }).unwrap();
        builder.push(Jump { to: end }).unwrap();
        builder.push(Return).unwrap();
        builder.bind(end).unwrap();
        builder.push(Return).unwrap();
        if fails {
            let error = builder.finish().unwrap_err();
            assert!(matches!(error, Error::LabelNeverBound { .. }), "{error}");
        }
        // Now the exits and the cold parts come to lie elsewhere.
        builder.bind(never).unwrap();
        (0..21).for_each(|n| builder.push(Add { n }).unwrap());
        builder.push(Return).unwrap();
        words(&linked(&mut builder))
    };
    assert_eq!(build(false), build(true));
}

mod together {
    opstitch::uops! {
        pub enum Op;
        op Add(d: reg, n: u12) { ; add X(d), X(d), n }
        op Guard(out: exit) { ; cbnz x1, =>out }
        op Call(function: call) { ; bl =>function }
        op Back(to: label) { ; cbz x2, =>to }
        op Jump(to: label) { ; b =>to }
        op Load(value: literal) { ; ldr x9, =>value }
        op Nothing { }
        op Return { ; ret }
    }
}

/// One word for each note is the most that there can be of them, and these come behind others that have more.
#[test]
fn short_micro_ops_that_all_refer_to_something_are_pushed_together_as_one_by_one() {
    opstitch::uops! {
        enum Op;
        op Long(n: u12, out: exit) { ; add x0, x0, n ; add x0, x0, n ; cbnz x0, =>out ; add x0, x0, n }
        op Guard(out: exit) { ; cbnz x1, =>out }
        op Call(function: call) { ; bl =>function }
        op Leave { ; ret }
    }
    let build = |together: bool| {
        let options = Options::new()
            .annotate(false)
            .fall_through(FallThrough::Elide);
        let mut builder = TraceBuilder::with_options(options);
        let out = builder.exit([Leave]).unwrap();
        let function = Target::new(1 << 32).unwrap();
        let (long, guard, call) = (Long { n: 1, out }, Guard { out }, Call { function });
        let mut ops: Vec<Op> = vec![long.into(); 300];
        for count in [300, 10_000] {
            ops.extend(vec![Op::from(call); count]);
            ops.extend(vec![Op::from(guard); 10_000]);
        }
        ops.extend([Op::from(long), Leave.into()]);
        match together {
            true => builder.push_all(ops.iter().map(Alike)).unwrap(),
            false => ops.iter().for_each(|op| builder.push(op).unwrap()),
        }
        words(&linked(&mut builder))
    };
    assert_eq!(build(true), build(false));
}

/// Micro-ops of all kinds, in an order that looks like none.
fn many(count: usize, out: Exit, to: Label) -> Vec<together::Op> {
    use together::{Add, Back, Call, Guard, Jump, Load, Nothing, Return};
    let mut state = 1u32;
    let mut ops = Vec::new();
    while ops.len() < count {
        state = state.wrapping_mul(0x9e37_79b9).wrapping_add(1);
        let n = u64::from(state >> 20);
        ops.push(match state >> 8 & 15 {
            0 => Load { value: n << 32 }.into(),
            1 => Nothing.into(),
            2 => Return.into(),
            3 => Jump { to }.into(),
            4..7 => Guard { out }.into(),
            7..9 => Back { to }.into(),
            9..12 => Call {
                function: Target::new(n << 40).unwrap(),
            }
            .into(),
            _ => Add {
                d: Reg(n as u8 % 8),
                n,
            }
            .into(),
        });
    }
    ops.push(Return.into());
    ops
}

/// Longer than what one run counts, and than a literal reaches.
#[test]
fn micro_ops_that_are_pushed_all_at_once_give_the_bytes_of_those_pushed_one_by_one() {
    for fall_through in [FallThrough::Nop, FallThrough::Elide] {
        for annotate in [false, true] {
            let options = Options::new().fall_through(fall_through).annotate(annotate);
            let (count, has_islands) = match annotate && is_slow() {
                true => (30_000, false),
                false => (300_000, true),
            };
            let build = |push: &dyn Fn(&mut TraceBuilder, Vec<together::Op>)| {
                let mut builder = TraceBuilder::with_options(options);
                let out = builder.exit([Leave { id: 3 }]).unwrap();
                let to = builder.bind_new().unwrap();
                push(&mut builder, many(count, out, to));
                let trace = builder.finish().unwrap();
                let linked = trace.link(0x1_0000_0000).unwrap();
                let words = (0..linked.bytes().len() as u32).step_by(4);
                // Of so many micro-ops a part will do.
                let seen = words.step_by(if annotate { 17 } else { 100_000 });
                let ops = seen.map(|at| linked.op_at(at).map(|op| op.to_string()));
                (ops.collect(), linked.bytes().to_vec(), linked.statistics())
            };
            let one_by_one: (Vec<_>, Vec<u8>, Statistics) = build(&|builder, ops| {
                ops.into_iter().for_each(|op| builder.push(op).unwrap());
            });
            let known = one_by_one.0.iter().flatten().count();
            assert_eq!(known > one_by_one.0.len() / 2, annotate);
            assert_eq!(one_by_one.2.islands > 0, has_islands, "{options:?}");
            let at_once =
                build(&|builder, ops| builder.push_all(ops.into_iter().map(Alike)).unwrap());
            assert!(one_by_one == at_once, "{options:?}");
            let borrowed = build(&|builder, ops| builder.push_all(ops.iter().map(Alike)).unwrap());
            assert!(one_by_one == borrowed, "{options:?}");
        }
    }
}

#[test]
fn an_exit_of_structs_is_equal_to_one_of_an_enum_and_refuses_the_same() {
    use together::{Add, Load, Nothing, Op, Return};
    for annotate in [false, true] {
        let mut builder = TraceBuilder::with_options(Options::new().annotate(annotate));
        let add = |d, n| Add { d: Reg(d), n };
        let of_enums = builder
            .exit([Op::from(add(1, 4095)), Nothing {}.into(), Return.into()])
            .unwrap();
        let mut define = |define: &dyn Fn(&mut opstitch::ExitCode<'_>) -> Result<(), Error>| {
            let exit = builder.declare_exit();
            builder.define_exit(exit, define).map(|()| exit)
        };
        let same = |code: &mut opstitch::ExitCode<'_>| {
            code.push(add(1, 4095))?;
            // What is refused changes nothing.
            let error = code.push(add(1, 4096)).unwrap_err();
            assert_eq!(Err(error), code.push(Op::from(add(1, 4096))));
            let error = code.push(add(18, 1)).unwrap_err();
            assert_eq!(Err(error), code.push(Op::from(add(18, 1))));
            code.push(Nothing {})?;
            code.push(Op::from(Return))
        };
        let of_both = define(&same).unwrap();
        let other = |code: &mut opstitch::ExitCode<'_>| {
            code.push(add(1, 4094))?;
            code.push(Nothing {})?;
            code.push(Return)
        };
        let other = define(&other).unwrap();
        // One that is emitted micro-op by micro-op from its second on.
        let late = |code: &mut opstitch::ExitCode<'_>| {
            code.push(add(1, 4095))?;
            code.push(Load { value: 7 << 40 })?;
            code.push(add(2, 1))?;
            code.push(Return)
        };
        let late = define(&late).unwrap();
        let falls_off = define(&|code| code.push(add(1, 1))).unwrap_err();
        let op = "Add";
        assert_eq!(falls_off, Error::ExitFallsOffEnd { exit: 4, op });
        for out in [of_enums, of_both, other, late] {
            builder.push(Guard { out }).unwrap();
        }
        builder.push(Return).unwrap();
        let trace = builder.finish().unwrap();
        let at = |exit| trace.exit_offset(exit).unwrap();
        assert_eq!(at(of_enums), at(of_both));
        assert_eq!(at(other) - at(of_enums), 4 * 4);
        assert_eq!(at(late) - at(other), 4 * 4);
        let words = words(&trace.link(ADDRESS).unwrap());
        let exit = |exit, len: u32| {
            let start = at(exit) as usize / 4;
            words[start..start + len as usize].to_vec()
        };
        let ret = 0xd65f_03c0;
        let add = |d: u32, n: u32| 0x9100_0000 | n << 10 | d << 5 | d;
        assert_eq!(exit(of_enums, 4), [add(1, 4095), NOP, NOP, ret]);
        assert_eq!(exit(other, 4), [add(1, 4094), NOP, NOP, ret]);
        let words = exit(late, 7);
        assert_eq!(words[..2], [add(1, 4095), NOP]);
        assert_eq!(words[3..], [NOP, add(2, 1), NOP, ret]);
    }
}

/// An annotated trace's exits are emitted micro-op by micro-op; others' are copied where they can be.
#[test]
fn exits_are_the_same_whether_they_are_copied_or_emitted() {
    use together::{Add, Call, Guard, Jump, Load, Nothing, Op, Return};
    let add = |n| Op::from(Add { d: Reg(n as u8), n });
    let call = Call {
        function: Target::new(1 << 40).unwrap(),
    };
    // Between two that lie near, island after island.
    for reach in [Reach::default(), Reach::default().conditional(80).unwrap()] {
        for fall_through in [FallThrough::Nop, FallThrough::Elide] {
            let build = |annotate: bool| {
                let options = Options::new().fall_through(fall_through).reach(reach);
                let mut builder = TraceBuilder::with_options(options.annotate(annotate));
                let (top, later) = (builder.bind_new().unwrap(), builder.declare_linkable_exit());
                let exits = [
                    builder.exit([add(1), add(2), Return.into()]).unwrap(),
                    builder.linkable_exit([Op::from(Return)]).unwrap(),
                    builder
                        .exit([add(1), Load { value: 7 << 40 }.into(), Return.into()])
                        .unwrap(),
                    builder
                        .linkable_exit([add(3), Nothing {}.into(), add(4), Return.into()])
                        .unwrap(),
                    // Its end is in the middle.
                    builder
                        .exit([add(5), Return.into(), add(6), Return.into()])
                        .unwrap(),
                    builder.exit([add(7), call.into(), Return.into()]).unwrap(),
                    builder.exit([add(7), Jump { to: top }.into()]).unwrap(),
                    // Equal to the first, and to the second if it were not to be linked.
                    builder.exit([add(1), add(2), Return.into()]).unwrap(),
                    builder.exit([Op::from(Return)]).unwrap(),
                    later,
                ];
                for (out, n) in exits.into_iter().zip(0..) {
                    builder.push(Op::from(Guard { out })).unwrap();
                    builder.push(add(n)).unwrap();
                }
                let code = [add(8), add(9), add(10), Return.into()];
                let define = |code_of: &mut opstitch::ExitCode<'_>| {
                    code.iter().try_for_each(|&op| code_of.push(op))
                };
                builder.define_exit(later, define).unwrap();
                builder.push(Return).unwrap();
                let linked = linked(&mut builder);
                (words(&linked), linked.statistics())
            };
            assert_eq!(build(true), build(false), "{fall_through:?}, {reach:?}");
        }
    }
}

/// Micro-ops as exits consist of, some of which are appended by their rows.
mod leaving {
    opstitch::uops! {
        pub enum Op;

        op Branch(out: exit) { ; cbz x0, =>out }
        op Set(n: u16) { ; movz x0, n }
        op Small(n: u4 in 1..=9) { ; add x0, x0, n }
        op Signed(n: i9) { ; ldur x0, [x1, n] }
        op Two(n: u12, m: u12) { ; add x0, x0, n ; add x0, x0, m }
        op Chosen(d: reg) { ; mov X(d), x0 }
        op Plain { ; str x0, [x1] ; str x2, [x1, #8] }
        op Long { ; nop ; nop ; nop ; nop ; nop ; nop ; nop ; nop ; nop }
        op Shifted(n: u6) { ; lsl x0, x0, n }
        op Leave(pc: u16) { ; movz x0, pc ; ret }
        op Return { ; ret }
    }
}

#[test]
fn exits_of_an_enum_are_the_same_whether_its_rows_are_there_or_not() {
    use leaving::*;
    let mut random = 7u64;
    let mut below = |end: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % end
    };
    let mut warm = TraceBuilder::with_options(Options::new().annotate(false));
    let all = [Op::from(Set { n: 1 }), Plain.into(), Return.into()];
    warm.push_all(all).unwrap();
    let (mut refused, mut made) = (0, 0);
    for _ in 0..500 {
        // Now and then out of range.
        let mut op = || -> Op {
            let (n, m) = (below(1 << 16), below(1 << 12));
            match below(10) {
                0 => Set {
                    n: n + n / 65_000 * 600,
                }
                .into(),
                1 => Small { n: n % 11 }.into(),
                2 => Signed {
                    n: n as i64 % 260 - 130 * (m as i64 % 3),
                }
                .into(),
                3 => Two { n: n % 4100, m }.into(),
                4 => Chosen {
                    d: Reg(n as u8 % 20),
                }
                .into(),
                5 => Plain.into(),
                6 => Long.into(),
                7 => Shifted { n: n % 64 }.into(),
                8 => Leave { pc: n }.into(),
                _ => Return.into(),
            }
        };
        let exits: Vec<Vec<Op>> = (0..4).map(|len| (0..len).map(|_| op()).collect()).collect();
        let mut cold = TraceBuilder::new();
        warm.clear();
        let build = |builder: &mut TraceBuilder| {
            let exits = exits.iter().zip([false, true].into_iter().cycle());
            let exits = exits.map(|(ops, linkable)| {
                // Without the end the last one may go on: refused as well.
                let end = Op::from(Return);
                let ops = ops.iter().copied().chain((ops.len() > 1).then_some(end));
                match linkable {
                    true => builder.linkable_exit(ops),
                    false => builder.exit(ops),
                }
            });
            let exits: Vec<_> = exits.collect();
            for &out in exits.iter().flatten() {
                builder.push(Op::from(Branch { out })).unwrap();
            }
            builder.push(Op::from(Return)).unwrap();
            let errors: Vec<_> = exits.iter().map(|exit| exit.clone().err()).collect();
            let linked = linked(builder);
            (errors, words(&linked), linked.statistics())
        };
        let expected = build(&mut cold);
        assert_eq!(build(&mut warm), expected, "{exits:?}");
        let errors = expected.0.iter().flatten().count();
        refused += errors;
        made += expected.0.len() - errors;
    }
    assert!(refused > 100 && made > 500, "{refused}, {made}");
}

#[test]
fn what_comes_before_a_micro_op_that_is_refused_stays_pushed() {
    use together::{Add, Op, Return};
    let add = |n| Op::from(Add { d: Reg(0), n });
    let mut builder = TraceBuilder::new();
    for at in [0, 1, 5] {
        builder.clear();
        // With a row for it, and without.
        builder.push_all(vec![add(1); at]).unwrap();
        let ops = [add(2), add(3), add(5000), add(4)];
        let error = builder.push_all(ops).unwrap_err();
        assert!(matches!(error, Error::OperandOutOfRange { .. }), "{error}");
        assert_eq!(builder.len(), at + 2);
        builder.push_all([add(4), Return.into()]).unwrap();
        let mut expected = TraceBuilder::new();
        expected.push_all(vec![add(1); at]).unwrap();
        expected
            .push_all([add(2), add(3), add(4), Return.into()])
            .unwrap();
        let link = |builder: &mut TraceBuilder| {
            let linked = builder.finish().unwrap().link(0).unwrap();
            linked.bytes().to_vec()
        };
        assert_eq!(link(&mut builder), link(&mut expected));
        assert_eq!(builder.push_all([add(1)]), Err(Error::Finished));
        assert_eq!(builder.push_all(Vec::<Op>::new()), Ok(()));
    }
}

#[test]
fn a_panic_among_the_micro_ops_leaves_those_before_it() {
    use together::{Add, Op};
    let mut builder = TraceBuilder::new();
    let label = builder.bind_new().unwrap();
    let add = |n| Op::from(Add { d: Reg(0), n });
    builder.push_all([add(1), add(2)]).unwrap();
    let ops = (3..).map(|n| if n < 9 { add(n) } else { panic!("no more") });
    let pushing = std::panic::AssertUnwindSafe(|| builder.push_all(ops));
    assert!(std::panic::catch_unwind(pushing).is_err());
    assert_eq!(builder.len(), 8);
    builder.push(together::Jump { to: label }).unwrap();
    let words = words(&builder.finish().unwrap().link(0).unwrap());
    let adds = (1..9).flat_map(|n| [0x9100_0000 | n << 10, 0xd503_201f]);
    let mut expected: Vec<u32> = [0xd503_201f].into_iter().chain(adds).collect();
    expected.push(0x1400_0000 | (-16i32 as u32 & 0x03ff_ffff));
    assert_eq!(words, expected);
}
