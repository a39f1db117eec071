//! The dump of code that `perf inject` reads: `tools/perf/Documentation/jitdump-specification.txt` of Linux,
//! version 1.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use memmap2::{Mmap, MmapOptions};

use super::super::files::{FirstError, Line, ListingFile, Listings};
use super::super::{Symbols, process, symbol};
use crate::slab::{Kept, Snapshot, Watcher};

/// Writes the code of each trace and trampoline of a slab, with the listing as its source, to files for perf: give it
/// to [`Slab::watch`](crate::slab::Slab::watch).
///
/// ```no_run
/// use std::sync::Arc;
/// use opstitch::inspect::{Symbols, perf::JitDump};
/// use opstitch::slab::SlabOptions;
///
/// let slab = SlabOptions::new(1 << 20).annotate(true).build()?;
/// slab.watch(Arc::new(JitDump::create("profile", Symbols::new())?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```sh
/// perf record -k mono --call-graph fp PROGRAM
/// perf inject --jit -i perf.data -o perf.jit.data
/// perf report -i perf.jit.data
/// perf annotate -i perf.jit.data
/// ```
///
/// `-k mono` is needed: entries carry the time of the monotonic clock. Frame pointers lead through traces, which keep
/// x29. The lines that perf shows are those of the micro-ops in the listing; the code is as it was published, links
/// and other patches that came later apart.
#[derive(Debug)]
pub struct JitDump {
    path: PathBuf,
    file: Mutex<Dump>,
    listings: Listings,
    process: u32,
    /// By this mapping perf finds the file among those of the process.
    _marker: Mmap,
    error: FirstError,
    /// The last field: given back when the file is closed.
    _claim: Claim,
}

/// The directories in which a dump is being written. A second one would have the same name, and empty the first.
static CLAIMED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The right to write the dump in a directory.
#[derive(Debug)]
struct Claim(PathBuf);

impl Claim {
    fn new(directory: PathBuf) -> io::Result<Claim> {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        if claimed.contains(&directory) {
            let what = format!(
                "this process is writing a dump in {} already; let that one watch this slab too, or choose another \
                 directory",
                directory.display()
            );
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        claimed.push(directory.clone());
        Ok(Claim(directory))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.retain(|directory| *directory != self.0);
    }
}

#[derive(Debug)]
struct Dump {
    file: File,
    /// Counts the pieces of code.
    next: u64,
    /// Whether a record could not be written, or not wholly. None follows it then.
    broken: bool,
}

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_LEN: u32 = 40;
/// ELF's number for AArch64.
const EM_AARCH64: u32 = 183;

/// Kinds of records.
const CODE_LOAD: u32 = 0;
const CODE_DEBUG_INFO: u32 = 2;
const CODE_CLOSE: u32 = 3;

impl JitDump {
    /// A dump named `jit-PID.dump` in `directory`, which is made if it is not there, and one listing a trace beside it.
    /// perf asks for that name, so there can be one in a directory at a time; it can watch several slabs. The directory must
    /// not be mounted `noexec`. `symbols` names call targets in the listings.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if this process is writing one there; what the system says if the file cannot be made, or not be mapped as executable, by which perf would find it.
    pub fn create(directory: impl AsRef<Path>, symbols: Symbols) -> io::Result<JitDump> {
        let directory = directory.as_ref();
        let listings = Listings::new(directory, symbols)?;
        let process = std::process::id();
        let path = directory.join(format!("jit-{process}.dump"));
        let claim = Claim::new(directory.canonicalize()?)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let mut header = Record(Vec::new());
        for word in [MAGIC, VERSION, HEADER_LEN, EM_AARCH64, 0, process] {
            header.u32(word);
        }
        header.u64(process::perf::now());
        header.u64(0);
        file.write_all(&header.0)?;
        let marker = marker(&file).map_err(|error| {
            let what = format!("{} cannot be mapped as executable: {error}", path.display());
            io::Error::new(error.kind(), what)
        })?;
        Ok(JitDump {
            path,
            file: Mutex::new(Dump {
                file,
                next: 0,
                broken: false,
            }),
            listings,
            process,
            _marker: marker,
            error: FirstError::default(),
            _claim: claim,
        })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first error since the last call. The trace is installed all the same. After an error in the dump itself
    /// nothing more is written to it.
    pub fn take_error(&self) -> Option<io::Error> {
        self.error.take()
    }
}

#[allow(unsafe_code)]
fn marker(file: &File) -> io::Result<Mmap> {
    // SAFETY: nobody looks into this mapping.
    unsafe { MmapOptions::new().len(HEADER_LEN as usize).map_exec(file) }
}

impl Dump {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.broken {
            return Ok(());
        }
        let result = self.file.write_all(bytes);
        self.broken = result.is_err();
        result
    }
}

impl Watcher for JitDump {
    fn published(&self, code: &Snapshot) -> Kept {
        if std::process::id() != self.process {
            return None; // a forked child is another process, whose code is not in this dump
        }
        let listing = self.error.note(self.listings.write(code)).flatten();
        let mut dump = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        if let Some(listing) = &listing {
            // Before the code that it is about.
            records.extend(debug_info(code, listing));
        }
        records.extend(load(code, self.process, dump.next));
        dump.next += 1;
        self.error.note(dump.write(&records));
        None
    }
}

impl Drop for JitDump {
    fn drop(&mut self) {
        if std::process::id() == self.process {
            let dump = self.file.get_mut();
            let dump = dump.unwrap_or_else(PoisonError::into_inner);
            // perf does without, and nobody is left to be told.
            let _ = dump.write(&Record::new(CODE_CLOSE).finish());
        }
    }
}

fn load(code: &Snapshot, process: u32, number: u64) -> Vec<u8> {
    let mut record = Record::new(CODE_LOAD);
    record.u32(process);
    record.u32(process::perf::thread());
    record.u64(code.address()); // where it is now,
    record.u64(code.address()); // and where it was made for
    record.u64(code.bytes().len() as u64);
    record.u64(number);
    record.text(&symbol::name(code.located()));
    record.0.extend(code.bytes());
    record.finish()
}

fn debug_info(code: &Snapshot, listing: &ListingFile) -> Vec<u8> {
    let mut record = Record::new(CODE_DEBUG_INFO);
    record.u64(code.address());
    record.u64(listing.lines.len() as u64);
    for &Line { offset, number } in &listing.lines {
        record.u64(code.address() + u64::from(offset));
        record.u32(number);
        record.u32(0); // no discriminator
        record.text(&listing.path);
    }
    record.finish()
}

/// A record in the making. Numbers have the byte order of the machine.
struct Record(Vec<u8>);

impl Record {
    fn new(kind: u32) -> Record {
        let mut record = Record(Vec::new());
        record.u32(kind);
        record.u32(0); // its length, to come
        record.u64(process::perf::now());
        record
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_ne_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_ne_bytes());
    }

    /// A string as C has it.
    fn text(&mut self, text: &str) {
        self.0.extend(text.bytes().filter(|&byte| byte != 0));
        self.0.push(0);
    }

    fn finish(mut self) -> Vec<u8> {
        let len = self.0.len() as u32;
        self.0[4..8].copy_from_slice(&len.to_ne_bytes());
        self.0
    }
}
