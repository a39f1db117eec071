//! A set of 64-bit words that gives each of them a number.
//!
//! Open addressing with linear probing. The words come from outside (call targets, constants), so
//! the hash is seeded: nobody can choose words that all meet in one place.

/// Numbers for words, from 0 in the order of their first appearance.
#[derive(Debug)]
pub(crate) struct Interner {
    keys: Vec<u64>,
    /// A power of two of them, at most a quarter taken and few of them of the fewest, so that most words are in their first place.
    slots: Vec<Slot>,
    seed: u64,
}

/// Slots there are at the least. Of ten words, as a trace may call functions, all have a place of their own in five of six
/// tables of this length; a word that has not is looked for whenever it comes. In a longer table each trace's words, which differ
/// by its tag, are where the cache has nothing yet.
const FEWEST: usize = 256;

/// A word, and its number plus one; 0 is free.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    number: u32,
}

/// The words' first places, where nearly all of them are.
struct First<'i> {
    slots: &'i mut [Slot],
    keys: &'i mut Vec<u64>,
    seed: u64,
    mask: usize,
    /// How many words there is room for, in both.
    most: usize,
}

impl First<'_> {
    #[inline(always)]
    fn of(interner: &mut Interner) -> First<'_> {
        let (slots, keys) = (&mut interner.slots[..], &mut interner.keys);
        First {
            seed: interner.seed,
            mask: slots.len().wrapping_sub(1),
            most: keys.capacity().min(slots.len() / 4),
            slots,
            keys,
        }
    }

    /// The number of `key`, new or not, if it is in its first place, or that is free and there is room.
    #[inline(always)]
    fn number(&mut self, key: u64) -> Option<u32> {
        match self.slots.get_mut(hash(key, self.seed) & self.mask) {
            Some(slot) if slot.number != 0 && slot.key == key => Some(slot.number - 1),
            Some(slot) if slot.number == 0 && self.keys.len() < self.most => {
                self.keys.push(key);
                let number = self.keys.len() as u32;
                *slot = Slot { key, number };
                Some(number - 1)
            }
            _ => None,
        }
    }
}

impl Interner {
    pub(crate) fn new(seed: u64) -> Interner {
        Interner {
            keys: Vec::new(),
            slots: Vec::new(),
            seed,
        }
    }

    pub(crate) fn clear(&mut self) {
        if self.keys.len() * 16 > self.slots.len() {
            self.slots.fill(Slot::default());
        } else {
            // There were many once. Every key is in the run of taken slots that its first place belongs to, and a run
            // is emptied to its end.
            let mask = self.slots.len().wrapping_sub(1);
            for &key in &self.keys {
                let mut at = self.hash(key) & mask;
                while self.slots[at].number != 0 {
                    self.slots[at] = Slot::default();
                    at = (at + 1) & mask;
                }
            }
        }
        self.keys.clear();
    }

    /// Forgets the words from that number on.
    pub(crate) fn truncate(&mut self, count: usize) {
        let kept = self.keys.get(..count).unwrap_or(&self.keys).to_vec();
        self.clear();
        for key in kept {
            self.intern(key);
        }
    }

    /// The words in the order of their numbers.
    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The number of `key`, new or not.
    #[inline]
    pub(crate) fn intern(&mut self, key: u64) -> u32 {
        match First::of(self).number(key) {
            Some(known) => known,
            None => self.search(key),
        }
    }

    /// Gives each item the number of its word.
    // On its own, what the loop needs is in registers.
    #[inline(never)]
    pub(crate) fn intern_all<T>(
        &mut self,
        items: &mut [T],
        key: impl Fn(&T) -> u64,
        mut number: impl FnMut(&mut T, u32),
    ) {
        let mut items = items.iter_mut();
        loop {
            // Up to the first that is not in its first place, or for which there may be no room.
            let mut first = First::of(self);
            let other = items.find_map(|item| {
                let key = key(item);
                let Some(known) = first.number(key) else {
                    return Some((item, key));
                };
                number(item, known);
                None
            });
            let Some((item, key)) = other else {
                return;
            };
            number(item, self.search(key));
        }
    }

    #[inline(never)]
    fn search(&mut self, key: u64) -> u32 {
        if self.keys.len() * 4 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = self.hash(key) & mask;
        loop {
            match self.slots[at] {
                Slot { number: 0, .. } => {
                    self.keys.push(key);
                    let number = self.keys.len() as u32;
                    self.slots[at] = Slot { key, number };
                    return number - 1;
                }
                slot if slot.key == key => return slot.number - 1,
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The number of `key`, if it has one.
    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = self.hash(key) & mask;
        loop {
            match self.slots[at] {
                Slot { number: 0, .. } => return None,
                slot if slot.key == key => return Some(slot.number - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn hash(&self, key: u64) -> usize {
        hash(key, self.seed)
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(FEWEST);
        self.slots.clear();
        self.slots.resize(len, Slot::default());
        for (number, &key) in (1..).zip(&self.keys) {
            let mut at = self.hash(key) & (len - 1);
            while self.slots[at].number != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = Slot { key, number };
        }
    }
}

fn hash(key: u64, seed: u64) -> usize {
    // Both halves of the product, so that every bit of the key reaches every bit used.
    let product = u128::from(key ^ seed) * 0x9e37_79b9_7f4a_7c15;
    ((product >> 64) as u64 ^ product as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_have_one_number() {
        let mut interner = Interner::new(7);
        for round in 0..2 {
            for key in 0..1000u64 {
                let word = key.wrapping_mul(0x1_0000_0000_0001) & !4;
                let (first, again) = (interner.intern(word), interner.intern(word));
                assert_eq!(first, again, "round {round}");
                assert_eq!(interner.keys()[first as usize], word);
            }
        }
        let mut sorted = interner.keys().to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), interner.keys().len());
        // All at once, then one by one.
        for count in [1000, 10, 0, 3] {
            interner.clear();
            assert!(interner.slots.iter().all(|slot| slot.number == 0));
            (0..count).for_each(|key| assert_eq!(u64::from(interner.intern(key * 7)), key));
        }
        interner.truncate(2);
        assert_eq!(interner.keys(), [0, 7]);
        let numbers = [7, 14, 0].map(|key| interner.intern(key));
        assert_eq!(numbers, [1, 2, 0]);
    }
}
