//! An assembler that shares nothing with dynasm-rs: LLVM's.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// LLVM's assembler.
pub(crate) struct LlvmMc {
    path: PathBuf,
}

impl LlvmMc {
    /// The one that `LLVM_MC` names; unless that is set, the newest on the path that knows all of AArch64.
    /// `None` where there is none, or `LLVM_MC` is empty: the comparison is then skipped, unless
    /// `OPSTITCH_REQUIRE_LLVM_MC` is 1.
    pub(crate) fn find() -> Option<LlvmMc> {
        let found = match env::var_os("LLVM_MC") {
            Some(path) if path.is_empty() => None,
            Some(path) => {
                let named = LlvmMc { path: path.into() };
                assert!(
                    named.serves(),
                    "LLVM_MC does not know AArch64 and `-mattr=+all`"
                );
                Some(named)
            }
            None => on_path()
                .into_iter()
                .map(|path| LlvmMc { path })
                .find(LlvmMc::serves),
        };
        let required = env::var_os("OPSTITCH_REQUIRE_LLVM_MC").is_some_and(|value| value == "1");
        assert!(
            found.is_some() || !required,
            "no llvm-mc that knows AArch64 and `-mattr=+all`, and OPSTITCH_REQUIRE_LLVM_MC=1"
        );
        if found.is_none() {
            eprintln!("SKIPPED: no llvm-mc that knows AArch64 and `-mattr=+all`");
        }
        found
    }

    /// Whether it knows what is beyond the base instruction set.
    fn serves(&self) -> bool {
        let instructions = ["ldaddal x0, x1, [x2]", "sqrdmlah v0.4h, v1.4h, v2.4h"];
        self.try_assemble(&instructions)
            .is_ok_and(|words| words == [0xf8e0_0041, 0x2e42_8420])
    }

    /// The words of the instructions, one each.
    pub(crate) fn assemble(&self, instructions: &[impl AsRef<str>]) -> Vec<u32> {
        self.try_assemble(instructions)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_assemble(&self, instructions: &[impl AsRef<str>]) -> Result<Vec<u32>, String> {
        let mut command = Command::new(&self.path);
        command
            .args(["-triple=aarch64", "-mattr=+all", "-show-encoding"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let mut child = command.spawn().map_err(failed)?;
        let lines: Vec<_> = instructions.iter().map(AsRef::as_ref).collect();
        let text = lines.join("\n") + "\n";
        let mut stdin = child.stdin.take().ok_or("it has no input")?;
        // Written from a thread of its own: it may print before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().map_err(failed)?;
        let written = writer.join().map_err(|_| "the writer panicked")?;
        if !output.status.success() || written.is_err() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let words: Vec<_> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(encoding)
            .collect();
        match words.len() == instructions.len() {
            true => Ok(words),
            false => Err(format!(
                "{} instructions became {} words",
                instructions.len(),
                words.len()
            )),
        }
    }
}

/// The word of a line such as `add x9, x9, x10  // encoding: [0x29,0x01,0x0a,0x8b]`.
fn encoding(line: &str) -> Option<u32> {
    let (_, bytes) = line.split_once("encoding: [")?;
    let bytes = bytes.trim_end().strip_suffix(']')?.split(',');
    let bytes: Option<Vec<u8>> = bytes
        .map(|byte| u8::from_str_radix(byte.strip_prefix("0x")?, 16).ok())
        .collect();
    Some(u32::from_le_bytes(bytes?.try_into().ok()?))
}

/// `llvm-mc`, then every `llvm-mc-NUMBER` on the path, the highest number first.
fn on_path() -> Vec<PathBuf> {
    let directories = env::var_os("PATH").unwrap_or_default();
    let mut numbered = Vec::new();
    for directory in env::split_paths(&directories) {
        for entry in directory.read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|n| n.strip_prefix("llvm-mc-"));
            if let Some(number) = number.and_then(|n| n.parse::<u32>().ok()) {
                numbered.push((number, entry.path()));
            }
        }
    }
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let numbered = numbered.into_iter().map(|(_, path)| path);
    std::iter::once(PathBuf::from("llvm-mc"))
        .chain(numbered)
        .collect()
}
