// asan: skip (starts a compiler of its own)
// native: skip (starts a compiler of its own)

//! Crates outside the workspace. One that depends on `opstitch` alone compiles and runs, and nothing of
//! dynasm-rs's run-time checks is in it. And the one that the guide's first page makes is what the page says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MANIFEST: &str = r#"
[package]
name = "outside"
version = "0.1.0"
edition = "2024"

[dependencies]
opstitch = { path = "OPSTITCH" }

[workspace]
"#;

const MAIN: &str = r#"
#![deny(warnings, missing_docs, unsafe_code)]
//! Names that a macro's expansion must not stumble over are all taken here.
#![allow(dead_code, non_camel_case_types)]

mod core {}
mod std {}
mod dynasmrt {}
struct Option;
struct Some;
struct None;
struct Result;
struct String;
struct Vec;
const X: u8 = 1;
const W: u8 = 2;

mod uops {
    opstitch::uops! {
        /// What this machine can do.
        pub enum Op;

        registers { stack: x20, acc: d8 }

        const VALUE = 8;

        /// Pushes a local.
        op Load(/** Which one. */ slot: u12, base: reg) {
            ; ldr x9, [X(base), slot * VALUE]
            ; str x9, [stack], #VALUE
        }

        /// Shifts, and takes the slow way for zero.
        op Shift(by: u6, slow: call, out: exit) {
            ; lsl x9, x9, by
            ; cbz x9, >zero
            ; back:
            ; tbz x9, by, =>out
        } cold {
            ; zero:
            ; bl =>slow
            ; b <back
        }

        /// Loads a constant.
        op Constant(value: literal, mask: logical64, float: fp8) {
            ; ldr x10, =>value
            ; and x10, x10, mask
            ; fmov acc, float
        }

        /// Leaves.
        op Leave { ; ret }
    }
}

fn main() {
    let mut builder = ::opstitch::TraceBuilder::new();
    let out = builder.exit([uops::Leave]).unwrap();
    let slow = ::opstitch::Target::new(0x7000_0000_0000).unwrap();
    builder.push(uops::Load { slot: 7, base: ::opstitch::Reg(21) }).unwrap();
    builder.push(uops::Shift { by: 63, slow, out }).unwrap();
    builder.push(uops::Constant { value: 0x1234_5678_9abc, mask: 0xff00, float: -0.5 }).unwrap();
    builder.push(uops::Op::Leave(uops::Leave)).unwrap();
    let linked = builder.finish().unwrap().link(0x10000).unwrap();
    for word in linked.bytes().chunks(4) {
        ::std::println!("{:02x}{:02x}{:02x}{:02x}", word[3], word[2], word[1], word[0]);
    }
}
"#;

fn cargo(directory: &Path, target: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", target)
        .env("INSTA_UPDATE", "no")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo starts")
}

/// Makes a crate of these files in a directory of the system's, away from the workspace.
fn make_crate(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("opstitch-{name}-{}", std::process::id()));
    for (path, text) in files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    // The versions that the workspace is tested with are there already.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    std::fs::copy(lock, directory.join("Cargo.lock")).unwrap();
    directory
}

#[test]
fn a_crate_that_depends_on_opstitch_alone_builds_and_runs() {
    let manifest = MANIFEST.replace("OPSTITCH", env!("CARGO_MANIFEST_DIR"));
    let directory = make_crate(
        "outside",
        &[("Cargo.toml", &manifest), ("src/main.rs", MAIN)],
    );
    // Beside the workspace's own, so that a second run finds what the first has built.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside-target");
    let run = cargo(
        &directory,
        &target,
        &["run", "--quiet", "--release", "--offline"],
    );
    let program = std::fs::read(target.join("release/outside"));
    std::fs::remove_dir_all(&directory).unwrap();
    let (out, errors) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{errors}");
    let words: Vec<&str> = out.lines().collect();
    assert_eq!(words[0], "d503201f", "the entry NOP");
    assert_eq!(words[1], "f9401ea9", "ldr x9, [x21, #56]");
    assert_eq!(words[4], "d3410129", "lsl x9, x9, #63");
    // Whoever assembles at run time needs these.
    let program = program.unwrap();
    for name in ["immediate_out_of_range", "VecAssembler", "LabelRegistry"] {
        let found = program
            .windows(name.len())
            .any(|window| window == name.as_bytes());
        assert!(!found, "the program contains {name}");
    }
}

const PAGE: &str = include_str!("../docs/guide/src/first.md");

/// The files of the page: each is a block behind a line that names it.
fn files_of_the_page() -> Vec<(&'static str, &'static str)> {
    let mut files = Vec::new();
    for piece in PAGE.split("\nFile `").skip(1) {
        let (path, rest) = piece.split_once("`:\n\n```").expect("a block behind it");
        let (_language, rest) = rest.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n```\n").expect("the end of the block");
        files.push((path, text));
    }
    files
}

/// The crate that the page makes passes its tests, the snapshot among them: with nothing changed but where
/// opstitch lies.
#[test]
fn the_first_page_of_the_guide_is_a_crate_that_passes_its_tests() {
    let files = files_of_the_page();
    let paths: Vec<_> = files.iter().map(|(path, _)| *path).collect();
    let snapshot = "tests/snapshots/counter__the_trace_is_what_it_was.snap";
    assert_eq!(
        paths,
        ["Cargo.toml", "src/lib.rs", "tests/counter.rs", snapshot]
    );

    let root = env!("CARGO_MANIFEST_DIR");
    let manifest = files[0].1;
    assert_eq!(manifest.matches("path = \"../opstitch").count(), 3);
    let manifest = manifest.replace("../opstitch", root);
    let mut files = files;
    files[0].1 = &manifest;
    let directory = make_crate("counter", &files);
    // The workspace's own, where the emulator's C library is built already.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let test = cargo(&directory, target, &["test", "--offline"]);
    std::fs::remove_dir_all(&directory).unwrap();
    let (out, errors) = (
        String::from_utf8_lossy(&test.stdout),
        String::from_utf8_lossy(&test.stderr),
    );
    assert!(test.status.success(), "{out}{errors}");
    assert!(out.contains("test result: ok. 3 passed"), "{out}{errors}");
}
