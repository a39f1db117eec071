//! Changing a slab's memory: a session that collects changes and publishes them together.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::cache;
use super::os::{self, Region, Staged, WriteSwitch};

/// Changes to a slab's memory. Instruction fetches are sure to see them after [`commit`](Writer::commit);
/// where there is no writable view, nobody sees anything before.
///
/// The caller holds the slab's lock, so there is one writer at a time, and writes only to what nobody runs,
/// except through [`store_word`](Writer::store_word) and [`store_literal`](Writer::store_literal).
pub(crate) struct Writer<'r> {
    region: &'r Region,
    /// What has to be cleaned from the caches.
    changed: Vec<Range<usize>>,
    /// Changes that wait for their pages to be built.
    waiting: Vec<Change>,
    _switch: WriteSwitch,
}

/// New bytes for a place.
#[derive(Debug)]
struct Change {
    at: usize,
    bytes: Vec<u8>,
    /// Whether threads may be running or loading what is there now.
    live: bool,
}

impl Change {
    fn range(&self) -> Range<usize> {
        self.at..self.at + self.bytes.len()
    }

    /// Copies what of it belongs there to `copy`, which stands for the bytes at `range`.
    fn apply(&self, range: &Range<usize>, copy: &mut [u8]) {
        let (from, to) = (
            range.start.max(self.at),
            range.end.min(self.at + self.bytes.len()),
        );
        if from < to {
            copy[from - range.start..to - range.start]
                .copy_from_slice(&self.bytes[from - self.at..to - self.at]);
        }
    }
}

impl<'r> Writer<'r> {
    pub(crate) fn new(region: &'r Region, scratch: Vec<Range<usize>>) -> Writer<'r> {
        let mut changed = scratch;
        changed.clear();
        Writer {
            region,
            changed,
            waiting: Vec::new(),
            _switch: WriteSwitch::on(),
        }
    }

    /// Lets `write` fill `range`, which is allocated and which nobody runs yet.
    pub(crate) fn fill(&mut self, range: Range<usize>, write: impl FnOnce(&mut [u8])) {
        assert!(range.start <= range.end && range.end <= self.region.len());
        if range.is_empty() {
            return;
        }
        match self.region.writable() {
            Some(view) => {
                // SAFETY: the range lies in the view; it belongs to a block that the caller has
                // taken from the heap and published to nobody, so nobody else has a reference to
                // it or runs it.
                let bytes =
                    unsafe { std::slice::from_raw_parts_mut(view.add(range.start), range.len()) };
                write(bytes);
                self.changed.push(range);
            }
            None => {
                let mut bytes = vec![0; range.len()];
                write(&mut bytes);
                self.wait(range.start, bytes, false);
            }
        }
    }

    /// Replaces one instruction, which other threads may be running. The old and the new one are
    /// both NOP or `b`: see [`super::patch`].
    pub(super) fn store_word(&mut self, at: usize, word: u32) {
        assert!(at.is_multiple_of(4) && at + 4 <= self.region.len());
        match self.region.writable() {
            Some(view) => {
                // SAFETY: aligned, in the view, and other threads fetch it as an instruction or not at all.
                let place = unsafe { AtomicU32::from_ptr(view.add(at).cast()) };
                place.store(word.to_le(), Ordering::Release);
                self.changed.push(at..at + 4);
            }
            None => self.wait(at, word.to_le_bytes().to_vec(), true),
        }
    }

    /// Replaces one literal, which other threads may be loading.
    pub(super) fn store_literal(&mut self, at: usize, value: u64) {
        assert!(at.is_multiple_of(8) && at + 8 <= self.region.len());
        match self.region.writable() {
            Some(view) => {
                // SAFETY: aligned, in the view, and other threads load it with one instruction.
                let place = unsafe { AtomicU64::from_ptr(view.add(at).cast()) };
                place.store(value.to_le(), Ordering::Release);
            }
            None => self.wait(at, value.to_le_bytes().to_vec(), true),
        }
    }

    fn wait(&mut self, at: usize, bytes: Vec<u8>, live: bool) {
        self.waiting.push(Change { at, bytes, live });
    }

    /// Publishes the changes. Returns the memory for the next session.
    ///
    /// # Errors
    /// What the system says. Then nothing that threads may be running has changed.
    pub(crate) fn commit(mut self) -> io::Result<Vec<Range<usize>>> {
        if !self.waiting.is_empty() {
            self.move_pages()?;
        }
        for range in &self.changed {
            let start = self.region.address() + range.start;
            cache::clean(start as *const u8, range.len());
        }
        Ok(std::mem::take(&mut self.changed))
    }

    /// Forgets the session: what was filled is in space that nobody has.
    pub(crate) fn abort(mut self) -> Vec<Range<usize>> {
        std::mem::take(&mut self.changed)
    }

    /// Writes without cleaning the caches, to show that the tests notice.
    #[cfg(all(test, target_arch = "aarch64", target_os = "linux"))]
    pub(crate) fn commit_without_cleaning(mut self) -> io::Result<()> {
        self.changed.clear();
        self.commit().map(drop)
    }

    /// Builds all changed pages, and then moves them to their places.
    fn move_pages(&mut self) -> io::Result<()> {
        let size = os::page_size();
        let mut runs = runs_of_pages(&self.waiting, size);
        if self.waiting.iter().any(|change| change.live)
            && let [first, .., last] = runs.as_mut_slice()
        {
            // A system that runs out of mappings refuses one move or another. So what threads may notice is
            // moved at once, with whatever lies between.
            first.end = last.end;
            runs.truncate(1);
        }
        let stage = |run: Range<usize>| {
            self.region.stage(run.clone(), |copy| {
                let changes = self.waiting.iter();
                changes.for_each(|change| change.apply(&run, copy));
            })
        };
        let staged: io::Result<Vec<_>> = runs.into_iter().map(stage).collect();
        staged?.into_iter().try_for_each(Staged::publish)
    }
}

impl Region {
    /// The instruction at an offset in bytes.
    pub(super) fn load_word(&self, at: usize) -> u32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.len());
        let place = (self.address() + at) as *mut u32;
        // SAFETY: aligned and in the region, which is readable. What others may patch meanwhile they
        // change by atomic stores.
        u32::from_le(unsafe { AtomicU32::from_ptr(place) }.load(Ordering::Relaxed))
    }

    /// The literal at an offset in bytes.
    pub(super) fn load_literal(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.len());
        let place = (self.address() + at) as *mut u64;
        // SAFETY: as in `load_word`.
        u64::from_le(unsafe { AtomicU64::from_ptr(place) }.load(Ordering::Relaxed))
    }

    /// The bytes of whole instructions.
    pub(super) fn read(&self, range: Range<usize>) -> Vec<u8> {
        let words = range.step_by(4);
        words
            .flat_map(|at| self.load_word(at).to_le_bytes())
            .collect()
    }
}

/// The pages that changes lie in, as ranges of bytes, neighbours together.
fn runs_of_pages(changes: &[Change], page: usize) -> Vec<Range<usize>> {
    let mut pages: Vec<Range<usize>> = changes
        .iter()
        .map(|change| {
            let Range { start, end } = change.range();
            start / page * page..end.next_multiple_of(page)
        })
        .collect();
    pages.sort_unstable_by_key(|run| (run.start, run.end));
    pages.dedup_by(|next, run| {
        let joins = next.start <= run.end;
        if joins {
            run.end = run.end.max(next.end);
        }
        joins
    });
    pages
}
