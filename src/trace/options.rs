//! What a builder can be told before it builds.

use crate::asm::branch::Field;
use crate::error::Error;
use crate::op::template::{Goal, Reference};

/// What is done with the continuation slot of a micro-op whose successor follows directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FallThrough {
    /// The slot is a NOP. NOP and `b` may be exchanged while other threads run the trace (Arm ARM
    /// B2.2.5, "Concurrent modification and execution of instructions"), so every boundary between
    /// micro-ops can be patched.
    #[default]
    Nop,
    /// The slot is left out: four bytes less per micro-op, and no boundary can be patched but an
    /// [invalidation point](crate::TraceBuilder::invalidation_point), which then has a NOP of its own.
    Elide,
}

/// How far each class of instructions may reach, in bytes: displacements of `-reach ..= reach - 4`.
///
/// The default is what the architecture gives. Tests make it small, so that a short trace meets every
/// veneer and island that a long one would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    jump: u32,
    conditional: u32,
    test: u32,
    literal: u32,
}

impl Default for Reach {
    fn default() -> Self {
        Reach {
            jump: Field::Imm26.reach(),
            conditional: Field::Imm19.reach(),
            test: Field::Imm14.reach(),
            literal: Field::Imm19.reach(),
        }
    }
}

macro_rules! reach_setters {
    ($($(#[$doc:meta])* $name:ident, $field:expr, $class:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::InvalidReach`] if `bytes` is not a multiple of 4, less than 16, or more than the
        /// architecture gives.
        pub const fn $name(mut self, bytes: u32) -> Result<Reach, Error> {
            let max = $field.reach();
            if bytes < 16 || bytes > max || !bytes.is_multiple_of(4) {
                return Err(Error::InvalidReach { class: $class, bytes, max });
            }
            self.$name = bytes;
            Ok(self)
        }
    )*};
}

impl Reach {
    reach_setters! {
        /// Sets the reach of `b` and `bl`, at most 128 MiB.
        jump, Field::Imm26, "`b` and `bl`";
        /// Sets the reach of `b.cond`, `cbz` and `cbnz`, at most 1 MiB.
        conditional, Field::Imm19, "conditional branches";
        /// Sets the reach of `tbz` and `tbnz`, at most 32 KiB.
        test, Field::Imm14, "`tbz` and `tbnz`";
        /// Sets the reach of literal loads, at most 1 MiB.
        literal, Field::Imm19, "literal loads";
    }

    /// The reach of a branch, in words.
    #[inline]
    pub(crate) fn branch_words(&self, field: Field) -> u32 {
        let bytes = match field {
            Field::Imm26 => self.jump,
            Field::Imm19 => self.conditional,
            Field::Imm14 => self.test,
        };
        bytes / 4
    }

    /// The reach, in words, of a reference that an island may have to serve, and the words that takes.
    pub(crate) fn needs(&self, reference: &Reference) -> Option<(u32, u32)> {
        match reference.goal {
            Goal::Call => None,
            Goal::Exit | Goal::Label | Goal::OtherPart => match reference.field {
                Field::Imm26 => None,
                field => Some((self.branch_words(field), 1)),
            },
            Goal::Literal | Goal::MutLiteral => Some((self.literal_words(), 2)),
        }
    }

    /// The reach of a literal load, in words.
    pub(crate) fn literal_words(&self) -> u32 {
        self.literal / 4
    }
}

/// What a [`TraceBuilder`](crate::TraceBuilder) can be told before it builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub(crate) fall_through: FallThrough,
    pub(crate) reach: Reach,
    pub(crate) annotate: bool,
    pub(crate) landing_pad: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            fall_through: FallThrough::default(),
            reach: Reach::default(),
            annotate: true,
            landing_pad: false,
        }
    }
}

impl Options {
    /// The defaults: a NOP at every fall-through, the reach of the architecture, annotations kept.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets what is done with the continuation slot of a micro-op whose successor follows.
    pub fn fall_through(mut self, fall_through: FallThrough) -> Options {
        self.fall_through = fall_through;
        self
    }

    /// Sets how far branches and literal loads may reach.
    pub fn reach(mut self, reach: Reach) -> Options {
        self.reach = reach;
        self
    }

    /// Sets whether the builder remembers which micro-op each instruction came from: it does unless told not to. Listings
    /// and fault reports need that. It costs 12 bytes a micro-op and 8 an operand while building, which takes
    /// from 1.2 to 1.7 times as long.
    pub fn annotate(mut self, annotate: bool) -> Options {
        self.annotate = annotate;
        self
    }

    /// Whether the builder remembers which micro-op each instruction came from.
    pub fn is_annotated(self) -> bool {
        self.annotate
    }

    /// Sets whether a trace begins with `bti c`, as it must in a slab with guarded pages (Arm ARM D8.4.6, "Guarded
    /// pages"). It costs 4 bytes, and nothing to run on processors without the feature.
    pub fn landing_pad(mut self, landing_pad: bool) -> Options {
        self.landing_pad = landing_pad;
        self
    }
}
