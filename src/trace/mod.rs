//! Traces: micro-ops stitched together and laid out.
//!
//! # The problem
//!
//! A trace is a sequence of templates, copied one behind the other. Four things are not known while
//! it is copied: where a forward label, an exit or a cold part will lie; what a call target's distance
//! will be, since the address is chosen later; where the literals will lie; and whether
//! all of these are in reach. `b` reaches 128 MiB, but `cbz` and literal loads 1 MiB and `tbz` 32 KiB.
//!
//! # The strategy
//!
//! One pass. Pushing a micro-op copies its words behind the last ones, patches the holes, and
//! notes its references: a [`Note`] for a branch or a call, a [`LoadSite`]. A branch backwards is noted too,
//! though its displacement is known: to write it at once would be one more case to foresee. Words that were
//! written never move. Cold parts and exits are only noted; `finish` emits them behind the hot code, and then
//! writes the displacements. (How a micro-op is pushed quickly is the essay of [`push`].) The layout of a finished trace is
//!
//! ```text
//! entry NOP | hot | cold | trampolines | literals
//!             ^ islands at op boundaries ^
//! ```
//!
//! and linking (see [`crate::link`]) needs nothing but the calls and the loads from the pool at the
//! end; and of calls only those that do not lead to trampolines yet (see [`calls`]).
//!
//! **The continuation slot is written late.** When a micro-op is pushed, the slot of the one *before*
//! it is settled: a NOP (or nothing) if the new one is where it goes on to, `b` otherwise. A label
//! bound in between gets its place at that moment too. So a jump to what follows costs nothing
//! but the NOP, and an island can use the slot as its jump around.
//!
//! **Islands are forced by deadlines.** A noted branch or load has a deadline: the last word it
//! reaches. Before each micro-op the builder makes sure that one more boundary fits before the nearest
//! one, with an island of everything pending; if not, an island comes first. It holds a `b` for every place
//! that a due branch leads to and a word for every literal that a due load reads, each once; and trampolines, if there is
//! room besides. Branches of
//! one class have their deadlines in the order they were written, so the due ones are a prefix of
//! the notes, and two cursors and a third for the loads find them: every note is looked at
//! once (and forgotten, where there are many), and the whole is linear. The nearest deadline is that of the notes at
//! the cursors, and an island is at most as long as what lies behind them, or as there are places to lead to.
//!
//! # Invariants
//!
//! 1. *Room*: after every call, a jump, the island that everything pending takes, and its padding fit before the
//!    first deadline. (How long that island is, [`pending`](TraceBuilder::pending) says as far as is known: it may
//!    say more, once there are labels that nothing leads to.)
//!    ([`has_room`](TraceBuilder::has_room), [`make_room`](TraceBuilder::make_room),
//!    [`find_quick_end`](TraceBuilder::find_quick_end))
//! 2. *Prefix*: of each class of branches, those before the cursor are done, and no others.
//! 3. *All or nothing*: a call that returns an error has changed nothing that can be observed. All checks
//!    come before the end of the code moves; `finish`, which can meet an error after that, winds back.
//! 4. *Settled*: while `open` is not `Closed`, the slot of the last micro-op is still to come, and
//!    `binds` are the labels that belong behind it.
//! 5. *One layout*: what is laid out does not depend on which way a micro-op was pushed or when the cursors
//!    moved, and so not on how much memory the builder had, nor on calls in between that failed.
//! 6. *Zero until written*: a branch or call that is noted and not done has a displacement of zero in its word, whatever
//!    has been tried with it. Whoever writes it may rely on that.
//! 7. *Alignment*: literals lie at multiples of 8 from the trace's start, and a trace is linked to a
//!    multiple of 8 only.

mod calls;
pub(crate) mod emit;
mod exits;
mod finish;
pub(crate) mod intern;
mod island;
mod notes;
pub(crate) mod options;
mod push;
mod row;
mod run;
pub(crate) mod state;
mod tape;
pub(crate) mod view;

use std::hash::{BuildHasher, Hasher, RandomState};
#[cfg(feature = "inspect")]
use std::sync::Arc;

use crate::asm::branch::Field;
use crate::asm::literal::HalfLoads;
use crate::asm::{BTI_C, NOP, WORD};
use crate::error::Error;
use crate::op::MicroOp;
use crate::op::encode::Op;
use crate::op::operand::{Exit, Handle, Handles, Label, MutLiteral, OperandKind};
use crate::op::template::{CLASSES, MicroOpSet};
pub use exits::ExitCode;
use intern::Interner;
use notes::Notes;
use options::{FallThrough, Options};
use row::Rows;
use state::{
    ColdItem, ColdPart, ExitState, HERE, Island, LoadSite, Mutable, Open, Origin, Place, PlaceKind,
    Places, Point, PoolLoad, PoolWord, Pushed, Record, Sets, UNPLACED,
};
use tape::Tape;
pub use view::Trace;

/// Stitches micro-ops together to a [`Trace`].
///
/// A builder is made once and used for many traces: [`clear`](TraceBuilder::clear) keeps the memory,
/// so that a warm builder allocates nothing.
///
/// ```
/// # opstitch::uops! {
/// #     op Count(step: u12) { ; add x0, x0, step }
/// #     op Return { ; ret }
/// # }
/// let mut builder = opstitch::TraceBuilder::new();
/// builder.push(Count { step: 2 })?;
/// builder.push(Return)?;
/// let linked = builder.finish()?.link(0x1_0000)?;
/// assert_eq!(linked.bytes().len(), 4 * 4); // entry NOP, add, fall-through NOP, ret
/// # Ok::<(), opstitch::Error>(())
/// ```
#[derive(Debug)]
pub struct TraceBuilder {
    options: Options,
    /// How far each [`Field`] reaches, and literal loads do, in words.
    reach: [u32; 3],
    literal_reach: u32,
    finished: bool,

    // The code, and what is still open in it.
    code: Tape<u32>,
    open: Open,
    /// How many words come between the code and a micro-op that is pushed a quick way.
    gap: u32,
    /// The words of a slot whose micro-op goes on to the next.
    slot: u32,
    /// How far code may reach that is pushed a quick way, in words, by the class of the micro-op's part.
    quick_end: [u32; CLASSES],
    /// Whether there has been a micro-op that loads literals, in this trace or in one before.
    loads_come: bool,
    /// How many places there are, labels apart, that branches lead to: exits, and those in micro-ops' other parts.
    other_places: u32,
    /// How many more places there may be before the quick ways' end must be found anew.
    spare_places: u32,
    /// Whether there are labels to place, or micro-ops are annotated. It follows from `binds` and the options, but the code
    /// compiled for each struct is a quarter slower when it asks both.
    watch: bool,
    binds: Vec<u32>,
    notes: Notes,
    loads: Tape<LoadSite>,
    due: Due,

    // What can be referred to.
    handles: Handles,
    places: Places,
    exits: Vec<ExitState>,
    /// The micro-ops, each with where its words are from the exit's first on, if they are ready.
    exit_code: Vec<Record>,
    exit_words: Tape<u32>,
    exit_hashes: Interner,
    exit_of_hash: Vec<u32>,
    mutables: Vec<Mutable>,

    // What is to be emitted cold.
    cold_parts: Vec<ColdPart>,
    queue: Tape<ColdItem>,

    // What was pushed, and what it became.
    sets: Sets,
    values: Tape<u64>,
    rows: Rows,
    /// The micro-op that was pushed last: its set, and its number there.
    last: (&'static MicroOpSet, usize),
    op_count: u32,
    records: Tape<Record>,
    cold_records: Vec<(Record, Origin)>,
    islands: Vec<Island>,
    /// Of each call target that an island has numbered, where its trampoline is, if it has one in an island.
    trampolines: Vec<Option<u32>>,
    nops: u32,
    points: Vec<Point>,
    /// The exit of an invalidation point in front of the next micro-op.
    next_point: Option<u32>,

    // What `finish` adds.
    /// Zero while micro-ops are pushed: no finished trace is empty.
    hot_len: u32,
    code_len: u32,
    /// Whether its calls lead to where their trampolines come if every target has one of the trace's own.
    calls_lead: bool,
    targets: Interner,
    pool: Vec<PoolWord>,
    pool_loads: Vec<PoolLoad>,
    constants: Interner,

    /// The veneers, and then the literals, of the island that is being written.
    veneers: Interner,
    /// The last veneer that leads to a place.
    veneers_of: Places,
    scratch_loads: Vec<(state::Literal, u32)>,
    scratch_values: Vec<u64>,
    scratch_mutables: Vec<u32>,
    scratch_constants: Vec<u32>,

    #[cfg(feature = "inspect")]
    name: Option<Arc<str>>,
}

/// Which notes an island would have to serve: all from these on.
#[derive(Debug, Clone, Copy)]
struct Due {
    // See invariant 2.
    tests: usize,
    conditionals: usize,
    loads: usize,
    /// Those in front have the numbers of their targets.
    calls: usize,
}

const NO_OP: (&MicroOpSet, usize) = (&MicroOpSet::EMPTY, 0);

/// No trace is longer than `b` reaches, in words.
const MAX_LEN: u32 = Field::Imm26.reach() / WORD;

const NOTHING_DUE: Due = Due {
    tests: 0,
    conditionals: 0,
    loads: 0,
    calls: 0,
};

impl Default for TraceBuilder {
    fn default() -> Self {
        TraceBuilder::new()
    }
}

impl TraceBuilder {
    /// A builder with the default options.
    pub fn new() -> TraceBuilder {
        TraceBuilder::with_options(Options::default())
    }

    /// A builder with these options.
    pub fn with_options(options: Options) -> TraceBuilder {
        // Tells this builder's handles from others', without a counter shared by all.
        let seed = RandomState::new().build_hasher().finish();
        let mut builder = TraceBuilder {
            options,
            reach: [Field::Imm26, Field::Imm19, Field::Imm14]
                .map(|field| options.reach.branch_words(field)),
            literal_reach: options.reach.literal_words(),
            finished: false,
            code: Tape::new(),
            open: Open::Closed,
            gap: 0,
            slot: (options.fall_through == FallThrough::Nop).into(),
            quick_end: [0; CLASSES],
            loads_come: false,
            spare_places: 0,
            other_places: 0,
            watch: options.annotate,
            binds: Vec::new(),
            notes: Notes::new(),
            loads: Tape::new(),
            due: NOTHING_DUE,
            handles: Handles::new(seed as u32),
            places: Places::default(),
            exits: Vec::new(),
            exit_code: Vec::new(),
            exit_words: Tape::new(),
            exit_hashes: Interner::new(seed),
            exit_of_hash: Vec::new(),
            mutables: Vec::new(),
            cold_parts: Vec::new(),
            queue: Tape::new(),
            sets: Sets::default(),
            rows: Rows::default(),
            values: Tape::new(),
            last: NO_OP,
            op_count: 0,
            records: Tape::new(),
            cold_records: Vec::new(),
            islands: Vec::new(),
            trampolines: Vec::new(),
            nops: 0,
            points: Vec::new(),
            next_point: None,
            hot_len: 0,
            code_len: 0,
            calls_lead: false,
            targets: Interner::new(seed.rotate_left(17)),
            pool: Vec::new(),
            pool_loads: Vec::new(),
            constants: Interner::new(seed.rotate_left(41)),
            veneers: Interner::new(seed.rotate_left(29)),
            veneers_of: Places::default(),
            scratch_loads: Vec::new(),
            scratch_values: Vec::new(),
            scratch_mutables: Vec::new(),
            scratch_constants: Vec::new(),
            #[cfg(feature = "inspect")]
            name: None,
        };
        builder.clear();
        builder
    }

    /// Forgets the trace, finished or not, and keeps the memory for the next one. Labels, exits and
    /// changeable literals made so far are no longer valid, and are refused from now on: until the builder has been cleared
    /// 2<sup>32</sup> times more, when numbers begin to repeat.
    pub fn clear(&mut self) {
        self.handles = Handles::new(self.handles.tag().wrapping_add(1));
        self.finished = false;
        self.code.clear();
        if self.options.landing_pad {
            self.code.push(BTI_C);
        }
        self.code.push(NOP); // the entry's patch site
        self.open = Open::Closed;
        self.gap = 0;
        self.binds.clear();
        self.watch = self.options.annotate;
        self.notes.clear();
        self.loads.clear();
        self.due = NOTHING_DUE;
        self.other_places = 0;
        self.places.clear();
        self.veneers_of.clear();
        self.exits.clear();
        self.exit_code.clear();
        self.exit_words.clear();
        self.exit_hashes.clear();
        self.exit_of_hash.clear();
        self.mutables.clear();
        self.cold_parts.clear();
        self.queue.clear();
        self.values.clear();
        self.last = NO_OP;
        self.op_count = 0;
        self.records.clear();
        self.cold_records.clear();
        self.islands.clear();
        self.trampolines.clear();
        self.nops = 1;
        self.points.clear();
        self.next_point = None;
        self.hot_len = 0;
        self.targets.clear();
        self.pool.clear();
        self.pool_loads.clear();
        self.constants.clear();
        #[cfg(feature = "inspect")]
        {
            self.name = None;
        }
        self.find_quick_end();
    }

    /// Names the trace, until [`clear`](TraceBuilder::clear): listings, reports of faults, profilers and
    /// debuggers call it so. Any text will do, such as where its loop is in the interpreted program; a breakpoint
    /// is easiest to set on a name that is an identifier. Without one a trace is called by its number in the slab. Without
    /// the feature `inspect` nothing asks for a name, and none is kept.
    pub fn set_name(&mut self, name: &str) {
        #[cfg(feature = "inspect")]
        {
            self.name = Some(name.into());
        }
        #[cfg(not(feature = "inspect"))]
        let _ = name;
    }

    /// The options the builder was made with.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Appends a micro-op: a struct that `uops!` has made, or the enum of its block. The bytes are the same. A struct
    /// is quicker where the program knows which micro-op comes next; many of an enum are pushed quickest by
    /// [`push_all`](TraceBuilder::push_all).
    ///
    /// # Errors
    /// Whatever is wrong with an operand's value, or with the distance of what the micro-op refers to;
    /// see [`Error`]. The trace is then as it was before.
    #[inline]
    pub fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        if M::IS_KNOWN {
            return self.push_one(&op);
        }
        self.push_any(&op)
    }

    /// Appends micro-ops, all at once: the same as pushing them one by one. It takes about half the time where they
    /// are of an enum most of whose micro-ops are alike: as many operands, registers in the same places, no literals, masks
    /// or floats, no cold part. Others lead to different code each, and take as long.
    ///
    /// ```
    /// # opstitch::uops! {
    /// #     pub enum Op;
    /// #     op Count(step: u12) { ; add x0, x0, step }
    /// #     op Return { ; ret }
    /// # }
    /// # let mut builder = opstitch::TraceBuilder::new();
    /// let recorded: Vec<Op> = vec![Count { step: 2 }.into(), Count { step: 3 }.into(), Return.into()];
    /// builder.push_all(&recorded)?;
    /// assert_eq!(builder.len(), 3);
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`push`](TraceBuilder::push), of the first that is refused. Those before it have been pushed:
    /// [`len`](TraceBuilder::len) says how many there are now.
    pub fn push_all<M: MicroOp>(&mut self, ops: impl IntoIterator<Item = M>) -> Result<(), Error> {
        let mut ops = ops.into_iter();
        if M::IS_KNOWN {
            return ops.try_for_each(|op| self.push(op));
        }
        if self.options.annotate {
            return self.push_all_annotated(ops);
        }
        while let Some(op) = self.push_run::<M, false>(&mut ops) {
            self.push_left(&op)?;
        }
        Ok(())
    }

    // A function of its own: its loop needs more registers.
    #[inline(never)]
    fn push_all_annotated<M: MicroOp>(
        &mut self,
        mut ops: impl Iterator<Item = M>,
    ) -> Result<(), Error> {
        while let Some(op) = self.push_run::<M, true>(&mut ops) {
            self.push_left(&op)?;
        }
        Ok(())
    }

    /// Makes a label. It can be used before it is bound.
    pub fn label(&mut self) -> Label {
        // One more than can be used: a label beyond the limit is refused like a foreign one.
        let index = self.places.count(PlaceKind::Label).min(Place::LIMIT);
        if index < Place::LIMIT {
            self.places.add(PlaceKind::Label, UNPLACED);
            self.count_place();
            self.handles.set_count(OperandKind::Label, index + 1);
        }
        Label(self.handles.handle(OperandKind::Label, index as u32))
    }

    /// Puts a label in front of the micro-op that is pushed next.
    ///
    /// # Errors
    /// [`Error::LabelBoundTwice`], [`Error::Foreign`], or [`Error::Finished`].
    pub fn bind(&mut self, label: Label) -> Result<(), Error> {
        let index = self.own_label("bind", label)?;
        let place = Place::label(index);
        if self.places.offset(place) != UNPLACED {
            return Err(Error::LabelBoundTwice { label: index });
        }
        self.places.set(place, HERE);
        self.binds.push(index);
        self.watch = true;
        Ok(())
    }

    /// Makes a label and puts it in front of the micro-op that is pushed next: the top of a loop.
    ///
    /// # Errors
    /// [`Error::Finished`].
    pub fn bind_new(&mut self) -> Result<Label, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let label = self.label();
        self.bind(label)?;
        Ok(label)
    }

    /// Lets the micro-op that was pushed last go on at `label` instead of the next one.
    ///
    /// # Errors
    /// [`Error::NothingToRedirect`] behind a micro-op that does not go on or is redirected already,
    /// [`Error::JumpBehindLabel`] where a label is bound in between, [`Error::Empty`] before the first micro-op,
    /// [`Error::Foreign`], or [`Error::Finished`].
    pub fn jump(&mut self, label: Label) -> Result<(), Error> {
        let index = self.own_label("jump", label)?;
        if let Some(&label) = self.binds.last() {
            return Err(Error::JumpBehindLabel { label });
        }
        if self.open != Open::Next {
            return Err(self
                .last_op()
                .map_or(Error::Empty, |op| Error::NothingToRedirect {
                    op: op.name(),
                }));
        }
        self.open = Open::To(Place::label(index));
        self.gap = push::BLOCKED;
        Ok(())
    }

    /// Makes the place in front of the micro-op that is pushed next an invalidation point: when the trace is
    /// invalidated, a NOP there becomes a branch to `exit`. In front of the first micro-op it is the NOP
    /// of the entry, elsewhere the fall-through NOP, or one of its own where there is none. Where labels are bound too, there is one more NOP behind
    /// them: every round of a loop passes it. A second call for the same place replaces the first. One that no micro-op
    /// follows is a place that nothing comes to, and is left out.
    ///
    /// # Errors
    /// [`Error::Foreign`] or [`Error::Finished`].
    pub fn invalidation_point(&mut self, exit: Exit) -> Result<(), Error> {
        let exit = self.own_exit("invalidation_point", exit)?;
        self.next_point = Some(exit);
        self.gap = push::BLOCKED;
        Ok(())
    }

    /// Makes a word of the trace that holds `value` at first and can be changed once the trace is
    /// installed. It is merged with no other, whatever they hold.
    pub fn mut_literal(&mut self, value: u64) -> MutLiteral {
        let index = self.mutables.len().min(Place::LIMIT) as u32;
        if (index as usize) < Place::LIMIT {
            self.mutables.push(Mutable {
                value,
                island: UNPLACED,
                loads: HalfLoads::default(),
            });
            let count = self.mutables.len();
            self.handles.set_count(OperandKind::MutLiteral, count);
        }
        MutLiteral(self.handles.handle(OperandKind::MutLiteral, index))
    }

    /// How many micro-ops have been pushed, exits apart.
    pub fn len(&self) -> usize {
        self.op_count as usize
    }

    /// Whether no micro-op has been pushed.
    pub fn is_empty(&self) -> bool {
        self.op_count == 0
    }

    fn last_op(&self) -> Option<Op> {
        let (set, index) = self.last;
        Op::new(set, index)
    }

    fn own_label(&self, method: &'static str, label: Label) -> Result<u32, Error> {
        self.own(OperandKind::Label, method, label.0)
    }

    fn own_exit(&self, method: &'static str, exit: Exit) -> Result<u32, Error> {
        self.own(OperandKind::Exit, method, exit.0)
    }

    fn own(&self, kind: OperandKind, op: &'static str, handle: Handle) -> Result<u32, Error> {
        if self.finished {
            return Err(Error::Finished);
        }
        let what = match kind {
            OperandKind::Label => "label",
            _ => "exit",
        };
        let known = self.handles.has(kind, handle.raw());
        known.then_some(handle.index()).ok_or(Error::Foreign {
            op,
            operand: what,
            what,
        })
    }
}
