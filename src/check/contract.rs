//! What the author of micro-ops says about them.

use super::finding::Rule;
use super::registers::{Register, Set};
use crate::op::operand::{Reg, VReg};

/// What holds for all micro-ops of a set, as [`check`](super::check) is to assume it.
///
/// The default: nothing is pinned, a trace keeps no stack frame, calls follow AAPCS64, and no finding is
/// accepted.
#[derive(Debug, Clone, Default)]
pub struct Contract {
    pinned: Set,
    kept: Set,
    given: Vec<(String, Set)>,
    frame: Option<Frame>,
    allowed: Vec<(String, Rule)>,
}

#[derive(Debug, Clone)]
struct Frame {
    bytes: u32,
    opened_by: Vec<String>,
}

fn general(registers: impl IntoIterator<Item = Reg>) -> Set {
    let registers = registers.into_iter();
    registers.map(|Reg(number)| Register::X(number)).collect()
}

fn vectors(registers: impl IntoIterator<Item = VReg>) -> Set {
    let registers = registers.into_iter();
    registers.map(|VReg(number)| Register::V(number)).collect()
}

impl Contract {
    /// The default contract.
    pub fn new() -> Contract {
        Contract::default()
    }

    /// Adds general registers whose values the rest of the trace needs: those of the block's
    /// `registers { .. }`, and those in which micro-ops hand values on, to the next one or to an exit.
    #[must_use]
    pub fn pinned(mut self, registers: impl IntoIterator<Item = Reg>) -> Contract {
        self.pinned = self.pinned.union(general(registers));
        self
    }

    /// Adds vector registers whose values the rest of the trace needs.
    #[must_use]
    pub fn pinned_vectors(mut self, registers: impl IntoIterator<Item = VReg>) -> Contract {
        self.pinned = self.pinned.union(vectors(registers));
        self
    }

    /// Adds general registers that the functions the micro-ops call leave as they are, beyond those that
    /// AAPCS64 6.1.1 names: x19 to x29. x16, x17 and x30 change before the function runs, so they stay as
    /// they are even if they are named here.
    #[must_use]
    pub fn kept_by_calls(mut self, registers: impl IntoIterator<Item = Reg>) -> Contract {
        let kept = registers.into_iter();
        let kept = kept.filter(|Reg(number)| !matches!(number, 16 | 17 | 30));
        self.kept = self.kept.union(general(kept));
        self
    }

    /// Says which registers `reg` operands of that name are given, in all micro-ops of the set. Without
    /// it, any.
    #[must_use]
    pub fn given(mut self, operand: &str, registers: impl IntoIterator<Item = Reg>) -> Contract {
        self.given.push((operand.to_owned(), general(registers)));
        self
    }

    /// Says which registers `vreg` operands of that name are given, in all micro-ops of the set. Without
    /// it, any.
    #[must_use]
    pub fn given_vectors(
        mut self,
        operand: &str,
        registers: impl IntoIterator<Item = VReg>,
    ) -> Contract {
        self.given.push((operand.to_owned(), vectors(registers)));
        self
    }

    /// Says that a trace keeps `bytes` of stack while it runs, and saves x30 there. The micro-ops `opened_by`
    /// run before they are taken; those that go on from there take them. All others find them taken, and
    /// what leaves the trace (`ret`, `br`, a tail call) gives them back before it does.
    ///
    /// `frame(0, [])` is for traces that are entered through [`InstalledTrace::entry`](crate::slab::InstalledTrace::entry):
    /// it has put the return address at `[sp]`, from where `ldr x30, [sp]` takes it before the trace is left.
    #[must_use]
    pub fn frame<'n>(
        mut self,
        bytes: u32,
        opened_by: impl IntoIterator<Item = &'n str>,
    ) -> Contract {
        let opened_by = opened_by.into_iter().map(str::to_owned);
        self.frame = Some(Frame {
            bytes,
            opened_by: opened_by.collect(),
        });
        self
    }

    /// Accepts what a micro-op does against a rule, or what is not checked of it.
    #[must_use]
    pub fn allow(mut self, micro_op: &str, rule: Rule) -> Contract {
        self.allowed.push((micro_op.to_owned(), rule));
        self
    }

    pub(super) fn pinned_registers(&self) -> Set {
        self.pinned
    }

    pub(super) fn kept_registers(&self) -> Set {
        self.kept
    }

    /// The registers that operands of that name are given; `None` if nothing was said.
    pub(super) fn given_to(&self, operand: &str) -> Option<Set> {
        let given = self.given.iter().filter(|(name, _)| name == operand);
        given.map(|&(_, set)| set).reduce(Set::union)
    }

    pub(super) fn frame_size(&self) -> u32 {
        self.frame.as_ref().map_or(0, |frame| frame.bytes)
    }

    pub(super) fn has_frame(&self) -> bool {
        self.frame.is_some()
    }

    pub(super) fn opens_frame(&self, micro_op: &str) -> bool {
        self.openers().any(|name| name == micro_op)
    }

    pub(super) fn allows(&self, micro_op: &str, rule: Rule) -> bool {
        let mut allowed = self.allowed.iter();
        allowed.any(|(name, allowed)| name == micro_op && *allowed == rule)
    }

    fn openers(&self) -> impl Iterator<Item = &str> {
        let frame = self.frame.iter();
        frame.flat_map(|frame| frame.opened_by.iter().map(String::as_str))
    }

    /// The micro-ops that are named here.
    pub(super) fn named_micro_ops(&self) -> impl Iterator<Item = &str> {
        let allowed = self.allowed.iter().map(|(name, _)| name.as_str());
        self.openers().chain(allowed)
    }

    /// The operands that are named here.
    pub(super) fn named_operands(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(|(name, _)| name.as_str())
    }
}
