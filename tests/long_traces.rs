//! What only shows in traces as long as they get: limits that are errors and not panics, and work that
//! must not grow with the square of the length.
//!
//! The bounds on time are what a debug build on a slow machine needs many times over. Quadratic work
//! would take hours.

#[path = "common/slow.rs"]
mod slow;

use std::time::{Duration, Instant};

use opstitch::{Error, Exit, FallThrough, Options, Part, Statistics, Target, TraceBuilder};

use slow::is_slow;

opstitch::uops! {
    op Add(n: u12) { ; add x0, x0, n }
    op Return { ; ret }
    op Leave(id: u16) { ; movz x0, id ; br x28 }
    op Zero(to: label) { ; cbz x1, =>to }
    op Test(to: label) { ; tbz x1, 0, =>to }
    op Jump(to: label) { ; b =>to }
    op Guard(out: exit) { ; cbnz x1, =>out }
    op Call(function: call) { ; bl =>function }
    op TailCall(function: call) { ; b =>function }
    op Load(value: literal) { ; ldr x9, =>value }
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
        (# [] [$($body:tt)*]) => { repeat!([$($body)*]); };
        (# [$two:literal $($twos:literal)*] [$($body:tt)*]) => {
            repeat!(# [$($twos)*] [$($body)* $($body)*]);
        };
    }
    repeat!(# [2 2 2 2 2 2 2 2 2] [; add x2, x2, 1]);
}
use long::Block;

const ADDRESS: u64 = 0x1_0000_0000;

/// As many as there would be, or fewer.
fn many(number: u32) -> u32 {
    if is_slow() { number / 10 } else { number }
}

fn elide() -> TraceBuilder {
    let options = Options::new().fall_through(FallThrough::Elide);
    TraceBuilder::with_options(options.annotate(false))
}

#[track_caller]
fn finish(builder: &mut TraceBuilder) -> Statistics {
    let trace = builder.finish().unwrap();
    let mut bytes = vec![0; trace.linked_len(ADDRESS).unwrap()];
    trace.link_into(ADDRESS, &mut bytes).unwrap()
}

/// Fails where `work` takes longer than work that grows with the length.
#[track_caller]
fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(60), "it took {took:?}");
    result
}

#[test]
fn a_trace_ends_where_a_branch_could_not_span_it() {
    if std::env::var_os("OPSTITCH_ASAN").is_some() {
        return;
    }
    // With and without something that an island in front of the end would have to serve.
    for pending in [false, true] {
        let mut builder = elide();
        let to = builder.bind_new().unwrap();
        let out = builder.exit([Return]).unwrap();
        let blocks = (128 << 20) / 4 / 512 - 1;
        for _ in 0..blocks {
            builder.push(Block).unwrap();
        }
        if pending {
            builder.push(Guard { out }).unwrap();
        }
        assert!(builder.push(Block).is_err());
        let mut more = 0;
        let error = loop {
            match builder.push(Add { n: 1 }) {
                Ok(()) => more += 1,
                Err(error) => break error,
            }
        };
        let Error::TraceTooLong { distance, reach } = error else {
            panic!("{error}");
        };
        assert_eq!(reach, 128 << 20);
        assert!((u64::from(reach)..u64::from(reach) + 64).contains(&distance));
        assert!((490..512).contains(&more), "{more}");
        // The closing jump takes the slot that was kept for it.
        assert!(builder.push(Return).is_err());
        builder.jump(to).unwrap();
        let trace = builder.finish().map(|trace| trace.hot_len());
        if pending {
            // No room for the exit, and none for a veneer.
            assert!(
                matches!(trace, Err(Error::TraceTooLong { .. })),
                "{trace:?}"
            );
        } else {
            assert_eq!(trace, Ok((2 + 512 * blocks + more) * 4));
        }
        builder.clear();
        builder.push(Return).unwrap();
        assert_eq!(finish(&mut builder).hot, 8);
    }
}

#[test]
fn a_jump_over_more_than_b_reaches_is_found_when_the_trace_is_finished() {
    if std::env::var_os("OPSTITCH_ASAN").is_some() {
        return;
    }
    // From cold code at the very end, back to the start.
    let mut builder = elide();
    let to = builder.bind_new().unwrap();
    let out = builder.exit([Jump { to }]).unwrap();
    for _ in 0..(128 << 20) / 4 / 512 - 1 {
        builder.push(Block).unwrap();
    }
    builder.push(Guard { out }).unwrap();
    builder.push(Return).unwrap();
    let back = builder.finish().map(|trace| trace.cold_len());
    assert_eq!(back, Ok(4));
}

#[test]
fn calls_of_more_targets_than_a_trampolines_load_reaches_over_are_an_error() {
    // A trampoline is two words and so is its literal: the first is as far from its own as all of them
    // are long.
    let most = (1 << 20) / 8 - 1;
    let mut builder = elide();
    for n in 0..most {
        let function = Target::new(n * 4).unwrap();
        builder.push(Call { function }).unwrap();
    }
    builder.push(Return).unwrap();
    let address = 1 << 40;
    let trace = builder.finish().unwrap();
    let linked = trace.link(address).unwrap();
    assert_eq!(linked.far_targets().len() as u64, most);
    for extra in 1..4 {
        builder.clear();
        for n in 0..most + extra {
            let function = Target::new(n * 4).unwrap();
            builder.push(Call { function }).unwrap();
        }
        builder.push(Return).unwrap();
        let trace = builder.finish().unwrap();
        let linked = trace.link(address).map(drop);
        assert!(
            matches!(
                linked,
                Err(Error::TraceTooLong {
                    distance: 0x10_0000..,
                    reach: 0x10_0000
                })
            ),
            "{extra}: {linked:?}"
        );
        // Where they are near, no trampoline is needed.
        assert!(trace.link(0x100_0000).is_ok());
    }
}

/// Where the trampolines of calls are, and when the calls are led there, is a question of a trace's length, and of whether it
/// has islands.
#[test]
fn calls_lead_to_their_trampolines_however_long_the_trace_is() {
    // The longest has a million instructions.
    for blocks in [1, 200, 255, 256, 2048] {
        check_calls(blocks, false);
    }
    // The first island comes after 512 blocks.
    for blocks in [500, 520, 2048] {
        check_calls(blocks, true);
    }
}

/// Builds a trace of calls and blocks, and links it to where its targets are far, near, and far again. Something in front of
/// each block needs an island after 1 MiB if `guarded`.
fn check_calls(blocks: u64, guarded: bool) {
    let near = ADDRESS + (64 << 20);
    let far = ADDRESS + (1 << 40);
    // The last quarter has targets of its own.
    let target = |number: u64| near + (number % 7 + number / (blocks * 3 / 4 + 1) * 7) * 8;
    let mut builder = elide();
    let cold = near + 1024;
    let function = Target::new(cold).unwrap();
    let out = builder.exit([TailCall { function }]).unwrap();
    for number in 0..blocks {
        let function = Target::new(target(number)).unwrap();
        builder.push(Call { function }).unwrap();
        if guarded {
            builder.push(Guard { out }).unwrap();
        }
        builder.push(Block).unwrap();
    }
    builder.push(Return).unwrap();
    let islands = guarded && blocks > 512;
    for address in [far, ADDRESS, far] {
        let linked = builder.finish().unwrap().link(address).unwrap();
        let placed = builder.finish_at(address).unwrap();
        let bytes = linked.bytes();
        assert!(placed.bytes() == bytes, "{blocks} blocks, {guarded}");
        assert_eq!(linked.statistics().islands > 0, islands, "{blocks} blocks");
        let word = |at: i64| {
            let at = at as usize;
            u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
        };
        let (mut seen, mut in_islands) = (0, 0);
        let hot = linked.range(Part::Hot).end;
        let code = linked.range(Part::Cold).end;
        for at in (0..i64::from(code)).step_by(4) {
            let b_or_bl = word(at);
            let distance = i64::from((b_or_bl << 6) as i32 >> 6) * 4;
            let mut to = address.wrapping_add_signed(at + distance);
            let expected = match b_or_bl >> 26 {
                0b10_0101 => target(seen),
                // Of the exit. Others, of islands, stay in the hot section.
                0b00_0101 if at >= i64::from(hot) => cold,
                _ => continue,
            };
            seen += u64::from(expected != cold);
            if address == far {
                let trampoline = at + distance;
                let (load, jump) = (word(trampoline), word(trampoline + 4));
                assert_eq!(load & 0xff00_001f, 0x5800_0010, "{blocks} blocks, {at:#x}");
                assert_eq!(jump, 0xd61f_0200);
                let literal = trampoline + i64::from((load << 8) as i32 >> 13) * 4;
                to = u64::from(word(literal)) | u64::from(word(literal + 4)) << 32;
                in_islands += u64::from(trampoline < i64::from(code));
            }
            assert_eq!(to, expected, "{blocks} blocks, call at {at:#x}");
        }
        assert_eq!(seen, blocks);
        assert_eq!(in_islands > 500, islands && address == far, "{in_islands}");
        // Those in front of the islands, those behind, and the exit's.
        let far_calls = if address == far {
            blocks + u64::from(guarded)
        } else {
            0
        };
        assert_eq!(linked.statistics().far_calls as u64, far_calls);
        if address == far {
            let distinct = blocks.min(7) + if blocks > 7 { 7 } else { 0 } + u64::from(guarded);
            assert_eq!(linked.far_targets().len() as u64, distinct);
        }
    }
}

#[test]
fn a_million_labels_at_one_place_take_no_time() {
    let number = many(1_000_000);
    let statistics = in_time(|| {
        let mut builder = elide();
        let labels: Vec<_> = (0..number).map(|_| builder.label()).collect();
        for &to in &labels {
            builder.push(Jump { to }).unwrap();
        }
        for &label in &labels {
            builder.bind(label).unwrap();
        }
        builder.push(Return).unwrap();
        finish(&mut builder)
    });
    // All but the last are branches.
    assert_eq!(statistics.hot, (number as usize + 1) * 4);
}

#[test]
fn a_million_conditional_branches_to_one_label_far_away_take_no_time() {
    for back in [true, false] {
        let number = many(1_000_000) as usize;
        let statistics = in_time(|| {
            let mut builder = elide();
            let to = builder.label();
            if back {
                builder.bind(to).unwrap();
            }
            for n in 0..number {
                if n % 2 == 0 {
                    builder.push(Zero { to }).unwrap();
                } else {
                    builder.push(Test { to }).unwrap();
                }
            }
            if !back {
                builder.bind(to).unwrap();
            }
            builder.push(Return).unwrap();
            finish(&mut builder)
        });
        // One veneer serves all that reach it.
        assert!(statistics.islands < number * 4 / 100, "{statistics:?}");
    }
}

#[test]
fn a_million_different_literals_take_no_time() {
    let number = many(1_000_000) as usize;
    let statistics = in_time(|| {
        let mut builder = elide();
        for n in 0..number as u64 {
            let value = 0x1234_5678_0000_0000 | n;
            builder.push(Load { value }).unwrap();
        }
        builder.push(Return).unwrap();
        finish(&mut builder)
    });
    let words = (statistics.islands + statistics.literals) / 8;
    assert!((number..number + number / 100).contains(&words), "{words}");
}

#[test]
fn a_chain_of_exits_each_of_which_leads_to_the_one_before_takes_no_time() {
    let number = many(300_000);
    let statistics = in_time(|| {
        let mut builder = elide();
        let mut out = builder.exit([Leave { id: 0 }]).unwrap();
        for id in 1..number {
            let id = u64::from(id % 65536);
            let next: [Op; 2] = [Guard { out }.into(), Leave { id }.into()];
            out = builder.exit(next).unwrap();
        }
        builder.push(Guard { out }).unwrap();
        builder.push(Return).unwrap();
        finish(&mut builder)
    });
    assert_eq!(statistics.cold, (3 * number as usize - 1) * 4);
}

#[test]
fn a_million_equal_exits_are_one_and_take_no_time() {
    let statistics = in_time(|| {
        let mut builder = elide();
        let exits: Vec<Exit> = (0..many(1_000_000))
            .map(|_| builder.exit([Leave { id: 3 }]).unwrap())
            .collect();
        builder.push(Guard { out: exits[0] }).unwrap();
        builder
            .push(Guard {
                out: exits[exits.len() - 1],
            })
            .unwrap();
        builder.push(Return).unwrap();
        finish(&mut builder)
    });
    assert_eq!(statistics.cold, 8);
}

#[test]
fn exits_are_as_long_as_one_likes() {
    // Short ones are written when they are declared; what is told of these fits 16 bits.
    for blocks in [127, 128, 400] {
        for options in [Options::new(), Options::new().annotate(false)] {
            let mut builder = TraceBuilder::with_options(options);
            let out = builder
                .linkable_exit_with(|code| {
                    (0..blocks).try_for_each(|_| code.push(Block))?;
                    code.push(Leave { id: 7 })
                })
                .unwrap();
            builder.push(Guard { out }).unwrap();
            builder.push(Return).unwrap();
            let trace = builder.finish().unwrap();
            // A NOP in front, and one behind each block.
            assert_eq!(trace.cold_len(), (1 + blocks * 513 + 2) * 4);
            assert_eq!(trace.exit_offset(out), Some(trace.hot_len() as u32));
            let linked = trace.link(ADDRESS).unwrap();
            assert_eq!(linked.statistics().nops, (3 + blocks) * 4);
            let words = linked.bytes()[trace.hot_len()..].chunks_exact(4);
            for (number, word) in words.enumerate() {
                let word = u32::from_le_bytes(word.try_into().unwrap());
                let expected = match number {
                    0 => 0xd503_201f,                            // nop
                    it if it == 1 + blocks * 513 => 0xd280_00e0, // movz x0, #7
                    it if it == 2 + blocks * 513 => 0xd61f_0380, // br x28
                    it if it % 513 == 0 => 0xd503_201f,          // the block's slot
                    _ => 0x9100_0442,                            // add x2, x2, #1
                };
                assert_eq!(word, expected, "{blocks} blocks, word {number}");
            }
        }
    }
}

#[test]
fn failing_to_finish_again_and_again_costs_what_finishing_costs() {
    let number = many(20_000);
    in_time(|| {
        let mut builder = elide();
        let to = builder.label();
        for n in 0..number {
            builder.push(Zero { to }).unwrap();
            if n % (number / 100) == 0 {
                assert!(builder.finish().is_err());
            }
        }
        builder.bind(to).unwrap();
        builder.push(Return).unwrap();
        finish(&mut builder)
    });
}
