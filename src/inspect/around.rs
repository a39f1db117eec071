//! What lies around a trace: nothing if it is only linked, the slab if it is installed.

use std::fmt;

use super::Symbols;
use crate::link::LinkedTrace;
use crate::op::operand::Target;

/// What branches lead to outside of a trace, by addresses; and the trace's own number in its slab.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    pub(super) number: Option<String>,
    pub(super) places: Vec<(u64, Outside)>,
}

/// A place in the slab.
#[derive(Debug, Clone)]
pub(super) enum Outside {
    /// A trace, by its number, and how far into it.
    Trace(String),
    /// A trampoline, and where it leads to now.
    Trampoline { target: Target, now: u64 },
}

impl Around {
    /// Writes what the trace is called.
    pub(super) fn write_heading(
        &self,
        trace: &LinkedTrace,
        f: &mut impl fmt::Write,
    ) -> fmt::Result {
        f.write_str(self.number.as_deref().unwrap_or("trace"))?;
        match trace.name() {
            Some(name) => write!(f, " {name:?}"),
            None => Ok(()),
        }
    }

    /// The name of an address outside of the trace, and a remark.
    pub(super) fn name(&self, address: u64, symbols: &Symbols) -> Option<(String, Option<String>)> {
        let found = self.places.binary_search_by_key(&address, |&(at, _)| at);
        let (_, outside) = self.places.get(found.ok()?)?;
        let function = |address| match symbols.name(address) {
            Some(name) => name.to_owned(),
            None => format!("{address:#x}"),
        };
        Some(match outside {
            Outside::Trace(number) => (number.clone(), None),
            Outside::Trampoline { target, now } if *now == target.address() => {
                (function(*now), Some("via trampoline".to_owned()))
            }
            Outside::Trampoline { target, now } => {
                let from = function(target.address());
                let remark = format!("via trampoline, retargeted from {from}");
                (function(*now), Some(remark))
            }
        })
    }
}
