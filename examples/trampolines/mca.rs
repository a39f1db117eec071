//! Cycles, as `llvm-mca` estimates them.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The cores. (LLVM's model of `apple-m1` is that of a core of 2013, so it is left out.)
pub const CORES: [&str; 2] = ["neoverse-n1", "neoverse-v2"];

const ROUNDS: u32 = 1000;

/// The tools of one LLVM.
#[derive(Debug)]
pub struct Mca {
    mca: PathBuf,
    /// The disassembler, which lies beside it.
    mc: PathBuf,
    /// "LLVM 22.1.0", for example.
    pub version: String,
}

impl Mca {
    /// The `llvm-mca` that the environment variable `LLVM_MCA` names, or else the newest on PATH that serves.
    pub fn find() -> Result<Option<Mca>, Box<dyn Error>> {
        if let Some(named) = std::env::var_os("LLVM_MCA").filter(|named| !named.is_empty()) {
            let named = PathBuf::from(named);
            return match Mca::at(named.clone()) {
                Some(mca) => Ok(Some(mca)),
                None => Err(format!("LLVM_MCA={}: this is no llvm-mca of LLVM 18 or newer with an llvm-mc beside it", named.display()).into()),
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut all = Vec::new();
        for directory in std::env::split_paths(&path) {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name().into_string().unwrap_or_default();
                match name.strip_prefix("llvm-mca") {
                    Some("") => all.push((u32::MAX, entry.path())),
                    Some(rest) => {
                        let version = rest.strip_prefix('-').and_then(|rest| rest.parse().ok());
                        all.extend(version.map(|version: u32| (version, entry.path())));
                    }
                    None => {}
                }
            }
        }
        all.sort();
        Ok(all.into_iter().rev().find_map(|(_, path)| Mca::at(path)))
    }

    fn at(mca: PathBuf) -> Option<Mca> {
        let name = mca.file_name()?.to_str()?.replace("llvm-mca", "llvm-mc");
        let mc = mca.with_file_name(name);
        let version = Command::new(&mca).arg("--version").output().ok()?;
        let version = String::from_utf8(version.stdout).ok()?;
        let version = version
            .lines()
            .find_map(|line| line.trim().split_once("LLVM version "));
        let version = format!("LLVM {}", version?.1);
        let mca = Mca { mca, mc, version };
        // Does it know the cores and the option?
        mca.cycles(&[0xd503_201f], CORES[1]).ok()?;
        Some(mca)
    }

    /// The cycles that a core needs for one round of a loop that executes these instructions.
    pub fn cycles(&self, round: &[u32], core: &str) -> Result<f64, Box<dyn Error>> {
        let bytes: Vec<_> = round.iter().flat_map(|word| word.to_le_bytes()).collect();
        let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
        let disassembled = pipe(
            Command::new(&self.mc).args(["-triple=aarch64", "-mattr=+all", "-disassemble"]),
            &bytes.join(" "),
        )?;
        let instructions = disassembled
            .lines()
            .filter(|line| !line.trim().starts_with('.'));
        let instructions: Vec<_> = instructions
            .filter(|line| !line.trim().is_empty())
            .collect();
        if instructions.len() != round.len() {
            return Err(format!("llvm-mc does not know every instruction:\n{disassembled}").into());
        }
        let report = pipe(
            Command::new(&self.mca)
                // A call is modelled as a jump. Otherwise it would take 100 cycles.
                .args(["-mtriple=aarch64", "-call-latency=1"])
                .arg(format!("-mcpu={core}"))
                .arg(format!("-iterations={ROUNDS}")),
            &instructions.join("\n"),
        )?;
        let cycles = report
            .lines()
            .find_map(|line| line.strip_prefix("Total Cycles:"));
        let cycles: f64 = cycles
            .ok_or("llvm-mca has printed no cycles")?
            .trim()
            .parse()?;
        Ok(cycles / f64::from(ROUNDS))
    }
}

/// What a command prints, given an input.
fn pipe(command: &mut Command, input: &str) -> Result<String, Box<dyn Error>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Both read all their input before they print anything.
    child
        .stdin
        .take()
        .ok_or("no input")?
        .write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
