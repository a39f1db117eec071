//! What was found.

use std::fmt;

use super::body::{Body, Instruction};

/// What a micro-op has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// x18 belongs to the platform (AAPCS64 6.1.1); Apple's and Windows's systems change it at any time.
    PlatformRegister,
    /// x29 points to a frame record all the time (AAPCS64 6.4.6): profilers and backtraces follow it. It is set
    /// from the stack pointer, or loaded from the stack.
    FrameRecord,
    /// Only a micro-op whose hot part ends the trace has `ret` or `br`; others leave by an exit.
    LeavesEarly,
    /// What is needed behind a call is not in a register that the call changes (AAPCS64 6.1).
    LiveAcrossCall,
    /// Every way out finds the stack pointer where it belongs, and it is a multiple of 16; nothing below it is read or
    /// written (AAPCS64 6.4.5).
    Stack,
    /// Where a trace keeps x30 in a frame, whatever returns takes it from there: a call has changed it, in whichever micro-op
    /// of the set it is.
    ReturnAddress,
    /// What an instruction does is defined (Arm ARM K1.1, "CONSTRAINED UNPREDICTABLE behaviors").
    Unpredictable,
    /// What depends on the program counter is a reference, or stays within its part of the micro-op: code
    /// is copied to other addresses.
    PcRelative,
    /// On guarded pages a computed branch lands on `bti` (Arm ARM D8.4.6).
    LandingPad,
    /// Nothing is said about an instruction, because it is not known here or nothing leads to it.
    NotChecked,
    /// The contract names what the set does not have.
    Contract,
}

/// A place where a micro-op does not keep to a rule, or where that was not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    rule: Rule,
    micro_op: String,
    place: Option<Place>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    cold: bool,
    offset: u32,
    instruction: String,
}

impl Instruction {
    /// `hot+0x8`.
    pub(super) fn place(&self) -> String {
        let part = if self.cold { "cold" } else { "hot" };
        format!("{part}+{:#x}", self.at * 4)
    }
}

impl Finding {
    pub(super) fn at(rule: Rule, body: &Body, index: usize, message: impl Into<String>) -> Finding {
        let instruction = &body.instructions[index];
        Finding {
            rule,
            micro_op: body.op.name().to_owned(),
            place: Some(Place {
                cold: instruction.cold,
                offset: instruction.at as u32 * 4,
                instruction: instruction.text.clone(),
            }),
            message: message.into(),
        }
    }

    pub(super) fn of(rule: Rule, micro_op: &str, message: impl Into<String>) -> Finding {
        Finding {
            rule,
            micro_op: micro_op.to_owned(),
            place: None,
            message: message.into(),
        }
    }

    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The micro-op's name, as written in `uops!`; for [`Rule::Contract`] the name in the contract.
    pub fn micro_op(&self) -> &str {
        &self.micro_op
    }

    /// The instruction, disassembled, if there is one to blame.
    pub fn instruction(&self) -> Option<&str> {
        let place = self.place.as_ref()?;
        Some(&place.instruction)
    }

    /// Where the instruction is, in bytes from the start of the micro-op's hot or cold part.
    pub fn offset(&self) -> Option<u32> {
        Some(self.place.as_ref()?.offset)
    }

    /// Whether the instruction is in the micro-op's cold part.
    pub fn is_cold(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.cold)
    }

    /// What is wrong, and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `AddInt hot+0x8: `blr x9`: what is wrong: what to do`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.micro_op)?;
        if let Some(place) = &self.place {
            let part = if place.cold { "cold" } else { "hot" };
            write!(f, " {part}+{:#x}: `{}`", place.offset, place.instruction)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What [`check`](super::check) found. As text, a line for each finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub(super) all: Vec<Finding>,
}

impl Findings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// All findings, by micro-op in the order of declaration.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.all.iter()
    }
}

impl<'f> IntoIterator for &'f Findings {
    type Item = &'f Finding;
    type IntoIter = std::slice::Iter<'f, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}
