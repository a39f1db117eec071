//! The map of symbols that perf reads: `tools/perf/Documentation/jit-interface.txt` of Linux.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::super::files::FirstError;
use super::super::{process, symbol};
use crate::slab::{Kept, Snapshot, Watcher};

/// Writes the name of each trace and trampoline of a slab to a file that perf, and other profilers, read: give it to
/// [`Slab::watch`](crate::slab::Slab::watch).
///
/// ```no_run
/// use std::sync::Arc;
/// use opstitch::inspect::perf::PerfMap;
/// use opstitch::slab::{Mapping, SlabOptions};
///
/// let options = SlabOptions::new(1 << 20).annotate(true);
/// let slab = options.mapping(Mapping::MovedPages).build()?;
/// slab.watch(Arc::new(PerfMap::of_this_process()?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Then `perf record PROGRAM` and `perf report` name traces as they were
/// [named](crate::TraceBuilder::set_name), or `trace_12`.
///
/// perf looks into the map for anonymous memory only, so the slab must be one of
/// [`Mapping::MovedPages`](crate::slab::Mapping::MovedPages) for it; other profilers take any.
///
/// The file has no way to say that code is gone. Once a slab has [reclaimed](crate::slab::Slab::reclaim) space and
/// used it again, perf may name an address by what lay there before: use [`JitDump`](super::JitDump) then.
#[derive(Debug)]
pub struct PerfMap {
    path: PathBuf,
    file: File,
    micro_ops: bool,
    process: u32,
    error: FirstError,
}

impl PerfMap {
    /// The file in which perf looks for the symbols of this process: `/tmp/perf-PID.map`. As
    /// [`create`](PerfMap::create) otherwise.
    ///
    /// # Errors
    /// What the system says if the file cannot be opened.
    pub fn of_this_process() -> io::Result<PerfMap> {
        PerfMap::create(process::perf::map_path())
    }

    /// A file of this name, for a profiler that can be told of it. If it is there already, it is continued: other makers of code in the process may write to
    /// it too. (A file that an earlier process of the same number has left should be removed before.)
    ///
    /// # Errors
    /// What the system says if the file cannot be opened.
    pub fn create(path: impl AsRef<Path>) -> io::Result<PerfMap> {
        let path = path.as_ref().to_owned();
        Ok(PerfMap {
            file: OpenOptions::new().append(true).create(true).open(&path)?,
            path,
            micro_ops: false,
            process: std::process::id(),
            error: FirstError::default(),
        })
    }

    /// Sets whether each micro-op is a symbol of its own, `trace_12:op_7_AddInt`: perf then counts by micro-ops.
    pub fn micro_ops(mut self, micro_ops: bool) -> PerfMap {
        self.micro_ops = micro_ops;
        self
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first error since the last call. The trace is installed all the same, and missing in the file.
    pub fn take_error(&self) -> Option<io::Error> {
        self.error.take()
    }

    fn lines(&self, code: &Snapshot) -> String {
        let (address, name) = (code.address(), symbol::name(code.located()));
        let mut lines = String::new();
        let mut line = |start: u32, end: u32, name: &str| {
            let address = address + u64::from(start);
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{address:x} {:x} {name}", end - start);
        };
        match code.linked().filter(|_| self.micro_ops) {
            Some(linked) => {
                for run in symbol::runs(&linked) {
                    match run.op {
                        Some(op) => {
                            line(
                                run.start,
                                run.end,
                                &format!("{name}:{}", symbol::op_name(&op)),
                            );
                        }
                        None => line(run.start, run.end, &name),
                    }
                }
            }
            None => line(0, code.bytes().len() as u32, &name),
        }
        lines
    }
}

impl Watcher for PerfMap {
    fn published(&self, code: &Snapshot) -> Kept {
        // A forked child is another process.
        if std::process::id() == self.process {
            // One write at the end of the file, so the lines of two threads do not mix.
            self.error
                .note((&self.file).write_all(self.lines(code).as_bytes()));
        }
        None
    }
}
