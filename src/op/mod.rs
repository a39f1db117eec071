//! Micro-ops: their templates, their operands, and how the one gets its holes from the other.
//!
//! A micro-op is written once, in a `uops!` block, and is from then on a row of constants: the
//! words of its hot and its cold part, the holes that operands are patched into, the references to
//! what lies outside. [`bake`] makes those constants while the user's crate compiles. Nothing here
//! knows a trace.

pub(crate) mod bake;
pub(crate) mod encode;
pub(crate) mod operand;
pub(crate) mod template;

use std::fmt;

use template::MicroOpSet;

/// A value that can be pushed to a trace: one of the structs that `uops!` makes, or their enum.
///
/// The macro writes the implementations. There is no need to write one by hand, and what the library promises holds for
/// the macro's: one that says what is not so, or whose set has been put together by hand, can make `push` panic.
pub trait MicroOp {
    /// The operands' values, as many as the largest micro-op of the type has.
    #[doc(hidden)]
    type Operands: AsMut<[u64]> + Clone;

    /// What [`set`](MicroOp::set) holds, for the compiler to look into; or nothing.
    #[doc(hidden)]
    const DATA: MicroOpSet = MicroOpSet::EMPTY;

    /// Whether code of its own for each micro-op of the type is worth while: there is but one, or whoever takes one apart
    /// has to branch to what is only its own anyway.
    #[doc(hidden)]
    const IS_KNOWN: bool = false;

    /// How many micro-ops the type has: their numbers are lower. Zero is any number.
    #[doc(hidden)]
    const COUNT: usize = 0;

    /// Whether the ranges of all operands that the type's micro-ops have are known to begin at zero.
    #[doc(hidden)]
    const FROM_ZERO: bool = false;

    /// The set the micro-op belongs to.
    fn set(&self) -> &'static MicroOpSet;

    /// The micro-op's number in its set.
    fn index(&self) -> usize;

    #[doc(hidden)]
    fn operands(&self) -> Self::Operands;

    /// The operands as pushing many alike takes them: if there is one that says where a branch or a call leads, and only
    /// one, then it comes last, behind those that there are to spare.
    #[doc(hidden)]
    fn arranged(&self) -> Self::Operands {
        let mut values = self.operands();
        if let Some(op) = encode::Op::new(self.set(), self.index()) {
            op.arrange(values.as_mut());
        }
        values
    }

    /// Lets the visitor do something with the micro-op as the type that is only its own.
    #[doc(hidden)]
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output
    where
        Self: Sized,
    {
        visitor.visit(self)
    }
}

/// Something to be done with a micro-op whose type says which one it is.
#[doc(hidden)]
pub trait Visitor {
    type Output;

    fn visit<M: MicroOp>(self, op: &M) -> Self::Output;
}

impl<M: MicroOp> MicroOp for &M {
    type Operands = M::Operands;

    const DATA: MicroOpSet = M::DATA;
    const IS_KNOWN: bool = M::IS_KNOWN;
    const COUNT: usize = M::COUNT;
    const FROM_ZERO: bool = M::FROM_ZERO;

    #[inline]
    fn set(&self) -> &'static MicroOpSet {
        M::set(self)
    }

    #[inline]
    fn index(&self) -> usize {
        M::index(self)
    }

    #[inline(always)]
    fn operands(&self) -> Self::Operands {
        M::operands(self)
    }

    #[inline(always)]
    fn arranged(&self) -> Self::Operands {
        M::arranged(self)
    }

    #[inline]
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        M::visit(self, visitor)
    }
}

/// Writes a micro-op as its `Display` does: `LoadLocal slot=3`.
#[doc(hidden)]
pub fn write_micro_op(op: &impl MicroOp, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match op.set().get(op.index()) {
        Some(info) => info.write(op.operands().as_mut(), f),
        None => f.write_str("?"),
    }
}
