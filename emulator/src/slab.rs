//! All code of a slab.

use opstitch::slab::{Slab, Snapshot};

use crate::emulator::Emulator;
use crate::error::Error;
use crate::trace::Loaded;

impl Emulator<'_> {
    /// Puts all code of a slab at its addresses, as it is at this moment: its traces, with what their exits are linked to,
    /// where their points are invalidated and what their literals are set to, and its trampolines, with where they lead. Takes
    /// away what was loaded at the slab's addresses before: call it again after each change.
    ///
    /// # Errors
    /// [`Error::NotAnnotated`] if the slab keeps no annotations: then nothing has changed; as [`load`](Emulator::load): then
    /// only a part of the slab is loaded.
    pub fn load_slab(&mut self, slab: &Slab) -> Result<(), Error> {
        let code = slab.snapshots().map_err(|_| Error::NotAnnotated)?;
        let range = slab.addresses();
        let len = range.end - range.start;
        while let Some(stale) = self.engine.get_data().traces.overlapping(range.start, len) {
            let address = stale.address;
            self.unload(address)?;
        }
        for piece in code {
            self.put(Loaded::of_slab(&piece), piece.bytes())?;
        }
        Ok(())
    }
}

impl Loaded {
    fn of_slab(code: &Snapshot) -> Loaded {
        Loaded {
            address: code.address(),
            len: code.bytes().len() as u64,
            linked: code.linked(),
        }
    }
}
