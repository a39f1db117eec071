//! A vector that is written before it gets longer.

use std::ops::{Deref, DerefMut};

/// What a builder writes one behind the other, and a cursor: what lies before it is there, what lies
/// behind is room. Items can be written behind the cursor first; they become part of the tape when the cursor
/// moves over them, or never.
#[derive(Debug)]
pub(crate) struct Tape<T> {
    /// Everything that was ever written and the room behind it, up to the capacity.
    items: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Tape<T> {
    pub(crate) const fn new() -> Tape<T> {
        Tape {
            items: Vec::new(),
            len: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes room for `more` items behind the cursor.
    #[inline]
    pub(crate) fn reserve(&mut self, more: usize) {
        if self.items.len() - self.len < more {
            self.grow(more);
        }
    }

    /// Grows by half, where `Vec` would double: a tape gets as long as the trace, and is what a long
    /// trace needs most of its memory for.
    #[cold]
    fn grow(&mut self, more: usize) {
        let by = more.max(self.len / 2).max(64);
        self.items.reserve_exact(self.len + by - self.items.len());
        self.items.resize(self.len + by, T::default());
    }

    /// Everything, with the room behind the cursor.
    #[inline]
    pub(crate) fn items_mut(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// Everything, with the room behind the cursor, and the cursor.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&mut [T], &mut usize) {
        (&mut self.items, &mut self.len)
    }

    /// How many items lie before the cursor.
    #[inline]
    pub(crate) fn cursor(&self) -> usize {
        self.len
    }

    /// Moves the cursor, over what is written already or back.
    #[inline]
    pub(crate) fn move_to(&mut self, cursor: usize) {
        self.len = cursor;
        debug_assert!(self.len <= self.items.len(), "no room was made");
    }

    /// What lies behind the cursor, if there is room.
    #[inline(always)]
    pub(crate) fn next_mut(&mut self) -> Option<&mut T> {
        self.items.get_mut(self.len)
    }

    /// Moves the cursor over `more` items of the room.
    #[inline]
    pub(crate) fn advance(&mut self, more: usize) {
        self.len += more;
        debug_assert!(self.len <= self.items.len(), "no room was made");
    }

    #[inline(always)]
    pub(crate) fn extend_from_slice(&mut self, items: &[T]) {
        self.reserve(items.len());
        let end = self.len + items.len();
        self.items[self.len..end].copy_from_slice(items);
        self.len = end;
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) {
        if self.len >= self.items.len() {
            self.grow(1);
        }
        self.items[self.len] = item;
        self.len += 1;
    }
}

impl<T> Deref for Tape<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.items[..self.len]
    }
}

impl<T> DerefMut for Tape<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_written_into_the_room_are_there_once_the_cursor_has_passed_them() {
        let mut tape = Tape::new();
        tape.push(1u32);
        tape.reserve(3);
        tape.items_mut()[1..4].copy_from_slice(&[2, 3, 4]);
        assert_eq!(*tape, [1]);
        tape.advance(2);
        assert_eq!(*tape, [1, 2, 3]);
        tape.truncate(1);
        tape.push(9);
        assert_eq!(*tape, [1, 9]);
        tape.clear();
        assert!(tape.is_empty());
    }
}
