//! The limit: what building a trace costs at the least.
//!
//! For each micro-op it copies a prepared block of constant length, moves bits into its holes and notes its reference;
//! in the end it resolves the references. It checks nothing, keeps nothing, knows no islands, writes straight to the
//! destination. It takes the micro-ops in one of two forms ([`Input`]): the same enum as opstitch, or prepared records, the
//! number of the block, the number of the target and the values, which is what the enum costs to take apart.
//!
//! The blocks are not opstitch's: they come out of dynasm-rs, assembled with one value after the other to see
//! where the bits go.

pub mod input;

use std::marker::PhantomData;

use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, aarch64::Aarch64Relocation};

use self::input::Input;
use super::Peer;
use crate::memory;
use crate::mix::{DynamicLabels, Mix, Shape, Target};
use crate::script::{Script, Step, TARGETS_OF_A_KIND};

const NOP: u32 = 0xd503_201f;

/// The kinds of targets. A target's number is four times its number among those of its kind, and that: the lower bits of
/// opstitch's handles.
const NOTHING: u16 = 0;
const LABELS: u16 = 1;
const EXITS: u16 = 2;
const FUNCTIONS: u16 = 3;
const KINDS: usize = 4;
const TARGETS: usize = KINDS * TARGETS_OF_A_KIND;

fn number(kind: u16, index: usize) -> u16 {
    (KINDS * index) as u16 + kind
}

/// Bits of a value, and where they go.
#[derive(Debug, Clone, Copy, Default)]
struct Hole {
    mask: u32,
    word: u8,
    value: u8,
    source: u8,
    target: u8,
}

/// A block: a micro-op's instructions with its continuation slot, and what is to be done with them.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Block<const WORDS: usize, const HOLES: usize> {
    words: [u32; WORDS],
    holes: [Hole; HOLES],
    len: u8,
    hole_count: u8,
    references: u8,
    /// The reference, if there is one: its place, and its field.
    fixup: Fixup,
    goal: Goal,
}

/// What a block's reference leads to.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// All ones if that is an address.
    calls: u16,
    /// All ones if that is a handle.
    handles: u16,
    kind: u16,
}

impl Goal {
    fn of(shape: &Shape) -> Goal {
        let mask = |applies: bool| if applies { u16::MAX } else { 0 };
        let calls = shape.target == Some(Target::Call);
        Goal {
            calls: mask(calls),
            handles: mask(shape.target.is_some() && !calls),
            kind: match shape.target {
                Some(Target::Call) => FUNCTIONS,
                Some(Target::Exit) => EXITS,
                Some(Target::Label) => LABELS,
                None => NOTHING,
            },
        }
    }
}

/// A reference that is open, in one word: bits 0 to 31 its place, 32 to 47 its target, 48 to 63 its field.
#[derive(Debug, Clone, Copy)]
struct Fixup(u64);

impl Fixup {
    fn moved(self, at: usize, target: u16) -> Fixup {
        Fixup(self.0 + at as u64 + (u64::from(target) << 32))
    }

    fn at(self) -> u32 {
        self.0 as u32
    }

    fn target(self) -> usize {
        usize::from((self.0 >> 32) as u16)
    }

    fn field(self) -> usize {
        (self.0 >> 48) as usize
    }
}

/// The displacement fields of branches: mask and shift.
const FIELDS: [(u32, u32); 2] = [(0x03ff_ffff, 0), (0x7_ffff, 5)];

/// The limit for a mix with blocks of at most `WORDS` instructions and `HOLES` holes, and references or none.
#[derive(Debug)]
pub struct Limit<M, I, const WORDS: usize, const HOLES: usize, const REFERENCES: bool> {
    blocks: Vec<Block<WORDS, HOLES>>,
    /// Whether every block has `HOLES` holes or none.
    full: bool,
    input: I,
    fixups: Vec<Fixup>,
    places: [u32; TARGETS],
    to: Vec<u32>,
    len: usize,
    mix: PhantomData<M>,
}

impl<M: Mix, I: Input<M>, const WORDS: usize, const HOLES: usize, const REFERENCES: bool> Default
    for Limit<M, I, WORDS, HOLES, REFERENCES>
{
    fn default() -> Self {
        let blocks: Vec<_> = (0..M::SHAPES.len() as u8).map(block::<M, _, _>).collect();
        Limit {
            full: blocks.iter().all(|block| {
                let count = usize::from(block.hole_count);
                // Without holes, zero is patched in where it changes nothing.
                count == HOLES || count == 0
            }),
            blocks,
            input: I::default(),
            fixups: Vec::new(),
            places: [0; TARGETS],
            to: Vec::new(),
            len: 0,
            mix: PhantomData,
        }
    }
}

impl<M: Mix, I: Input<M>, const WORDS: usize, const HOLES: usize, const REFERENCES: bool> Peer
    for Limit<M, I, WORDS, HOLES, REFERENCES>
{
    const NAME: &'static str = I::NAME;

    fn declare(&mut self, _: &Script) {}

    fn prepare(&mut self, script: &Script) {
        self.input.prepare(script);
        self.fixups.reserve(script.steps.len() + 1);
        let most = script.steps.len() * WORDS + WORDS + 8 * TARGETS;
        self.to.reserve(most);
    }

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        // SAFETY: `prepare` has made room for as many blocks and fixups as there are records, and for what
        // follows them; blocks' and targets' numbers come from the mix.
        let words = unsafe {
            if self.full {
                self.build_unchecked::<true>(script)
            } else {
                self.build_unchecked::<false>(script)
            }
        };
        self.len = words * 4;
        self.len
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        // SAFETY: so many bytes have been written.
        Some(unsafe { std::slice::from_raw_parts(self.to.as_ptr().cast(), self.len) })
    }
}

impl<M: Mix, I: Input<M>, const WORDS: usize, const HOLES: usize, const REFERENCES: bool>
    Limit<M, I, WORDS, HOLES, REFERENCES>
{
    /// # Safety
    /// There is room in `to` and `fixups`.
    #[inline(always)]
    unsafe fn build_unchecked<const FULL: bool>(&mut self, script: &Script) -> usize {
        unsafe {
            let to = self.to.as_mut_ptr();
            let blocks = self.blocks.as_ptr();
            let fixups = self.fixups.as_mut_ptr();
            let mut fixup = fixups;
            let mut order = [0u16; TARGETS + 1];
            // These need no code of their own.
            let of_kind = u64::MAX / ((1 << KINDS) - 1);
            let (mut seen, mut wanted) = (of_kind << LABELS | of_kind << NOTHING, 0);
            *to = NOP;
            let mut at = 1usize;
            let mut from = 0;
            let ends = script.labels.iter().copied().chain([script.steps.len()]);
            for (label, end) in ends.enumerate() {
                for item in self.input.items().get_unchecked(from..end) {
                    let (number, mut values) = I::take(item);
                    let block = &*blocks.add(number);
                    let code = to.add(at);
                    code.cast::<[u32; WORDS]>().write_unaligned(block.words);
                    let count = if FULL { HOLES } else { block.hole_count.into() };
                    for hole in block.holes.get_unchecked(..count) {
                        let value = I::value(&mut values, hole.value.into());
                        let bits = if FULL {
                            value << hole.target
                        } else {
                            ((value >> hole.source) & hole.mask) << hole.target
                        };
                        *code.add(hole.word.into()) |= bits;
                    }
                    if REFERENCES {
                        let target = self.input.target(&mut values, block.goal);
                        *fixup = block.fixup.moved(at, target);
                        fixup = fixup.add(block.references.into());
                        if seen >> target & 1 == 0 {
                            seen |= 1 << target;
                            *order.get_unchecked_mut(wanted) = target;
                            wanted += 1;
                        }
                    }
                    at += usize::from(block.len);
                }
                if label < script.labels.len() {
                    self.places[usize::from(number(LABELS, label))] = at as u32;
                }
                from = end;
            }
            if !REFERENCES {
                return at;
            }
            let mut functions = 0;
            for &target in &order[..wanted] {
                if target % KINDS as u16 == EXITS {
                    let value = memory::exit_value(usize::from(target) / KINDS);
                    self.places[usize::from(target)] = at as u32;
                    *to.add(at) = 0xd280_0000 | value << 5; // movz x0, value
                    *to.add(at + 1) = 0xd65f_03c0; // ret
                    at += 2;
                } else {
                    functions += 1;
                }
            }
            let literals = (at + 2 * functions).next_multiple_of(2);
            // Padding, unless it is overwritten by what comes next.
            *to.add(literals) = 0;
            *to.add(at + 2 * functions) = 0;
            let mut literal = literals;
            for &target in &order[..wanted] {
                if target % KINDS as u16 == FUNCTIONS {
                    self.places[usize::from(target)] = at as u32;
                    *to.add(at) = 0x5800_0010 | ((literal - at) as u32) << 5; // ldr x16, literal
                    *to.add(at + 1) = 0xd61f_0200; // br x16
                    let function = memory::function(usize::from(target) / KINDS);
                    to.add(literal).cast::<u64>().write_unaligned(function);
                    at += 2;
                    literal += 2;
                }
            }
            let count = fixup.offset_from(fixups) as usize;
            for fixup in std::slice::from_raw_parts(fixups, count) {
                let place = *self.places.get_unchecked(fixup.target());
                let (mask, shift) = *FIELDS.get_unchecked(fixup.field());
                *to.add(fixup.at() as usize) |= (place.wrapping_sub(fixup.at()) & mask) << shift;
            }
            if functions > 0 { literal } else { at }
        }
    }
}

/// Assembles one micro-op, what it refers to lying `distance` instructions behind its start.
fn assemble<M: Mix>(kind: u8, values: [u32; 3], distance: usize) -> Vec<u32> {
    let mut assembler = VecAssembler::<Aarch64Relocation>::new(0);
    let target = assembler.new_dynamic_label();
    let labels = DynamicLabels {
        functions: vec![target],
        exits: vec![target],
        labels: vec![target],
    };
    let step = Step {
        kind,
        target: 0,
        values,
    };
    M::assemble(&mut assembler, &step, &labels);
    let len = assembler.offset().0 / 4;
    (len..distance).for_each(|_| assembler.push_u32(NOP));
    assembler.dynamic_label(target);
    let bytes = assembler.finalize().unwrap();
    let words = bytes.chunks_exact(4).take(len);
    words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

/// The block of a micro-op.
fn block<M: Mix, const WORDS: usize, const HOLES: usize>(kind: u8) -> Block<WORDS, HOLES> {
    const DISTANCE: usize = 16;
    let shape = M::SHAPES[usize::from(kind)];
    let base = assemble::<M>(kind, [0; 3], DISTANCE);
    let mut block = Block {
        words: [NOP; WORDS],
        holes: [Hole::default(); HOLES],
        len: (base.len() + usize::from(!shape.closes)) as u8,
        hole_count: 0,
        references: 0,
        fixup: Fixup(0),
        goal: Goal::of(&shape),
    };
    block.words[..base.len()].copy_from_slice(&base);
    let mut holes: Vec<Hole> = Vec::new();
    for (value, &most) in shape.values.iter().enumerate() {
        for bit in 0..32 - most.leading_zeros() {
            let mut values = [0; 3];
            values[value] = 1 << bit;
            let probe = assemble::<M>(kind, values, DISTANCE);
            for (word, (probe, base)) in probe.iter().zip(&base).enumerate() {
                let change = probe ^ base;
                for target in (0..32).filter(|target| change >> target & 1 != 0) {
                    note(&mut holes, word as u8, value as u8, bit as u8, target);
                }
            }
        }
    }
    block.holes[..holes.len()].copy_from_slice(&holes);
    block.hole_count = holes.len() as u8;
    if shape.target.is_some() {
        let moved = assemble::<M>(kind, [0; 3], DISTANCE + 1);
        let at = (0..base.len()).find(|&word| base[word] != moved[word]);
        let at = at.expect("an instruction that refers to the target");
        // `b` and `bl`, or those with a condition.
        let field = usize::from(base[at] & 0x7c00_0000 != 0x1400_0000);
        let (mask, shift) = FIELDS[field];
        block.words[at] &= !(mask << shift);
        block.references = 1;
        block.fixup = Fixup(at as u64 | (field as u64) << 48);
    }
    block
}

/// Notes that a bit of a value goes to a bit of a word: as one more bit of a hole, or of a new one.
fn note(holes: &mut Vec<Hole>, word: u8, value: u8, source: u8, target: u8) {
    let grown = holes.iter_mut().find(|hole| {
        let width = hole.mask.count_ones() as u8;
        (hole.word, hole.value) == (word, value)
            && (hole.source + width, hole.target + width) == (source, target)
    });
    match grown {
        Some(hole) => hole.mask = hole.mask << 1 | 1,
        None => holes.push(Hole {
            mask: 1,
            word,
            value,
            source,
            target,
        }),
    }
}
