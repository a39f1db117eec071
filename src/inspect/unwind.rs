//! Backtraces through traces.

use std::io;

use gimli::LittleEndian;
use gimli::write::{EhFrame, EndianVec};

use super::{frame, process};
use crate::slab::{Slab, SlabError};

impl Slab {
    /// Lets the process's unwinder know how to get from a trace to its caller, until the slab's memory is
    /// unmapped: then a backtrace taken in a function that a trace calls ([`std::backtrace`], or a profiler's)
    /// goes on to the Rust code that called the trace. The trace itself is one frame without a symbol, whose
    /// name is [`locate`](Slab::locate)'s to tell. A second call does nothing, and so does any on a host
    /// that is not AArch64, where no trace runs.
    ///
    /// One description of 60 bytes or so serves the whole slab, and installing a trace costs nothing more. It
    /// is true as long as
    ///
    /// - traces are entered through `call` of an [`Entry`](crate::slab::Entry), and
    /// - their micro-ops leave x29 alone, as AAPCS64 6.4.6 asks of code that keeps frame records.
    ///
    /// It is there for backtraces. A panic must still not leave a function that a trace calls: `extern "C"`
    /// functions end the process in that case, and with any other ABI it is undefined behaviour, since
    /// nothing says what a trace would have to clean up.
    ///
    /// # Errors
    /// [`SlabError::System`] if the description could not be written.
    pub fn register_frames(&self) -> Result<(), SlabError> {
        if !cfg!(target_arch = "aarch64") {
            return Ok(());
        }
        let section = section(self).map_err(|error| SlabError::System {
            what: "describe the frames of traces",
            source: io::Error::other(error),
        })?;
        // SAFETY: the section covers the slab, and is kept as long as the slab's memory. That it is true is part
        // of what a caller of `Entry::call` vouches for.
        self.keep_once(|| Box::new(unsafe { process::unwinder::Registration::new(&section) }));
        Ok(())
    }
}

/// An `.eh_frame` section that covers the slab.
fn section(slab: &Slab) -> gimli::write::Result<Vec<u8>> {
    let addresses = slab.addresses();
    // A slab is no longer than `b` reaches.
    let len = (addresses.end - addresses.start) as u32;
    let mut section = EhFrame::from(EndianVec::new(LittleEndian));
    frame::of_trace(addresses.start, len, 1).write_eh_frame(&mut section)?;
    Ok(section.0.into_vec())
}
