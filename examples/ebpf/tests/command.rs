//! The command, as its users call it.

use std::path::PathBuf;
use std::process::{Command, Output};

use ebpf::instruction::Instruction;

fn command(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_ebpf");
    // Under QEMU a program is started through it.
    let mut command = match std::env::var("OPSTITCH_QEMU") {
        Ok(qemu) => {
            let mut words = qemu.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            command.args(words).arg(program);
            command
        }
        Err(_) => Command::new(program),
    };
    command.args(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = command(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn program(name: &str) -> String {
    format!("{}/programs/{name}.o", env!("CARGO_MANIFEST_DIR"))
}

/// A file of this test's own, deleted with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("ebpf-command-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn run_prints_the_result_and_what_it_took() {
    let input = File::new("check", b"123456789");
    for unchecked in [&[][..], &["--unchecked"], &["--nop"]] {
        let program = program("crc32");
        let arguments = [&["run", &program, "--mem", input.path()], unchecked].concat();
        let text = stdout(&arguments);
        assert!(text.starts_with("r0 = 0xcbf43926\n"), "{text}");
        assert!(text.contains(" a slot\n"), "{text}");
        let counted = text.contains("A64 instructions executed");
        assert_eq!(counted, cfg!(not(target_arch = "aarch64")), "{text}");
    }
}

#[test]
fn run_chooses_a_function_and_says_what_stopped_it() {
    // `fourth` gets r1 and r2, and reads r3 to r5, which nobody has written.
    let output = command(&["run", &program("calls"), "--entry", "fourth"]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("is read, but on some way to it nothing was written there"),
        "{error}"
    );
    // A loop without end, on a budget.
    let endless: [Instruction; 4] = [
        Instruction {
            opcode: 0xb7,
            ..Instruction::default()
        },
        Instruction {
            opcode: 0x15,
            offset: 1,
            imm: 1,
            ..Instruction::default()
        },
        Instruction {
            opcode: 0x05,
            offset: -2,
            ..Instruction::default()
        },
        Instruction {
            opcode: 0x95,
            ..Instruction::default()
        },
    ];
    let raw = File::new("endless", &endless.map(Instruction::to_bytes).concat());
    let output = command(&["run", raw.path(), "--budget", "1000"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("stopped: instruction 2 exceeds the budget\n"),
        "{text}"
    );
}

#[test]
fn the_interpreter_of_rbpf_gives_the_same_result() {
    let numbers: Vec<u8> = [5u64, 3, 9, 1]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let input = File::new("numbers", &numbers);
    let arguments = [
        "run",
        &program("heap_sort"),
        "--mem",
        input.path(),
        "--interpret",
    ];
    assert_eq!(stdout(&arguments), "r0 = 0x4\n");
}

#[test]
fn list_shows_instructions_above_what_they_became() {
    let text = stdout(&["list", &program("helpers"), "--unchecked"]);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines.contains(&"; helpers:") && lines.contains(&"; step:"),
        "{text}"
    );
    let call = lines
        .iter()
        .position(|line| line.ends_with("call helper 3"))
        .unwrap();
    assert!(lines[call + 1].contains("CallHelper"), "{text}");
    assert!(text.contains("mix"), "{text}");
    // Every instruction once, in order.
    let numbers = lines.iter().filter_map(|line| {
        line.strip_prefix("; ")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    let numbers: Vec<usize> = numbers.collect();
    assert!(
        numbers.is_sorted_by(|a, b| a < b) && numbers.len() > 40,
        "{numbers:?}"
    );
}

#[test]
fn conformance_names_what_failed_and_counts() {
    let table = "# a comment\n\
        good\t1\tMIT\t3\t\tb7000000030000009500000000000000\n\
        wrong\t1\tMIT\t4\t\tb7000000030000009500000000000000\n\
        callx\t1\tMIT\t0\t\tb7000000000000008d000000000000009500000000000000\n";
    let table = File::new("table", table.as_bytes());
    let output = command(&["conformance", table.path()]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("wrong: r0 is 0x3, and should be 0x4\ncallx: instruction 1: callx"),
        "{text}"
    );
    assert!(text.ends_with("\n1 passed, 2 failed\n"), "{text}");
}

#[test]
fn what_is_wrong_is_said() {
    for arguments in [
        &["run"][..],
        &["walk", "x"],
        &["run", "--mem"],
        &["run", "x", "--fast"],
    ] {
        let output = command(arguments);
        assert!(
            !output.status.success() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
    let output = command(&["run", "/nowhere/at/all"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("/nowhere/at/all: "));
    let odd = File::new("odd", &[1, 2, 3]);
    let output = command(&["run", odd.path()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("slots of 8 bytes"));
}
