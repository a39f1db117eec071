//! The listing of a trace in a slab.

use std::borrow::Cow;

use super::around::{Around, Outside};
use super::{Listing, Symbols};
use crate::slab::{InstalledTrace, Located, SlabError, Snapshot};

impl Snapshot {
    /// The trace as text; `None` for a trampoline. See [`InstalledTrace::listing`].
    pub fn listing<'s>(&self, symbols: &'s Symbols) -> Option<Listing<'s>> {
        let around = self.around().iter();
        let places = around.filter_map(|(at, located)| Some((*at, outside(located)?)));
        Some(Listing {
            trace: Cow::Owned(self.linked()?),
            symbols,
            around: Around {
                number: self.located().trace().map(|id| id.to_string()),
                places: places.collect(),
            },
        })
    }
}

fn outside(located: &Located) -> Option<Outside> {
    match (located.trace(), located.target(), located.leads_to()) {
        (Some(id), ..) => Some(Outside::Trace(match located.offset() {
            0 => id.to_string(),
            offset => format!("{id}+{offset:#x}"),
        })),
        (None, Some(target), Some(now)) => Some(Outside::Trampoline { target, now }),
        _ => None,
    }
}

impl InstalledTrace {
    /// The trace as text, as it is now: as [`LinkedTrace::listing`](crate::LinkedTrace::listing), and with
    /// the exits that are linked to other traces, the points at which it was invalidated, the trampolines of
    /// the slab, and the literals' present values.
    ///
    /// # Errors
    /// [`SlabError::NotAnnotated`] if the slab was made without
    /// [annotations](crate::slab::SlabOptions::annotate).
    pub fn listing<'s>(&self, symbols: &'s Symbols) -> Result<Listing<'s>, SlabError> {
        let snapshot = self.snapshot()?;
        snapshot.listing(symbols).ok_or(SlabError::NotAnnotated)
    }
}
