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
        /// The first frame description in it, in bytes.
        first: usize,
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
            let registration = Registration {
                section: words.into(),
                first: common as usize + 4,
            };
            debug_assert!(registration.first < size_of_val(&*registration.section));
            // SAFETY: what this unwinder takes, alive until `drop` takes it back, and true as the caller says.
            unsafe { __register_frame(registration.begin()) };
            registration
        }

        /// What the unwinder at hand takes: libgcc a section with an empty entry at its end, LLVM's libunwind
        /// (Apple's systems, Android, musl) one frame description.
        fn begin(&self) -> *const u8 {
            let first = if is_libunwind() { self.first } else { 0 };
            self.section.as_ptr().cast::<u8>().wrapping_add(first)
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
