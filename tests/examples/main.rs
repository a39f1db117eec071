//! The examples: what they print, what their micro-ops are encoded as, and whether an assembler that has
//! nothing to do with dynasm-rs makes the same of them.

mod ladder;
#[path = "../common/llvm_mc.rs"]
mod llvm_mc;
mod micro_ops;
mod oracle;
#[path = "../../examples/quickstart.rs"]
#[allow(dead_code)]
pub mod quickstart;
mod readme;
#[path = "../../examples/side_traces.rs"]
#[allow(dead_code)]
pub mod side_traces;
#[path = "../common/snapshots.rs"]
mod snapshots;
mod source;
#[path = "../../examples/trampolines/main.rs"]
#[allow(dead_code)]
pub mod trampolines;

pub use trampolines::cpython_loop;

use std::collections::BTreeMap;
use std::io::Write;

use cpython_loop::machine::{FUNCTIONS, MEMORY};
use cpython_loop::objects::World;
use cpython_loop::{LAYOUTS, trace};
use opstitch::{LinkedTrace, TraceBuilder};

/// Compares a text with the snapshot of that name.
fn assert_snapshot(name: &str, text: &str) {
    snapshots::with_snapshots(|| insta::assert_snapshot!(name, text));
}

/// What an example prints, and whether it was content with it.
fn output(
    run: impl FnOnce(&mut dyn Write) -> Result<(), Box<dyn std::error::Error>>,
) -> (String, Result<(), String>) {
    let mut bytes = Vec::new();
    let result = run(&mut bytes).map_err(|error| error.to_string());
    (String::from_utf8(bytes).unwrap(), result)
}

fn cpython_loop(arguments: &[&str]) -> (String, Result<(), String>) {
    let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
    output(|out| cpython_loop::run(&arguments, out))
}

/// The world of `cpython_loop` as it is listed.
fn world() -> World {
    World::at(MEMORY, FUNCTIONS)
}

/// The trace of `cpython_loop`, as the example links it.
fn cpython_trace(address: u64) -> LinkedTrace {
    let mut builder = TraceBuilder::new();
    let world = world();
    let trace = trace::stitch(&mut builder, &world).unwrap();
    trace.link(address).unwrap()
}

/// The names of the micro-ops of a section, in the order of their numbers or of the exits they belong to.
fn names(linked: &LinkedTrace, exits: bool) -> Vec<&'static str> {
    let mut names = BTreeMap::new();
    for offset in (0..linked.bytes().len() as u32).step_by(4) {
        if let Some(op) = linked.op_at(offset)
            && let Some(number) = if exits { op.exit() } else { op.number() }
        {
            names.insert(number, op.name());
        }
    }
    names.into_values().collect()
}

/// The text without the lines that only the emulator can tell.
fn without_counts(text: &str) -> String {
    let counts = ["after ", "instructions / iteration"];
    let lines = text.lines();
    let told = lines.filter(|line| !counts.iter().any(|count| line.starts_with(count)));
    told.flat_map(|line| [line, "\n"]).collect()
}

/// Whether code is emulated here: if not, nobody counts its instructions.
const EMULATED: bool = cfg!(not(target_arch = "aarch64"));

#[test]
fn quickstart_gets_the_same_result_both_ways() {
    let (text, result) = output(quickstart::run);
    result.unwrap();
    assert_snapshot("example_quickstart", &without_counts(&text));
    assert_eq!(text.contains("\nafter 53393 instructions\n"), EMULATED);
}

#[test]
fn side_traces_leave_until_an_exit_is_linked_and_when_the_link_is_undone() {
    let (text, result) = output(side_traces::run);
    result.unwrap();
    let counts: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" steps, "))
        .collect();
    assert_eq!(
        counts,
        [
            "6: 8 steps, 2 of them by Rust, 0 calls by traces so far",
            "7: 16 steps, 5 of them by Rust, 0 calls by traces so far",
            "27: 111 steps, 3 of them by Rust, 38 calls by traces so far",
            "97: 118 steps, 0 of them by Rust, 81 calls by traces so far",
            "871: 178 steps, 10 of them by Rust, 136 calls by traces so far",
        ]
    );
    let linked: Vec<_> = text
        .lines()
        .filter(|line| line.ends_with("; linked"))
        .collect();
    let [to_side, back] = linked[..] else {
        panic!("{text}");
    };
    assert!(to_side.contains(" b trace 1 "), "{to_side}");
    // Behind the entry's NOP, `Enter` and its NOP.
    assert!(back.contains(" b trace 0+0x14 "), "{back}");
}

#[test]
fn cpython_loop_adds_up_and_leaves_as_it_should() {
    let (text, result) = cpython_loop(&["--n", "1000", "--list"]);
    result.unwrap();
    assert_snapshot("example_cpython_loop", &without_counts(&text));
    assert_eq!(text.contains("\ninstructions / iteration "), EMULATED);
}

#[test]
fn cpython_loop_counts_to_100000_unless_told_otherwise() {
    let (text, result) = cpython_loop(&[]);
    result.unwrap();
    let sum: u64 = (0..100_000).sum();
    assert!(text.starts_with("for i in range(100000): total += i\n"));
    assert!(text.contains(&format!("\ntotal = {sum}, ")), "{text}");
    // One is enough to meet every micro-op but the ones that only a second round meets.
    cpython_loop(&["--n", "1"]).1.unwrap();
}

#[test]
fn cpython_loop_refuses_arguments_that_mean_nothing() {
    for arguments in [
        &["--n"][..],
        &["--n", "0"],
        &["--n", "-1"],
        &["--n", "1000000001"],
        &["--n", "many"],
        &["--help"],
    ] {
        let (text, result) = cpython_loop(arguments);
        assert_eq!(text, "");
        assert!(result.unwrap_err().starts_with("usage: "));
    }
}

/// `for i in range(n): total += i`, as CPython's JIT has it.
#[test]
fn the_trace_has_the_31_micro_ops_of_cpython_in_their_order() {
    const HOT: &str = "_START_EXECUTOR, _MAKE_WARM, _SET_IP, _CHECK_PERIODIC, _CHECK_VALIDITY, \
        _ITER_CHECK_RANGE, _GUARD_NOT_EXHAUSTED_RANGE, _ITER_NEXT_RANGE, _SET_IP, _SWAP_FAST_2, \
        _SPILL_OR_RELOAD, _POP_TOP, _CHECK_VALIDITY, _LOAD_FAST_BORROW_1, _LOAD_FAST_BORROW_2, \
        _GUARD_TOS_OVERFLOWED, _GUARD_NOS_INT, _BINARY_OP_ADD_INT, _POP_TOP_NOP, _POP_TOP_NOP, \
        _SWAP_FAST_1, _POP_TOP_INT, _JUMP_TO_TOP";
    const COLD: &str = "_DEOPT, _ERROR_POP_N, _DEOPT, _EXIT_TRACE, _EXIT_TRACE, _ERROR_POP_N, \
        _DEOPT, _EXIT_TRACE";
    let linked = cpython_trace(LAYOUTS[0].address());
    let (hot, cold) = (names(&linked, false), names(&linked, true));
    assert_eq!(hot.join(", "), HOT);
    assert_eq!(cold.join(", "), COLD);
    assert_eq!(hot.len() + cold.len(), 31);
}

/// In the trace, `_POP_TOP_INT` only ever meets tagged integers. Here are the others.
#[test]
fn pop_top_int_frees_an_integer_with_its_last_reference() {
    use cpython_loop::host::{Host, Machine};
    use cpython_loop::machine::Memory;
    use cpython_loop::objects::{IMMORTAL, STACK_POINTER, TOTAL};
    use cpython_loop::runtime::Runtime;
    use cpython_loop::uops::{_POP_TOP_INT, _START_EXECUTOR, _SWAP_FAST_1, Op};
    use opstitch::Target;
    use std::cell::RefCell;
    use std::rc::Rc;

    let host = Host::new().unwrap();
    for (references, left, freed) in [(1, 0, true), (2, 1, false), (IMMORTAL, IMMORTAL, false)] {
        let mut world = host.world();
        let runtime = Rc::new(RefCell::new(Runtime::new(world)));
        let mut machine = Machine::new(&host, &runtime).unwrap();
        world.begin(&mut machine, 0, 1).unwrap();
        let object = world.object(&mut machine, world.int_type, 7).unwrap();
        machine.store(object, references).unwrap();
        machine.store(world.local(TOTAL), object).unwrap();

        let mut builder = TraceBuilder::new();
        let invalid = builder.exit([trace::exits(&world)[0]]).unwrap();
        let this = world.executor;
        let exact_dealloc = Target::new(world.functions[3]).unwrap();
        let ops: [Op; 4] = [
            _START_EXECUTOR { this, invalid }.into(),
            _SWAP_FAST_1.into(),
            _POP_TOP_INT { exact_dealloc }.into(),
            trace::exits(&world)[2],
        ];
        for op in ops {
            builder.push(op).unwrap();
        }
        let code = host.publish(&builder.finish().unwrap(), &LAYOUTS[1]);
        let before = machine.load(world.frame + STACK_POINTER).unwrap();
        let outcome = machine.run(&code.unwrap(), 100).unwrap();

        assert_eq!(outcome.exit, 2);
        let after = machine.load(world.frame + STACK_POINTER).unwrap();
        assert_eq!(after, before);
        assert_eq!(machine.load(object).unwrap(), left);
        let expected = if freed { vec![object] } else { Vec::new() };
        assert_eq!(runtime.borrow().freed, expected);
    }
}
