//! The ways to turn a script into code.
//!
//! All lay a trace out alike, so that their bytes can be compared: a NOP at the entry, the micro-ops with a NOP in each
//! continuation slot, the exits in the order in which they are first wanted, a trampoline for each function in the same
//! order, the functions' addresses.

mod assembler;
mod cranelift;
mod dynasm;
mod limit;
mod stitch;
mod vec_assembler;

pub use assembler::PerTraceCommit;
pub use cranelift::Cranelift;
pub use limit::Limit;
pub use limit::input::{Ops, Records};
pub use stitch::{LinkedElsewhere, OneByOne, Stitch};
pub use vec_assembler::VecLabels;

use crate::mix::{ebpf::Ebpf, straight::Straight, typical::Typical};
use crate::script::Script;

/// The limit for the straight mix, on what opstitch takes.
pub type StraightLimit = Limit<Straight, Ops<Straight>, 9, 2, false>;
/// The limit for the typical mix, on what opstitch takes. Blocks are copied eight words long, which is faster than seven.
pub type TypicalLimit = Limit<Typical, Ops<Typical>, 8, 1, true>;
/// The limit for the eBPF mix, on what opstitch takes.
pub type EbpfLimit = Limit<Ebpf, Ops<Ebpf>, 6, 8, true>;

/// The limit for the straight mix, on prepared records.
pub type StraightRecords = Limit<Straight, Records<2>, 9, 2, false>;
/// The limit for the typical mix, on prepared records.
pub type TypicalRecords = Limit<Typical, Records<1>, 8, 1, true>;
/// The limit for the eBPF mix, on prepared records.
pub type EbpfRecords = Limit<Ebpf, Records<3>, 6, 8, true>;

/// A way to turn a script into code.
///
/// What is measured is [`build`](Peer::build). The two calls before it are not: they bring the script into the form
/// that the peer takes.
pub trait Peer {
    /// As it is printed.
    const NAME: &'static str;

    /// Forgets the trace before, and declares the labels and exits of the next one.
    fn declare(&mut self, script: &Script);

    /// Prepares the script's micro-ops.
    fn prepare(&mut self, script: &Script);

    /// Builds the trace, from the first micro-op to the final bytes. Returns their number.
    fn build(&mut self, script: &Script) -> usize;

    /// The bytes built last, where they are comparable.
    fn bytes(&mut self) -> Option<&[u8]>;

    /// All of it: the bytes of a script, where they are comparable.
    fn whole(&mut self, script: &Script) -> Option<&[u8]> {
        self.declare(script);
        self.prepare(script);
        self.build(script);
        self.bytes()
    }
}
