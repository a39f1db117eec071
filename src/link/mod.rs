//! Linking: from a laid-out [`Trace`] and an address to its final bytes.
//!
//! # The problem
//!
//! Everything inside a trace is relative to itself and written already. What depends on the address
//! is the calls: `bl` reaches 128 MiB, and whether a target is that near is known only
//! now. A target that is not needs a trampoline, `ldr x16, word ; br x16`, and a word that holds its
//! address. How many there are decides where the pool lies, and so what the loads from it are.
//!
//! # The strategy
//!
//! [`Plan`] decides for each distinct target, not for each call: direct if it is in reach from
//! every instruction of the trace, through a trampoline otherwise. Then the sections follow one another,
//!
//! ```text
//! entry NOP | hot | cold | trampolines | literals
//! ```
//!
//! and one pass each over the code, the calls and the pool's loads writes the bytes. No system call,
//! no memory but the destination's: whoever has executable memory can link into it directly.
//!
//! # Invariants
//!
//! 1. The literals start at a multiple of 8 from the trace's start, and the address is a multiple of
//!    8: each is one aligned word, so that one store changes it at once.
//! 2. No word is in the literals twice, a far target's address and an equal constant included. Words that
//!    may change are the exception: a retargetable target's and a changeable literal's are their own.
//! 3. All that can fail is found by the plan, before the first byte is written.
//! 4. `finish` has left room for a trampoline for every target, so every load reaches the pool wherever
//!    the trace is linked to.

mod linked;
mod stats;

pub use linked::{LinkedTrace, OpAt, Part};
pub use stats::Statistics;

use crate::asm::branch::Field;
use crate::asm::{BR_X16, LDR_X16_LITERAL, UDF};
use crate::error::Error;
use crate::op::operand::Target;
use crate::trace::Trace;
use crate::trace::state::CallSite;

/// What a trace's address must be a multiple of, in bytes. See invariant 1.
pub(crate) const ALIGNMENT: u64 = 8;

/// Where everything goes at one address. Offsets and lengths are in words.
#[derive(Debug)]
struct Plan {
    address: u64,
    /// For each distinct target: where its calls lead to, in bytes from the trace's start.
    destinations: Vec<i64>,
    /// The targets that have a trampoline, in order, and the literal with each one's address.
    far: Vec<(Target, u32)>,
    /// How many literals the far targets bring; the pool's own follow.
    added: u32,
    trampolines: u32,
    literals: u32,
    end: u32,
}

impl Plan {
    fn new(trace: &Trace<'_>, address: u64) -> Result<Plan, Error> {
        let code = trace.code().len() as u32;
        let mut plan = Plan {
            address,
            destinations: Vec::with_capacity(trace.targets().len()),
            far: Vec::new(),
            added: 0,
            trampolines: code,
            literals: 0,
            end: 0,
        };
        let mut shared = Vec::new();
        for target in trace.targets() {
            if let Some(distance) = plan.direct(target, trace.jump_reach()) {
                plan.destinations.push(distance);
                continue;
            }
            let trampoline = code + 2 * plan.far.len() as u32;
            plan.destinations.push(i64::from(trampoline) * 4);
            let constant = trace.pool_word(target.address());
            let literal = match constant.filter(|_| !target.is_retargetable()) {
                Some(word) => {
                    shared.push(plan.far.len());
                    word
                }
                None => {
                    plan.added += 1;
                    plan.added - 1
                }
            };
            plan.far.push((target, literal));
        }
        // The pool's own words come behind those that targets bring.
        for index in shared {
            plan.far[index].1 += plan.added;
        }
        let words = plan.added + trace.pool().len() as u32;
        plan.literals = code + 2 * plan.far.len() as u32;
        if words > 0 {
            plan.literals = plan.literals.next_multiple_of(2);
        }
        plan.end = plan.literals + 2 * words;
        plan.check(trace)?;
        Ok(plan)
    }

    /// The distance of a target that `bl` reaches from everywhere in the code, in bytes from the trace's
    /// start.
    fn direct(&self, target: Target, reach: u32) -> Option<i64> {
        let distance = i128::from(target.address()) - i128::from(self.address);
        let last = distance - i128::from(self.trampolines) * 4;
        let reach = i128::from(reach);
        let near = distance < reach && last >= -reach && !target.is_retargetable();
        near.then_some(distance as i64)
    }

    fn check(&self, trace: &Trace<'_>) -> Result<(), Error> {
        let length = u64::from(self.end) * 4;
        let room = self.address.checked_add(length);
        if room.is_none() || !self.address.is_multiple_of(ALIGNMENT) {
            return Err(Error::InvalidAddress {
                address: self.address,
                alignment: ALIGNMENT,
                length,
            });
        }
        let reach = i64::from(trace.jump_reach());
        let distances = trace.calls().iter().map(|call| self.distance(call));
        match distances.max() {
            Some(distance) if distance >= reach => Err(Error::TraceTooLong {
                distance: distance as u64,
                reach: reach as u32,
            }),
            _ => Ok(()),
        }
    }

    /// How far a call's destination lies from it, in bytes.
    fn distance(&self, call: &CallSite) -> i64 {
        self.destinations[call.number as usize] - i64::from(call.at) * 4
    }

    /// Writes the trace. `to` is as long as the plan says.
    fn write(&self, trace: &Trace<'_>, to: &mut [u8]) {
        let code = trace.code();
        let (code_bytes, rest) = to.split_at_mut(code.len() * 4);
        for (bytes, word) in code_bytes.chunks_exact_mut(4).zip(code) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        for call in trace.calls() {
            let word = code[call.at as usize];
            let linked = Field::Imm26.with_displacement(word, self.distance(call) / 4);
            put(to_word(code_bytes, call.at), linked);
        }
        let pool = self.literals + 2 * self.added;
        for load in trace.pool_loads() {
            let word = code[load.at as usize];
            let words = i64::from(pool + 2 * load.word) - i64::from(load.at);
            put(
                to_word(code_bytes, load.at),
                Field::Imm19.with_displacement(word, words),
            );
        }
        let mut at = self.trampolines;
        let mut words = rest.chunks_exact_mut(4);
        let mut push = |word: u32| {
            if let Some(bytes) = words.next() {
                put(bytes, word);
            }
        };
        for &(_, literal) in &self.far {
            let literal = self.literals + 2 * literal;
            push(Field::Imm19.with_displacement(LDR_X16_LITERAL, (literal - at).into()));
            push(BR_X16);
            at += 2;
        }
        (at..self.literals).for_each(|_| push(UDF));
        for value in self.literal_values(trace) {
            push(value as u32);
            push((value >> 32) as u32);
        }
    }

    /// The words behind the trampolines: first those that targets bring, then the pool's own.
    fn literal_values(&self, trace: &Trace<'_>) -> impl Iterator<Item = u64> {
        let added = self.far.iter().filter(|(_, literal)| *literal < self.added);
        let own = trace.pool().iter().map(|word| word.value);
        added.map(|(target, _)| target.address()).chain(own)
    }
}

fn put(to: &mut [u8], word: u32) {
    to.copy_from_slice(&word.to_le_bytes());
}

fn to_word(code: &mut [u8], at: u32) -> &mut [u8] {
    &mut code[at as usize * 4..][..4]
}

impl Trace<'_> {
    /// The length of the trace linked to `address`, in bytes.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] if `address` is not a multiple of 8 or leaves no room,
    /// [`Error::TraceTooLong`] if a call does not even reach its trampoline.
    pub fn linked_len(&self, address: u64) -> Result<usize, Error> {
        Ok(Plan::new(self, address)?.end as usize * 4)
    }

    /// Links the trace to `address` into `to`, whose length is [`linked_len`](Trace::linked_len).
    ///
    /// # Errors
    /// As `linked_len`; [`Error::WrongLength`].
    pub fn link_into(&self, address: u64, to: &mut [u8]) -> Result<Statistics, Error> {
        let plan = Plan::new(self, address)?;
        let expected = plan.end as usize * 4;
        if to.len() != expected {
            let actual = to.len();
            return Err(Error::WrongLength { expected, actual });
        }
        plan.write(self, to);
        Ok(plan.statistics(self))
    }

    /// Links the trace to `address`, with all that is known of its instructions.
    ///
    /// # Errors
    /// As [`linked_len`](Trace::linked_len).
    pub fn link(&self, address: u64) -> Result<LinkedTrace, Error> {
        let plan = Plan::new(self, address)?;
        let mut bytes = vec![0; plan.end as usize * 4];
        plan.write(self, &mut bytes);
        Ok(LinkedTrace::new(self, plan, bytes))
    }
}
