//! What a program finds in memory when it is entered: x0 points at these words.

/// Offset of the address of the end of the stack, which is r10.
pub const STACK_TOP: u64 = 0;
/// Offset of the budget, in instructions.
pub const BUDGET: u64 = 8;
/// Offset of the input's address; its length follows.
pub const INPUT: u64 = 16;
/// Offset of the number of offsets in the input at which eight bytes can be accessed.
pub const EIGHT_LIMIT: u64 = 32;
/// Offset of the list of regions: address and length of each, and a length of 0 behind the last.
pub const REGIONS: u64 = 40;

/// Bytes of a function's stack.
pub const FRAME: u64 = 512;
/// How deep functions may call each other, the program's own included.
pub const MAX_DEPTH: usize = 8;
/// Bytes of the stack of a program.
pub const STACK: u64 = FRAME * MAX_DEPTH as u64;

/// A range of memory that a program may read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub address: u64,
    /// Its length, in bytes.
    pub len: u64,
}

/// The context for a program: its stack, its input, the regions that it may access besides, and its budget.
pub fn words(stack: u64, input: Region, others: &[Region], budget: u64) -> Vec<u64> {
    let mut words = vec![
        stack + STACK,
        budget,
        input.address,
        input.len,
        input.len.saturating_sub(7),
    ];
    let stack = Region {
        address: stack,
        len: STACK,
    };
    // The input comes last: the checks have looked there, and missed only what ends in its last 7 bytes.
    for region in others.iter().chain([&stack, &input]) {
        // A region of no bytes would end the list, and nothing can be accessed in it.
        if region.len > 0 {
            words.extend([region.address, region.len]);
        }
    }
    words.extend([0, 0]);
    words
}

/// Whether all bytes of an access lie in one of these regions.
pub fn allow(regions: impl Iterator<Item = Region>, address: u64, len: u64) -> Option<()> {
    let holds = |region: Region| {
        let offset = address.wrapping_sub(region.address);
        region
            .len
            .checked_sub(offset)
            .is_some_and(|left| left >= len)
    };
    regions.into_iter().any(holds).then_some(())
}
