//! What the trace finds in memory: CPython's objects, frame and thread, simplified.
//!
//! | what           | its 8-byte words                                              |
//! |----------------|---------------------------------------------------------------|
//! | object         | reference count (32 bits; negative if immortal), type         |
//! | range iterator | an object, then `start`, `step`, `len`                        |
//! | integer, float | an object, then its value                                     |
//! | frame          | `instr_ptr`, stack pointer, locals `n`, `total`, `i`, stack   |
//! | thread         | current executor, eval breaker (lowest byte: requests)        |
//! | executor       | lowest byte: is it valid; the next: was it used               |
//!
//! The micro-ops (`uops.rs`) have the same offsets.

use super::machine::{Fault, Memory};

/// Offsets in an object.
pub const TYPE: u64 = 8;
/// See [`TYPE`].
pub const VALUE: u64 = 16;
/// Offset in a range iterator.
pub const RANGE_LEN: u64 = 32;
/// Offset in the thread.
pub const EVAL_BREAKER: u64 = 8;
/// Offset in the frame.
pub const STACK_POINTER: u64 = 8;

const LOCALS: u64 = 16;
const STACK: u64 = 40;

/// The locals of the loop's function, by number: `n`, `total`, `i`.
pub const N: u64 = 0;
/// See [`N`].
pub const TOTAL: u64 = 1;
/// See [`N`].
pub const I: u64 = 2;

/// The reference count of an object that is never freed.
pub const IMMORTAL: u64 = 0xc000_0000;

/// The largest small integer.
pub const SMALL_MAX: i64 = i64::MAX >> 2;

/// A small integer as a stack reference: 62 bits and the tag 3.
pub fn small(value: i64) -> u64 {
    (value as u64) << 2 | 3
}

/// A reference that owns nothing: tag 1.
pub fn borrowed(reference: u64) -> u64 {
    reference | 1
}

/// An instruction of the loop's function, by its offset in the bytecode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Bytecode {
    ForIter = 28,
    StoreFast = 32,
    LoadFastBorrow = 34,
    BinaryOp = 36,
    JumpBackward = 50,
    PopIter = 56,
}

/// The addresses of everything.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct World {
    pub start: u64,
    pub range_iterator_type: u64,
    pub list_iterator_type: u64,
    pub int_type: u64,
    pub float_type: u64,
    pub executor: u64,
    pub thread: u64,
    pub code: u64,
    pub frame: u64,
    pub iterator: u64,
    /// The functions of the runtime, in the order of `Runtime::FUNCTIONS`.
    pub functions: [u64; 4],
    /// Where the next object goes.
    free: u64,
}

impl World {
    /// How many bytes of memory it needs.
    pub const LEN: usize = 4096;

    /// Everything has its place from `start` on, the runtime's functions apart.
    pub fn at(start: u64, functions: [u64; 4]) -> World {
        World {
            start,
            range_iterator_type: start,
            list_iterator_type: start + 0x10,
            int_type: start + 0x20,
            float_type: start + 0x30,
            executor: start + 0x40,
            thread: start + 0x50,
            code: start + 0x60,
            frame: start + 0x100,
            iterator: start + 0x180,
            functions,
            free: start + 0x200,
        }
    }

    /// The moment when the loop is about to begin: `total = 0`, `i` is not bound yet, and the iterator
    /// of `range(start, start + n)` is on the stack, with a NULL above it.
    pub fn begin(&self, memory: &mut dyn Memory, start: i64, n: i64) -> Result<(), Fault> {
        memory.store(self.executor, 1)?;
        let iterator = [1, self.range_iterator_type, start as u64, 1, n as u64];
        for (at, word) in (self.iterator..).step_by(8).zip(iterator) {
            memory.store(at, word)?;
        }
        memory.store(self.local(N), small(n))?;
        memory.store(self.local(TOTAL), small(0))?;
        let stack = self.frame + STACK;
        memory.store(stack, self.iterator)?;
        memory.store(self.frame + STACK_POINTER, stack + 16)
    }

    /// Makes an object, to which there is one reference.
    pub fn object(&mut self, memory: &mut dyn Memory, kind: u64, value: u64) -> Result<u64, Fault> {
        let object = self.free;
        self.free += 24;
        memory.store(object, 1)?;
        memory.store(object + TYPE, kind)?;
        memory.store(object + VALUE, value)?;
        Ok(object)
    }

    /// Where a local is.
    pub fn local(&self, number: u64) -> u64 {
        self.frame + LOCALS + 8 * number
    }

    /// The items on the stack, the lowest first.
    pub fn stack(&self, memory: &dyn Memory) -> Result<Vec<u64>, Fault> {
        let top = memory.load(self.frame + STACK_POINTER)?;
        let items = (self.frame + STACK..top).step_by(8);
        items.map(|at| memory.load(at)).collect()
    }

    /// The offset in the bytecode at which the interpreter goes on.
    pub fn next_instruction(&self, memory: &dyn Memory) -> Result<u64, Fault> {
        Ok(memory.load(self.frame)?.wrapping_sub(self.code))
    }
}
