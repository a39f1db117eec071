//! Linux: two views of a memfd, or pages built aside and moved over.

use std::io;
use std::ops::Range;
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
    /// The protection of code.
    executable: libc::c_int,
    /// The writable view, for two views.
    data: Option<MmapRaw>,
}

impl Region {
    /// Reserves `len` bytes, a multiple of the page size, as near to `near` as is free.
    pub(crate) fn reserve(
        kind: Mapping,
        len: usize,
        near: usize,
        guarded: bool,
    ) -> io::Result<Region> {
        let mut executable = libc::PROT_READ | libc::PROT_EXEC;
        if guarded {
            executable |= branch_targets();
        }
        match kind {
            Mapping::TwoViews => {
                let file = memory_file(len)?;
                let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
                let code = Pages::near(len, near, executable, flags, Some(&file))?;
                let data = MmapOptions::new().len(len).map_raw(&file)?;
                Ok(Region {
                    code,
                    executable,
                    data: Some(data),
                })
            }
            Mapping::MovedPages => {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                let code = Pages::near(len, near, executable, flags, None)?;
                let region = Region {
                    code,
                    executable,
                    data: None,
                };
                // Where executable pages may not be made from written ones, say so now.
                region.stage(0..page_size(), |_| {})?.publish()?;
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

    /// Whether the processor checks where indirect branches land.
    pub(crate) fn is_guarded(&self) -> bool {
        self.executable != libc::PROT_READ | libc::PROT_EXEC
    }

    /// The first byte of the writable view, where there is one.
    pub(crate) fn writable(&self) -> Option<*mut u8> {
        self.data.as_ref().map(MmapRaw::as_mut_ptr)
    }

    /// Builds a copy of whole pages aside and lets `change` write to it. Nothing of it can be seen before
    /// it is [published](Staged::publish).
    pub(crate) fn stage(
        &self,
        range: Range<usize>,
        change: impl FnOnce(&mut [u8]),
    ) -> io::Result<Staged<'_>> {
        let size = page_size();
        assert!(range.start.is_multiple_of(size) && range.end.is_multiple_of(size));
        assert!(range.start < range.end && range.end <= self.len());
        let aside = Pages::map(
            ptr::null_mut(),
            range.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            None,
        )?;
        let to = self.code.start.wrapping_add(range.start);
        // SAFETY: both are mapped and readable, `aside` is writable and known to nobody else, and
        // nobody writes to the slab's pages but under the slab's lock, which the caller holds.
        let copy = unsafe {
            ptr::copy_nonoverlapping(to, aside.start, aside.len);
            std::slice::from_raw_parts_mut(aside.start, aside.len)
        };
        change(copy);
        // SAFETY: `aside` is a mapping of that size of our own.
        check(unsafe { libc::mprotect(aside.start.cast(), aside.len, self.executable) })?;
        crate::slab::cache::clean(aside.start, aside.len);
        Ok(Staged {
            aside,
            to,
            _region: self,
        })
    }
}

/// Pages that are built and not yet where they belong.
#[derive(Debug)]
pub(crate) struct Staged<'r> {
    aside: Pages,
    to: *mut u8,
    _region: &'r Region,
}

impl Staged<'_> {
    /// Moves the pages over those that they are copies of. A thread that runs code of a page goes on
    /// with the old one or the new one, whole: the kernel holds back whoever faults meanwhile.
    pub(crate) fn publish(self) -> io::Result<()> {
        let Pages { start, len } = self.aside;
        // SAFETY: `aside` is a whole mapping of our own, and as many pages of the slab's are replaced, in
        // one step, by pages that may be executed as well.
        let moved = unsafe {
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            libc::mremap(start.cast(), len, len, flags, self.to)
        };
        if moved == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        std::mem::forget(self.aside);
        Ok(())
    }
}

/// The protection by which indirect branches land on landing pads only, where the processor has it.
fn branch_targets() -> libc::c_int {
    #[cfg(target_arch = "aarch64")]
    {
        const HWCAP2_BTI: libc::c_ulong = 1 << 17;
        const PROT_BTI: libc::c_int = 0x10;
        // SAFETY: getauxval reads what the kernel has told the process.
        if unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_BTI != 0 {
            return PROT_BTI;
        }
    }
    0
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
    // The system would send a signal.
    if file_limit() < len as libc::rlim_t {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    file.set_len(len as u64)?;
    Ok(file)
}

/// How long a file of this process may be, in bytes.
fn file_limit() -> libc::rlim_t {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: writes to `limit`. If it fails, there is none.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
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

    /// Maps `len` bytes near to `near`: where `bl` reaches it from everywhere, or within 4 GiB; else
    /// wherever the system puts them. Of the places that are tried the nearest free one is taken.
    fn near(
        len: usize,
        near: usize,
        protection: libc::c_int,
        flags: libc::c_int,
        file: Option<&std::fs::File>,
    ) -> io::Result<Pages> {
        for (step, reach) in [
            (1 << 20, crate::slab::JUMP_REACH),
            (1 << 26, u32::MAX as usize),
        ] {
            for place in places(len, near, step, reach) {
                let fixed = flags | libc::MAP_FIXED_NOREPLACE;
                // What is wrong with one place (taken, too low, too high) may be right with the next.
                // Kernels before 4.17 take the address for a hint.
                match Pages::map(place as *mut u8, len, protection, fixed, file) {
                    Ok(pages) if pages.start as usize == place => return Ok(pages),
                    _ => {}
                }
            }
        }
        Pages::map(ptr::null_mut(), len, protection, flags, file)
    }
}

/// Addresses for `len` bytes that lie less than `reach` from `near` as a whole, the nearest first. Below
/// before above: a program's heap grows above its code.
fn places(len: usize, near: usize, step: usize, reach: usize) -> impl Iterator<Item = usize> {
    let start = near & !(step - 1);
    // Where addresses have 32 bits, `reach` is all of them.
    let distances = (1usize..).map_while(move |n| n.checked_mul(step));
    let distances = distances.take_while(move |distance| {
        let end = distance.checked_add(len);
        end.is_some_and(|end| end < reach.saturating_add(step))
    });
    let both = distances.flat_map(move |distance| {
        let below = start.checked_sub(distance + len);
        [below, start.checked_add(distance)]
    });
    both.flatten().filter(move |&place| {
        let end = place.checked_add(len);
        let reached = |end: usize| place.abs_diff(near).max(end.abs_diff(near)) < reach;
        place > 0 && end.is_some_and(reached)
    })
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

/// Announces that `synchronize_cores` will be called; returns whether it can be.
pub(crate) fn prepare_to_synchronize() -> bool {
    membarrier(MEMBARRIER_REGISTER_SYNC_CORE).is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where addresses have 32 bits, the whole of them is a reach.
    #[test]
    fn places_end_where_addresses_do() {
        assert!(places(1 << 16, 1 << 62, 1 << 59, usize::MAX).count() > 4);
        assert_eq!(places(usize::MAX, 1 << 62, 1 << 59, usize::MAX).count(), 0);
    }

    #[test]
    fn places_are_near_and_the_nearest_come_first() {
        const MIB: usize = 1 << 20;
        let reach = crate::slab::JUMP_REACH;
        for near in [0, 1, 5 * MIB, 0x5555_5555_4321, usize::MAX - 7, usize::MAX] {
            for len in [4096, 64 * MIB, 127 * MIB] {
                let mut last = 0;
                for place in places(len, near, MIB, reach) {
                    let (start, end) = (place.abs_diff(near), (place + len).abs_diff(near));
                    assert!(start.max(end) < reach, "{len:#x} bytes at {place:#x}");
                    assert!(place.is_multiple_of(4096) && place > 0);
                    let (distance, overlaps) = (start.min(end), start + end <= len);
                    assert!(distance + 2 * MIB > last && !overlaps, "{place:#x}");
                    last = distance;
                }
            }
        }
        let count = |len, near| places(len, near, MIB, reach).count();
        assert!((240..=256).contains(&count(4096, 1 << 46)));
        assert!((120..=128).contains(&count(4096, 0)));
        assert_eq!(count(reach, 1 << 46), 0);
        assert_eq!(
            places(4096, 1 << 46, MIB, reach).next(),
            Some((1 << 46) - MIB - 4096)
        );
    }
}
