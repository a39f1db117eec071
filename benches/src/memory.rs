//! The addresses that traces are built for.

/// Where a trace lies.
pub const TRACE: u64 = 0x10_0000_0000;

/// Where a function that traces call lies: beyond the reach of `bl`.
pub const fn function(number: usize) -> u64 {
    0x20_0000_0000 + number as u64 * 0x40
}

/// What exit `number` hands back.
pub const fn exit_value(number: usize) -> u32 {
    1000 + number as u32
}
