//! What the bytes of a linked trace must be, whatever the program: every instruction that refers to
//! something leads there within its reach, and nothing is there twice.
//!
//! The checks know the program and decode the words on their own; of what the library says about
//! itself they use which micro-op an instruction belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use opstitch::{FallThrough, LinkedTrace, MicroOp, MicroOpInfo, OpAt, Part, Target};

use crate::decode::{self, Kind, NOP};
use crate::program::{Item, Program, When};
use crate::step::{E, Handles, L, Op, Ref, Step};

/// A failed check: what is wrong, and where.
pub(crate) type Wrong = String;

macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            return Err(format!($($message)*));
        }
    };
}

fn word(linked: &LinkedTrace, at: u32) -> u32 {
    let bytes = &linked.bytes()[at as usize..][..4];
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn double_word(linked: &LinkedTrace, at: u32) -> u64 {
    u64::from(word(linked, at)) | u64::from(word(linked, at + 4)) << 32
}

/// Checks what can be checked without annotations.
pub(crate) fn check_sections(linked: &LinkedTrace) -> Result<(), Wrong> {
    let s = linked.statistics();
    let len = linked.bytes().len();
    ensure!(s.total() == len, "{s:?} do not add up to {len}");
    let parts = [Part::Hot, Part::Cold, Part::Trampolines, Part::Literals];
    let lens = [s.hot, s.cold, s.trampolines, s.literals];
    let mut at = 0;
    for (part, len) in parts.into_iter().zip(lens) {
        let range = linked.range(part);
        ensure!(range.start == at, "{part:?} is {range:?}, not from {at} on");
        ensure!(range.len() == len, "{part:?} is {range:?}, not {len} bytes");
        at = range.end;
    }
    let literals = linked.range(Part::Literals);
    ensure!(
        literals.is_empty() || literals.start.is_multiple_of(8),
        "the literals are {literals:?}"
    );
    ensure!(word(linked, 0) == NOP, "the entry is no NOP");
    Ok(())
}

/// Checks everything. The program is what [`link`](crate::build::link) has left of it, and was
/// built with annotations.
pub(crate) fn check(
    program: &Program,
    linked: &LinkedTrace,
    handles: &Handles,
) -> Result<(), Wrong> {
    check_sections(linked)?;
    let mut map = Map::new(program, linked, handles)?;
    for index in 0..map.pieces.len() {
        map.check_references(index)?;
        map.check_continuation(index)?;
    }
    map.check_points()?;
    map.check_islands()?;
    map.check_ends()?;
    map.check_statistics()
}

/// What a piece of code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// The micro-op of that number.
    Trace(usize),
    /// That micro-op of an exit.
    Exit(E, usize),
}

/// One part of a micro-op, where it lies, in bytes.
#[derive(Debug, Clone, Copy)]
struct Piece {
    step: Step,
    owner: Owner,
    cold: bool,
    start: u32,
}

/// What a branch leads to. Places in the other part are those of one micro-op.
type Goal = (Ref, Option<Owner>);

struct Map<'p> {
    program: &'p Program,
    linked: &'p LinkedTrace,
    handles: &'p Handles,
    pieces: Vec<Piece>,
    /// Where a part is.
    starts: BTreeMap<(Owner, bool), u32>,
    /// The micro-ops of the trace, and where each goes on if not at the next.
    steps: Vec<(Step, Option<L>)>,
    /// Each label's micro-op.
    labels: BTreeMap<L, usize>,
    /// The micro-ops behind invalidation points.
    points: BTreeSet<usize>,
    /// Where exits that have code start, the NOP of one that can be linked included.
    exits: BTreeMap<E, u32>,
    /// Runs of words that belong to no micro-op.
    islands: Vec<(u32, u32)>,
    /// The veneers, and what goes through each.
    veneers: BTreeMap<u32, BTreeSet<Goal>>,
    /// The words that are loaded.
    loaded: BTreeSet<u32>,
    /// The trampolines in islands, by the addresses that they lead to.
    trampolines: BTreeMap<u64, u32>,
    calls: usize,
}

impl<'p> Map<'p> {
    fn new(
        program: &'p Program,
        linked: &'p LinkedTrace,
        handles: &'p Handles,
    ) -> Result<Map<'p>, Wrong> {
        let mut map = Map {
            program,
            linked,
            handles,
            pieces: Vec::new(),
            starts: BTreeMap::new(),
            steps: Vec::new(),
            labels: BTreeMap::new(),
            points: BTreeSet::new(),
            exits: BTreeMap::new(),
            islands: Vec::new(),
            veneers: BTreeMap::new(),
            loaded: BTreeSet::new(),
            trampolines: BTreeMap::new(),
            calls: 0,
        };
        for &item in &program.items {
            match item {
                Item::Bind(label) => {
                    map.labels.insert(label, map.steps.len());
                }
                Item::Step(step) => map.steps.push((step, step.closing())),
                Item::Jump(label) => map.steps.last_mut().expect("a step").1 = Some(label),
                Item::Point(_) => {
                    map.points.insert(map.steps.len());
                }
            }
        }
        map.find_pieces()?;
        map.find_trampolines()?;
        Ok(map)
    }

    /// Asks of every word where it comes from.
    fn find_pieces(&mut self) -> Result<(), Wrong> {
        let mut last: Option<OpAt<'_>> = None;
        // The parts of each exit's micro-ops in the order they come: hot ones, then cold ones.
        let mut seen = BTreeMap::<E, usize>::new();
        for at in (4..self.linked.range(Part::Cold).end).step_by(4) {
            let op = self.linked.op_at(at);
            let key = |op: OpAt<'_>| (op.offset(), op.number(), op.exit(), op.is_cold_part());
            let (op, is_new) = match op {
                Some(op) => (op, last.map(key) != Some(key(op))),
                // In front of the first exit, if that can be linked.
                None if word(self.linked, at) == NOP => continue,
                None => {
                    match self.islands.last_mut() {
                        Some((_, end)) if *end == at => *end = at + 4,
                        _ => self.islands.push((at, at + 4)),
                    }
                    continue;
                }
            };
            last = Some(op);
            if !is_new {
                continue;
            }
            let (owner, cold) = match (op.number(), op.exit()) {
                (Some(number), None) => (Owner::Trace(number), op.is_cold_part()),
                (None, Some(exit)) => {
                    let part = seen.entry(exit).or_default();
                    let parts = exit_parts(&self.program.exits[exit].steps);
                    let Some(&(step, cold)) = parts.get(*part) else {
                        return Err(format!("{op} is one part too many"));
                    };
                    *part += 1;
                    (Owner::Exit(exit, step), cold)
                }
                _ => return Err(format!("{op} belongs to nothing")),
            };
            // The code of an exit that can be linked starts behind its NOP, and so does a micro-op that has
            // an invalidation point for itself.
            let nop = match owner {
                Owner::Exit(exit, 0) if !cold => self.program.exits[exit].linkable,
                Owner::Trace(number) => {
                    self.points.contains(&number) && word(self.linked, op.offset()) == NOP
                }
                _ => false,
            };
            let (step, start) = (self.step(owner), op.offset() + 4 * u32::from(nop));
            let piece = Piece {
                step,
                owner,
                cold,
                start,
            };
            ensure!(
                self.info(piece).name() == op.name(),
                "{op} stands where {step:?} should, at {at:#x}"
            );
            self.pieces.push(piece);
            let place = match owner {
                Owner::Trace(_) => op.offset(),
                Owner::Exit(..) => start,
            };
            let old = self.starts.insert((owner, cold), place);
            ensure!(old.is_none(), "{op} is there twice");
            if let Owner::Exit(exit, 0) = owner
                && !cold
            {
                self.exits.insert(exit, op.offset());
            }
        }
        self.split_islands();
        Ok(())
    }

    /// An island may have trampolines to what can be called from there on. No target has two.
    fn find_trampolines(&mut self) -> Result<(), Wrong> {
        for (start, end) in self.islands.clone() {
            let mut last = None;
            for at in (start..end - 4).step_by(4) {
                if !self.is_trampoline(at) {
                    continue;
                }
                let place = self.check_trampoline(at, start..end)?;
                let address = double_word(self.linked, place);
                let targets = &self.handles.targets;
                ensure!(
                    targets.iter().any(|target| target.address() == address),
                    "the trampoline at {at:#x} leads to {address:#x}, which is nothing"
                );
                let old = self.trampolines.insert(address, at);
                ensure!(old.is_none(), "{address:#x} has two trampolines");
                ensure!(
                    last.is_none_or(|last| last + 8 == at),
                    "the trampoline at {at:#x} stands apart from the others"
                );
                self.loaded.insert(place);
                last = Some(at);
            }
        }
        Ok(())
    }

    /// The trampoline to a target in an island. One that can be changed has none there.
    fn in_island(&self, target: Target) -> Option<u32> {
        let address = (!target.is_retargetable()).then(|| target.address())?;
        self.trampolines.get(&address).copied()
    }

    /// Whether a trampoline starts at `at`.
    fn is_trampoline(&self, at: u32) -> bool {
        let load = word(self.linked, at);
        load >> 24 == 0x58 && load & 31 == 16 && word(self.linked, at + 4) == decode::BR_X16
    }

    /// Where the word of the trampoline at `at` is, which must be among `words`.
    fn check_trampoline(&self, at: u32, words: Range<u32>) -> Result<u32, Wrong> {
        ensure!(self.is_trampoline(at), "at {at:#x} is no trampoline");
        let decoded = decode::decode(word(self.linked, at));
        let place = at + decoded.map_or(0, |(_, distance)| distance as u32);
        ensure!(
            words.contains(&place) && place.is_multiple_of(8),
            "the trampoline at {at:#x} loads {place:#x}"
        );
        Ok(place)
    }

    fn step(&self, owner: Owner) -> Step {
        match owner {
            Owner::Trace(number) => self.steps[number].0,
            Owner::Exit(exit, number) => self.program.exits[exit].steps[number],
        }
    }

    /// Where a micro-op of the trace starts. One without instructions, whose slot is left out or a jump
    /// around an island, starts where the next one does.
    fn start(&self, number: usize) -> Option<u32> {
        (number..self.steps.len())
            .find_map(|number| self.starts.get(&(Owner::Trace(number), false)).copied())
    }

    fn island(&self, at: u32) -> Option<(u32, u32)> {
        let index = self.islands.partition_point(|&(start, _)| start <= at);
        let island = *self.islands.get(index.checked_sub(1)?)?;
        (at < island.1).then_some(island)
    }

    /// The place that the instruction at `at` names, if it is in reach.
    fn named(&self, at: u32) -> Result<(Kind, u32), Wrong> {
        let instruction = word(self.linked, at);
        let Some((kind, distance)) = decode::decode(instruction) else {
            return Err(format!("{instruction:08x} at {at:#x} names no place"));
        };
        let reach = match kind {
            Kind::B | Kind::Bl => self.program.settings.reach[0],
            Kind::Conditional => self.program.settings.reach[1],
            Kind::Test => self.program.settings.reach[2],
            Kind::Load => self.program.settings.reach[3],
        };
        ensure!(
            (-i64::from(reach)..i64::from(reach)).contains(&distance),
            "{kind:?} at {at:#x} reaches {reach} bytes and goes {distance}"
        );
        match u32::try_from(i64::from(at) + distance) {
            Ok(place) => Ok((kind, place)),
            // A call of something in front of the trace.
            Err(_) => Ok((kind, u32::MAX)),
        }
    }

    /// Where a run of words without micro-ops is two islands, one behind the other, with a micro-op
    /// without instructions between them: the jump around the first leads to the second.
    fn split_islands(&mut self) {
        for (mut start, end) in std::mem::take(&mut self.islands) {
            while let Some((Kind::B, distance @ 4..)) = decode::decode(word(self.linked, start))
                && distance < i64::from(end - start)
            {
                let next = start + distance as u32;
                self.islands.push((start, next));
                start = next;
            }
            self.islands.push((start, end));
        }
    }

    /// The end of an island, if there is a jump to it at `place`.
    fn around(&self, place: u32) -> Option<u32> {
        let (_, end) = self.island(place)?;
        let over = decode::decode(word(self.linked, place));
        (over == Some((Kind::B, i64::from(end - place)))).then_some(end)
    }

    /// Whether a way to `place` is one to `expected`. To the slot of a micro-op without instructions it
    /// goes around the island; a veneer whose place comes right behind the island looks the same.
    fn is_at(&self, place: u32, expected: Option<u32>) -> bool {
        expected.is_some() && (expected == Some(place) || expected == self.around(place))
    }

    /// Where the branch at `at` leads to in the end, through however many veneers.
    fn led(&mut self, at: u32, goal: Goal) -> Result<u32, Wrong> {
        let (_, mut place) = self.named(at)?;
        for _ in 0..self.islands.len() + 1 {
            if self.island(place).is_none() || self.around(place).is_some() {
                return Ok(place);
            }
            let (kind, next) = self.named(place)?;
            ensure!(kind == Kind::B, "{at:#x} leads to {place:#x}, a {kind:?}");
            self.veneers.entry(place).or_default().insert(goal);
            place = next;
        }
        Err(format!("the way from {at:#x} never leaves the islands"))
    }

    fn info(&self, piece: Piece) -> MicroOpInfo {
        let (set, index) = match piece.step.op(self.handles) {
            Op::Alpha(op) => (op.set(), op.index()),
            Op::Beta(op) => (op.set(), op.index()),
        };
        set.get(index).expect("the set has its micro-ops")
    }

    fn template(&self, piece: Piece) -> &'static [u32] {
        let info = self.info(piece);
        if piece.cold {
            info.cold_words()
        } else {
            info.hot_words()
        }
    }

    fn check_references(&mut self, index: usize) -> Result<(), Wrong> {
        let piece = self.pieces[index];
        let references = piece.step.references();
        let mut expected = references[usize::from(piece.cold)].iter();
        for (at, &template) in (piece.start..).step_by(4).zip(self.template(piece)) {
            if decode::decode(template).is_none() {
                continue;
            }
            let reference = *expected.next().expect("a reference");
            let wrong = |what: Wrong| format!("{:?} at {at:#x}: {what}", piece.step);
            self.check_reference(piece, at, template, reference)
                .map_err(wrong)?;
        }
        ensure!(expected.next().is_none(), "{piece:?} lacks references");
        Ok(())
    }

    fn check_reference(
        &mut self,
        piece: Piece,
        at: u32,
        template: u32,
        reference: Ref,
    ) -> Result<(), Wrong> {
        let linked = self.linked;
        let actual = word(linked, at);
        let kind = decode::decode(actual).map(|(kind, _)| kind);
        let literal = |value: u64, made: u64, wide: bool| match kind {
            Some(Kind::Load) if decode::is_movable(made, wide) => {
                Err(format!("the load of {made:#x} could be one instruction"))
            }
            Some(Kind::Load) => Ok(Some(value)),
            _ if decode::moved(actual) != Some(made) => {
                Err(format!("{actual:08x} does not make {made:#x}"))
            }
            _ if actual & 31 != template & 31 && template & 31 != 0 => {
                Err(format!("{actual:08x} goes to another register"))
            }
            _ => Ok(None),
        };
        let value = match reference {
            Ref::Label(label) => {
                let place = self.led(at, (reference, None))?;
                let expected = self.start(self.labels[&label]);
                ensure!(
                    self.is_at(place, expected),
                    "{reference:?} is {expected:x?}, not {place:#x}"
                );
                None
            }
            Ref::Exit(exit) => {
                let place = self.led(at, (reference, None))?;
                let exits = &self.program.exits;
                let same = |&other: &E| same_code(exits, other, exit);
                let expected: Vec<_> = self.exits.keys().copied().filter(same).collect();
                let [one] = expected[..] else {
                    return Err(format!("{reference:?} has the code of {expected:?}"));
                };
                let expected = Some(self.exits[&one]);
                ensure!(
                    self.is_at(place, expected),
                    "{reference:?} is {expected:x?}, not {place:#x}"
                );
                None
            }
            Ref::Other(words) => {
                let place = self.led(at, (reference, Some(piece.owner)))?;
                let start = self.starts.get(&(piece.owner, !piece.cold));
                let expected = start.map(|start| start + 4 * words);
                ensure!(
                    self.is_at(place, expected),
                    "{reference:?} is {expected:x?}, not {place:#x}"
                );
                None
            }
            Ref::Here(words) => {
                let expected = piece.start + 4 * words;
                let (_, place) = self.named(at)?;
                ensure!(
                    place == expected,
                    "{reference:?} is {expected:#x}, not {place:#x}"
                );
                None
            }
            Ref::Call(target) => {
                self.calls += 1;
                self.check_call(at, template, target)?;
                None
            }
            Ref::X(value) => literal(value, value, true)?,
            Ref::W(value) => literal(value, value, false)?,
            Ref::Sw(value) => literal(value, value, true)?,
            Ref::D(value) => Some(value),
            Ref::Cell(cell) => Some(self.program.cells[cell]),
        };
        let Some(value) = value else { return Ok(()) };
        let (kind, place) = self.named(at)?;
        ensure!(kind == Kind::Load, "{actual:08x} is no load");
        ensure!(place % 8 == 0, "the word at {place:#x} is not 8-aligned");
        let there = double_word(linked, place);
        ensure!(
            there == value,
            "{place:#x} holds {there:#x}, not {value:#x}"
        );
        if let Ref::Cell(cell) = reference {
            let own = linked.mut_literal_offset(self.handles.cells[cell]);
            ensure!(
                own == Some(place),
                "cell {cell} is at {own:x?}, not {place:#x}"
            );
        }
        let in_pool = linked.range(Part::Literals).contains(&place);
        ensure!(
            in_pool || self.island(place).is_some(),
            "{place:#x} is no literal"
        );
        self.loaded.insert(place);
        Ok(())
    }

    fn check_call(&self, at: u32, template: u32, target: usize) -> Result<(), Wrong> {
        let linked = self.linked;
        let (target, actual) = (self.handles.targets[target], word(linked, at));
        ensure!(
            actual >> 26 == template >> 26,
            "{actual:08x} is another branch"
        );
        let (kind, distance) = decode::decode(actual).ok_or("no branch")?;
        ensure!(matches!(kind, Kind::B | Kind::Bl), "{kind:?} is no call");
        self.named(at)?;
        let place = linked.address() as i64 + i64::from(at) + distance;
        let mut far = linked.far_targets().iter();
        let is_far = far.any(|&far| far == target);
        let expected = match (is_far, self.in_island(target)) {
            (false, _) => target.address(),
            (true, Some(trampoline)) => linked.address() + u64::from(trampoline),
            (true, None) => {
                let mut others = self.behind_code();
                let number = others.position(|other| other == target);
                let first = linked.range(Part::Trampolines).start;
                linked.address() + u64::from(first) + 8 * number.unwrap_or(0) as u64
            }
        };
        ensure!(
            place as u64 == expected,
            "{target} is {expected:#x}, not {place:#x}"
        );
        ensure!(
            is_far || !target.is_retargetable(),
            "{target} is retargetable and called directly"
        );
        Ok(())
    }

    /// What follows the hot part of a micro-op: nothing, a NOP, or a jump, as the case may be.
    fn check_continuation(&mut self, index: usize) -> Result<(), Wrong> {
        let piece = self.pieces[index];
        let slot = piece.start + 4 * self.template(piece).len() as u32;
        if piece.cold {
            return Ok(());
        }
        let (jump, next) = match piece.owner {
            Owner::Trace(number) => (self.steps[number].1, self.start(number + 1)),
            Owner::Exit(exit, number) => {
                let steps = self.program.exits[exit].steps.len();
                let jump = self.program.exits[exit].jump;
                let next = self.starts.get(&(Owner::Exit(exit, number + 1), false));
                let jump = jump.filter(|_| number + 1 == steps);
                (piece.step.closing().or(jump), next.copied())
            }
        };
        if jump.is_none() && !piece.step.falls_through() {
            return Ok(());
        }
        let expected = match jump {
            Some(label) => self.start(self.labels[&label]),
            None => next,
        };
        let wrong = format!(
            "{:?} goes on at {expected:x?}, its slot {slot:#x}",
            piece.step
        );
        let Some(expected) = expected else {
            return Err(wrong);
        };
        let policy = self.program.settings.fall_through;
        if policy == FallThrough::Elide && slot == expected {
            return Ok(());
        }
        match word(self.linked, slot) {
            // What comes next is the next micro-op, or an island that is not in the way.
            NOP => ensure!(
                self.is_at(slot + 4, Some(expected)) && policy == FallThrough::Nop,
                "{wrong}, is a NOP"
            ),
            _ => {
                let (kind, place) = self.named(slot)?;
                ensure!(kind == Kind::B, "{wrong}, is a {kind:?}");
                ensure!(
                    self.is_at(place, Some(expected)),
                    "{wrong}, leads to {place:#x}"
                );
            }
        }
        Ok(())
    }

    /// Every way to an invalidation point passes a NOP.
    fn check_points(&self) -> Result<(), Wrong> {
        for piece in &self.pieces {
            let Owner::Trace(number) = piece.owner else {
                continue;
            };
            if piece.cold || !self.points.contains(&number) {
                continue;
            }
            let (at, place) = (piece.start - 4, self.start(number));
            let labelled = self.labels.values().any(|&step| step == number);
            ensure!(
                word(self.linked, at) == NOP && (!labelled || place == Some(at)),
                "{:?} at {:#x} can be reached past its invalidation point",
                piece.step,
                piece.start
            );
        }
        Ok(())
    }

    /// An island is a jump around it, veneers, padding and literals; each once, and each for something.
    fn check_islands(&mut self) -> Result<(), Wrong> {
        for &(start, end) in &self.islands {
            let (mut ways, mut values) = (BTreeSet::new(), BTreeSet::new());
            let mut at = start;
            while at < end {
                if self.loaded.contains(&at) {
                    let value = double_word(self.linked, at);
                    let cells = &self.handles.cells;
                    let is_cell = cells
                        .iter()
                        .any(|&cell| self.linked.mut_literal_offset(cell) == Some(at));
                    ensure!(
                        is_cell || values.insert(value),
                        "{value:#x} is twice in the island at {start:#x}"
                    );
                    at += 8;
                    continue;
                }
                if self.trampolines.values().any(|&known| known == at) {
                    ensure!(
                        values.is_empty(),
                        "the trampoline at {at:#x} is among literals"
                    );
                    at += 8;
                    continue;
                }
                let padding = word(self.linked, at) == 0;
                ensure!(
                    !padding || (values.is_empty() && self.loaded.contains(&(at + 4))),
                    "there is padding at {at:#x} that no literal needs"
                );
                if !padding {
                    let (kind, place) = self.named(at)?;
                    ensure!(kind == Kind::B, "{at:#x} in an island is a {kind:?}");
                    match self.veneers.get(&at) {
                        Some(goals) => {
                            let goals: BTreeSet<_> =
                                goals.iter().map(|goal| self.first_equal(*goal)).collect();
                            for goal in goals {
                                ensure!(
                                    ways.insert(goal),
                                    "the island at {start:#x} has two ways to {goal:?}"
                                );
                            }
                        }
                        None => {
                            ensure!(place == end, "the veneer at {at:#x} serves nothing");
                            // Around an island: this one, or a second one behind one without a jump.
                            (ways, values) = (BTreeSet::new(), BTreeSet::new());
                        }
                    }
                }
                at += 4;
            }
        }
        Ok(())
    }

    /// The first of the exits that were known to be equal from the start; anything else is itself.
    fn first_equal(&self, goal: Goal) -> Goal {
        let exits = &self.program.exits;
        match goal.0 {
            Ref::Exit(exit) if exits[exit].when == When::First => {
                let mut known = (0..exits.len()).filter(|&e| exits[e].when == When::First);
                let first = known.find(|&other| same_code(exits, other, exit));
                (Ref::Exit(first.unwrap_or(exit)), None)
            }
            _ => goal,
        }
    }

    /// The targets that have trampolines behind the code.
    fn behind_code(&self) -> impl Iterator<Item = Target> {
        let far = self.linked.far_targets().iter().copied();
        far.filter(|&target| self.in_island(target).is_none())
    }

    /// Trampolines and pool.
    fn check_ends(&mut self) -> Result<(), Wrong> {
        let (linked, mut marked) = (self.linked, BTreeSet::new());
        let trampolines = linked.range(Part::Trampolines);
        let literals = linked.range(Part::Literals);
        for (number, target) in linked.far_targets().iter().enumerate() {
            ensure!(
                !linked.far_targets()[..number].contains(target),
                "{target} is far twice"
            );
        }
        let mut far = linked.far_targets().iter();
        let places = far.by_ref().map_while(|&target| self.in_island(target));
        ensure!(
            places.is_sorted(),
            "trampolines in islands are not in order"
        );
        ensure!(
            far.all(|&target| self.in_island(target).is_none()),
            "trampolines are not in order"
        );
        let mut at = trampolines.start;
        for target in self.behind_code().collect::<Vec<_>>() {
            let place = self.check_trampoline(at, literals.clone())?;
            let there = double_word(linked, place);
            ensure!(
                there == target.address(),
                "the trampoline to {target} goes to {there:#x}"
            );
            if target.is_retargetable() {
                ensure!(marked.insert(place), "{target} shares its word");
            } else {
                self.loaded.insert(place);
            }
            at += 8;
        }
        let padding: Vec<u32> = (at..trampolines.end)
            .step_by(4)
            .map(|at| word(linked, at))
            .collect();
        ensure!(
            padding.is_empty() || padding == [0],
            "behind the trampolines is {padding:x?}"
        );
        let cells = self.handles.cells.iter();
        let cells: BTreeSet<u32> = cells
            .filter_map(|&c| linked.mut_literal_offset(c))
            .collect();
        let mut values = BTreeSet::new();
        for at in literals.step_by(8) {
            let is_loaded = self.loaded.contains(&at);
            ensure!(
                is_loaded != marked.contains(&at),
                "nothing needs the word at {at:#x}, or too much does"
            );
            let value = double_word(linked, at);
            ensure!(
                marked.contains(&at) || cells.contains(&at) || values.insert(value),
                "{value:#x} is twice in the pool"
            );
        }
        Ok(())
    }

    fn check_statistics(&self) -> Result<(), Wrong> {
        let s = self.linked.statistics();
        let islands = self.islands.iter().map(|(start, end)| end - start);
        let islands: u32 = islands.sum();
        ensure!(
            s.islands == islands as usize,
            "{s:?}: islands are {islands}"
        );
        let code = (0..self.linked.range(Part::Cold).end).step_by(4);
        let nops = code.filter(|&at| self.island(at).is_none() && word(self.linked, at) == NOP);
        let nops = 4 * nops.count();
        ensure!(s.nops == nops, "{s:?}: NOPs are {nops}");
        let calls = s.direct_calls + s.far_calls;
        ensure!(calls == self.calls, "{s:?}: calls are {}", self.calls);
        ensure!(
            (s.far_calls > 0) != self.linked.far_targets().is_empty(),
            "{s:?}: {:?}",
            self.linked.far_targets()
        );
        Ok(())
    }
}

/// The parts of an exit's micro-ops in the order in which they are laid out: hot ones, later cold ones.
fn exit_parts(steps: &[Step]) -> Vec<(usize, bool)> {
    let hot = (0..steps.len()).map(|step| (step, false));
    let cold = (0..steps.len()).map(|step| (step, true));
    hot.chain(cold.filter(|&(step, _)| {
        !steps[step].references()[1].is_empty() || { matches!(steps[step], Step::SlowLeave { .. }) }
    }))
    .collect()
}

fn same_code(exits: &[crate::program::ExitCode], a: E, b: E) -> bool {
    let (a, b) = (&exits[a], &exits[b]);
    (&a.steps, a.jump, a.linkable) == (&b.steps, b.jump, b.linkable)
}
