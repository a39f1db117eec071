//! What a slab can be told, and what it says of itself.

use super::{Mapping, Slab, SlabError};

/// The size of the blocks that a slab hands out: lengths are rounded up to a multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Granule {
    /// 16 bytes: the least padding.
    #[default]
    Bytes16,
    /// 32 bytes: entries start at fetch groups of most cores.
    Bytes32,
}

impl Granule {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Granule::Bytes16 => 16,
            Granule::Bytes32 => 32,
        }
    }
}

/// What a [`Slab`] can be told before it is made.
#[derive(Debug, Clone, Copy)]
pub struct SlabOptions {
    pub(super) size: usize,
    pub(super) granule: Granule,
    pub(super) mapping: Option<Mapping>,
    pub(super) near: Option<u64>,
    pub(super) guarded: bool,
    pub(super) annotate: bool,
}

impl SlabOptions {
    /// A slab of `size` bytes, rounded up to the page size: 128 MiB at most.
    pub fn new(size: usize) -> SlabOptions {
        SlabOptions {
            size,
            granule: Granule::default(),
            mapping: None,
            near: None,
            guarded: false,
            annotate: false,
        }
    }

    /// Sets the size of the blocks.
    pub fn granule(mut self, granule: Granule) -> SlabOptions {
        self.granule = granule;
        self
    }

    /// Chooses the way to get executable memory. Without it, the best that works is taken.
    pub fn mapping(mut self, mapping: Mapping) -> SlabOptions {
        self.mapping = Some(mapping);
        self
    }

    /// Sets the address that `bl` should reach from the slab: that of the runtime functions. Without it,
    /// it is the address of opstitch's own code, which is linked into the same program.
    pub fn near(mut self, address: u64) -> SlabOptions {
        self.near = Some(address);
        self
    }

    /// Sets whether the pages are guarded (BTI, Arm ARM D8.4.6): where the processor and the system know of that,
    /// an indirect branch into them may land on landing pads only. Traces without one
    /// ([`Options::landing_pad`](crate::Options::landing_pad)) are refused, everywhere.
    pub fn guarded(mut self, guarded: bool) -> SlabOptions {
        self.guarded = guarded;
        self
    }

    /// Sets whether the slab keeps, of every trace, what lies where in it, until its space is reclaimed:
    /// what `Slab::locate`, `InstalledTrace::listing` and `Slab::watch` need. That takes half a kilobyte a trace, 12 bytes a
    /// micro-op and 8 an operand. Traces that were built without [annotations](crate::Options::annotate) have less to tell.
    /// Without the feature `inspect`, which those belong to, nothing is kept.
    pub fn annotate(mut self, annotate: bool) -> SlabOptions {
        self.annotate = annotate;
        self
    }

    /// Makes the slab.
    ///
    /// # Errors
    /// [`SlabError::InvalidSize`]; [`SlabError::Map`] if the system gives no executable memory.
    pub fn build(self) -> Result<Slab, SlabError> {
        Slab::with_options(self)
    }
}

/// How far a slab lies from the program's own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distance {
    /// `bl` reaches it from everywhere in the slab: 128 MiB.
    Direct,
    /// Within 4 GiB: calls go through trampolines, and processors predict them.
    Within4GiB,
    /// Further: calls go through trampolines, which some processors never predict.
    Far,
}

/// What a slab holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SlabStatistics {
    /// Its size, in bytes.
    pub size: usize,
    /// Bytes in blocks of traces, reservations and trampolines, retired ones not among them.
    pub used: usize,
    /// Bytes that are free.
    pub free: usize,
    /// Bytes that wait for [`Slab::reclaim`].
    pub retired: usize,
    /// The longest trace that could be installed, in bytes.
    pub longest: usize,
    /// Bytes of `used` that rounding up to granules has cost, and reservations that wait for their code.
    pub padding: usize,
    /// How many traces are installed.
    pub traces: usize,
    /// How many trampolines there are.
    pub trampolines: usize,
    /// How many trampolines were ever made.
    pub trampolines_made: u64,
    /// How often a trace found the trampoline that it needed.
    pub trampolines_saved: u64,
    /// Calls of the installed traces that lead directly to their target.
    pub direct_calls: usize,
    /// Calls of the installed traces that go through a trampoline.
    pub far_calls: usize,
}
