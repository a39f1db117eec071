//! Telling others of code that is published: profilers, debuggers.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{InstalledTrace, Located, Shared, Slab, SlabError, State};
use crate::asm::branch;
use crate::link::{LinkedTrace, Part};
use crate::slab::table::{Code, Piece};

/// What a [`Watcher`] wants to be kept, and dropped when the code's space is reclaimed.
pub type Kept = Option<Box<dyn Any + Send + Sync>>;

/// Is told of every trace that is installed in a slab, and of every trampoline that the slab makes. Those of
/// [`inspect`](crate::inspect) tell profilers and debuggers in turn.
pub trait Watcher: Debug + Send + Sync {
    /// This code is in memory. Nobody can run it before this returns, but for what was there before the slab
    /// was [watched](Slab::watch).
    ///
    /// The slab is not locked meanwhile, but installing into it or watching it from here waits for ever. If it panics, all
    /// that was to be told, to whomever, is told before the panic goes on in whoever installs or watches.
    fn published(&self, code: &Snapshot) -> Kept;
}

/// A trace or a trampoline of a slab, as it is at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    located: Located,
    bytes: Vec<u8>,
    /// What branches of it lead to elsewhere in the slab, by addresses.
    around: Vec<(u64, Located)>,
}

impl Snapshot {
    /// What it is: the trace, or the trampoline.
    pub fn located(&self) -> &Located {
        &self.located
    }

    /// Its address.
    pub fn address(&self) -> u64 {
        self.located.address()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The trace with its bytes; `None` for a trampoline.
    pub fn linked(&self) -> Option<LinkedTrace> {
        match self.located.code() {
            Code::Trace { map, .. } => Some(LinkedTrace::of_installed(
                self.address(),
                self.bytes.clone(),
                map.clone(),
            )),
            Code::Trampoline(_) => None,
        }
    }

    pub(crate) fn around(&self) -> &[(u64, Located)] {
        &self.around
    }
}

impl InstalledTrace {
    /// The trace as it is now, linked exits and changed literals included. Other threads may patch it at any
    /// time.
    ///
    /// # Errors
    /// [`SlabError::NotAnnotated`].
    pub fn snapshot(&self) -> Result<Snapshot, SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock();
        let start = state.trace(self.id)?.block.start;
        let table = state.table.as_ref();
        match table.and_then(|table| table.before(start)) {
            Some((found, piece)) if found == start => Ok(state.snapshot(shared, start, piece)),
            _ => Err(SlabError::NotAnnotated),
        }
    }
}

impl Slab {
    /// All code that is in the slab at this moment, in the order of the addresses: the traces that have not been dropped, as
    /// [`InstalledTrace::snapshot`] has them, and the trampolines.
    ///
    /// # Errors
    /// [`SlabError::NotAnnotated`].
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, SlabError> {
        let state = self.shared.lock();
        let table = state.table.as_ref().ok_or(SlabError::NotAnnotated)?;
        let pieces = table.iter().filter(|(_, piece)| !piece.dropped);
        let snapshot = |(start, piece)| state.snapshot(&self.shared, start, piece);
        Ok(pieces.map(snapshot).collect())
    }
}

impl State {
    fn snapshot(&self, shared: &Shared, start: u32, piece: &Piece) -> Snapshot {
        let start = start as usize * shared.granule;
        let len = piece.len as usize;
        let bytes = shared.region.read(start..start + len);
        let located = Located::new(shared, start, piece, 0);
        let around = match &piece.code {
            Code::Trampoline(_) => Vec::new(),
            Code::Trace { map, .. } => {
                let code = &bytes[..map.range(Part::Trampolines).start as usize];
                self.around(shared, located.address(), code, len)
            }
        };
        Snapshot {
            located,
            bytes,
            around,
        }
    }

    /// What the branches of the code of a trace lead to outside of it and in the slab, by addresses.
    fn around(
        &self,
        shared: &Shared,
        address: u64,
        code: &[u8],
        len: usize,
    ) -> Vec<(u64, Located)> {
        let words = (address..).step_by(4).zip(code.chunks_exact(4));
        let destinations = words.filter_map(|(at, bytes)| {
            let word = u32::from_le_bytes(bytes.try_into().ok()?);
            let words = branch::branch_field(word)?.displacement(word);
            Some(at.wrapping_add_signed(words * 4))
        });
        let outside = |to: &u64| !(address..address + len as u64).contains(to);
        let mut destinations: Vec<_> = destinations.filter(outside).collect();
        destinations.sort_unstable();
        destinations.dedup();
        let known = |to| Some((to, self.locate(shared, to)?));
        destinations.into_iter().filter_map(known).collect()
    }
}

/// Who watches a slab. Held while they are told, so that whoever installs goes on after all of them know.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<Vec<Arc<dyn Watcher>>>);

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn Watcher>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slab {
    /// Lets a watcher know of all code that is in the slab and of all that will be. The slab keeps it, also if it panics
    /// when it is told.
    ///
    /// # Errors
    /// [`SlabError::NotAnnotated`].
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> Result<(), SlabError> {
        let mut watchers = self.shared.watchers.lock();
        let mut state = self.shared.lock();
        let table = state.table.as_mut().ok_or(SlabError::NotAnnotated)?;
        let untold = table.take_untold();
        let known: Vec<_> = table.iter().map(|(start, _)| start).collect();
        let news = state.news(&self.shared, untold);
        let all = state.news(&self.shared, known);
        drop(state);
        let others_panic = self.tell_all(&watchers, news);
        let panic = self.tell_all(std::slice::from_ref(&watcher), all);
        watchers.push(watcher);
        go_on(others_panic.or(panic));
        Ok(())
    }

    /// Tells the watchers of what has just been published, after giving back the lock under which it was.
    pub(super) fn tell(&self, published: MutexGuard<'_, State>) {
        if published.table.is_none() {
            return;
        }
        drop(published);
        let watchers = self.shared.watchers.lock();
        let mut state = self.shared.lock();
        let Some(untold) = state.table.as_mut().map(|table| table.take_untold()) else {
            return;
        };
        if watchers.is_empty() || untold.is_empty() {
            return;
        }
        let news = state.news(&self.shared, untold);
        drop(state);
        go_on(self.tell_all(&watchers, news));
    }

    /// Tells all of everything, though some of them may panic. Returns the first panic.
    fn tell_all(&self, watchers: &[Arc<dyn Watcher>], news: Vec<News>) -> Option<Panic> {
        let mut panicked = None;
        for News {
            start,
            serial,
            code,
        } in news
        {
            for watcher in watchers {
                // The code may be of a thread that relies on its being told; all else can wait.
                let told = catch_unwind(AssertUnwindSafe(|| watcher.published(&code)));
                match told {
                    Ok(Some(kept)) => self.keep(start, serial, kept),
                    Ok(None) => {}
                    Err(panic) => {
                        panicked.get_or_insert(panic);
                    }
                }
            }
        }
        panicked
    }

    fn keep(&self, start: u32, serial: u64, kept: Box<dyn Any + Send + Sync>) {
        let mut state = self.shared.lock();
        let table = state.table.as_mut();
        let kept = table.map(|table| table.keep(start, serial, kept));
        // If the code is gone already, what is to go with it goes now, without the lock.
        drop(state);
        drop(kept);
    }
}

/// What a panic brings.
type Panic = Box<dyn Any + Send>;

/// Lets a panic that was caught go on.
fn go_on(panic: Option<Panic>) {
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// A piece of code that watchers are to be told of.
struct News {
    start: u32,
    serial: u64,
    code: Snapshot,
}

impl State {
    fn news(&self, shared: &Shared, starts: Vec<u32>) -> Vec<News> {
        let find = |start| {
            let (found, piece) = self.table.as_ref()?.before(start)?;
            (found == start).then(|| News {
                start,
                serial: piece.serial,
                code: self.snapshot(shared, start, piece),
            })
        };
        starts.into_iter().filter_map(find).collect()
    }
}
