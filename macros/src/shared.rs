//! Arrays that all micro-ops of a block share, and texts that are stored once.

use proc_macro2::Ident;
use syn::ext::IdentExt;

/// Arrays that all micro-ops of a block share, and texts that are stored once.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) names: String,
    pub(crate) ranges: Vec<(u64, u64)>,
    pub(crate) affines: Vec<(i64, i64)>,
    /// A name that is longer than its counter holds.
    pub(crate) too_long: Option<Ident>,
}

impl Shared {
    /// Where `name` is in the names.
    pub(crate) fn name(&mut self, name: &Ident) -> (u16, u8) {
        let text = name.unraw().to_string();
        let at = self.names.find(&text).unwrap_or_else(|| {
            self.names.push_str(&text);
            self.names.len() - text.len()
        });
        match (u16::try_from(at), u8::try_from(text.len())) {
            (Ok(at), Ok(len)) => (at, len),
            _ => {
                self.too_long.get_or_insert_with(|| name.clone());
                (0, 0)
            }
        }
    }

    pub(crate) fn range(&mut self, min: i128, max: i128) -> u16 {
        let range = (min as u64, (max - min) as u64);
        position(&mut self.ranges, range) as u16
    }

    /// The number of a map; 0 is left to the identity.
    pub(crate) fn affine(&mut self, map: (i64, i64)) -> u16 {
        position(&mut self.affines, map) as u16 + 1
    }

    /// Whether all numbers handed out fit into their counters.
    pub(crate) fn fits(&self) -> bool {
        self.ranges.len() < 1 << 16 && self.affines.len() < (1 << 15) - 1
    }
}

fn position<T: PartialEq>(all: &mut Vec<T>, item: T) -> usize {
    all.iter()
        .position(|known| *known == item)
        .unwrap_or_else(|| {
            all.push(item);
            all.len() - 1
        })
}
