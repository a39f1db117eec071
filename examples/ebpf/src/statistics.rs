//! What a translated program takes.

use std::fmt;

use opstitch::{LinkedTrace, MicroOp, Part};

use crate::uops::frame;

/// Sizes in A64 instructions (words of 4 bytes).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words {
    /// Instructions that an eBPF instruction has become, checks and cold parts included.
    pub body: usize,
    /// Entry, prologues and epilogues of the program and its functions.
    pub frame: usize,
    /// Trampolines of far helpers.
    pub trampolines: usize,
    /// Constants and far addresses: two words each.
    pub literals: usize,
}

impl Words {
    /// Counts. The trace must have annotations.
    pub fn of(linked: &LinkedTrace) -> Words {
        let set = frame::Return.set();
        let mut words = Words::default();
        for offset in (0..linked.bytes().len() as u32).step_by(4) {
            match (linked.part_at(offset), linked.op_at(offset)) {
                (Some(Part::Literals), _) => words.literals += 1,
                (Some(Part::Trampolines), _) => words.trampolines += 1,
                (_, Some(op)) if !set.iter().any(|known| known.name() == op.name()) => {
                    words.body += 1
                }
                _ => words.frame += 1,
            }
        }
        words
    }
}

impl std::ops::AddAssign for Words {
    fn add_assign(&mut self, other: Words) {
        self.body += other.body;
        self.frame += other.frame;
        self.trampolines += other.trampolines;
        self.literals += other.literals;
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Words {
            body,
            frame,
            trampolines,
            literals,
        } = self;
        write!(
            f,
            "{body} words of instructions, {frame} of entries and exits, {trampolines} of trampolines, {literals} of literals"
        )
    }
}
