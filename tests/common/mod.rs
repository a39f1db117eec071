//! What several test programs share.

mod snapshots;

use opstitch::inspect::Symbols;
use opstitch::{LinkedTrace, assert_trace_snapshot};

/// Compares the listing of a linked trace with the snapshot of that name in `snapshots/`.
pub(crate) fn assert_listing(name: &str, linked: &LinkedTrace, symbols: &Symbols) {
    snapshots::with_snapshots(|| assert_trace_snapshot!(name, linked, symbols = symbols));
}
