//! GDB against a process that runs traces: on AArch64, and under QEMU by its GDB stub.
#![cfg(target_arch = "aarch64")]

use std::fmt::Write;
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSymbol};
use opstitch::inspect::{Gdb, Symbols};
use opstitch::slab::{InstalledTrace, SlabOptions};
use opstitch::{Target, TraceBuilder};

opstitch::uops! {
    registers { argument: x19, pinned: x27, kept: d8 }

    /// Takes the trace's argument, and spoils what it may spoil.
    op Enter {
        ; mov argument, x0
        ; movz pinned, #0x5bad
        ; fmov kept, 1.0
    }
    /// Calls with the argument.
    op CallRuntime(function: call) { ; mov x0, argument ; bl =>function }
    /// Returns to Rust.
    op Return { ; ldr x30, [sp] ; ret }
}

/// Set for the process that is to be debugged, to the directory for listings.
const DEBUGGEE: &str = "OPSTITCH_TEST_DEBUGGEE";

// Names that a breakpoint finds whatever debug information there is.
#[unsafe(no_mangle)]
extern "C" fn runtime_function(argument: u64) {
    black_box(argument);
}

#[inline(never)]
fn rust_caller(trace: &InstalledTrace) {
    let entry = trace.entry::<extern "C" fn(u64)>();
    // SAFETY: the trace calls `runtime_function`, which does not unwind, and the slab is pinned.
    unsafe { entry.call(&trace.slab().pin(), 42) };
    black_box(trace);
}

#[inline(never)]
fn rust_callers_caller(trace: &InstalledTrace) {
    rust_caller(trace);
    black_box(trace);
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn trace_is_gone(address: u64) {
    black_box(address);
}

/// What is debugged.
#[test]
#[ignore = "the other test starts it"]
fn debuggee() {
    let directory = std::env::var_os(DEBUGGEE).expect("a directory for listings");
    let slab = SlabOptions::new(1 << 20).annotate(true).build().unwrap();
    let function = Target::retargetable(runtime_function as *const () as u64).unwrap();
    let symbols = Symbols::new().with("runtime_function", function.address());
    let gdb = Arc::new(Gdb::with_listings(directory, symbols).unwrap());
    slab.watch(gdb.clone()).unwrap();
    let mut b = TraceBuilder::new();
    b.set_name("hot_loop");
    b.push(Enter).unwrap();
    b.push(CallRuntime { function }).unwrap();
    b.push(Return).unwrap();
    let trace = slab.install(&b.finish().unwrap()).unwrap();
    assert!(gdb.take_error().is_none());
    // One after the other for the steps of the test below.
    for _ in 0..3 {
        rust_callers_caller(&trace);
    }
    let address = trace.address();
    drop(trace);
    slab.reclaim().unwrap();
    trace_is_gone(address);
}

/// The first of these programs that runs.
fn tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = |name: &&str| {
        std::env::split_paths(&path)
            .map(|directory| directory.join(name))
            .find(|file| file.is_file())
    };
    names.iter().find_map(found)
}

/// What GDB prints for each of these lists of commands, run one after the other.
fn debug(gdb: &Path, directory: &Path, steps: &[&str]) -> Vec<String> {
    let this = std::env::current_exe().unwrap();
    let arguments = [
        "debugger::debuggee",
        "--exact",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ];
    let mut script = String::from(
        "set pagination off\nset confirm off\nset width 0\nset debuginfod enabled off\n\
         set breakpoint pending on\nset style enabled off\n",
    );
    let emulator = std::env::var("OPSTITCH_QEMU").unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let child = words.next().map(|program| {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        writeln!(script, "target remote localhost:{port}").unwrap();
        let mut command = Command::new(program);
        command.args(words).args(["-g", &port.to_string()]);
        command.arg(&this).args(arguments).env(DEBUGGEE, directory);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    let mut start = if child.is_some() { "continue" } else { "run" };
    for step in steps {
        writeln!(
            script,
            "echo \\n=== step\\n\n{}",
            step.replace("START", start)
        )
        .unwrap();
        start = "continue";
    }
    script.push_str("echo \\n=== step\\nkill\n");
    let file = directory.join("script");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new(gdb);
    command
        .args(["-q", "-nx", "-batch", "-x"])
        .arg(&file)
        .arg("--args")
        .arg(&this);
    let output = command
        .args(arguments)
        .env(DEBUGGEE, directory)
        .output()
        .unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.stderr.take().map(|mut e| e.read_to_string(&mut said));
        let _ = child.wait();
    }
    let parts: Vec<_> = said.split("=== step\n").map(str::to_owned).collect();
    assert_eq!(parts.len(), steps.len() + 2, "{said}\n{told}");
    parts[1..=steps.len()].to_vec()
}

/// Those functions of a backtrace that are this file's, or traces, from the innermost. (Of
/// `#1  0x4000 in a::b::c (x=1) at d.rs:2` the function is `c`.)
fn functions(backtrace: &str) -> Vec<&str> {
    let known = [
        "hot_loop",
        "runtime_function",
        "rust_caller",
        "rust_callers_caller",
        "debuggee",
    ];
    let frames = backtrace.lines().filter(|line| line.starts_with('#'));
    let names = frames.map(|line| {
        let name = line.split_once(" (").map_or(line, |(name, _)| name);
        let name = name.rsplit(' ').next().unwrap_or(name);
        // Where GDB has the symbol only, a hash is the last part of its name.
        let is_hash = |part: &&str| part.len() == 17 && part.starts_with('h');
        let mut parts = name.rsplit("::").skip_while(is_hash);
        parts.next().unwrap_or(name)
    });
    names.filter(|name| known.contains(name)).collect()
}

/// The symbol of the code that enters traces.
fn shim() -> String {
    let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*this).unwrap();
    let mut names = file.symbols().filter_map(|symbol| symbol.name().ok());
    let name = names.find(|name| name.contains("native5enter"));
    name.expect("the shim has a symbol").to_owned()
}

const CALLERS: [&str; 3] = ["rust_caller", "rust_callers_caller", "debuggee"];

/// What follows `name = ` or the like, in all lines.
fn values<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let lines = text.lines();
    lines
        .filter_map(|line| Some(line.split_once(name)?.1.trim()))
        .collect()
}

#[test]
fn gdb_stops_in_a_trace_by_name_and_shows_its_callers() {
    let Some(gdb) = tool(&["gdb-multiarch", "gdb"]) else {
        // Past the harness, which keeps what tests print.
        let name = "gdb_stops_in_a_trace_by_name_and_shows_its_callers";
        let skipped = format!("SKIPPED: {name} (no gdb)\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    };
    let directory = std::env::temp_dir().join(format!("opstitch-gdb-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let shim = shim();
    let entering = format!(
        "delete\nset language c\nbreak *(long)&'{shim}'\nset language auto\nSTART\n\
         printf \"x19 is %lx, x27 is %lx, x28 is %lx\\n\", $x19, $x27, $x28\n\
         set $at = 0\nwhile $at < 16\nprintf \"= instruction\\n\"\nbacktrace\nstepi\nset $at = $at + 1\nend\n\
         info symbol $pc"
    );
    let leaving = "delete\nbreak *$x30\nSTART\n\
         set $at = 0\nwhile $at < 13\nprintf \"= instruction\\n\"\nbacktrace\nstepi\nset $at = $at + 1\nend";
    let steps = debug(
        &gdb,
        &directory,
        &[
            // By the trace's name, before there is a trace.
            "break hot_loop\nSTART\nbacktrace\ninfo symbol $pc\nnext\ninfo symbol $pc\nnext\ninfo symbol $pc + 4",
            // In a function that the trace calls, through a trampoline.
            "delete\nbreak runtime_function\nSTART\nbacktrace\nup\ninfo symbol $pc - 4\nup\n\
             printf \"x19 is %lx, x27 is %lx, x28 is %lx\\n\", $x19, $x27, $x28",
            // In the shim, at each of its instructions.
            &entering,
            leaving,
            // And in the end nothing is known any more.
            "delete\nset language c\nbreak *(long)&trace_is_gone\nset language auto\nSTART\nbacktrace 1\ninfo symbol $x0",
        ],
    );
    let [by_name, called, entering, leaving, gone] = &steps[..] else {
        panic!("{steps:#?}");
    };

    assert!(
        by_name.contains("hit Breakpoint 1, hot_loop ()"),
        "{by_name}"
    );
    let in_trace = ["hot_loop", CALLERS[0], CALLERS[1], CALLERS[2]];
    assert_eq!(functions(by_name), in_trace, "{by_name}");
    // From micro-op to micro-op, by the lines of the listing, and not into what is called.
    let steps: Vec<_> = by_name.trim_end().lines().rev().take(5).collect();
    for (line, expected) in steps.into_iter().rev().zip([
        "hot_loop:op_0_Enter in section",
        "\top 1 CallRuntime function=runtime_function",
        "hot_loop:op_1_CallRuntime in section",
        "\top 2 Return",
        "hot_loop:op_2_Return + 4 in section",
    ]) {
        assert!(line.contains(expected), "{line} is not {expected}");
    }

    let all = [
        "runtime_function",
        in_trace[0],
        in_trace[1],
        in_trace[2],
        in_trace[3],
    ];
    assert_eq!(functions(called)[..5], all, "{called}");
    assert!(
        called.contains("hot_loop:op_1_CallRuntime + 4 in section"),
        "{called}"
    );
    // Registers that the trace has spoilt are those of the caller when it called.
    let registers = |text| values(text, "x19 is ").into_iter().map(str::to_owned);
    assert!(
        registers(called).eq(registers(entering)),
        "{called}\n{entering}"
    );
    assert!(!called.contains("x27 is 5bad"), "{called}");

    let last = entering.split("= instruction").last().unwrap();
    assert_eq!(functions(last), in_trace, "{entering}");
    for text in [entering, leaving] {
        let stops: Vec<_> = text.split("= instruction").skip(1).collect();
        assert!(stops.len() >= 13, "{text}");
        for (number, stop) in stops.iter().enumerate() {
            let found = functions(stop);
            assert!(found.ends_with(&CALLERS), "at {number}: {stop}\n{text}");
        }
    }

    assert!(gone.contains("trace_is_gone"), "{gone}");
    assert!(gone.contains("No symbol matches $x0."), "{gone}");
    let left = std::fs::read_dir(&directory).unwrap();
    let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["script"]);
    std::fs::remove_dir_all(&directory).unwrap();
}
