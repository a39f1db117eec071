//! The arrays that all templates of a set share, laid end to end.

use super::holes::NO_HOLE;
use crate::op::template::{Hole, Map, Reference, Template};

/// A [`Draft`](super::Draft) without its sizes in its type.
#[derive(Debug, Clone, Copy)]
pub struct Baked {
    pub(super) words: &'static [u32],
    pub(super) holes: &'static [Hole],
    pub(super) references: &'static [Reference],
    pub(super) table: &'static [u32],
    pub(super) template: Template,
}

/// The lengths of the arrays that a set's templates share.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// Instructions.
    pub words: usize,
    /// Holes.
    pub holes: usize,
    /// References.
    pub references: usize,
    /// Words of tables.
    pub tables: usize,
    /// Operands.
    pub operands: usize,
}

impl Totals {
    /// Whether a template can hold places in arrays of these lengths.
    pub const fn fit(&self) -> bool {
        const MOST: usize = 1 << 16;
        self.holes <= MOST
            && self.references <= MOST
            && self.operands <= MOST
            && self.tables <= 1 << 15
    }
}

/// Adds up what a set of micro-ops needs.
pub const fn totals(all: &[Baked]) -> Totals {
    let mut totals = Totals {
        words: 0,
        holes: 0,
        references: 0,
        tables: 0,
        operands: 0,
    };
    let mut i = 0;
    while i < all.len() {
        totals.words += all[i].words.len();
        totals.holes += all[i].holes.len();
        totals.references += all[i].references.len();
        totals.tables += all[i].table.len();
        totals.operands += all[i].template.operand_count as usize;
        i += 1;
    }
    totals
}

macro_rules! concatenate {
    ($name:ident, $field:ident, $type:ty, $empty:expr) => {
        /// Lays one array of all micro-ops end to end.
        pub const fn $name<const N: usize>(all: &[Baked]) -> [$type; N] {
            let mut joined = [$empty; N];
            let (mut i, mut len) = (0, 0);
            while i < all.len() {
                let mut k = 0;
                while k < all[i].$field.len() {
                    joined[len] = all[i].$field[k];
                    len += 1;
                    k += 1;
                }
                i += 1;
            }
            joined
        }
    };
}

concatenate!(words, words, u32, 0);
concatenate!(tables, table, u32, 0);
concatenate!(references, references, Reference, Reference::NONE);

/// Lays the holes of all micro-ops end to end, and moves tables to their place in the set.
pub const fn holes<const N: usize>(all: &[Baked]) -> [Hole; N] {
    let mut joined = [NO_HOLE; N];
    let (mut i, mut len, mut tables) = (0, 0, 0);
    while i < all.len() {
        let mut k = 0;
        while k < all[i].holes.len() {
            let mut hole = all[i].holes[k];
            if hole.map.0 & Map::TABLE != 0 {
                hole.map.0 = Map::TABLE | (hole.map.0 & !Map::TABLE).wrapping_add(tables);
            }
            joined[len] = hole;
            len += 1;
            k += 1;
        }
        tables = tables.wrapping_add(all[i].table.len() as u16);
        i += 1;
    }
    joined
}

/// Gives each template its place, if [`Totals::fit`]. `names` are (start, length) in the set's names, one a micro-op.
pub const fn templates<const N: usize>(all: &[Baked], names: &[(u16, u8)]) -> [Template; N] {
    let mut joined = [all[0].template; N];
    let (mut words, mut holes, mut references, mut operands) = (0, 0, 0, 0);
    let mut i = 0;
    while i < N {
        let mut template = all[i].template;
        template.words = words;
        template.holes = holes;
        template.references = references;
        template.operands = operands;
        (template.name, template.name_len) = names[i];
        words += all[i].words.len() as u32;
        holes = u16::wrapping_add(holes, all[i].holes.len() as u16);
        references = u16::wrapping_add(references, all[i].references.len() as u16);
        operands = u16::wrapping_add(operands, template.operand_count as u16);
        joined[i] = template;
        i += 1;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_counts_in_16_bits_is_no_more() {
        const MOST: usize = 1 << 16;
        let none = totals(&[]);
        assert!(none.fit());
        let with = |change: fn(&mut Totals, usize), count: usize| {
            let mut totals = Totals {
                words: 1,
                holes: 1,
                references: 1,
                tables: 1,
                operands: 1,
            };
            change(&mut totals, count);
            totals.fit()
        };
        let fields: [fn(&mut Totals, usize); 3] = [
            |totals, count| totals.holes = count,
            |totals, count| totals.references = count,
            |totals, count| totals.operands = count,
        ];
        for field in fields {
            assert!(with(field, MOST) && !with(field, MOST + 1) && !with(field, 2 * MOST));
        }
    }
}
