//! The instruction cache.
//!
//! AArch64 does not keep instruction and data caches coherent (Arm ARM B2.4.4, "Caching of
//! instructions"): words that were written must be cleaned to the point of unification and their old
//! copies invalidated, by the line sizes that `CTR_EL0` gives, before anybody runs them. Whoever
//! was running elsewhere sees them after its next context synchronization event. There is one before freed space is
//! used again (`membarrier`, or each pin), and one when a thread calls a trace after something was published
//! ([`Pin::synchronize`](super::Pin)). A thread that comes to a new trace by a branch that was patched meanwhile has fetched that
//! branch after the trace was written, and after every cache had forgotten what was there before. It has no event of its own:
//! to have one on all cores before each link would be a system call, and patching makes none.

/// Makes instructions that were written to `len` bytes at `start` visible to instruction fetches through
/// that address, on all cores. On other architectures there is nothing to run and nothing to do.
#[cfg(all(
    target_arch = "aarch64",
    not(any(target_os = "macos", target_os = "ios"))
))]
pub(crate) fn clean(start: *const u8, len: usize) {
    use std::arch::asm;
    if len == 0 {
        return;
    }
    let ctr: u64;
    // SAFETY: CTR_EL0 can be read at EL0 on every system that runs Rust programs; reading has no effect.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    let (first, end) = (start as usize, start as usize + len);
    let line = |field: u64| 4usize << (ctr >> field & 0xf);
    let (data_line, instruction_line) = (line(16), line(0));
    // IDC: data needs no cleaning. DIC: instructions need no invalidating.
    let (clean_data, invalidate) = (ctr >> 28 & 1 == 0, ctr >> 29 & 1 == 0);
    // SAFETY: the range is mapped and readable through this address, as the caller says; maintenance by
    // address changes no contents.
    unsafe {
        if clean_data {
            for line in (first & !(data_line - 1)..end).step_by(data_line) {
                asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags));
            }
        }
        asm!("dsb ish", options(nostack, preserves_flags));
        if invalidate {
            for line in (first & !(instruction_line - 1)..end).step_by(instruction_line) {
                asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags));
            }
        }
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
pub(crate) fn clean(start: *const u8, len: usize) {
    unsafe extern "C" {
        fn sys_icache_invalidate(start: *const core::ffi::c_void, len: usize);
    }
    // SAFETY: the range is mapped; the call changes no contents.
    unsafe { sys_icache_invalidate(start.cast(), len) };
}

#[cfg(not(any(target_arch = "aarch64", target_os = "macos", target_os = "ios")))]
pub(crate) fn clean(_start: *const u8, _len: usize) {
    // Order the writes for whoever reads them as data.
    std::sync::atomic::fence(std::sync::atomic::Ordering::Release);
}

/// A context synchronization event on this core (Arm ARM, `ISB`).
pub(crate) fn synchronize_this_core() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: ISB changes no state that Rust knows of.
    unsafe {
        std::arch::asm!("isb", options(nostack, preserves_flags));
    }
}
