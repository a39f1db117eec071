//! Traces that are linked where they were built.

use super::{Link, LinkedTrace, Plan, Statistics};
use crate::asm::bytes_of;
use crate::error::Error;
use crate::trace::{Trace, TraceBuilder};

/// A trace that is linked to an address where it was built, in the memory of its builder: what
/// [`TraceBuilder::finish_at`] makes.
#[derive(Debug)]
pub struct PlacedTrace<'b> {
    link: Link<'b>,
}

impl<'b> PlacedTrace<'b> {
    /// The address that the trace is linked to. Its entry is its first byte.
    pub fn address(&self) -> u64 {
        self.link.plan.address
    }

    /// The final bytes.
    pub fn bytes(&self) -> &'b [u8] {
        bytes_of(self.link.trace.words())
    }

    /// What the trace consists of.
    pub fn statistics(&self) -> Statistics {
        self.link.statistics()
    }

    /// The trace itself: to find labels and exits in it, to install it, to link it to other addresses.
    pub fn trace(&self) -> Trace<'b> {
        self.link.trace
    }

    /// A copy, with all that is known of its instructions.
    pub fn to_linked(&self) -> LinkedTrace {
        self.link.to_linked(self.bytes().to_vec())
    }
}

impl TraceBuilder {
    /// Lays out the trace as [`finish`](TraceBuilder::finish) does, and links it to `address` where it is, in the builder's
    /// own memory: the quickest way to its final bytes, because none of them is copied. They are those that
    /// [`link_into`](Trace::link_into) writes.
    ///
    /// ```
    /// # opstitch::uops! { op Return { ; ret } }
    /// # let mut builder = opstitch::TraceBuilder::new();
    /// builder.push(Return)?;
    /// let placed = builder.finish_at(0x1_0000)?;
    /// assert_eq!(placed.bytes().len(), placed.statistics().total());
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    ///
    /// It can be called again, with whatever address. Only where the host has its integers as AArch64 has its
    /// instructions: little-endian.
    ///
    /// # Errors
    /// Those of `finish`, after which the trace is as it was before; and those of
    /// [`prepare_link`](Trace::prepare_link), after which it is finished and can be linked to another address.
    pub fn finish_at(&mut self, address: u64) -> Result<PlacedTrace<'_>, Error> {
        let plan = Plan::new(&self.finish()?, address, &[])?;
        self.link_code(plan.end, plan.is_all_far(), |trace, code| {
            plan.write_over(&trace, code)
        });
        let trace = Trace::new(self);
        let link = Link { trace, plan };
        Ok(PlacedTrace { link })
    }
}
