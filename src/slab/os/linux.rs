//! Linux and Android: two views of a memfd, or pages built aside and moved over.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::slab::Mapping;

/// The system's page size, in bytes: 4, 16 or 64 KiB.
pub(crate) fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(64 << 10)
}

/// Which mappings to try, best first.
pub(crate) const KINDS: &[Mapping] = &[Mapping::TwoViews, Mapping::MovedPages];

/// Addresses that threads may run, and how the memory behind them is written to.
#[derive(Debug)]
pub(crate) struct Region {
    code: Pages,
    /// The writable view, for two views.
    data: Option<MmapRaw>,
}

impl Region {
    /// Reserves `len` bytes, a multiple of the page size, as near to `near` as is free.
    pub(crate) fn reserve(kind: Mapping, len: usize, near: usize) -> io::Result<Region> {
        match kind {
            Mapping::TwoViews => {
                let file = memory_file(len)?;
                let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
                let code = Pages::near(
                    len,
                    near,
                    libc::PROT_READ | libc::PROT_EXEC,
                    flags,
                    Some(&file),
                )?;
                let data = MmapOptions::new().len(len).map_raw(&file)?;
                Ok(Region {
                    code,
                    data: Some(data),
                })
            }
            Mapping::MovedPages => {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                let code = Pages::near(len, near, libc::PROT_READ | libc::PROT_EXEC, flags, None)?;
                let region = Region { code, data: None };
                // Where executable pages may not be made from written ones, say so now.
                region.replace_page(0, |_| {})?;
                Ok(region)
            }
            Mapping::Jit => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    /// The address of the first byte, as threads run it.
    pub(crate) fn address(&self) -> usize {
        self.code.start as usize
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.code.len
    }

    /// The kind of mapping.
    pub(crate) fn kind(&self) -> Mapping {
        match self.data {
            Some(_) => Mapping::TwoViews,
            None => Mapping::MovedPages,
        }
    }

    /// The first byte of the writable view, where there is one.
    pub(crate) fn writable(&self) -> Option<*mut u8> {
        self.data.as_ref().map(MmapRaw::as_mut_ptr)
    }

    /// Builds a copy of the page at `offset` aside, lets `change` write to it, and moves it over the page.
    /// A thread that runs code of the page sees the old page or the new one, whole.
    pub(crate) fn replace_page(
        &self,
        offset: usize,
        change: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let size = page_size();
        debug_assert!(offset.is_multiple_of(size) && offset + size <= self.len());
        let aside = Pages::map(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            None,
        )?;
        let page = self.code.start.wrapping_add(offset);
        // SAFETY: both pages are mapped and readable, `aside` is writable and known to nobody else, and
        // nobody writes to the slab's page but under the slab's lock, which the caller holds.
        let copy = unsafe {
            ptr::copy_nonoverlapping(page, aside.start, size);
            std::slice::from_raw_parts_mut(aside.start, size)
        };
        change(copy);
        // SAFETY: `aside` is a mapping of that size of our own.
        check(unsafe {
            libc::mprotect(aside.start.cast(), size, libc::PROT_READ | libc::PROT_EXEC)
        })?;
        crate::slab::cache::clean(aside.start, size);
        // SAFETY: `aside` is a whole mapping of our own, and `page` a page of the slab's: exactly
        // that one is replaced, in one step, by one that may be executed as well.
        let moved = unsafe {
            libc::mremap(
                aside.start.cast(),
                size,
                size,
                libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
                page,
            )
        };
        if moved == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        std::mem::forget(aside);
        Ok(())
    }
}

/// A memory object that may be mapped executable.
fn memory_file(len: usize) -> io::Result<std::fs::File> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let create = |flags| {
        // SAFETY: the name is a string with its end; the call touches no other memory.
        check(unsafe { libc::memfd_create(c"opstitch".as_ptr(), flags) })
    };
    // Kernels before 6.3 do not know the flag; later ones may demand it.
    let fd = create(libc::MFD_CLOEXEC | MFD_EXEC).or_else(|_| create(libc::MFD_CLOEXEC))?;
    // SAFETY: a descriptor that was just made, and that nobody else owns.
    let file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(len as u64)?;
    Ok(file)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A mapping, unmapped when dropped.
#[derive(Debug)]
struct Pages {
    start: *mut u8,
    len: usize,
}

// SAFETY: a range of addresses belongs to no thread; what is done with it is the owner's business.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(
        at: *mut u8,
        len: usize,
        protection: libc::c_int,
        flags: libc::c_int,
        file: Option<&std::fs::File>,
    ) -> io::Result<Pages> {
        let fd = file.map_or(-1, AsRawFd::as_raw_fd);
        // SAFETY: without MAP_FIXED no mapping of anybody else is touched.
        let start = unsafe { libc::mmap(at.cast(), len, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Pages {
            start: start.cast(),
            len,
        })
    }

    /// Maps `len` bytes as near to `near` as is free: the nearest of a number of places tried, so that the
    /// whole lies within the reach of `bl`; else wherever the system puts it.
    fn near(
        len: usize,
        near: usize,
        protection: libc::c_int,
        flags: libc::c_int,
        file: Option<&std::fs::File>,
    ) -> io::Result<Pages> {
        const STEP: usize = 1 << 20;
        let reach = crate::slab::JUMP_REACH;
        let start = near & !(STEP - 1);
        for distance in (STEP..reach).step_by(STEP) {
            let above = start.checked_add(distance);
            let below = start.checked_sub(distance.saturating_add(len));
            for place in [above, below].into_iter().flatten() {
                let farthest = place.abs_diff(near).max((place + len).abs_diff(near));
                if farthest >= reach || place == 0 {
                    continue;
                }
                let fixed = flags | libc::MAP_FIXED_NOREPLACE;
                match Pages::map(place as *mut u8, len, protection, fixed, file) {
                    // Kernels before 4.17 take the address for a hint.
                    Ok(pages) if pages.start as usize == place => return Ok(pages),
                    Ok(_) => {}
                    Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Pages::map(ptr::null_mut(), len, protection, flags, file)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: a mapping of our own, which nobody uses any more.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

const MEMBARRIER_SYNC_CORE: libc::c_int = 1 << 5;
const MEMBARRIER_REGISTER_SYNC_CORE: libc::c_int = 1 << 6;

fn membarrier(command: libc::c_int) -> io::Result<()> {
    // SAFETY: membarrier touches no memory of the process.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Announces that `synchronize_cores` will be called.
pub(crate) fn prepare_to_synchronize() -> io::Result<()> {
    membarrier(MEMBARRIER_REGISTER_SYNC_CORE)
}

/// Lets every core that runs a thread of this process pass a context synchronization event: no core has
/// instructions in flight that were fetched before.
pub(crate) fn synchronize_cores() -> io::Result<()> {
    membarrier(MEMBARRIER_SYNC_CORE)
}

/// A page that a forked child finds empty: tells, without a system call, whether this process is one.
#[derive(Debug)]
pub(crate) struct ForkGuard(Option<Pages>);

impl ForkGuard {
    /// `shared` says whether the slab's memory is shared with a forked child at all.
    pub(crate) fn new(shared: bool) -> io::Result<ForkGuard> {
        if !shared {
            return Ok(ForkGuard(None));
        }
        let size = page_size();
        let page = Pages::map(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            None,
        )?;
        // SAFETY: the advice is for a page of our own, whose contents matter to nobody else.
        check(unsafe { libc::madvise(page.start.cast(), size, libc::MADV_WIPEONFORK) })?;
        let guard = ForkGuard(Some(page));
        if let Some(parent) = guard.parent() {
            parent.store(1, Ordering::Relaxed);
        }
        Ok(guard)
    }

    fn parent(&self) -> Option<&AtomicU32> {
        // SAFETY: the page is mapped as long as `self` lives, aligned, and only ever used as this.
        self.0
            .as_ref()
            .map(|page| unsafe { AtomicU32::from_ptr(page.start.cast()) })
    }

    /// Whether this process is a fork of the one that made the guard.
    pub(crate) fn is_forked(&self) -> bool {
        self.parent()
            .is_some_and(|parent| parent.load(Ordering::Relaxed) == 0)
    }
}

/// Writing needs no switch: there is a writable view, or pages are built aside.
pub(crate) struct WriteSwitch;

impl WriteSwitch {
    pub(crate) fn on() -> WriteSwitch {
        WriteSwitch
    }
}

/// A thread is about to run code of the slab. Its core has been synchronized by `synchronize_cores`.
pub(crate) fn enter() {}
