//! The notes of a trace: what is to be written once the places are known.
//!
//! # The problem
//!
//! Notes are kept by kind, because those of one kind have their deadlines in the order in which they were made. And which
//! kind comes next nobody foresees, so a note should take no more than an address that is computed from its kind.
//!
//! # The strategy
//!
//! All are in one vector, in which each kind has a region of its own, and a cursor:
//!
//! ```text
//! | Imm26 ....·     | Imm19 ..........·       | Imm14 ·   | calls .......·      |
//!   ^ start   ^ cursor                         ^ start       ^ start
//! ```
//!
//! A region that is full gets longer, and those behind it move up. So whoever knows that there is [room](Notes::room) for
//! some of whatever kind writes them without a look at where their region ends.
//!
//! # Invariants
//!
//! 1. Each region's cursor lies between its start and the start of the next.
//! 2. Only a region that is full, or has less room than was asked for, grows: by half of what is in it at least, or to twice
//!    the room. Then those behind it move; so as a trace gets longer, each note moves a few times for each kind.

use super::state::{Note, NoteKind};

const KINDS: usize = NoteKind::COUNT;

/// Notes by their kinds.
#[derive(Debug)]
pub(super) struct Notes {
    items: Vec<Note>,
    /// Where the regions start, and where the last one ends.
    starts: [usize; KINDS + 1],
    /// What lies in front of them is there, what lies behind is room.
    cursors: [usize; KINDS],
}

impl Notes {
    pub(super) const fn new() -> Notes {
        Notes {
            items: Vec::new(),
            starts: [0; KINDS + 1],
            cursors: [0; KINDS],
        }
    }

    pub(super) fn clear(&mut self) {
        self.cursors.copy_from_slice(&self.starts[..KINDS]);
    }

    /// The notes of a kind.
    #[inline]
    pub(super) fn of(&self, kind: impl Into<NoteKind>) -> &[Note] {
        let kind = kind.into() as usize;
        &self.items[self.starts[kind]..self.cursors[kind]]
    }

    #[inline]
    pub(super) fn of_mut(&mut self, kind: impl Into<NoteKind>) -> &mut [Note] {
        let kind = kind.into() as usize;
        &mut self.items[self.starts[kind]..self.cursors[kind]]
    }

    /// The notes of a kind from that one on.
    #[inline]
    pub(super) fn since(&self, kind: impl Into<NoteKind>, first: usize) -> &[Note] {
        self.of(kind).get(first..).unwrap_or(&[])
    }

    #[inline]
    pub(super) fn since_mut(&mut self, kind: impl Into<NoteKind>, first: usize) -> &mut [Note] {
        self.of_mut(kind).get_mut(first..).unwrap_or(&mut [])
    }

    /// How many there are of a kind.
    #[inline]
    pub(super) fn count(&self, kind: impl Into<NoteKind>) -> usize {
        let kind = kind.into() as usize;
        self.cursors[kind] - self.starts[kind]
    }

    /// The numbers of all kinds.
    pub(super) fn counts(&self) -> [usize; KINDS] {
        std::array::from_fn(|kind| self.cursors[kind] - self.starts[kind])
    }

    /// Takes away those that have come since there were so many.
    pub(super) fn truncate(&mut self, counts: [usize; KINDS]) {
        for (kind, count) in counts.into_iter().enumerate() {
            self.cursors[kind] = self.cursors[kind].min(self.starts[kind] + count);
        }
    }

    /// Takes away so many of the first ones of a kind.
    pub(super) fn forget(&mut self, kind: impl Into<NoteKind>, count: usize) {
        let kind = kind.into() as usize;
        let (start, cursor) = (self.starts[kind], &mut self.cursors[kind]);
        self.items.copy_within(start + count..*cursor, start);
        *cursor -= count;
    }

    #[inline(always)]
    pub(super) fn push(&mut self, kind: impl Into<NoteKind>, note: Note) {
        let kind = kind.into() as usize;
        if self.cursors[kind] >= self.starts[kind + 1] {
            self.grow(kind, 1);
        }
        let cursor = &mut self.cursors[kind];
        self.items[*cursor] = note;
        *cursor += 1;
    }

    /// How many notes there is room for, of whatever kinds they are.
    #[inline]
    pub(super) fn room(&self) -> usize {
        let ends = self.starts[1..].iter().zip(&self.cursors);
        ends.map(|(end, cursor)| end - cursor).min().unwrap_or(0)
    }

    /// Whether there is room for so many more of each kind.
    #[inline(always)]
    pub(super) fn can_take(&self, more: [usize; KINDS]) -> bool {
        let mut kinds = more.iter().zip(&self.cursors).zip(&self.starts[1..]);
        kinds.all(|((&more, cursor), end)| more == 0 || cursor + more <= *end)
    }

    /// Makes room for so many notes, of whatever kinds they are: for twice as many where it has to, because more are asked
    /// for as a trace gets longer.
    pub(super) fn reserve(&mut self, notes: usize) {
        for kind in 0..KINDS {
            let room = self.starts[kind + 1] - self.cursors[kind];
            if room < notes {
                self.grow(kind, 2 * notes - room);
            }
        }
    }

    /// Everything, with the room, where the next note of each kind comes, and where the regions start, each behind the one
    /// before it. No cursor may be moved beyond its region.
    #[inline(always)]
    pub(super) fn parts_mut(&mut self) -> (&mut [Note], &mut [usize; KINDS], &[usize; KINDS + 1]) {
        (&mut self.items, &mut self.cursors, &self.starts)
    }

    /// Grows by half, where `Vec` would double: notes are what a long trace needs most of its memory for.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, kind: usize, more: usize) {
        let count = self.cursors[kind] - self.starts[kind];
        let by = more.max(count / 2).max(64);
        let (end, len) = (self.starts[kind + 1], self.items.len());
        self.items.reserve_exact(by);
        self.items.resize(len + by, Note::default());
        self.items.copy_within(end..len, end + by);
        for start in &mut self.starts[kind + 1..] {
            *start += by;
        }
        for cursor in &mut self.cursors[kind + 1..] {
            *cursor += by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [NoteKind; KINDS] = [
        NoteKind::Imm26,
        NoteKind::Imm19,
        NoteKind::Imm14,
        NoteKind::Call,
    ];

    #[test]
    fn notes_of_each_kind_stay_in_their_order_whatever_comes_between() {
        let mut notes = Notes::new();
        for round in 0..3 {
            let mut counts = [0; KINDS];
            for step in 0..10_000 {
                // Calls now and then, and those of the fields in long rows.
                let kind = if step % 7 == 6 { 3 } else { step / 100 % 3 };
                notes.push(ALL[kind], Note::new(counts[kind], kind as u64));
                counts[kind] += 1;
                if step % 1000 == 0 {
                    notes.reserve(round * 100);
                    assert!(notes.room() >= round * 100);
                }
            }
            let mut expected = counts.map(|count| 0..count);
            for left in [counts, [5, counts[1], 0, 700]] {
                notes.truncate(left.map(|count| count as usize));
                notes.forget(NoteKind::Call, 10);
                for (range, left) in expected.iter_mut().zip(left) {
                    range.end = range.end.min(range.start + left);
                }
                expected[3].start += 10;
                for (kind, numbers) in ALL.into_iter().zip(&expected) {
                    assert_eq!(notes.count(kind), numbers.len());
                    for (number, note) in numbers.clone().zip(notes.of(kind)) {
                        assert_eq!((note.at, note.target()), (number, kind as u64));
                    }
                }
            }
            notes.clear();
            assert_eq!(notes.counts(), [0; KINDS]);
        }
    }
}
