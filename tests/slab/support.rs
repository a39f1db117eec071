//! Micro-ops, traces of them, and a way to read A64 code that owes nothing to the library's own.

// Every test file uses some of it.
#![allow(dead_code, unreachable_pub)]

#[path = "../common/slow.rs"]
mod slow;

use std::ops::Range;

use opstitch::slab::{Granule, InstalledTrace, Mapping, Slab, SlabOptions, SlabStatistics};
use opstitch::{Exit, MutLiteral, Target, Trace, TraceBuilder};

use slow::is_slow;

opstitch::uops! {
    /// Micro-ops to be installed, and mostly not to be run.
    pub enum Op;

    /// Adds to `x0`.
    op Add(n: u12) { ; add x0, x0, n }
    /// Loads a constant.
    op Constant(value: literal) { ; ldr x9, =>value }
    /// Loads a changeable word.
    op Cached(value: mut literal) { ; ldr x9, =>value }
    /// Loads the lower half of one.
    op CachedNarrow(value: mut literal) { ; ldr w9, =>value }
    /// Loads it with its sign.
    op CachedSigned(value: mut literal) { ; ldrsw x9, =>value }
    /// Calls.
    op Call(function: call) { ; bl =>function }
    /// Leaves through `exit` if `x0` is 0.
    op Guard(exit: exit) { ; cbz x0, =>exit }
    /// Returns `code`.
    op Leave(code: u16) { ; movz x0, code ; ret }
}

pub const NOP: u32 = 0xd503_201f;

/// A number that no instruction makes, so it is in the literal pool.
pub const fn big(n: u64) -> u64 {
    0x0123_4567_89ab_0000 + n
}

/// The ways in which a slab may be mapped on this system.
pub const MAPPINGS: &[Mapping] = if cfg!(target_os = "linux") {
    &[Mapping::TwoViews, Mapping::MovedPages]
} else {
    &[Mapping::Jit]
};

/// A slab for each mapping and each granule.
pub fn slabs(size: usize) -> impl Iterator<Item = Slab> {
    MAPPINGS.iter().flat_map(move |&mapping| {
        [Granule::Bytes16, Granule::Bytes32].map(|granule| {
            let options = SlabOptions::new(size).mapping(mapping).granule(granule);
            let slab = options.build().expect("a slab");
            assert_eq!(slab.mapping(), mapping);
            slab
        })
    })
}

/// A builder that is finished, and what is known of its trace.
pub struct Built<T> {
    builder: TraceBuilder,
    pub known: T,
}

impl<T> Built<T> {
    pub fn trace(&mut self) -> Trace<'_> {
        self.builder.finish().expect("a trace")
    }
}

pub fn build<T>(write: impl FnOnce(&mut TraceBuilder) -> Result<T, opstitch::Error>) -> Built<T> {
    let mut builder = TraceBuilder::new();
    let known = write(&mut builder).expect("what can be built");
    Built { builder, known }
}

/// A trace of `ops` micro-ops that returns `code`.
pub fn plain(ops: usize, code: u64) -> Built<()> {
    build(|b| {
        (0..ops).try_for_each(|_| b.push(Add { n: 1 }))?;
        b.push(Leave { code })
    })
}

/// A trace that calls all of these.
pub fn calling(targets: &[Target]) -> Built<()> {
    build(|b| {
        for &function in targets {
            b.push(Call { function })?;
        }
        b.push(Leave { code: 0 })
    })
}

/// A trace with linkable exits that return these codes.
pub fn leaving(codes: &[u64]) -> Built<Vec<Exit>> {
    build(|b| {
        let mut exits = Vec::new();
        for &code in codes {
            let exit = b.linkable_exit([Leave { code }])?;
            b.push(Guard { exit })?;
            exits.push(exit);
        }
        b.push(Leave { code: 0 })?;
        Ok(exits)
    })
}

/// A trace that loads a constant, and changeable words that hold these values.
pub fn loading(values: &[u64]) -> Built<Vec<MutLiteral>> {
    build(|b| {
        b.push(Constant { value: big(0) })?;
        let mut literals = Vec::new();
        for &value in values {
            let value = b.mut_literal(value);
            b.push(Cached { value })?;
            literals.push(value);
        }
        b.push(Leave { code: 0 })?;
        Ok(literals)
    })
}

pub fn words(trace: &InstalledTrace) -> Vec<u32> {
    let bytes = trace.bytes();
    let words = bytes.chunks_exact(4);
    words
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
        .collect()
}

/// Where the `b` or `bl` at an address leads to.
pub fn destination(word: u32, address: u64) -> Option<u64> {
    let branch = word >> 26 & 0x1f == 0b00101;
    let displacement = (i64::from(word) << 38 >> 38) * 4;
    branch.then(|| address.wrapping_add_signed(displacement))
}

/// The words of `after` that are not as they were, and their addresses.
pub fn changes(trace: &InstalledTrace, before: &[u32]) -> Vec<(u64, u32)> {
    let addresses = (trace.address()..).step_by(4);
    let after = words(trace);
    assert_eq!(before.len(), after.len());
    let all = addresses.zip(before.iter().zip(after));
    let changed = all.filter(|(_, (before, after))| *before != after);
    changed.map(|(at, (_, after))| (at, after)).collect()
}

/// The `bl`s of a trace: where they lead to.
pub fn calls(trace: &InstalledTrace) -> Vec<u64> {
    let addresses = (trace.address()..).step_by(4);
    let calls = addresses.zip(words(trace));
    calls
        .filter(|(_, word)| word >> 26 == 0b100101)
        .map(|(at, word)| destination(word, at).expect("a branch"))
        .collect()
}

/// The bytes at an address in a slab.
pub fn memory<const N: usize>(slab: &Slab, address: u64) -> [u8; N] {
    let Range { start, end } = slab.addresses();
    assert!(start <= address && address + N as u64 <= end);
    // SAFETY: in the slab, which is readable.
    unsafe { (address as *const [u8; N]).read_volatile() }
}

/// Where a slab's trampoline leads to.
pub fn trampoline(slab: &Slab, address: u64) -> u64 {
    let bytes: [u8; 16] = memory(slab, address);
    assert!(address.is_multiple_of(16));
    // ldr x16, #8 ; br x16
    assert_eq!(bytes[..8], [0x50, 0, 0, 0x58, 0, 2, 0x1f, 0xd6]);
    u64::from_le_bytes(bytes[8..].try_into().expect("eight bytes"))
}

/// Statistics that have to add up, whatever happens.
pub fn checked_statistics(slab: &Slab) -> SlabStatistics {
    let all = slab.statistics();
    assert_eq!(all.size, all.used + all.free + all.retired);
    assert!(all.padding <= all.used && all.longest <= all.free);
    assert_eq!(all.longest == 0, all.free == 0);
    let made = all.trampolines_made;
    assert!(made >= all.trampolines as u64 || all.trampolines > 0);
    let Range { start, end } = slab.addresses();
    assert_eq!(end - start, all.size as u64);
    all
}

/// What a slab must go back to when everything is dropped and reclaimed: statistics apart from what is
/// counted for good.
pub fn assert_empty(slab: &Slab) {
    slab.reclaim().expect("cores are synchronized");
    let all = checked_statistics(slab);
    assert_eq!((all.used, all.free, all.longest), (0, all.size, all.size));
    assert_eq!((all.retired, all.padding, all.traces), (0, 0, 0));
    assert_eq!(
        (all.trampolines, all.direct_calls, all.far_calls),
        (0, 0, 0)
    );
}

/// A target that `bl` does not reach from a slab.
pub fn far(slab: &Slab, number: u64) -> Target {
    let Range { start, .. } = slab.addresses();
    Target::new((start ^ 1 << 40) + number * 4).expect("a multiple of 4")
}

/// Less of what takes long, where everything does.
pub fn fewer(all: usize) -> usize {
    if is_slow() { all / 10 } else { all }
}

/// Numbers that are the same in every run (xorshift64*).
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Runs `f` in a forked child, which must come to its end.
#[cfg(unix)]
pub fn in_child(f: impl FnOnce()) {
    let print = |text: &str| {
        // SAFETY: a string and its length.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    };
    // SAFETY: the child uses nothing of other threads' but the allocator, which takes care of it.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child");
    if child == 0 {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        if let Err(panic) = &result {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            print("in the child: ");
            print(text.unwrap_or("a panic"));
            print("\n");
        }
        // SAFETY: ends this process, without what a whole program would do at its end.
        unsafe { libc::_exit(result.is_err().into()) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child failed");
}
