//! The table against two other sources.

mod behaviour;
mod second_source;

use super::body;
use super::registers::Set;
use super::table::{self, Class, Field};
use crate::inspect::disassemble;

fn set(fields: &[Field], word: u32) -> Set {
    let sets = fields.iter().map(|&field| body::registers(field, word).1);
    sets.fold(Set::EMPTY, Set::union)
}

/// What the table says an instruction reads and writes.
fn says(class: &Class, word: u32) -> (Set, Set) {
    (set(class.reads, word), set(class.writes, word))
}

/// Some words of a class, the same ones each time.
fn words(class: &'static Class) -> impl Iterator<Item = u32> {
    let mut state = u64::from(class.value) | 1;
    let words = std::iter::repeat_with(move || {
        // Knuth's MMIX generator.
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        class.value | (state >> 32) as u32 & !class.mask
    });
    words.take(2_000).filter(move |&word| {
        table::class(word).is_some_and(|first| std::ptr::eq(first, class))
            && disassemble::is_instruction(word)
    })
}
