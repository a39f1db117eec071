//! Installing many traces at once.

use super::install::Written;
use super::{InstalledTrace, Slab, SlabError};
use crate::trace::Trace;

/// Traces that are written but not yet published: none of them can be run.
///
/// Made by [`Slab::batch`]. Dropping it without [`publish`](Batch::publish) gives their space back.
#[derive(Debug)]
pub struct Batch<'s> {
    slab: &'s Slab,
    written: Vec<Written>,
    writes: Vec<(usize, Vec<u8>)>,
}

/// A trace of a [`Batch`], by its number: what [`Batch::publish`] returns in this place is its handle. It
/// cannot be run before:
///
/// ```compile_fail,E0599
/// fn run(pending: opstitch::slab::Pending) {
///     let entry = pending.entry::<extern "C" fn()>();
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending(pub usize);

impl Slab {
    /// Starts to install many traces with one publication.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            slab: self,
            written: Vec::new(),
            writes: Vec::new(),
        }
    }
}

impl Batch<'_> {
    /// Links a trace to its place in the slab, without publishing it.
    ///
    /// # Errors
    /// As [`Slab::install`]; the traces added before stay.
    pub fn add(&mut self, trace: &Trace<'_>) -> Result<Pending, SlabError> {
        let shared = &*self.slab.shared;
        let mut state = shared.lock_to_change()?;
        let writes = &mut self.writes;
        let written = state.place(shared, trace, &mut |range, fill| {
            let mut bytes = vec![0; range.len()];
            fill(&mut bytes);
            writes.push((range.start, bytes));
        })?;
        self.written.push(written);
        Ok(Pending(self.written.len() - 1))
    }

    /// Publishes all traces: one session of writing, one cleaning of caches. The handles come in the
    /// order in which the traces were added.
    ///
    /// # Errors
    /// [`SlabError::System`] or [`SlabError::Forked`]; nothing is installed then.
    pub fn publish(mut self) -> Result<Vec<InstalledTrace>, SlabError> {
        let slab = self.slab;
        let shared = &*slab.shared;
        let mut state = shared.lock_to_change()?;
        let mut writer = shared.writer(&mut state);
        for (start, bytes) in &self.writes {
            writer.fill(*start..start + bytes.len(), |to| to.copy_from_slice(bytes));
        }
        for written in &self.written {
            state.write_trampolines(shared, written, &mut writer);
        }
        shared.commit(&mut state, writer)?;
        let written = std::mem::take(&mut self.written);
        let written = written.into_iter();
        let installed = written.map(|w| slab.enlist(&mut state, w)).collect();
        #[cfg(feature = "inspect")]
        slab.tell(state);
        Ok(installed)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.written.is_empty() || self.slab.shared.fork.is_forked() {
            return;
        }
        let mut state = self.slab.shared.lock();
        self.written
            .drain(..)
            .for_each(|written| state.unplace(written));
    }
}
