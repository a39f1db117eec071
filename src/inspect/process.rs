//! What a process has one of, by the rules of its platform: everything global that this crate touches, and
//! nothing else in it does.

/// The unwinder's registry of frame descriptions, of which the C library or the compiler's runtime library has
/// one for the process.
#[cfg(feature = "unwind")]
pub(super) mod unwinder {
    use std::mem::size_of_val;

    unsafe extern "C" {
        fn __register_frame(begin: *const u8);
        fn __deregister_frame(begin: *const u8);
    }

    /// Frame descriptions that the unwinder knows until this is dropped.
    #[derive(Debug)]
    pub(in crate::inspect) struct Registration {
        /// A whole `.eh_frame` section: its words keep it aligned.
        section: Box<[u64]>,
        /// Where in it what the unwinder takes begins, in bytes.
        begin: usize,
    }

    impl Registration {
        /// Registers an `.eh_frame` section of one common entry and one frame description.
        ///
        /// # Safety
        /// The section is well-formed, and what it says of the addresses that it covers is true as long as the
        /// registration lives. No other registration covers any of them.
        pub(in crate::inspect) unsafe fn new(section: &[u8]) -> Registration {
            // The list ends with an empty entry, and the last word is filled up with more of them.
            let mut words = vec![0; section.len() / 8 + 1];
            for (word, bytes) in words.iter_mut().zip(section.chunks(8)) {
                let mut full = [0; 8];
                full[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_ne_bytes(full);
            }
            let common = section
                .first_chunk()
                .map_or(0, |&len| u32::from_ne_bytes(len));
            let description = common as usize + 4;
            debug_assert!(description < size_of_val(&*words));
            // Asked once: a library that is loaded later must not change what is taken back.
            let registration = Registration {
                section: words.into(),
                begin: if is_libunwind() { description } else { 0 },
            };
            // SAFETY: what this unwinder takes, alive until `drop` takes it back, and true as the caller says.
            unsafe { __register_frame(registration.begin()) };
            registration
        }

        /// What the unwinder at hand takes: libgcc a section with an empty entry at its end, LLVM's libunwind
        /// (Apple's systems, Android, musl) one frame description.
        fn begin(&self) -> *const u8 {
            self.section.as_ptr().cast::<u8>().wrapping_add(self.begin)
        }
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            // SAFETY: it was registered with the same pointer.
            unsafe { __deregister_frame(self.begin()) };
        }
    }

    fn is_libunwind() -> bool {
        if cfg!(any(
            target_vendor = "apple",
            target_os = "android",
            target_env = "musl"
        )) {
            return true;
        }
        // A program may be linked with LLVM's libunwind elsewhere too; it alone has this function.
        // SAFETY: looks up a name; nothing is called.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__unw_add_dynamic_fde".as_ptr()) };
        !found.is_null()
    }
}

/// The list of objects in memory that GDB reads, of which it looks for one in the process.
#[cfg(all(
    feature = "gdb",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(super) mod debugger {
    use std::arch::global_asm;
    use std::ptr::{self, NonNull};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    // `jit_descriptor` of version 1, and the function on which the debugger has its breakpoint. Weak: see
    // `Gdb` for why. (`ret` is an instruction of both architectures.)
    global_asm!(
        ".pushsection .text.__jit_debug_register_code, \"ax\"",
        ".balign 4",
        ".weak __jit_debug_register_code",
        ".type __jit_debug_register_code, %function",
        "__jit_debug_register_code:",
        "ret",
        ".size __jit_debug_register_code, . - __jit_debug_register_code",
        ".popsection",
        ".pushsection .data.__jit_debug_descriptor, \"aw\"",
        ".balign 8",
        ".weak __jit_debug_descriptor",
        ".type __jit_debug_descriptor, %object",
        "__jit_debug_descriptor:",
        ".4byte 1, 0",
        ".8byte 0, 0",
        ".size __jit_debug_descriptor, . - __jit_debug_descriptor",
        ".popsection",
    );

    unsafe extern "C" {
        fn __jit_debug_register_code();
        static mut __jit_debug_descriptor: Descriptor;
    }

    /// `struct jit_descriptor`.
    #[repr(C)]
    struct Descriptor {
        version: u32,
        action: u32,
        relevant: *mut Entry,
        first: *mut Entry,
    }

    /// Values of [`Descriptor::action`].
    const REGISTER: u32 = 1;
    const UNREGISTER: u32 = 2;

    /// `struct jit_code_entry`.
    #[repr(C)]
    #[derive(Debug)]
    struct Entry {
        next: *mut Entry,
        previous: *mut Entry,
        object: *const u8,
        len: u64,
    }

    /// Held while the list is read or changed. A debugger stops the whole process in between.
    static LOCK: Mutex<()> = Mutex::new(());

    fn lock() -> MutexGuard<'static, ()> {
        LOCK.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object file that the debugger knows until this is dropped.
    #[derive(Debug)]
    pub(in crate::inspect) struct Registration {
        entry: NonNull<Entry>,
        object: Box<[u8]>,
    }

    // SAFETY: the entry is only touched with the lock held.
    unsafe impl Send for Registration {}
    // SAFETY: as above.
    unsafe impl Sync for Registration {}

    impl Registration {
        /// Puts an object file into the list and lets the debugger know.
        pub(in crate::inspect) fn new(object: Vec<u8>) -> Registration {
            let object = object.into_boxed_slice();
            let entry = Box::new(Entry {
                next: ptr::null_mut(),
                previous: ptr::null_mut(),
                object: object.as_ptr(),
                len: object.len() as u64,
            });
            let entry = NonNull::from(Box::leak(entry));
            let _lock = lock();
            // SAFETY: entries in the list are alive, since `drop` takes them out before it frees them, and the lock
            // keeps other threads from it.
            unsafe {
                let descriptor = &raw mut __jit_debug_descriptor;
                let first = (*descriptor).first;
                (*entry.as_ptr()).next = first;
                if let Some(mut first) = NonNull::new(first) {
                    first.as_mut().previous = entry.as_ptr();
                }
                (*descriptor).first = entry.as_ptr();
                tell(descriptor, REGISTER, entry);
            }
            Registration { entry, object }
        }
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            let _lock = lock();
            debug_assert!(!self.object.is_empty());
            // SAFETY: as in `new`; once the entry is out of the list and the debugger has been told, it is
            // nobody else's.
            unsafe {
                let descriptor = &raw mut __jit_debug_descriptor;
                let Entry { next, previous, .. } = *self.entry.as_ptr();
                match NonNull::new(previous) {
                    Some(mut previous) => previous.as_mut().next = next,
                    None => (*descriptor).first = next,
                }
                if let Some(mut next) = NonNull::new(next) {
                    next.as_mut().previous = previous;
                }
                tell(descriptor, UNREGISTER, self.entry);
                drop(Box::from_raw(self.entry.as_ptr()));
            }
        }
    }

    /// Calls the function on which the debugger has its breakpoint.
    ///
    /// # Safety
    /// The lock is held; the entry is alive.
    unsafe fn tell(descriptor: *mut Descriptor, action: u32, entry: NonNull<Entry>) {
        // SAFETY: the process's descriptor, which the lock guards. The function does nothing.
        unsafe {
            (*descriptor).action = action;
            (*descriptor).relevant = entry.as_ptr();
            __jit_debug_register_code();
            (*descriptor).action = 0;
            (*descriptor).relevant = ptr::null_mut();
        }
    }
}

/// Where perf looks for what a process says of its code, and how it tells time and threads.
#[cfg(all(feature = "perf", target_os = "linux"))]
pub(super) mod perf {
    use std::path::PathBuf;

    /// The map of symbols of this process.
    pub(in crate::inspect) fn map_path() -> PathBuf {
        PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()))
    }

    /// The monotonic clock, in nanoseconds.
    pub(in crate::inspect) fn now() -> u64 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: writes to `time`. This clock is there on every system.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

    /// The system's number for this thread.
    pub(in crate::inspect) fn thread() -> u32 {
        // SAFETY: asks for a number.
        unsafe { libc::gettid() as u32 }
    }
}
