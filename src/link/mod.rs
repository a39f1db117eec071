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
//! no memory but the destination's: whoever has executable memory can link into it directly. Where the destination is the
//! trace's own memory ([`finish_at`](crate::TraceBuilder::finish_at)) the code is there, and the rest is the same. Where all
//! targets are far it is known without the address where their trampolines are: in an island of a long trace, and others one
//! behind the other. The builder has led most traces' calls there already (`trace/calls.rs`), and they are left as they are.
//!
//! # Invariants
//!
//! 1. The literals start at a multiple of 8 from the trace's start, and the address is a multiple of
//!    8: each is one aligned word, so that one store changes it at once.
//! 2. No word is in the literals twice, a far target's address and an equal constant included. Words that
//!    may change are the exception: a retargetable target's and a changeable literal's are their own.
//! 3. All that can fail is found by the plan, before the first byte is written.
//! 4. The code of a trace but its calls and pool loads is final, and their displacements are replaced whatever they are,
//!    unless it is known that the calls' are right: so a trace can be linked where it is, and then again, anywhere.
//! 5. `finish` has left room for a trampoline for every target, so every load reaches the pool wherever
//!    the trace is linked to.
//! 6. A far target's calls lead to a shared trampoline if there is one, else to one in an island, else to one behind the code;
//!    a retargetable target's never to an island's.

mod linked;
#[cfg(target_endian = "little")]
mod placed;
mod stats;

use std::ops::RangeInclusive;
use std::sync::Arc;

pub(crate) use linked::Map;
pub use linked::{LinkedTrace, OpAt, Part};
#[cfg(target_endian = "little")]
pub use placed::PlacedTrace;
pub use stats::Statistics;

use crate::asm::branch::Field;
use crate::asm::{CodeWord, TRAMPOLINE, UDF, WORD, trampoline};
use crate::error::Error;
use crate::op::operand::Target;
use crate::trace::Trace;
use crate::trace::state::{MutableWord, Note};

/// What a trace's address must be a multiple of, in bytes. See invariant 1.
pub(crate) const ALIGNMENT: u64 = 8;

/// How many words are copied at once.
const BLOCK: usize = 8192;

/// Where the calls of a target lead to.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// In words from the trace's start.
    words: i64,
    by: By,
}

impl Way {
    /// Whether it leads through a trampoline.
    fn is_far(&self) -> bool {
        !matches!(self.by, By::Itself)
    }

    /// The word with the target's address, if it leads through a trampoline behind the code.
    fn own(&self) -> Option<Literal> {
        match self.by {
            By::Own(literal) => Some(literal),
            _ => None,
        }
    }
}

/// By which trampoline.
#[derive(Debug, Clone, Copy)]
enum By {
    /// None: to the target itself.
    Itself,
    /// One outside the trace.
    Shared,
    /// One in an island, which is written already.
    Island,
    /// One behind the code, which loads this word.
    Own(Literal),
}

/// The word that holds a target's address.
#[derive(Debug, Clone, Copy)]
enum Literal {
    /// One that the target brings, by its number among those.
    Added(u32),
    /// An equal constant of the pool, by its number there.
    Constant(u32),
}

/// Where everything goes at one address. Offsets and lengths are in words.
#[derive(Debug)]
struct Plan {
    address: u64,
    /// For each distinct target.
    ways: Vec<Way>,
    /// How many trampolines come behind the code, in the order of their targets.
    own: u32,
    /// How many targets are called through trampolines in islands.
    in_islands: u32,
    /// How many literals their targets bring; the pool's own follow.
    added: u32,
    trampolines: u32,
    literals: u32,
    end: u32,
}

impl Plan {
    /// `shared` holds, for each distinct target, the address of a trampoline outside the trace, if there
    /// is one.
    fn new(trace: &Trace<'_>, address: u64, shared: &[Option<u64>]) -> Result<Plan, Error> {
        let code = trace.code().len() as u32;
        let mut plan = Plan {
            address,
            ways: Vec::with_capacity(trace.targets().len()),
            own: 0,
            in_islands: 0,
            added: 0,
            trampolines: code,
            literals: 0,
            end: 0,
        };
        let (near, in_islands) = (trace.near(address), trace.island_trampolines());
        // Whether every instruction of the trace reaches all that its calls may lead to.
        let mut all_near = true;
        for (number, target) in trace.targets().enumerate() {
            let way = match shared.get(number).copied().flatten() {
                Some(trampoline) => {
                    all_near &= near.contains(&trampoline);
                    plan.way(trampoline, By::Shared)
                }
                None if is_direct(target, &near) => plan.way(target.address(), By::Itself),
                None => match in_islands.get(number) {
                    Some(&Some(at)) => {
                        let distance = u64::from(at) * u64::from(WORD);
                        all_near &= near.contains(&address.wrapping_add(distance));
                        plan.take_from_island(at)
                    }
                    _ => plan.add_trampoline(trace, target),
                },
            };
            plan.ways.push(way);
        }
        let words = plan.added + trace.pool().len() as u32;
        plan.literals = code + TRAMPOLINE * plan.own;
        if words > 0 {
            plan.literals = plan.literals.next_multiple_of(2);
        }
        plan.end = plan.literals + 2 * words;
        if let Some(last) = plan.own.checked_sub(1) {
            let distance = u64::from(code + TRAMPOLINE * last) * u64::from(WORD);
            all_near &= near.contains(&address.wrapping_add(distance));
        }
        plan.check(trace, all_near)?;
        Ok(plan)
    }

    /// The way to an address.
    fn way(&self, to: u64, by: By) -> Way {
        let distance = to.wrapping_sub(self.address) as i64;
        let words = distance >> WORD.ilog2();
        Way { words, by }
    }

    /// The way through a trampoline that an island has.
    fn take_from_island(&mut self, at: u32) -> Way {
        self.in_islands += 1;
        Way {
            words: at.into(),
            by: By::Island,
        }
    }

    /// The way through one more trampoline behind the code.
    fn add_trampoline(&mut self, trace: &Trace<'_>, target: Target) -> Way {
        let words = self.trampolines + TRAMPOLINE * self.own;
        self.own += 1;
        let constant = trace.pool_word(target.address());
        let literal = match constant.filter(|_| !target.is_retargetable()) {
            Some(word) => Literal::Constant(word),
            None => {
                self.added += 1;
                Literal::Added(self.added - 1)
            }
        };
        Way {
            words: words.into(),
            by: By::Own(literal),
        }
    }

    /// Where a word is. The pool's own come behind those that targets bring.
    fn word(&self, literal: Literal) -> u32 {
        let number = match literal {
            Literal::Added(number) => number,
            Literal::Constant(number) => self.added + number,
        };
        self.literals + 2 * number
    }

    fn check(&self, trace: &Trace<'_>, all_near: bool) -> Result<(), Error> {
        let length = u64::from(self.end) * 4;
        let room = self.address.checked_add(length);
        if room.is_none() || !self.address.is_multiple_of(ALIGNMENT) {
            return Err(Error::InvalidAddress {
                address: self.address,
                alignment: ALIGNMENT,
                length,
            });
        }
        // With a reach made small, it takes a look at each call.
        if !all_near {
            let reach = i64::from(trace.jump_reach());
            let calls = trace.calls().iter();
            let mut distances = calls.map(|call| self.displacement(call) << WORD.ilog2());
            if let Some(distance) = distances.find(|distance| !(-reach..reach).contains(distance)) {
                return Err(Error::TraceTooLong {
                    distance: distance.unsigned_abs(),
                    reach: reach as u32,
                });
            }
        }
        // A trampoline is what it is, whatever reach the options give to the literal loads of micro-ops.
        let (at, reach) = (u64::from(self.trampolines), u64::from(Field::Imm19.reach()));
        if length - at * u64::from(WORD) < reach {
            return Ok(());
        }
        let loads = self
            .own_trampolines(trace)
            .map(|(_, at, word)| u64::from(self.word(word) - at) * u64::from(WORD));
        match loads.max() {
            Some(distance) if distance >= reach => Err(Error::TraceTooLong {
                distance,
                reach: Field::Imm19.reach(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether every target is called through a trampoline among the bytes.
    fn is_all_far(&self) -> bool {
        (self.own + self.in_islands) as usize == self.ways.len()
    }

    /// The calls that do not lead where they are to yet.
    fn calls<'b>(&self, trace: &Trace<'b>) -> &'b [Note] {
        match self.is_all_far() && trace.calls_lead() {
            true => &[],
            false => trace.calls(),
        }
    }

    /// How far a call's destination lies from it, in words.
    #[inline(always)]
    fn displacement(&self, call: &Note) -> i64 {
        self.ways[call.target() as usize].words - i64::from(call.at)
    }

    /// Writes the trace. `to` is as long as the plan says.
    fn write(&self, trace: &Trace<'_>, to: &mut [u8]) {
        let (to, _) = to.as_chunks_mut();
        let code = trace.code();
        let mut calls = self.calls(trace).iter().peekable();
        // The calls of a block are written while it is in the cache. They are in the order of the code.
        for (start, from) in (0..).step_by(BLOCK).zip(code.chunks(BLOCK)) {
            let end = start + from.len();
            for (to, &word) in to[start..end].iter_mut().zip(from) {
                *to = CodeWord::of(word);
            }
            while let Some(call) = calls.next_if(|call| (call.at as usize) < end) {
                let at = call.at as usize;
                // Not changed where it has just been written: that may have gone past the cache.
                let word = Field::Imm26.with_displacement(code[at], self.displacement(call));
                to[at] = CodeWord::of(word);
            }
        }
        self.write_rest(trace, to);
    }

    /// Writes the trace over its own code, which `to` begins with; it is as long as the plan says.
    #[cfg(target_endian = "little")]
    fn write_over(&self, trace: &Trace<'_>, to: &mut [u32]) {
        let mut write = |call: &Note| {
            let words = self.displacement(call);
            if let Some(word) = to.get_mut(call.at as usize) {
                *word = Field::Imm26.with_displacement(*word, words);
            }
        };
        // The code of a long trace comes from memory again. It comes sooner if it is asked for at four places in turn, and
        // what was written last may be in a cache yet: hence from the end.
        let calls = self.calls(trace);
        let (first, rest) = calls.split_at(calls.len() / 4);
        let (second, rest) = rest.split_at(first.len());
        let (third, rest) = rest.split_at(first.len());
        let (fourth, rest) = rest.split_at(first.len());
        rest.iter().for_each(&mut write);
        for (((first, second), third), fourth) in
            first.iter().zip(second).zip(third).zip(fourth).rev()
        {
            write(fourth);
            write(third);
            write(second);
            write(first);
        }
        self.write_rest(trace, to);
    }

    /// Writes the loads from the pool, and all that comes behind the code, which is there already.
    #[inline(always)]
    fn write_rest(&self, trace: &Trace<'_>, to: &mut [impl CodeWord]) {
        let pool = self.literals + 2 * self.added;
        for load in trace.pool_loads() {
            let word = &mut to[load.at as usize];
            let words = i64::from(pool + 2 * load.word) - i64::from(load.at);
            *word = CodeWord::of(Field::Imm19.with_displacement(word.word(), words));
        }
        // Padding, unless it is overwritten by what comes next.
        if let Some(last) = to[self.trampolines as usize..self.literals as usize].last_mut() {
            *last = CodeWord::of(UDF);
        }
        for (target, at, literal) in self.own_trampolines(trace) {
            let word = self.word(literal);
            write_pair(to, at, trampoline(word - at));
            if let Literal::Added(_) = literal {
                write_pair(to, word, target.address());
            }
        }
        for (at, word) in (pool..).step_by(2).zip(trace.pool()) {
            write_pair(to, at, word.value);
        }
    }

    /// The targets that are called through trampolines among the bytes, in the order of these.
    fn far_targets(&self, trace: &Trace<'_>) -> impl Iterator<Item = Target> {
        let ways = trace.targets().zip(&self.ways);
        let in_islands = ways.filter(|(_, way)| matches!(way.by, By::Island));
        let in_islands = in_islands.map(|(target, _)| target);
        let own = self.own_trampolines(trace).map(|(target, ..)| target);
        in_islands.take(self.in_islands as usize).chain(own)
    }

    /// The trampolines among the bytes: where each is, and for which target. Those in islands are there whether anything is
    /// called through them or not.
    #[cfg(feature = "inspect")]
    fn all_trampolines(&self, trace: &Trace<'_>) -> impl Iterator<Item = (u32, Target)> {
        let in_islands = trace.island_trampolines().iter().zip(trace.targets());
        let in_islands = in_islands.filter_map(|(&at, target)| Some((at?, target)));
        let own = self.own_trampolines(trace);
        in_islands.chain(own.map(|(target, at, _)| (at, target)))
    }

    /// The trampolines behind the code: for which target, where, and the word that each loads.
    fn own_trampolines(&self, trace: &Trace<'_>) -> impl Iterator<Item = (Target, u32, Literal)> {
        let ways = trace.targets().zip(&self.ways);
        let own = ways.filter_map(|(target, way)| Some((target, way.words as u32, way.own()?)));
        // No look at the ways where there are none, as most often in a slab.
        own.take(self.own as usize)
    }
}

/// Whether calls lead to a target itself, if `near` is what they all reach.
fn is_direct(target: Target, near: &RangeInclusive<u64>) -> bool {
    near.contains(&target.address()) && !target.is_retargetable()
}

/// Writes two words, if they are there.
#[inline(always)]
fn write_pair<W: CodeWord>(to: &mut [W], at: u32, words: u64) {
    let behind = to.get_mut(at as usize..);
    if let Some(pair) = behind.and_then(<[W]>::first_chunk_mut) {
        *pair = W::pair(words);
    }
}

/// A trace and an address that it can be linked to: how long it will be there is known, and nothing can fail any
/// more. See [`Trace::prepare_link`].
#[derive(Debug)]
pub struct Link<'b> {
    trace: Trace<'b>,
    plan: Plan,
}

impl Link<'_> {
    /// The length of the linked trace in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no trace is empty")]
    pub fn len(&self) -> usize {
        self.plan.end as usize * 4
    }

    /// Writes the linked bytes into `to`, whose length is [`len`](Link::len).
    ///
    /// # Errors
    /// [`Error::WrongLength`]; nothing is written then.
    pub fn write_into(&self, to: &mut [u8]) -> Result<Statistics, Error> {
        if to.len() != self.len() {
            return Err(Error::WrongLength {
                expected: self.len(),
                actual: to.len(),
            });
        }
        self.write(to);
        Ok(self.statistics())
    }

    /// Writes the linked bytes into `to`, which is as long as they are.
    pub(crate) fn write(&self, to: &mut [u8]) {
        debug_assert_eq!(to.len(), self.len());
        self.plan.write(&self.trace, to);
    }

    /// What the linked trace consists of.
    pub fn statistics(&self) -> Statistics {
        self.plan.statistics(&self.trace)
    }

    /// With all that is known of the instructions among `bytes`, which are those of the linked trace.
    fn to_linked(&self, bytes: Vec<u8>) -> LinkedTrace {
        LinkedTrace::new(self.plan.address, bytes, Arc::new(self.map()))
    }

    /// What lies where in the linked trace.
    pub(crate) fn map(&self) -> Map {
        Map::new(&self.trace, &self.plan)
    }

    /// The word of each changeable literal.
    pub(crate) fn mutable_words(&self) -> Vec<Option<MutableWord>> {
        self.trace
            .mutable_words(self.plan.literals + 2 * self.plan.added)
    }

    /// Where the literals at the end are, in bytes from the trace's start.
    pub(crate) fn literals(&self) -> std::ops::Range<u32> {
        self.plan.literals * 4..self.plan.end * 4
    }
}

impl<'b> Trace<'b> {
    /// Finds out how to link the trace to `address`: for whoever first wants to know how long it will be, as
    /// [`linked_len`](Trace::linked_len) and [`link_into`](Trace::link_into) find it out each.
    ///
    /// ```
    /// # opstitch::uops! { op Return { ; ret } }
    /// # let mut builder = opstitch::TraceBuilder::new();
    /// # builder.push(Return)?;
    /// # let trace = builder.finish()?;
    /// let mut memory = Vec::new();
    /// let link = trace.prepare_link(0x1_0000)?;
    /// memory.resize(link.len(), 0);
    /// link.write_into(&mut memory)?;
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] if `address` is not a multiple of 8 or leaves no room,
    /// [`Error::TraceTooLong`] if a call does not even reach its trampoline, or a trampoline its word.
    pub fn prepare_link(&self, address: u64) -> Result<Link<'b>, Error> {
        self.link_shared(address, &[])
    }

    /// The length of the trace linked to `address`, in bytes.
    ///
    /// # Errors
    /// As [`prepare_link`](Trace::prepare_link).
    pub fn linked_len(&self, address: u64) -> Result<usize, Error> {
        Ok(self.prepare_link(address)?.len())
    }

    /// Links the trace to `address` into `to`, whose length is [`linked_len`](Trace::linked_len).
    ///
    /// # Errors
    /// As [`prepare_link`](Trace::prepare_link); [`Error::WrongLength`].
    pub fn link_into(&self, address: u64, to: &mut [u8]) -> Result<Statistics, Error> {
        self.prepare_link(address)?.write_into(to)
    }

    /// The length of the trace in bytes when all its trampolines are elsewhere.
    pub(crate) fn shared_len(&self) -> usize {
        let code = self.code().len();
        let words = self.pool().len();
        let padded = if words > 0 {
            code.next_multiple_of(2)
        } else {
            code
        };
        (padded + 2 * words) * 4
    }

    /// Whether calls lead to `target` itself, if the trace is linked to `address`.
    pub(crate) fn reaches(&self, address: u64, target: Target) -> bool {
        is_direct(target, &self.near(address))
    }

    /// What `bl` reaches from everywhere in the trace, linked to `address`. Addresses do not wrap around.
    fn near(&self, address: u64) -> RangeInclusive<u64> {
        let (len, reach) = (
            self.code().len() as u64 * u64::from(WORD),
            self.jump_reach(),
        );
        let last = address.saturating_add(len);
        last.saturating_sub(reach.into())..=address.saturating_add(u64::from(reach) - 1)
    }

    /// Links the trace to `address` into `to`, whose length is [`shared_len`](Trace::shared_len), with
    /// trampolines elsewhere for the targets that have one in `shared`, which are all those out of reach.
    pub(crate) fn link_shared(
        &self,
        address: u64,
        shared: &[Option<u64>],
    ) -> Result<Link<'b>, Error> {
        Ok(Link {
            trace: *self,
            plan: Plan::new(self, address, shared)?,
        })
    }

    /// Links the trace to `address`, with all that is known of its instructions.
    ///
    /// # Errors
    /// As [`prepare_link`](Trace::prepare_link).
    pub fn link(&self, address: u64) -> Result<LinkedTrace, Error> {
        let link = self.prepare_link(address)?;
        let mut bytes = vec![0; link.len()];
        link.write(&mut bytes);
        Ok(link.to_linked(bytes))
    }
}
