//! Runs: micro-ops that are pushed by their [rows](super::row), with nothing else in between.
//!
//! # The problem
//!
//! Which micro-op of an enum comes next nobody foresees, so a branch that depends on it costs more than what it leads to.
//! And what a builder holds is read and written anew for each micro-op that is pushed by a call of its own.
//!
//! # The strategy
//!
//! A [`step`](Run::step) does the same with every micro-op; what one does not have is done to no effect: a hole without
//! bits, a note that the cursor does not pass. One branch looks at the first value, and whether there is anything
//! [more](Row::do_all) to do: second holes, registers, many words. All others lead to what seldom happens, and are not
//! taken. And all that is known to the builder is asked for when the run begins, and told when it ends: in between there
//! are [sums](Sums), which one addition moves on, the code, and the notes. Where the next note of a kind comes is counted in
//! registers for the two kinds that most are of: through memory, each would wait for the one before it.
//!
//! Its end is where the quick ways end, or where there may be no more room for [notes](super::notes): a note comes with so
//! many [words](super::row::Rows::words_of_note) at the least. So the look whether there is room in the code, which safe
//! Rust takes anyway, is the look for all of them. Where micro-ops are annotated it also ends where there is no more room for
//! that: for each is looked.
//!
//! Nothing in it waits for long, so what counts is how many instructions there are. What a row says is in fields of their own:
//! a load more each, and nothing to take apart.
//!
//! # Invariants
//!
//! 1. A step that does not push has changed nothing but what lies behind the ends.
//! 2. However a run ends, also by a panic of what yields the micro-ops, the builder is as if those that were pushed had
//!    been pushed one by one. (`Drop` sees to it. Notes move with each step: after that nothing in it can fail.)
//! 3. While a run is going on, nothing changes that it asked for at the beginning. An exit that is wanted for the first
//!    time only takes one of the places that there are to spare before the quick ways' end must be found anew.

use super::TraceBuilder;
use super::row::{Counted, Counts, Extra, OPERANDS, Row, Sums, WORDS, halves};
use super::state::{
    ColdItem, Note, NoteKind, Open, Place, Places, Pushed, Record, UNMADE, UNPLACED, UNWANTED,
};
use super::tape::Tape;
use crate::op::MicroOp;
use crate::op::operand::PLATFORM_REGISTER;
use crate::op::template::MicroOpSet;

const _: () = assert!(WORDS.is_power_of_two() && WORDS <= super::push::ROOM);

/// The words of the longest run: what [`Sums`] can count.
const MAX_WORDS: usize = u16::MAX as usize;

/// A run: what pushing by rows reads and writes. It ends when it is dropped, however that comes: then it is written down
/// in the builder what was pushed. It is of one micro-op, or of as many as there are.
pub(super) struct Run<'b, const MANY: bool> {
    set: &'static MicroOpSet,
    /// How many operands its micro-ops have at the most.
    most_operands: usize,
    rows: &'b [Row],
    places: &'b mut Places,
    first_handle: u64,
    /// Whether there is room for `tbz` and `tbnz`.
    tests: bool,
    /// Up to the quick ways' end.
    code: &'b mut [u32],
    notes: &'b mut [Note],
    /// Where the next note of each kind comes that is counted here.
    counts: Counts,
    /// Where the next note of each other kind comes, or of each where there is but one micro-op, and where the regions are.
    cursors: &'b mut [usize; NoteKind::COUNT],
    regions: &'b [usize; NoteKind::COUNT + 1],

    sums: Sums,
    /// The micro-op that was pushed last.
    last: &'b Row,
    annotations: Annotations<'b>,
    end: End<'b>,
}

/// What a run writes down in the end, and what changes seldom.
struct End<'b> {
    cursor: &'b mut usize,
    nops: &'b mut u32,
    op_count: &'b mut u32,
    binds: &'b mut Vec<u32>,
    watch: &'b mut bool,
    annotate: bool,
    queue: &'b mut Tape<ColdItem>,
    other_places: &'b mut u32,
    spare_places: &'b mut u32,
    /// Where the first micro-op comes, and with it the labels in front of it.
    start: u32,
    open: &'b mut Open,
    gap: &'b mut u32,
    last: &'b mut (&'static MicroOpSet, usize),
}

/// What is written beside the code where micro-ops are annotated.
struct Annotations<'b> {
    /// The number of the set.
    number: u16,
    records: &'b mut [Record],
    record: &'b mut usize,
    values: &'b mut [u64],
    value: &'b mut usize,
}

impl<'b, const MANY: bool> Run<'b, MANY> {
    /// Begins a run behind what was pushed so far, of micro-ops whose numbers are below `count`, or any if that is 0.
    #[inline(always)]
    pub(super) fn new(builder: &'b mut TraceBuilder, count: usize) -> Option<Run<'b, MANY>> {
        let rows = builder.rows.rows();
        // The compiler knows the number, and that none is behind it.
        let rows = if count == 0 { rows } else { rows.get(..count)? };
        let ([end, _, tests, ..], gap) = (builder.quick_end, builder.gap);
        let (code, cursor) = builder.code.parts_mut();
        let end = code.len().min(end as usize);
        // In front of each step there are `WORDS` left, and no more come with a note: so there is room for one then,
        // also for what is written there of a micro-op that has none.
        let words = builder.notes.room() * builder.rows.words_of_note();
        let end = match MANY {
            true => end.min(*cursor + MAX_WORDS.min(words)),
            false => end,
        };
        let (notes, cursors, regions) = builder.notes.parts_mut();
        let (records, record) = builder.records.parts_mut();
        let (values, value) = builder.values.parts_mut();
        let start = *cursor as u32 + gap;
        Some(Run {
            set: builder.rows.set(),
            most_operands: builder.rows.most_operands(),
            rows,
            places: &mut builder.places,
            first_handle: builder.handles.first(),
            tests: tests != 0,
            code: &mut code[..end],
            notes,
            counts: Counts::new(
                cursors[NoteKind::Imm19 as usize] as u32,
                cursors[NoteKind::Call as usize] as u32,
            ),
            cursors,
            regions,
            // Where the way is blocked that is behind every end.
            sums: Sums::new(start, gap & builder.slot, 0),
            last: &Row::NONE,
            annotations: Annotations {
                number: builder.rows.number(),
                records,
                record,
                values,
                value,
            },
            end: End {
                cursor,
                nops: &mut builder.nops,
                op_count: &mut builder.op_count,
                binds: &mut builder.binds,
                watch: &mut builder.watch,
                annotate: builder.options.annotate,
                queue: &mut builder.queue,
                other_places: &mut builder.other_places,
                spare_places: &mut builder.spare_places,
                start,
                open: &mut builder.open,
                gap: &mut builder.gap,
                last: &mut builder.last,
            },
        })
    }

    /// Where the next micro-op comes, in words.
    #[inline(always)]
    pub(super) fn at(&self) -> u32 {
        self.sums.words()
    }

    /// Whether micro-ops of a set can be pushed, with values of this type: only somebody's own implementation of
    /// `MicroOp` has too few of them.
    // The compiler looks before the run begins: all of a type are of one set.
    #[inline(always)]
    pub(super) fn can_take<V>(&self, set: &'static MicroOpSet) -> bool {
        std::ptr::eq(set, self.set) && self.most_operands <= size_of::<V>() / size_of::<u64>()
    }

    /// Pushes a micro-op that can be taken, with its operands [arranged](MicroOp::arranged). If something stands in the way,
    /// nothing has changed. `from_zero` says that no operand's range begins elsewhere, if the compiler knows.
    #[inline(always)]
    pub(super) fn step<V: AsMut<[u64]>>(
        &mut self,
        index: usize,
        values: &mut V,
        from_zero: bool,
    ) -> bool {
        let at = self.at() as usize;
        let values = &*values.as_mut();
        // The compiler knows that they are an array, unless it is as above.
        if size_of_val(values) != size_of::<V>() {
            return false;
        }
        let Some(row) = self.rows.get(index) else {
            return false;
        };
        let room = self.code.get_mut(at..at + WORDS);
        let Some(code) = room.and_then(<[u32]>::first_chunk_mut) else {
            return false;
        };
        match values.first() {
            Some(&value) if row.quick.has(value, from_zero) => row.fill(value, code),
            _ => {
                cold();
                if !row.do_all(self.tests, values, code) {
                    return false;
                }
                // Those that take long seldom do: it is foreseen.
                if !row.refers.is_there {
                    self.pass(row);
                    return true;
                }
                if row.extra.contains(Extra::SELDOM) {
                    return self.lead::<true>(row, values);
                }
            }
        }
        self.lead::<false>(row, values)
    }

    /// Notes that the micro-op leads to where its last value says, if it does, and passes it. `SELDOM` says that its note is of a
    /// kind that few are of.
    #[inline(always)]
    fn lead<const SELDOM: bool>(&mut self, row: &'b Row, values: &[u64]) -> bool {
        if let Some(&value) = values.last() {
            // Of a call the first place there is, which is no exit.
            let to = value.wrapping_sub(self.first_handle);
            let number = to & row.handles;
            let Some(offset) = self.places.get(number) else {
                return false;
            };
            if offset >= UNWANTED {
                cold();
                let exit = Place::from_number(number);
                if offset == UNMADE || !self.can_want() || !self.note::<SELDOM>(row, to) {
                    return false;
                }
                self.want(exit);
                self.pass(row);
                return true;
            }
            if !self.note::<SELDOM>(row, to) {
                return false;
            }
        }
        self.pass(row);
        true
    }

    /// Notes what the micro-op refers to, if there is room, and it does.
    #[inline(always)]
    fn note<const SELDOM: bool>(&mut self, row: &Row, to: u64) -> bool {
        let at = self.at() + row.refers.at();
        let kind = row.refers.kind as usize;
        let in_memory = SELDOM || !MANY;
        let cursor = match in_memory {
            true => self.cursors[kind],
            false => self.counts.of(row.refers.counted),
        };
        // For many it is in the end of their code.
        let is_full = !MANY && cursor >= self.regions[kind + 1];
        debug_assert!(is_full || cursor < self.regions[kind + 1]);
        let Some(note) = self.notes.get_mut(cursor).filter(|_| !is_full) else {
            return false;
        };
        *note = Note::new(at, to);
        if in_memory {
            self.cursors[kind] = cursor + usize::from(row.refers.is_there);
        }
        true
    }

    /// Whether there is room for an exit that nothing led to so far.
    #[inline(always)]
    fn can_want(&mut self) -> bool {
        *self.end.spare_places > 0 && self.end.queue.next_mut().is_some()
    }

    /// Takes note that something leads to it. No exit's code is there before a trace is finished.
    // Without a call: what the loop needs stays in registers.
    #[inline(always)]
    fn want(&mut self, exit: Place) {
        *self.end.spare_places -= 1;
        *self.end.other_places += 1;
        if let Some(next) = self.end.queue.next_mut() {
            *next = ColdItem::Exit(exit.index() as u32);
            self.end.queue.advance(1);
        }
        self.places.set(exit, UNPLACED);
    }

    /// Writes down what the next micro-op is, if there is room. It is there once it has been [kept](Run::keep).
    #[inline(always)]
    fn annotate<V: AsMut<[u64]>>(&mut self, index: usize, values: &mut V) -> bool {
        let at = self.at();
        let annotations = &mut self.annotations;
        let start = *annotations.value;
        let op = Pushed {
            set: annotations.number,
            index: index as u16,
            values: start as u32,
        };
        // All that there can be: to copy as many as there are takes a call.
        let values = &*values.as_mut();
        if size_of_val(values) != size_of::<V>() {
            return false;
        }
        let room = annotations.values.get_mut(start..start + values.len());
        let record = annotations.records.get_mut(*annotations.record);
        let (Some(room), Some(record)) = (room, record) else {
            return false;
        };
        room.copy_from_slice(values);
        *record = Record { at, op };
        true
    }

    /// Keeps what was written down of the micro-op that was pushed last.
    #[inline(always)]
    fn keep(&mut self) {
        *self.annotations.record += 1;
        *self.annotations.value += usize::from(self.last.operands);
    }

    #[inline(always)]
    fn pass(&mut self, row: &'b Row) {
        self.sums += row.step;
        self.counts += row.notes;
        self.last = row;
    }
}

/// Tells the compiler that it seldom comes here: so that what is pushed most takes no jump but the loop's.
// `std::hint::cold_path` is too new.
#[cold]
#[inline(always)]
fn cold() {}

impl<const MANY: bool> Drop for Run<'_, MANY> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.sums.micro_ops() == 0 {
            return;
        }
        let row = self.last;
        let slot = row.step.slots();
        *self.end.cursor = (self.at() - slot) as usize;
        if MANY {
            self.cursors[NoteKind::Imm19 as usize] = self.counts.of(Counted::Branches);
            self.cursors[NoteKind::Call as usize] = self.counts.of(Counted::Calls);
        }
        *self.end.nops += self.sums.slots() - slot;
        *self.end.op_count += self.sums.micro_ops();
        *self.end.open = match row.goes_on {
            true => Open::Next,
            false => Open::Closed,
        };
        *self.end.gap = slot;
        if !self.end.binds.is_empty() {
            self.places.bind(self.end.binds, self.end.start);
            self.end.binds.clear();
            *self.end.watch = self.end.annotate;
        }
        *self.end.last = (self.set, row.index.into());
    }
}

impl Row {
    /// Writes the first words, with the value of the first operand.
    #[inline(always)]
    pub(super) fn fill(&self, value: u64, code: &mut [u32; WORDS]) {
        let bits = self.bits.of(value);
        for ((code, word), bits) in code.iter_mut().zip(self.words).zip(bits) {
            *code = word ^ bits;
        }
    }

    /// Writes a micro-op that refers to nothing. Returns whether the row can be used for these values.
    #[inline(always)]
    pub(super) fn write(&self, values: &[u64], code: &mut [u32; WORDS]) -> bool {
        match values.first() {
            Some(&value) if self.quick.has(value, false) => {
                self.fill(value, code);
                true
            }
            _ => self.do_all(true, values, code),
        }
    }

    /// Does what every row takes and all the rest. Returns whether the row can be used for these values.
    #[inline(always)]
    fn do_all(&self, tests: bool, values: &[u64], code: &mut [u32; WORDS]) -> bool {
        let tests = tests || self.refers.kind != NoteKind::Imm14;
        if !tests || self.extra.contains(Extra::UNUSABLE) || !self.fits(values) {
            return false;
        }
        if let Some(words) = code.first_chunk_mut() {
            *words = self.words;
        }
        if self.extra.contains(Extra::LONG)
            && let Some(words) = code.last_chunk_mut()
        {
            *words = self.more_words;
        }
        let halves = halves(values);
        let [a, b, c, d, e, f, g, h] = &self.deposits;
        a.fill(&halves, code);
        b.fill(&halves, code);
        if self.extra.contains(Extra::MORE_HOLES) {
            c.fill(&halves, code);
            d.fill(&halves, code);
        }
        if self.extra.contains(Extra::MANY_HOLES) {
            e.fill(&halves, code);
            f.fill(&halves, code);
            g.fill(&halves, code);
            h.fill(&halves, code);
        }
        true
    }

    /// Whether the values are in their ranges, and no register is the platform's.
    #[inline(always)]
    fn fits(&self, values: &[u64]) -> bool {
        let others = values.iter().skip(1);
        let mut fits = values.first().is_none_or(|&first| self.range.has(first));
        for (range, &value) in self.more_ranges.iter().zip(others) {
            fits &= range.has(value);
        }
        let mut found = 0;
        for (index, &value) in values.iter().take(OPERANDS).enumerate() {
            found |= u8::from(value == PLATFORM_REGISTER) << index;
        }
        fits && found & self.registers == 0
    }
}

impl TraceBuilder {
    /// Pushes micro-ops by their rows as long as nothing stands in the way. Returns the first that was left.
    #[inline(always)]
    pub(super) fn push_run<M: MicroOp, const ANNOTATED: bool>(
        &mut self,
        ops: &mut impl Iterator<Item = M>,
    ) -> Option<M> {
        let Some(mut run) = Run::<true>::new(self, M::COUNT) else {
            return ops.next();
        };
        for op in ops {
            if !run.can_take::<M::Operands>(op.set()) {
                return Some(op);
            }
            let index = op.index();
            let annotated = !ANNOTATED || run.annotate(index, &mut op.operands());
            if !(annotated && run.step(index, &mut op.arranged(), M::FROM_ZERO)) {
                return Some(op);
            }
            if ANNOTATED {
                run.keep();
            }
        }
        None
    }
}
