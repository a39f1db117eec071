//! Where tests do less of what takes long.

/// Whether every access is checked, or every instruction emulated.
pub(crate) fn is_slow() -> bool {
    let slow = ["OPSTITCH_ASAN", "OPSTITCH_QEMU"];
    slow.iter().any(|name| std::env::var_os(name).is_some())
}
