//! The ways into and out of a program and its functions.

use crate::context;

opstitch::uops! {
    pub enum Op;
    registers { r1: x1, frame: x23, context: x28 }

    /// The size of a function's stack, in bytes.
    const FRAME = 512;
    const TOP: u12 * 8 = context::STACK_TOP;

    /// The entry of a program that calls something or is checked. x0 is the context, x1 and x2 are r1 and r2.
    op Enter {
        ; stp x29, x30, [sp, #-16]!
        ; mov x29, sp
        ; mov context, x0
    }
    /// Sets r10 at the entry.
    op EnterFrame { ; ldr frame, [x0, TOP] }
    /// Clears r0, which a function that sets nothing may leave as it is.
    op ClearResult { ; mov x0, xzr }

    /// Says that the program has ended as it should: x1 is what a [`Stop`](crate::run::Stop) is read from.
    op Ended { ; mov r1, xzr }
    /// Leaves a program without `Enter`.
    op Return { ; ret }
    /// Leaves a program from wherever it is.
    op Leave {
        ; mov sp, x29
        ; ldp x29, x30, [sp], #16
        ; ret
    }

    /// Begins a function that needs these registers as they were.
    op SaveOne(a: reg) { ; str X(a), [sp, #-16]! }
    op SavePair(a: reg, b: reg) { ; stp X(a), X(b), [sp, #-16]! }
    op RestoreOne(a: reg) { ; ldr X(a), [sp], #16 }
    op RestorePair(a: reg, b: reg) { ; ldp X(a), X(b), [sp], #16 }
    op PushFrame { ; sub frame, frame, FRAME }
    op PopFrame { ; add frame, frame, FRAME }
}
