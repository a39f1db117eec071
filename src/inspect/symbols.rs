//! Names of addresses.

use std::collections::BTreeMap;

/// Names of call targets, for listings.
///
/// A [`Target`](crate::Target) is an address and nothing else; whoever wants to read names keeps them
/// here, beside the trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    names: BTreeMap<u64, String>,
}

impl Symbols {
    /// A table without names.
    pub const fn new() -> Symbols {
        Symbols {
            names: BTreeMap::new(),
        }
    }

    /// The table with one more name, or with another name for a known address.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, address: u64) -> Symbols {
        self.insert(name, address);
        self
    }

    /// Names an address. Returns the name that it had before.
    pub fn insert(&mut self, name: impl Into<String>, address: u64) -> Option<String> {
        self.names.insert(address, name.into())
    }

    /// The name of exactly this address.
    pub fn name(&self, address: u64) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    /// All names in the order of their addresses.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.names
            .iter()
            .map(|(&address, name)| (name.as_str(), address))
    }
}

impl<N: Into<String>> FromIterator<(N, u64)> for Symbols {
    fn from_iter<T: IntoIterator<Item = (N, u64)>>(names: T) -> Symbols {
        let mut symbols = Symbols::new();
        symbols.extend(names);
        symbols
    }
}

impl<N: Into<String>> Extend<(N, u64)> for Symbols {
    fn extend<T: IntoIterator<Item = (N, u64)>>(&mut self, names: T) {
        for (name, address) in names {
            self.insert(name, address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_name_replaces_an_earlier_one() {
        let mut symbols = Symbols::new().with("a", 4).with("b", 8);
        assert_eq!(symbols.insert("c", 4), Some("a".to_owned()));
        assert_eq!(symbols.name(4), Some("c"));
        assert_eq!(symbols.name(5), None);
        assert!(symbols.iter().eq([("c", 4), ("b", 8)]));
        assert_eq!(symbols, Symbols::from_iter([("b", 8), ("c", 4)]));
    }
}
