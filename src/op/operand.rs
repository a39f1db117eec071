//! The values that a micro-op's operands take.
//!
//! Each kind of operand has one type here, and each type becomes one 64-bit word for the builder:
//! an operand list is a row of words, whatever the micro-op.

use std::fmt;

use crate::error::Error;

/// A general-purpose register chosen when a micro-op is pushed: the value of a `reg` operand.
///
/// x0 to x17 and x19 to x30. x18 belongs to the platform (AAPCS64 6.1.1) and 31 is the stack pointer
/// or the zero register, depending on the instruction; both are refused when the micro-op is
/// pushed, with [`Error::PlatformRegister`] or [`Error::NoRegister`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reg(pub u8);

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

/// A SIMD and floating-point register chosen when a micro-op is pushed: the value of a `vreg`
/// operand. v0 to v31, or up to what the operand is declared to name; others are refused when the micro-op is pushed, with
/// [`Error::NoVectorRegister`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VReg(pub u8);

impl fmt::Display for VReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// The address of a function or of other code that a trace calls: the value of a `call` operand.
///
/// Whether `bl` reaches it or a trampoline is needed is decided when the trace is linked. Names for
/// listings are kept apart, in a symbol table: a target is an address and nothing else, so it can
/// be made anywhere and copied freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(u64);

/// A target is 4-aligned, so its two lowest bits are free; this one marks it retargetable.
const RETARGETABLE: u64 = 1;

impl Target {
    /// The code at `address`.
    ///
    /// # Errors
    /// [`Error::MisalignedTarget`] if `address` is not a multiple of 4, as every A64 instruction
    /// is (Arm ARM B1.2.2, "Program counter alignment").
    pub const fn new(address: u64) -> Result<Target, Error> {
        if address.is_multiple_of(4) {
            Ok(Target(address))
        } else {
            Err(Error::MisalignedTarget { address })
        }
    }

    /// The code at `address`, always reached through a trampoline, even where `bl` would reach it:
    /// a later change of target is then one 8-byte store.
    ///
    /// # Errors
    /// [`Error::MisalignedTarget`] if `address` is not a multiple of 4.
    pub const fn retargetable(address: u64) -> Result<Target, Error> {
        if address.is_multiple_of(4) {
            Ok(Target(address | RETARGETABLE))
        } else {
            Err(Error::MisalignedTarget { address })
        }
    }

    /// The address.
    pub const fn address(self) -> u64 {
        self.0 & !RETARGETABLE
    }

    /// Whether the target is always reached through a trampoline.
    pub const fn is_retargetable(self) -> bool {
        self.0 & RETARGETABLE != 0
    }

    pub(crate) const fn from_raw(raw: u64) -> Target {
        Target(raw & !2)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.address())
    }
}

/// What a [`TraceBuilder`](crate::TraceBuilder) hands out: an index, the kind of what it counts, and a tag that tells one
/// builder's handles (and one trace's, between two calls of `clear`) from another's.
///
/// It is the operand's word already, so that operands of all kinds but registers are read alike, and taking apart an
/// enum of micro-ops needs no branch for each of them. Its lower half is a number that no other handle of the trace has:
/// for labels and exits that of their [`Place`](crate::trace::state::Place).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handle(u64);

impl Handle {
    /// The bits below the index, which are those of its kind.
    pub(crate) const KIND_BITS: u32 = 2;

    pub(crate) const fn new(tag: u32, kind: OperandKind, index: u32) -> Handle {
        let kind = kind as u32 & ((1 << Handle::KIND_BITS) - 1);
        Handle((tag as u64) << 32 | (index << Handle::KIND_BITS | kind) as u64)
    }

    pub(crate) const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) const fn index(self) -> u32 {
        self.0 as u32 >> Handle::KIND_BITS
    }

    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_raw(raw: u64) -> Handle {
        Handle(raw)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("tag", &self.tag())
            .field("index", &self.index())
            .finish()
    }
}

/// The handles that a builder has made for its trace.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Handles {
    tag: u32,
    /// How many labels, exits and changeable literals there are; the first is nobody's.
    counts: [u32; 4],
}

impl Handles {
    /// None so far, for a trace of this tag.
    pub(crate) fn new(tag: u32) -> Handles {
        Handles {
            tag,
            counts: [0; 4],
        }
    }

    /// Tells the trace's handles from others'.
    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    /// Counts the handles of a kind anew.
    pub(crate) fn set_count(&mut self, kind: OperandKind, count: usize) {
        self.counts[kind as usize % 4] = count as u32;
    }

    /// What all handles, as operands, come behind.
    #[inline]
    pub(crate) fn first(&self) -> u64 {
        u64::from(self.tag) << 32
    }

    /// An operand less that: of one of the handles its lower half.
    #[inline(always)]
    pub(crate) fn count(&self, raw: u64) -> u64 {
        raw.wrapping_sub(self.first())
    }

    /// The target whose operand that was.
    #[inline]
    pub(crate) fn target(&self, counted: u64) -> Target {
        Target::from_raw(counted.wrapping_add(self.first()))
    }

    /// The handle of that kind and number.
    pub(crate) fn handle(&self, kind: OperandKind, index: u32) -> Handle {
        Handle::new(self.tag, kind, index)
    }

    /// Whether `raw` is one of them, of an operand's kind.
    #[inline]
    pub(crate) fn has(&self, kind: OperandKind, raw: u64) -> bool {
        // Of one of another kind, or of another trace, bits come to the top.
        let index = raw.wrapping_sub(self.handle(kind, 0).raw());
        index.rotate_right(Handle::KIND_BITS) < self.counts[kind as usize % 4].into()
    }
}

/// x18: AAPCS64 6.1.1 leaves it to the platform.
pub(crate) const PLATFORM_REGISTER: u64 = 18;

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub(crate) Handle);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($what, " {}"), self.0.index())
            }
        }
    )*};
}

handles! {
    /// A place between two micro-ops of a trace: the value of a `label` operand. Made by
    /// [`TraceBuilder::label`](crate::TraceBuilder::label).
    Label, "label";

    /// A way out of a trace: the value of an `exit` operand. Made by
    /// [`TraceBuilder::exit`](crate::TraceBuilder::exit).
    Exit, "exit";

    /// An 8-byte word of a trace that may be changed after it is installed, such as an inline
    /// cache: the value of a `mut literal` operand. Made by
    /// [`TraceBuilder::mut_literal`](crate::TraceBuilder::mut_literal).
    MutLiteral, "mut literal";
}

/// A type that a field of a micro-op has.
pub trait OperandValue: Copy {
    /// The value as the builder's 64-bit word.
    #[doc(hidden)]
    fn raw(self) -> u64;
}

macro_rules! operand_values {
    ($($type:ty => |$value:ident| $raw:expr;)*) => {$(
        impl OperandValue for $type {
            #[inline]
            fn raw(self) -> u64 {
                let $value = self;
                $raw
            }
        }
    )*};
}

operand_values! {
    u64 => |v| v;
    u32 => |v| v.into();
    i64 => |v| v as u64;
    f64 => |v| v.to_bits();
    Reg => |v| v.0.into();
    VReg => |v| v.0.into();
    Target => |v| v.0;
    Label => |v| v.0.raw();
    Exit => |v| v.0.raw();
    MutLiteral => |v| v.0.raw();
}

/// What an operand of a micro-op is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum OperandKind {
    /// An unsigned number patched into the code.
    Unsigned,
    /// A signed number patched into the code.
    Signed,
    /// A 64-bit constant loaded from the literal pool.
    Literal,
    /// A SIMD and floating-point register.
    VReg,
    /// A general-purpose register.
    Reg,
    /// A 32-bit mask patched into a logical instruction.
    Logical32,
    /// A 64-bit mask patched into a logical instruction.
    Logical64,
    /// A floating-point number patched into `fmov`.
    Fp8,
    /// A call target.
    Call,
    /// A place in the trace.
    Label,
    /// A side exit.
    Exit,
    /// A changeable word of the literal pool.
    MutLiteral,
}

// `Handles` counts by these numbers, and `Place` has them too.
const _: () = assert!(OperandKind::Call as u8 & 3 == 0 && OperandKind::MutLiteral as u8 & 3 == 3);

impl OperandKind {
    /// Whether a value of this kind is a [`Handle`].
    pub(crate) const fn is_handle(self) -> bool {
        self as u8 > OperandKind::Call as u8
    }

    /// Whether a value of this kind says where a branch or a call leads.
    pub(crate) const fn is_destination(self) -> bool {
        matches!(
            self,
            OperandKind::Call | OperandKind::Label | OperandKind::Exit
        )
    }

    /// Whether a value of this kind is encoded before it is patched in.
    pub(crate) const fn is_encoded(self) -> bool {
        matches!(
            self,
            OperandKind::Logical32 | OperandKind::Logical64 | OperandKind::Fp8
        )
    }

    /// Writes a value of this kind, as [`OperandValue::raw`] made it.
    pub(crate) fn write(self, raw: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OperandKind::Unsigned => write!(f, "{raw}"),
            OperandKind::Signed => write!(f, "{}", raw as i64),
            OperandKind::Literal if raw < 1 << 16 => write!(f, "{raw}"),
            OperandKind::Literal | OperandKind::Logical32 | OperandKind::Logical64 => {
                write!(f, "{raw:#x}")
            }
            OperandKind::VReg => write!(f, "v{raw}"),
            OperandKind::Reg => write!(f, "x{raw}"),
            OperandKind::Fp8 => write!(f, "{}", f64::from_bits(raw)),
            OperandKind::Call => write!(f, "{}", Target::from_raw(raw)),
            OperandKind::Exit => write!(f, "{}", Exit(Handle::from_raw(raw))),
            OperandKind::Label => write!(f, "{}", Label(Handle::from_raw(raw))),
            OperandKind::MutLiteral => write!(f, "{}", MutLiteral(Handle::from_raw(raw))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_multiple_of_four() {
        assert_eq!(Target::new(0x1000).unwrap().address(), 0x1000);
        for address in [1, 2, 3, u64::MAX] {
            let error = Err(Error::MisalignedTarget { address });
            assert_eq!(Target::new(address), error);
            assert_eq!(Target::retargetable(address), error);
        }
    }

    #[test]
    fn a_retargetable_target_is_another_than_the_plain_one() {
        let plain = Target::new(64).unwrap();
        let marked = Target::retargetable(64).unwrap();
        assert_ne!(plain, marked);
        assert!(marked.is_retargetable() && !plain.is_retargetable());
        assert_eq!(marked.address(), 64);
        assert_eq!(Target::from_raw(marked.raw()), marked);
    }
}
