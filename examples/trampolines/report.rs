//! The tables.

use std::error::Error;
use std::io::Write;

use super::mca::CORES;
use super::measure::{Row, TRACES};

const HOW: &str = "\
Executed: instructions of one round of the loop, the functions apart; no conditional branch is taken.
";

/// A number with as many decimals as it needs, three at most.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn cycles(row: &Row) -> [String; CORES.len()] {
    row.cycles
        .map(|cycles| cycles.map_or(String::new(), |cycles| format!("{cycles:.1}")))
}

/// Prints a table for each trace.
pub fn table(
    ladders: &[(&str, Vec<Row>)],
    mca: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let [n1, v2] = CORES;
    for (name, rows) in ladders {
        writeln!(
            out,
            "{:46}{:>9}{:>9}{:>13}{:>10}{n1:>13}{v2:>13}",
            format!("{name}, trampolines"),
            "bytes",
            "lost",
            "relocations",
            "executed"
        )?;
        for row in rows {
            let [n1, v2] = cycles(row);
            writeln!(
                out,
                "{:>3}  {:41}{:>9}{:>9}{:>13}{:>10}{n1:>13}{v2:>13}",
                row.rung.number,
                row.rung.what,
                number(row.bytes),
                number(row.lost),
                number(row.relocations),
                row.executed
            )?;
        }
        writeln!(out)?;
    }
    write!(out, "{HOW}")?;
    if cfg!(target_arch = "aarch64") {
        writeln!(
            out,
            "(Counted by following the code. On AArch64 there is no emulator here to confirm it.)"
        )?;
    } else {
        writeln!(
            out,
            "(Counted by following the code, and confirmed by running it in the emulator.)"
        )?;
    }
    writeln!(
        out,
        "Rung 5: the trampolines of one slab, divided among {TRACES} traces."
    )?;
    match mca {
        Some(version) => writeln!(
            out,
            "Cycles of one round: estimated by llvm-mca of {version}, which models neither caches nor branch prediction."
        )?,
        None => writeln!(
            out,
            "No cycles: there is no llvm-mca of LLVM 18 or newer on PATH, nor in LLVM_MCA."
        )?,
    }
    Ok(())
}

/// Prints all of it as comma-separated values.
pub fn csv(ladders: &[(&str, Vec<Row>)], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let cores = CORES.map(|core| format!("cycles {core}")).join(",");
    writeln!(
        out,
        "trace,rung,trampolines,bytes,bytes lost,relocations,executed,{cores}"
    )?;
    for (name, rows) in ladders {
        for row in rows {
            writeln!(
                out,
                "{name},{},\"{}\",{},{},{},{},{}",
                row.rung.number,
                row.rung.what,
                number(row.bytes),
                number(row.lost),
                number(row.relocations),
                row.executed,
                cycles(row).join(","),
            )?;
        }
    }
    Ok(())
}
