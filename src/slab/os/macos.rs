//! macOS: MAP_JIT, with the switch that each thread has for itself.

use std::io;
use std::marker::PhantomData;
use std::ops::Range;

use crate::slab::Mapping;

/// The system's page size, in bytes: 16 KiB on Apple Silicon.
pub(crate) fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(16 << 10)
}

/// Which mappings to try, best first.
pub(crate) const KINDS: &[Mapping] = &[Mapping::Jit];

/// Addresses that threads may run, and that a thread may write to while its switch says so.
#[derive(Debug)]
pub(crate) struct Region {
    start: *mut u8,
    len: usize,
}

// SAFETY: a range of addresses belongs to no thread; what is done with it is the owner's business.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `len` bytes, a multiple of the page size. MAP_JIT does not go with MAP_FIXED, so `near`
    /// is a hint that the system may follow. Guarded pages are for arm64e programs only.
    pub(crate) fn reserve(
        kind: Mapping,
        len: usize,
        near: usize,
        _guarded: bool,
    ) -> io::Result<Region> {
        if kind != Mapping::Jit {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        // SAFETY: without MAP_FIXED no mapping of anybody else is touched.
        let start = unsafe {
            libc::mmap(
                near as *mut libc::c_void,
                len,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_JIT,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Region {
            start: start.cast(),
            len,
        })
    }

    /// The address of the first byte.
    pub(crate) fn address(&self) -> usize {
        self.start as usize
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The kind of mapping.
    pub(crate) fn kind(&self) -> Mapping {
        Mapping::Jit
    }

    /// Whether the processor checks where indirect branches land.
    pub(crate) fn is_guarded(&self) -> bool {
        false
    }

    /// The first byte, for a thread that holds a [`WriteSwitch`].
    pub(crate) fn writable(&self) -> Option<*mut u8> {
        Some(self.start)
    }

    /// Not needed with MAP_JIT, which has a writable view.
    pub(crate) fn stage(
        &self,
        _range: Range<usize>,
        _change: impl FnOnce(&mut [u8]),
    ) -> io::Result<Staged> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Pages that are built aside: there are none here.
#[derive(Debug)]
pub(crate) enum Staged {}

impl Staged {
    pub(crate) fn publish(self) -> io::Result<()> {
        match self {}
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: a mapping of our own, which nobody uses any more.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

unsafe extern "C" {
    fn pthread_jit_write_protect_np(enabled: libc::c_int);
}

thread_local! {
    /// How many switches this thread holds.
    static SWITCHES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// While it is held, this thread may write to MAP_JIT memory and run none of it. It nests, and is not
/// `Send`: the switch is the thread's own.
pub(crate) struct WriteSwitch(PhantomData<*mut ()>);

impl WriteSwitch {
    pub(crate) fn on() -> WriteSwitch {
        if SWITCHES.replace(SWITCHES.get() + 1) == 0 {
            // SAFETY: the caller runs no code of a slab while it holds the switch.
            unsafe { pthread_jit_write_protect_np(0) };
        }
        WriteSwitch(PhantomData)
    }
}

impl Drop for WriteSwitch {
    fn drop(&mut self) {
        SWITCHES.set(SWITCHES.get() - 1);
        if SWITCHES.get() == 0 {
            // SAFETY: back to the state that every thread starts in.
            unsafe { pthread_jit_write_protect_np(1) };
        }
    }
}

/// macOS has no call that synchronizes other cores.
pub(crate) fn prepare_to_synchronize() -> bool {
    false
}

pub(crate) fn synchronize_cores() -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// MAP_JIT memory is private: a forked child has its own copy, and there is nothing to guard.
#[derive(Debug)]
pub(crate) struct ForkGuard;

impl ForkGuard {
    pub(crate) fn new(_shared: bool) -> io::Result<ForkGuard> {
        Ok(ForkGuard)
    }

    pub(crate) fn is_forked(&self) -> bool {
        false
    }
}
