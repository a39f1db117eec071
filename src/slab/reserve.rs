//! Installing a trace that was linked elsewhere: to an address that was reserved for it.

use super::heap::Block;
use super::install::{TraceState, Written, sites};
use super::{InstalledTrace, Slab, SlabError};
use crate::Error;
use crate::asm::BTI_C;
use crate::link::{LinkedTrace, Part};

/// Room in a slab for a trace that is still to be linked. Dropping it gives the room back.
///
/// [`Slab::install`] links a trace itself, and shares trampolines. A reservation is for code that must be
/// known before it is published: to list it, to sign it, or to take it from a cache.
///
/// ```
/// # opstitch::uops! { op Return { ; ret } }
/// # let mut builder = opstitch::TraceBuilder::new();
/// # builder.push(Return)?;
/// # let trace = builder.finish()?;
/// # let slab = opstitch::slab::Slab::new(1 << 16)?;
/// let room = slab.reserve(trace.linked_len(0)?)?;
/// let linked = trace.link(room.address())?;
/// let installed = room.install(&linked)?;
/// assert_eq!(installed.bytes(), linked.bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reservation<'s> {
    slab: &'s Slab,
    /// Taken when the trace is installed.
    block: Option<Block>,
    address: u64,
    len: usize,
}

impl Slab {
    /// Reserves room for `len` bytes.
    ///
    /// # Errors
    /// [`SlabError::Full`], [`SlabError::Forked`].
    pub fn reserve(&self, len: usize) -> Result<Reservation<'_>, SlabError> {
        let shared = &*self.shared;
        let block = shared.lock_to_change()?.take(shared, len)?;
        let start = block.start as usize * shared.granule;
        Ok(Reservation {
            slab: self,
            len: block.len as usize * shared.granule,
            block: Some(block),
            address: (shared.region.address() + start) as u64,
        })
    }
}

impl Reservation<'_> {
    /// The address that the trace has to be linked to.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How long the trace may be, in bytes: what was asked for, rounded up.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: there is room for at least one granule.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Publishes a trace that was linked to this [`address`](Reservation::address). What it does not need
    /// of the room is given back.
    ///
    /// The trace brings its own trampolines. So a retargetable target is refused, whose trampoline must be the
    /// slab's, and so is what a snapshot of an installed trace says, which may use the slab's.
    ///
    /// # Errors
    /// [`SlabError::WrongAddress`]; [`SlabError::Trace`] with [`Error::WrongLength`] if the room is too small;
    /// [`SlabError::OwnTrampoline`]; [`SlabError::Snapshot`]; [`SlabError::NoLandingPad`]; [`SlabError::Forked`], [`SlabError::System`]. The room is given back
    /// then.
    pub fn install(mut self, linked: &LinkedTrace) -> Result<InstalledTrace, SlabError> {
        let (slab, len) = (self.slab, linked.bytes().len());
        let shared = &*slab.shared;
        self.check(linked)?;
        let mut state = shared.lock_to_change()?;
        let Some(block) = &mut self.block else {
            return Err(SlabError::DroppedTrace);
        };
        let start = block.start as usize * shared.granule;
        let mut writer = shared.writer(&mut state);
        writer.fill(start..start + len, |to| to.copy_from_slice(linked.bytes()));
        shared.commit(&mut state, writer)?;
        state
            .heap
            .shrink(block, len.div_ceil(shared.granule) as u32);
        state.content += len;
        let exits = linked.link_sites().to_vec();
        let Some(block) = self.block.take() else {
            return Err(SlabError::DroppedTrace);
        };
        let trace = TraceState {
            block,
            len,
            code_len: linked.range(Part::Cold).end,
            island_literals: linked.island_literals(),
            uses: Vec::new(),
            statistics: linked.statistics(),
            tag: linked.tag(),
            sites: sites(&exits),
            exits,
            points: linked.points().to_vec(),
            incoming: Vec::new(),
            invalidated: false,
            mutables: linked.mutable_words().to_vec(),
            literals: linked.range(Part::Literals),
        };
        let address = self.address;
        let written = Written {
            state: trace,
            address,
            #[cfg(feature = "inspect")]
            map: state.table.is_some().then(|| linked.map().clone()),
        };
        let installed = slab.enlist(&mut state, written);
        #[cfg(feature = "inspect")]
        slab.tell(state);
        Ok(installed)
    }

    fn check(&self, linked: &LinkedTrace) -> Result<(), SlabError> {
        if linked.address() != self.address {
            return Err(SlabError::WrongAddress {
                linked: linked.address(),
                reserved: self.address,
            });
        }
        if linked.is_of_installed() {
            return Err(SlabError::Snapshot);
        }
        let (expected, actual) = (linked.bytes().len(), self.len);
        if expected > actual {
            return Err(Error::WrongLength { expected, actual }.into());
        }
        if self.slab.shared.landing_pads && !linked.bytes().starts_with(&BTI_C.to_le_bytes()) {
            return Err(SlabError::NoLandingPad);
        }
        let mut targets = linked.far_targets().iter();
        match targets.find(|target| target.is_retargetable()) {
            Some(target) => Err(SlabError::OwnTrampoline {
                address: target.address(),
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take()
            && let Ok(mut state) = self.slab.shared.lock_to_change()
        {
            state.heap.give(block);
        }
    }
}
