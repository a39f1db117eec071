//! What the tests inside of the library share.

use std::fmt::Display;

/// Compares error messages with the snapshot of that name in `snapshots/`, after a check that each says what to
/// do behind what is wrong: a part of its own, behind a semicolon or a colon.
pub(crate) fn assert_messages<E: Display>(name: &str, errors: Vec<E>) {
    let messages: Vec<_> = errors.iter().map(E::to_string).collect();
    for message in &messages {
        let parts = message.split("; ").flat_map(|part| part.split(": "));
        assert!(parts.count() > 1, "no advice in: {message}");
        assert!(
            !message.ends_with('.') && !message.contains('\n'),
            "{message}"
        );
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, messages.join("\n")));
}

/// Numbers that look like none.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}
