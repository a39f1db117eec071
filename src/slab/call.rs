//! Calling a trace from Rust.
//!
//! # What a trace finds
//!
//! All traces are entered through one shim. It saves every register that AAPCS64 6.1.1 and 6.1.2 let a caller
//! rely on (x19 to x28, d8 to d15) and the frame record (x29, x30), so a trace may pin what it likes, and
//! points x29 at the record, so a walk along frame pointers leads through the trace to the Rust caller.
//! Then the trace runs with
//!
//! - x0 to x6: the arguments; the first micro-op moves them to where the interpreter pins them;
//! - `[sp]`: the address to go back to, which is in x30 too until the trace calls something;
//! - x29: the frame record, for it to keep;
//! - everything else undefined.
//!
//! It leaves with what it returns in x0 and x1 (or wherever the signature's result belongs) and the
//! stack pointer as it was, by `ret` or by `ldr x30, [sp]` and `ret`.
//!
//! The shim describes its frame to unwinders, and traces keep it, so a backtrace that knows of the slab
//! (feature `unwind`, `Slab::register_frames`) leads through a trace to the caller of the shim.
//!
//! # Panics
//!
//! Nothing may unwind through a trace, even where backtraces lead through it. A runtime function that it calls
//! is `extern "C"`, and a panic that would leave such a function ends the process; catch it inside, and leave
//! the trace with an error value.

use std::marker::PhantomData;

use super::InstalledTrace;

/// A value that fits a general-purpose register.
///
/// # Safety
/// [`word`](Argument::word) is what AAPCS64 6.8.2 puts into the register.
pub unsafe trait Argument: Copy {
    /// The register's contents.
    fn word(self) -> u64;
}

macro_rules! integer_arguments {
    ($($type:ty)*) => {$(
        // SAFETY: an integer is extended to the register's width according to its sign.
        unsafe impl Argument for $type {
            fn word(self) -> u64 {
                self as u64
            }
        }
    )*};
}

integer_arguments!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize bool);

// SAFETY: a thin pointer is its address.
unsafe impl<T> Argument for *mut T {
    fn word(self) -> u64 {
        self as usize as u64
    }
}

// SAFETY: a thin pointer is its address.
unsafe impl<T> Argument for *const T {
    fn word(self) -> u64 {
        self as usize as u64
    }
}

/// The signature of an entry: `extern "C" fn` of up to six [`Argument`]s.
pub trait EntryFn {}

/// A trace with a signature: safe to hold, unsafe to call.
#[derive(Debug)]
pub struct Entry<'t, F> {
    trace: &'t InstalledTrace,
    signature: PhantomData<F>,
}

impl<F> Clone for Entry<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Entry<'_, F> {}

impl InstalledTrace {
    /// The trace as a function of this signature: `trace.entry::<extern "C" fn(*mut Vm) -> u64>()`.
    pub fn entry<F: EntryFn>(&self) -> Entry<'_, F> {
        Entry {
            trace: self,
            signature: PhantomData,
        }
    }
}

impl<'t, F> Entry<'t, F> {
    /// The trace.
    pub fn trace(&self) -> &'t InstalledTrace {
        self.trace
    }
}

macro_rules! entries {
    ($($name:ident: $type:ident),*) => {
        impl<$($type: Argument,)* R> EntryFn for extern "C" fn($($type),*) -> R {}

        #[cfg(target_arch = "aarch64")]
        impl<$($type: Argument,)* R> Entry<'_, extern "C" fn($($type),*) -> R> {
            /// Runs the trace, on AArch64.
            ///
            /// # Safety
            /// - The trace, and every trace that its exits are linked to, does what its micro-ops' author
            ///   says with these arguments: reads and writes only memory that it may, keeps the stack
            ///   balanced, and returns a valid `R` where the AAPCS64 puts it.
            /// - `pin` is a pin of the trace's slab, held until the call returns.
            /// - Functions that the trace calls do not unwind.
            /// - If frames are registered (`Slab::register_frames`), x29 is in the trace what it was at its
            ///   entry.
            #[allow(clippy::too_many_arguments)]
            pub unsafe fn call(&self, pin: &super::Pin<'_> $(, $name: $type)*) -> R {
                type Shim<R> = extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64) -> R;
                debug_assert!(std::ptr::eq(&*pin.slab.shared, &*self.trace.slab.shared));
                let mut words = [0; 7];
                let arguments: &[u64] = &[$($name.word()),*];
                words[..arguments.len()].copy_from_slice(arguments);
                let [a, b, c, d, e, f, g] = words;
                // SAFETY: the shim takes eight words and returns what the trace leaves in the registers of
                // the result; the caller vouches for `R`.
                let shim: Shim<R> = unsafe { std::mem::transmute(native::enter as *const ()) };
                shim(a, b, c, d, e, f, g, self.trace.address())
            }
        }
    };
}

entries!();
entries!(a: A);
entries!(a: A, b: B);
entries!(a: A, b: B, c: C);
entries!(a: A, b: B, c: C, d: D);
entries!(a: A, b: B, c: C, d: D, e: E);
entries!(a: A, b: B, c: C, d: D, e: E, f: G);

#[cfg(target_arch = "aarch64")]
mod native {
    use std::arch::naked_asm;

    /// Runs the code at x7 with all callee-saved registers saved. See the module's documentation.
    #[unsafe(naked)]
    pub(super) extern "C" fn enter() {
        naked_asm!(
            ".cfi_startproc",
            ".cfi_remember_state",
            "hint #34", // bti c
            "stp x29, x30, [sp, #-160]!",
            ".cfi_def_cfa_offset 160",
            ".cfi_offset x29, -160",
            ".cfi_offset x30, -152",
            "mov x29, sp",
            ".cfi_def_cfa_register x29",
            "stp x19, x20, [sp, #16]",
            ".cfi_offset x19, -144",
            ".cfi_offset x20, -136",
            "stp x21, x22, [sp, #32]",
            ".cfi_offset x21, -128",
            ".cfi_offset x22, -120",
            "stp x23, x24, [sp, #48]",
            ".cfi_offset x23, -112",
            ".cfi_offset x24, -104",
            "stp x25, x26, [sp, #64]",
            ".cfi_offset x25, -96",
            ".cfi_offset x26, -88",
            "stp x27, x28, [sp, #80]",
            ".cfi_offset x27, -80",
            ".cfi_offset x28, -72",
            "stp d8, d9, [sp, #96]",
            ".cfi_offset d8, -64",
            ".cfi_offset d9, -56",
            "stp d10, d11, [sp, #112]",
            ".cfi_offset d10, -48",
            ".cfi_offset d11, -40",
            "stp d12, d13, [sp, #128]",
            ".cfi_offset d12, -32",
            ".cfi_offset d13, -24",
            "stp d14, d15, [sp, #144]",
            ".cfi_offset d14, -16",
            ".cfi_offset d15, -8",
            "adr x30, 2f",
            "str x30, [sp, #-16]!",
            "blr x7",
            "2:",
            "add sp, sp, #16",
            "ldp d14, d15, [sp, #144]",
            "ldp d12, d13, [sp, #128]",
            "ldp d10, d11, [sp, #112]",
            "ldp d8, d9, [sp, #96]",
            "ldp x27, x28, [sp, #80]",
            "ldp x25, x26, [sp, #64]",
            "ldp x23, x24, [sp, #48]",
            "ldp x21, x22, [sp, #32]",
            "ldp x19, x20, [sp, #16]",
            "ldp x29, x30, [sp], #160",
            ".cfi_restore_state",
            "ret",
            ".cfi_endproc",
        );
    }
}
