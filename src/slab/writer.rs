//! Changing a slab's memory: a session that collects changes and publishes them together.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::cache;
use super::os::{self, Region, WriteSwitch};

/// Changes to a slab's memory. Nothing is visible to instruction fetches before
/// [`commit`](Writer::commit); where there is no writable view, nothing at all.
///
/// The caller holds the slab's lock, so there is one writer at a time, and writes only to what nobody runs,
/// except through [`store_word`](Writer::store_word) and [`store_literal`](Writer::store_literal).
pub(crate) struct Writer<'r> {
    region: &'r Region,
    /// What has to be cleaned from the caches.
    changed: Vec<Range<usize>>,
    /// Changes that wait for their pages to be built.
    waiting: Vec<(usize, Vec<u8>)>,
    _switch: WriteSwitch,
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
        match self.region.writable() {
            Some(view) => {
                // SAFETY: the range lies in the view; it belongs to a block that the caller has just
                // taken from the heap, so nobody else has a reference to it or runs it.
                let bytes =
                    unsafe { std::slice::from_raw_parts_mut(view.add(range.start), range.len()) };
                write(bytes);
                self.changed.push(range);
            }
            None => {
                let mut bytes = vec![0; range.len()];
                write(&mut bytes);
                self.waiting.push((range.start, bytes));
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
            None => self.waiting.push((at, word.to_le_bytes().to_vec())),
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
            None => self.waiting.push((at, value.to_le_bytes().to_vec())),
        }
    }

    /// Publishes the changes. Returns the memory for the next session.
    pub(crate) fn commit(mut self) -> io::Result<Vec<Range<usize>>> {
        self.move_pages()?;
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
    #[cfg(test)]
    pub(crate) fn commit_without_cleaning(mut self) -> io::Result<()> {
        self.changed.clear();
        self.commit().map(drop)
    }

    fn move_pages(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let size = os::page_size();
        let mut pages: Vec<usize> = self
            .waiting
            .iter()
            .flat_map(|(at, bytes)| (at / size..=(at + bytes.len().max(1) - 1) / size))
            .collect();
        pages.sort_unstable();
        pages.dedup();
        for page in pages {
            let start = page * size;
            self.region.replace_page(start, |copy| {
                for (at, bytes) in &self.waiting {
                    let (from, to) = (start.max(*at), (start + size).min(at + bytes.len()));
                    if from < to {
                        copy[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
                    }
                }
            })?;
        }
        Ok(())
    }
}
