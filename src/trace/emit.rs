//! Copying a template into the trace: words, holes, references.

use super::TraceBuilder;
use super::island::BEFORE;
use super::options::FallThrough;
use super::state::{
    ColdItem, HERE, Literal, LoadSite, Note, NoteKind, Open, Place, PlaceKind, Point, UNPLACED,
    UNWANTED, is_placed,
};
use crate::asm::NOP;
use crate::asm::branch::{self, Field};
use crate::asm::literal::Load;
use crate::error::Error;
use crate::op::encode::Op;
use crate::op::operand::Handle;
use crate::op::template::{Goal, Hole, NO_CLOSING, Properties, Reference, Template};

/// One of the two parts of a micro-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Hot,
    Cold,
}

/// What a part consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pieces {
    pub(crate) words: &'static [u32],
    pub(crate) holes: &'static [Hole],
    pub(crate) references: &'static [Reference],
    /// What it asks of the room in front of an island: see [`Template::classes`](crate::op::template::Template::classes).
    pub(crate) class: u8,
    /// The words, and what follows them in the set, if that makes a block.
    block: Option<&'static [u32; BLOCK]>,
}

/// Words that are copied at once: most parts are no longer, and copying a number that the compiler knows is quicker than
/// copying as many as there are. What is too many is overwritten by what follows.
const BLOCK: usize = 8;

impl Part {
    #[inline]
    pub(crate) fn of(self, op: Op) -> Pieces {
        let (set, it) = (op.set, op.template);
        let hot = [it.hot_words, it.hot_holes.into(), it.hot_references.into()];
        let cold = [
            it.cold_words,
            it.cold_holes.into(),
            it.cold_references.into(),
        ];
        let (behind, counts) = match self {
            Part::Hot => ([0; 3], hot),
            Part::Cold => (hot, cold),
        };
        let [words, holes, references] = behind.map(usize::from);
        let words = &set.words[it.words as usize + words..];
        let holes = &set.holes[usize::from(it.holes) + holes..];
        let references = &set.references[usize::from(it.references) + references..];
        let counts = counts.map(usize::from);
        Pieces {
            words: &words[..counts[0]],
            holes: &holes[..counts[1]],
            references: &references[..counts[2]],
            class: it.classes[self as usize],
            block: words.first_chunk().filter(|_| counts[0] <= BLOCK),
        }
    }
}

/// How many words lie from a branch to its target, if its place is at `offset`, and that is in reach. What has no place is
/// not: its offset is further than anything reaches.
#[inline]
pub(super) fn displacement(branch: Note, offset: u32, reach: u32) -> Option<i64> {
    let words = offset.wrapping_add(branch.inner()).wrapping_sub(branch.at);
    // One comparison for both ends: what lies in front of the range is huge without its sign.
    (words.wrapping_add(reach) < 2 * reach).then_some((words as i32).into())
}

/// Whether a micro-op's words depend on nothing but its operands, and it goes on to what follows, if at all.
#[inline]
pub(super) fn is_the_same_anywhere(it: &Template) -> bool {
    let refers = it.hot_references > 0 || it.closing != NO_CLOSING;
    !(refers || it.special || it.encoded || it.properties.contains(Properties::COLD))
}

impl Op {
    /// Where its hot part goes on.
    fn way_on(self, values: &[u64]) -> Open {
        match self.template.closing {
            NO_CLOSING if self.goes_on() => Open::Next,
            NO_CLOSING => Open::Closed,
            closing => {
                let label = Handle::from_raw(values[usize::from(closing)]).index();
                Open::To(Place::label(label))
            }
        }
    }
}

impl TraceBuilder {
    /// Writes the continuation slot of the last micro-op, now that the next one follows, and gives the
    /// labels bound in between their place. Returns where the next one starts.
    #[inline]
    pub(super) fn settle(&mut self) -> u32 {
        if self.is_settled() {
            return self.code.cursor() as u32;
        }
        self.settle_slot()
    }

    /// Whether nothing comes in front of what is emitted next.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.open == Open::Closed && self.binds.is_empty() && self.next_point.is_none()
    }

    fn settle_slot(&mut self) -> u32 {
        let follows = match self.open {
            Open::Closed => false,
            Open::Next => true,
            Open::To(place) => {
                let here = self.places.offset(place) == HERE;
                if !here {
                    self.emit_jump(place);
                }
                here
            }
        };
        self.code.reserve(BEFORE as usize);
        if follows && self.options.fall_through == FallThrough::Nop {
            self.emit_nop();
        }
        let slot = self.code.cursor() as u32 - 1;
        let only_way = self.binds.is_empty();
        self.settle_binds();
        let start = self.code.cursor() as u32;
        if let Some(exit) = self.next_point.take() {
            let entry = self.op_count == 0 && slot == u32::from(self.options.landing_pad);
            let slot_serves = follows && self.options.fall_through == FallThrough::Nop;
            // A NOP that every way to here passes serves. Labels lead past it; then there is one behind them too.
            if entry || (slot_serves && only_way) {
                self.points.push(Point { at: slot, exit });
            }
            if !only_way || !(entry || slot_serves) {
                self.emit_nop();
                self.points.push(Point { at: start, exit });
            }
            self.want(exit);
        }
        start
    }

    /// Writes a NOP that may be patched.
    #[inline]
    pub(super) fn emit_nop(&mut self) {
        self.code.push(NOP);
        self.nops += 1;
    }

    /// Closes the way to here, and gives the labels that are bound here their place.
    pub(super) fn settle_binds(&mut self) {
        self.open = Open::Closed;
        if !self.binds.is_empty() {
            self.place_binds(self.code.cursor() as u32);
        }
    }

    /// Gives the labels that are bound here their place.
    #[inline(never)]
    pub(super) fn place_binds(&mut self, here: u32) {
        self.places.bind(&self.binds, here);
        self.binds.clear();
        self.watch = self.options.annotate;
    }

    /// Writes `b` to `place`.
    #[inline(never)]
    pub(super) fn emit_jump(&mut self, place: Place) {
        let at = self.code.len() as u32;
        self.code.push(branch::b(0));
        let branch = Note::branch(at, place, 0);
        self.refer(branch, Field::Imm26);
    }

    /// Copies one part of a micro-op, patches its holes and notes its references. `values` are encoded;
    /// `cold_part` is the number of its cold part, if it has one.
    pub(super) fn emit(
        &mut self,
        op: Op,
        part: Part,
        pieces: &Pieces,
        cold_part: u32,
        values: &[u64],
    ) {
        let (words, start) = (pieces.words, self.code.cursor());
        // With a slot behind it, which becomes part of the code with the next micro-op.
        self.code.reserve(words.len().max(BLOCK) + 1);
        let room = &mut self.code.items_mut()[start..];
        match (pieces.block, room.first_chunk_mut::<BLOCK>()) {
            (Some(block), Some(to)) => *to = *block,
            _ => room[..words.len()].copy_from_slice(words),
        }
        room[words.len()] = NOP;
        op.patch(pieces.holes, values, room);
        self.code.advance(words.len());
        for reference in pieces.references {
            let at = start as u32 + u32::from(reference.word);
            if reference.goal == Goal::OtherPart {
                self.other_places += 1;
                self.count_place();
                let place = match part {
                    Part::Hot => Place::cold(cold_part),
                    Part::Cold => Place::hot(cold_part),
                };
                let branch = Note::branch(at, place, reference.argument);
                self.refer(branch, reference.field);
            } else {
                let value = values[usize::from(reference.argument)];
                self.note(at, reference, value);
            }
        }
        if part == Part::Hot {
            self.open = op.way_on(values);
            self.gap = self.plain_gap();
        }
    }

    /// Notes what the instruction at `at` refers to. A branch is noted even where its displacement is known: which of
    /// them can be written is the same question for all of them, and is asked once.
    // Folded to a few stores where the compiler knows the reference.
    #[inline(always)]
    pub(super) fn note(&mut self, at: u32, reference: &Reference, value: u64) {
        let (index, to) = (Handle::from_raw(value).index(), self.handles.count(value));
        match reference.goal {
            Goal::Call => return self.notes.push(NoteKind::Call, Note::new(at, to)),
            Goal::Literal => return self.load_constant(at, reference.load, value),
            Goal::Label => {}
            Goal::Exit => self.want(index),
            _ => return self.load_mutable(at, reference.load, index),
        }
        self.open_branch(Note::new(at, to), reference.field);
    }

    /// Writes the displacement of a branch, now or, noted, later.
    pub(super) fn refer(&mut self, branch: Note, field: Field) {
        if !self.try_branch(branch, field) {
            self.open_branch(branch, field);
        }
    }

    /// Writes the displacement of a branch, if its target is known and in reach.
    pub(super) fn try_branch(&mut self, branch: Note, field: Field) -> bool {
        let (offset, reach) = (
            self.places.offset(branch.place()),
            self.reach[field as usize],
        );
        let words = displacement(branch, offset, reach);
        if let Some(words) = words {
            let word = &mut self.code[branch.at as usize];
            *word = field.with_displacement(*word, words);
        }
        words.is_some()
    }

    /// Notes a branch for later.
    #[inline]
    pub(super) fn open_branch(&mut self, branch: Note, field: Field) {
        self.notes.push(field, branch);
    }

    /// Lets the literal load at `at` become another instruction that makes the value, or read a word.
    #[inline(never)]
    fn load_constant(&mut self, at: u32, load: Load, value: u64) {
        let word = &mut self.code[at as usize];
        match load.relaxed(*word, value) {
            Some(relaxed) => *word = relaxed,
            None => self.load(at, Literal::Constant(value)),
        }
    }

    /// Lets the literal load at `at` read a changeable literal.
    fn load_mutable(&mut self, at: u32, load: Load, index: u32) {
        self.mutables[index as usize].loads.add(load);
        self.load(at, Literal::Mutable(index));
    }

    /// Lets the literal load at `at` read `literal`: from an island behind it, or noted for later.
    fn load(&mut self, at: u32, literal: Literal) {
        if let Literal::Mutable(index) = literal {
            let island = self.mutables[index as usize].island;
            if island != UNPLACED {
                self.write_load(at, island);
                return;
            }
        }
        self.loads.push(LoadSite::new(at, literal));
    }

    /// Writes the displacement of the load at `at`. `make_room` has seen that it is in reach.
    pub(super) fn write_load(&mut self, at: u32, target: u32) {
        let word = &mut self.code[at as usize];
        let words = i64::from(target) - i64::from(at);
        *word = Field::Imm19.with_displacement(*word, words);
    }

    /// Refuses a changeable literal whose word is in an island too far back: one that is there, or
    /// one that is about to come. At most `before` words come in front of the part; returns how many more may come.
    pub(super) fn check_mutables(
        &self,
        op: Op,
        pieces: &Pieces,
        values: &[u64],
        before: u32,
        island_comes: bool,
    ) -> Result<u32, Error> {
        let mut more = u32::MAX;
        let here = self.code.len() as u32;
        for reference in pieces.references {
            if reference.goal != Goal::MutLiteral {
                continue;
            }
            let argument = usize::from(reference.argument);
            let index = Handle::from_raw(values[argument]).index();
            let island = match self.mutables[index as usize].island {
                UNPLACED if island_comes && self.is_pending(index) => here,
                UNPLACED => continue,
                island => island,
            };
            let reach = self.literal_reach;
            let at = here + before + u32::from(reference.word);
            let Some(left) = reach.checked_sub(at - island) else {
                return Err(Error::LiteralOutOfReach {
                    op: op.name(),
                    operand: op.operand_name(argument),
                    distance: u64::from(at - island) * 4,
                    reach: reach * 4,
                });
            };
            more = more.min(left);
        }
        Ok(more)
    }

    /// Whether a load of this changeable literal waits for its word.
    fn is_pending(&self, index: u32) -> bool {
        let mut waiting = self.loads[self.due.loads..].iter();
        waiting.any(|load| load.literal() == Literal::Mutable(index))
    }

    /// The place that stands for `place` where several have the same code.
    pub(super) fn representative(&self, place: Place) -> Place {
        match place.kind() {
            PlaceKind::Exit => {
                let exit = self.exits.get(place.index());
                exit.map_or(place, |exit| Place::exit(exit.same_as))
            }
            _ => place,
        }
    }

    /// Notes that something leads to an exit, so that its code is emitted.
    pub(super) fn want(&mut self, exit: u32) {
        if self.places.offset(Place::exit(exit)) == UNWANTED {
            self.want_first(exit);
        }
    }

    /// Has the code of an exit emitted that nothing led to so far.
    #[inline(never)]
    pub(super) fn want_first(&mut self, exit: u32) {
        self.queue.push(ColdItem::Exit(exit));
        self.other_places += 1;
        self.count_place();
        // Its code may be there already.
        let same_as = self.exits[exit as usize].same_as;
        let offset = match self.places.offset(Place::exit(same_as)) {
            placed if is_placed(placed) => placed,
            _ => UNPLACED,
        };
        self.places.set(Place::exit(exit), offset);
    }
}
