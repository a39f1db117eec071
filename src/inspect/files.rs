//! Listings as files, for tools that show source lines.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Symbols, symbol};
use crate::link::LinkedTrace;
use crate::slab::Snapshot;

/// A directory of listings, one file a trace.
#[derive(Debug)]
pub(super) struct Listings {
    directory: PathBuf,
    symbols: Symbols,
    next: AtomicU64,
}

/// The listing of a trace in a file.
pub(super) struct ListingFile {
    /// Absolute, and in UTF-8.
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
}

/// The first line of a micro-op in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// In bytes from the trace's start.
    pub(super) offset: u32,
    /// From 1.
    pub(super) number: u32,
}

impl Listings {
    /// Listings in `directory`, which is made if it is not there.
    pub(super) fn new(directory: &Path, symbols: Symbols) -> io::Result<Listings> {
        std::fs::create_dir_all(directory)?;
        Ok(Listings {
            directory: std::path::absolute(directory)?,
            symbols,
            next: AtomicU64::new(0),
        })
    }

    /// Writes the listing of a trace to a file of its own. `None` for a trampoline.
    pub(super) fn write(&self, code: &Snapshot) -> io::Result<Option<ListingFile>> {
        let (Some(listing), Some(linked)) = (code.listing(&self.symbols), code.linked()) else {
            return Ok(None);
        };
        let listing = listing.to_string();
        let lines = lines(&listing, &linked);
        let process = std::process::id();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.directory.join(format!("{process}-{number}.lst"));
            // Before there is a file that nobody would remove.
            let path = path.into_os_string().into_string().map_err(|path| {
                let what = format!("the path {path:?} is not UTF-8; choose another directory");
                io::Error::new(io::ErrorKind::InvalidInput, what)
            })?;
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let mut file = match file {
                // Of an earlier process with this number, or of another watcher.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            file.write_all(listing.as_bytes())?;
            return Ok(Some(ListingFile { path, lines }));
        }
    }
}

/// Where the micro-ops of a trace, and what is between them, start in its listing, by offsets.
fn lines(listing: &str, linked: &LinkedTrace) -> Vec<Line> {
    let runs = symbol::runs(linked);
    let mut runs = runs.iter().peekable();
    let mut lines = Vec::new();
    // Instructions are indented and begin with their address; the line of their micro-op precedes them.
    let mut heading = None;
    for (number, line) in (1..).zip(listing.lines()) {
        if !line.starts_with("  ") {
            heading = Some(number);
            continue;
        }
        let address = line.split_whitespace().next();
        let address = address.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let offset = address.map(|address| address.wrapping_sub(linked.address()));
        while let Some(run) = runs.next_if(|run| offset >= Some(run.start.into())) {
            lines.push(Line {
                offset: run.start,
                number: heading.unwrap_or(number),
            });
        }
        heading = None;
    }
    lines
}

/// The first error of a watcher, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct FirstError(Mutex<Option<io::Error>>);

impl FirstError {
    /// Notes an error, unless there was one. Returns what there is if there is no error.
    pub(super) fn note<T>(&self, result: io::Result<T>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        None
    }

    pub(super) fn take(&self) -> Option<io::Error> {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.take()
    }
}
