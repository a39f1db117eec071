//! What a rung costs.

use std::error::Error;

use opstitch::LinkedTrace;
use opstitch::slab::SlabOptions;

use super::Program;
use super::cpython_loop::machine::FAR;
use super::ladder::{Kind, Own, RUNGS, Rung, Way, trampolines};
use super::mca::{CORES, Mca};
use super::walk::{Code, is_call};

/// How many traces share the slab.
pub const TRACES: usize = 1000;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What was measured.
    pub rung: Rung,
    /// Of a trace, with its part of what all traces share.
    pub bytes: f64,
    /// Of these, those that would not be there if all calls were direct.
    pub lost: f64,
    /// What is written into a trace, on account of its calls, once it is known where functions and
    /// trampolines lie.
    pub relocations: f64,
    /// Instructions of one round of the loop, the functions apart.
    pub executed: usize,
    /// How many of these call a function.
    pub calls: usize,
    /// Estimated, for each of [`CORES`].
    pub cycles: [Option<f64>; CORES.len()],
}

/// Measures every rung.
pub fn ladder(program: &dyn Program, mca: Option<&Mca>) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for rung in RUNGS {
        rows.push(row(rung, program, mca)?);
    }
    let direct: Vec<_> = rows
        .iter()
        .filter(|row| row.rung.way == Way::Direct)
        .copied()
        .collect();
    for row in &mut rows {
        let same = direct
            .iter()
            .find(|direct| direct.rung.fall_through == row.rung.fall_through);
        row.lost = row.bytes - same.ok_or("there is no rung without trampolines")?.bytes;
    }
    Ok(rows)
}

fn row(rung: Rung, program: &dyn Program, mca: Option<&Mca>) -> Result<Row, Box<dyn Error>> {
    let linked = rung.link(program)?;
    let (bytes, shared, code) = match rung.way {
        Way::Slab => in_slab(&rung, program)?,
        _ => (linked.bytes().len() as f64, 0.0, own_code(&linked)),
    };
    let round = code.round()?;
    #[cfg(not(target_arch = "aarch64"))]
    check(rung, program, &linked, round.len())?;
    let mut cycles = [None; CORES.len()];
    if let Some(mca) = mca {
        for (cycles, core) in cycles.iter_mut().zip(CORES) {
            *cycles = Some(mca.cycles(&round, core)?);
        }
    }
    Ok(Row {
        rung,
        bytes,
        lost: 0.0,
        relocations: relocations(&rung, &linked) as f64 + shared,
        executed: round.len(),
        calls: round.iter().filter(|&&word| is_call(word)).count(),
        cycles,
    })
}

fn own_code(linked: &LinkedTrace) -> Code {
    Code {
        address: linked.address(),
        bytes: linked.bytes().to_vec(),
        slab: None,
    }
}

/// Runs the trace: it must do what it should, and one round must take as many instructions as `round` says.
/// (In the slab, they are those of trampolines at the end of the trace.)
#[cfg(not(target_arch = "aarch64"))]
fn check(
    rung: Rung,
    program: &dyn Program,
    linked: &LinkedTrace,
    round: usize,
) -> Result<(), Box<dyn Error>> {
    program.check(linked)?;
    let rounds = 20;
    let (some, more) = (
        program.executed(linked, rounds)?,
        program.executed(linked, 2 * rounds)?,
    );
    let executed = (more - some) as f64 / rounds as f64;
    if executed != round as f64 {
        return Err(format!(
            "rung {}: {round} instructions, but the emulator executes {executed}",
            rung.number
        )
        .into());
    }
    Ok(())
}

/// Installs many traces in a slab that is far from the functions. Returns the bytes of one with its part of the
/// trampolines, its part of what is written into these, and the code of one.
fn in_slab(rung: &Rung, program: &dyn Program) -> Result<(f64, f64, Code), Box<dyn Error>> {
    let slab = SlabOptions::new(4 << 20).near(FAR).build()?;
    let mut builder = rung.builder();
    let trace = rung.stitch(program, &mut builder)?;
    let mut installed = Vec::new();
    for _ in 0..TRACES {
        installed.push(slab.install(&trace)?);
    }
    let statistics = slab.statistics();
    if statistics.direct_calls > 0 {
        return Err(
            "the slab is too near to the functions to need trampolines: run it again".into(),
        );
    }
    let content = statistics.used - statistics.padding;
    let code = Code {
        address: installed[0].address(),
        bytes: installed[0].bytes(),
        slab: Some(slab.addresses()),
    };
    let each = |all: usize| all as f64 / TRACES as f64;
    Ok((each(content), each(statistics.trampolines), code))
}

/// Places in a trace that are written on account of its calls: pieces of addresses, and calls that lead out of
/// the part of the micro-op that they are in.
fn relocations(rung: &Rung, linked: &LinkedTrace) -> usize {
    let hot = linked.statistics().hot;
    let is_call = |word: &&[u8]| is_call(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let count = |bytes: &[u8]| bytes.chunks_exact(4).filter(is_call).count();
    let (hot, cold) = linked.bytes().split_at(hot);
    let (hot, cold) = (count(hot), count(&cold[..linked.statistics().cold]));
    match rung.way {
        Way::Own(Own {
            kind, out_of_line, ..
        }) => {
            let each = if kind == Kind::Movk { 4 } else { 1 };
            each * trampolines(linked).count() + cold + if out_of_line { hot } else { 0 }
        }
        Way::Trace => linked.far_targets().len() + hot + cold,
        Way::Slab | Way::Direct => hot + cold,
    }
}
