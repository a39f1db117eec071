//! What several test programs share.

use opstitch::LinkedTrace;
use opstitch::inspect::Symbols;

/// Compares the listing of a linked trace with the snapshot of that name in `snapshots/`.
pub(crate) fn assert_listing(name: &str, linked: &LinkedTrace, symbols: &Symbols) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let listing = linked.listing(symbols).to_string();
    settings.bind(|| insta::assert_snapshot!(name, listing));
}
