//! Calling a trace from Rust.
//!
//! # What a trace finds
//!
//! All traces are entered through one shim. It saves every register that AAPCS64 6.1.1 and 6.1.2 let a caller
//! rely on (x19 to x28, d8 to d15) and the frame record (x29, x30), so a trace may pin what it likes, and
//! points x29 at the record, so a walk along frame pointers leads through the trace to the Rust caller.
//! Then the trace runs with
//!
//! - x0 to x5: the arguments, each extended to 64 bits; the first micro-op moves them to where the
//!   interpreter pins them;
//! - `[sp]`: the address to go back to, which is in x30 too until the trace calls something;
//! - `sp` a multiple of 16, and x29 pointing to the frame record, for the trace to keep;
//! - everything else undefined.
//!
//! It leaves with what it returns where AAPCS64 6.9 puts a [`ReturnValue`] and with the stack pointer as it was,
//! by `ret` or by `ldr x30, [sp]` and `ret`. All other registers it may have changed, but for x18, which
//! belongs to the platform, and the control bits of FPCR. (Whoever changes x29 breaks the chain
//! meanwhile.)
//!
//! The shim describes its frame to unwinders, and traces keep it, so a backtrace that knows of the slab
//! (feature `unwind`, `Slab::register_frames`) leads through a trace to the caller of the shim.
//!
//! # Which exit was taken
//!
//! An exit is a short sequence of micro-ops, so it says itself who it is: by the number that it returns.
//! [`ExitTaken`] is that number, in x0, and an operand of the exit, in x1: two registers, no memory. Exits
//! that have more to say write it to memory that an argument points to, or return a type of the
//! interpreter's own.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no argument of a trace",
    note = "take integers, `bool`, or raw pointers: `*mut T` for `&mut T`"
)]
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

// SAFETY: a pointer that is not null is its address.
unsafe impl<T> Argument for std::ptr::NonNull<T> {
    fn word(self) -> u64 {
        self.as_ptr().word()
    }
}

/// What a trace can return.
///
/// # Safety
/// AAPCS64 6.9 says where the type is returned: it is a primitive type, `#[repr(C)]` or
/// `#[repr(transparent)]`. (Up to 16 bytes of integers and pointers are in x0 and x1, up to four
/// floating-point numbers of one type in d0 to d3; for what is larger, x8 points to memory.)
///
/// ```
/// use opstitch::slab::ReturnValue;
///
/// /// Where the interpreter goes on, and with what.
/// #[repr(C)]
/// struct Left {
///     pc: u32,
///     depth: u32,
///     top: *mut u8,
/// }
///
/// // SAFETY: 16 bytes of integers and pointers, `#[repr(C)]`: x0 has `pc` and `depth`, x1 has `top`.
/// unsafe impl ReturnValue for Left {}
/// ```
#[diagnostic::on_unimplemented(
    message = "a trace cannot return `{Self}`",
    note = "implement `ReturnValue` for a `#[repr(C)]` type of your own, or return `ExitTaken`"
)]
pub unsafe trait ReturnValue {}

macro_rules! return_values {
    ($($type:ty)*) => {$(
        // SAFETY: a primitive type.
        unsafe impl ReturnValue for $type {}
    )*};
}

return_values!(() u8 u16 u32 u64 usize i8 i16 i32 i64 isize bool f32 f64 ExitTaken);

// SAFETY: a thin pointer is an integer to AAPCS64.
unsafe impl<T> ReturnValue for *mut T {}
// SAFETY: as above.
unsafe impl<T> ReturnValue for *const T {}

/// The exit that a trace was left through: what it has in x0 and x1 at its end.
///
/// ```
/// opstitch::uops! {
///     /// Leaves the trace through exit `number`, because of what is in `x9`.
///     op Leave(number: u16) { ; mov x1, x9 ; movz x0, number ; ret }
/// }
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExitTaken {
    /// Which it was (x0): the number that the exit's code returns.
    pub exit: u64,
    /// An operand of it (x1); whatever was in there, if the exit's code does not say.
    pub operand: u64,
}

/// The signature of an entry: `extern "C" fn` of up to six [`Argument`]s to a [`ReturnValue`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no signature of a trace",
    note = "write an `extern \"C\" fn` of up to six integers or raw pointers: `extern \"C\" fn(*mut Vm) -> u64`"
)]
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

/// An [`Entry`], where traces can run: on AArch64.
#[diagnostic::on_unimplemented(
    message = "traces run on AArch64, and this is built for another machine",
    label = "no trace can be called here",
    note = "in a test, run the trace in the package `opstitch-emulator`, or build for AArch64 and let QEMU run that: the guide says how in \"Testing\"",
    note = "in a program that is built for other machines too, call it under `#[cfg(target_arch = \"aarch64\")]`"
)]
pub trait RunsHere: sealed::Sealed {}

#[cfg(target_arch = "aarch64")]
impl<F> RunsHere for Entry<'_, F> {}

mod sealed {
    pub trait Sealed {}

    impl<F> Sealed for super::Entry<'_, F> {}
}

macro_rules! entries {
    ($($name:ident: $type:ident),*) => {
        impl<$($type: Argument,)* R: ReturnValue> EntryFn for extern "C" fn($($type),*) -> R {}

        impl<$($type: Argument,)* R: ReturnValue> Entry<'_, extern "C" fn($($type),*) -> R> {
            /// Runs the trace, on AArch64: what calls it does not compile for other machines.
            ///
            /// # Safety
            /// - The trace, and every trace that its exits are linked to, does what its micro-ops' author
            ///   says with these arguments: reads and writes only memory that it may, keeps the stack
            ///   balanced and the control bits of FPCR as they were, and returns a valid `R` where AAPCS64 puts it. So it
            ///   does with whatever changeable literals are set to, targets are
            ///   [retargeted](crate::slab::Slab::retarget) to, and exits are linked to, wherever in a trace, before the call
            ///   returns, by any thread: those are safe functions.
            /// - `pin` is a pin of the trace's slab, held until the call returns. If this process is a fork of the one that
            ///   made the slab, that one drops no trace meanwhile.
            /// - Functions that the trace calls do not unwind.
            /// - If frames are registered (`Slab::register_frames`), x29 is in the trace what it was at its
            ///   entry.
            ///
            /// # Panics
            /// With debug assertions, if the pin is of another slab.
            #[allow(clippy::too_many_arguments)]
            pub unsafe fn call(&self, pin: &super::Pin<'_> $(, $name: $type)*) -> R
            where
                Self: RunsHere,
            {
                debug_assert!(
                    std::ptr::eq(&*pin.slab.shared, &*self.trace.slab.shared),
                    "the pin is of another slab than the trace; take it by `trace.slab().pin()`"
                );
                pin.synchronize();
                let mut words = [0; 7];
                let arguments: &[u64] = &[$($name.word()),*];
                words[..arguments.len()].copy_from_slice(arguments);
                // SAFETY: it is as the caller vouches.
                unsafe { native::run(words, self.trace.address()) }
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

#[cfg(not(target_arch = "aarch64"))]
mod native {
    /// Is never called: nothing implements [`RunsHere`](super::RunsHere).
    pub(super) unsafe fn run<R: super::ReturnValue>(_: [u64; 7], _: u64) -> R {
        unreachable!("traces run on AArch64")
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod native {
    use std::arch::naked_asm;

    /// Runs the code at that address.
    ///
    /// # Safety
    /// It does with these arguments what [`Entry::call`](super::Entry) asks of a trace that returns `R`.
    #[inline(always)]
    pub(super) unsafe fn run<R: super::ReturnValue>(arguments: [u64; 7], address: u64) -> R {
        type Shim<R> = extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64) -> R;
        // SAFETY: the shim takes eight words and returns what the trace leaves in the registers of the result; the caller
        // vouches for `R`.
        let shim: Shim<R> = unsafe { std::mem::transmute(enter as *const ()) };
        let [a, b, c, d, e, f, g] = arguments;
        shim(a, b, c, d, e, f, g, address)
    }

    /// Runs the code at x7 with all callee-saved registers saved. See the module's documentation.
    ///
    /// | from x29 | what                                            |
    /// |----------|-------------------------------------------------|
    /// | -16      | the address to go back to (and 8 bytes of none) |
    /// | 0        | x29 and x30 of the caller: the frame record     |
    /// | 16       | x19 to x28                                      |
    /// | 96       | d8 to d15                                       |
    /// | 160      | the caller's stack                              |
    #[unsafe(naked)]
    pub(in crate::slab) extern "C" fn enter() {
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
