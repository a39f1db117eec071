//! GDB's interface for code that is made at run time ("JIT Compilation Interface" in its manual).

mod elf;

use std::io;
use std::path::Path;

use super::Symbols;
use super::files::{FirstError, Listings};
use super::process::debugger::Registration;
use crate::slab::{Kept, Snapshot, Watcher};

/// Tells GDB, and other debuggers that read its list of code, of all traces of a slab: give it to [`Slab::watch`](crate::slab::Slab::watch).
///
/// A debugger that is attached, now or later, then knows each trace by its name (see
/// [`TraceBuilder::set_name`](crate::TraceBuilder::set_name); without one it is `trace_12`), so that a breakpoint
/// can be set on it; shows the trace and its callers in a backtrace; and tells an address in it by its micro-op:
/// `trace_12:op_7_AddInt`. With [listings](Gdb::with_listings) it steps from micro-op to micro-op and shows their
/// lines. What it knows of a trace goes when the trace's space is reclaimed.
///
/// ```no_run
/// use std::sync::Arc;
/// use opstitch::inspect::Gdb;
/// use opstitch::slab::SlabOptions;
///
/// let slab = SlabOptions::new(1 << 20).annotate(true).build()?;
/// if std::env::var_os("MY_VM_GDB").is_some() {
///     slab.watch(Arc::new(Gdb::new()))?;
/// }
/// # Ok::<(), opstitch::slab::SlabError>(())
/// ```
///
/// A trace then takes about 3 kilobytes for its first ten micro-ops and 60 bytes for each further one, its installation
/// some ten times as long, and a debugger that is attached stops the process for each. So let it be asked for.
///
/// # Names that a process has once
///
/// The debugger looks for two names, `__jit_debug_register_code` and `__jit_debug_descriptor`. The feature `gdb`
/// defines both, as weak symbols: where another JIT in the program (LLVM's, Wasmtime's) defines them too, the linker
/// takes that one's, and both enter their code in one list, which is what the debugger expects. But each guards the list
/// with a lock of its own, so then no two of them may make code at the same time. Two dynamic libraries that define the names do
/// not mix either: the debugger looks at one.
///
/// On Linux, for processes that are x86-64 or AArch64.
#[derive(Debug, Default)]
pub struct Gdb {
    listings: Option<Listings>,
    error: FirstError,
}

impl Gdb {
    /// Names, micro-ops and backtraces, without lines.
    pub fn new() -> Gdb {
        Gdb::default()
    }

    /// The same, and the listing of each trace as its source, in a file of `directory`. The file is removed when the
    /// trace's space is reclaimed. `symbols` names call targets in them.
    ///
    /// # Errors
    /// What the system says if it cannot make the directory.
    pub fn with_listings(directory: impl AsRef<Path>, symbols: Symbols) -> io::Result<Gdb> {
        Ok(Gdb {
            listings: Some(Listings::new(directory.as_ref(), symbols)?),
            error: FirstError::default(),
        })
    }

    /// The first error since the last call: a listing that could not be written, say. The trace is installed all the
    /// same, and the debugger knows less of it or nothing.
    pub fn take_error(&self) -> Option<io::Error> {
        self.error.take()
    }
}

/// What the debugger knows of a piece of code, until this is dropped.
struct Known {
    _registration: Registration,
    listing: Option<String>,
    /// The process that wrote the listing: a forked child leaves it to its parent.
    process: u32,
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(path) = &self.listing
            && self.process == std::process::id()
        {
            // Whoever removed it before us wanted the same.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Watcher for Gdb {
    fn published(&self, code: &Snapshot) -> Kept {
        let listings = self.listings.as_ref();
        let listing = listings.and_then(|listings| self.error.note(listings.write(code))?);
        let object = self.error.note(elf::object(code, listing.as_ref()))?;
        Some(Box::new(Known {
            _registration: Registration::new(object),
            listing: listing.map(|listing| listing.path),
            process: std::process::id(),
        }))
    }
}
