//! CPython's micro-ops for `for i in range(n): total += i`, under CPython's names.
//!
//! CPython keeps up to three of the topmost stack items in registers, and has each micro-op once for
//! every number of items that are cached before and after it. The one that this trace needs is noted
//! as `r23`: two cached before, three after. `cache0` is the lowest cached item.

// The names of the micro-ops are CPython's, so that a listing can be held beside one of CPython's.
#![allow(non_camel_case_types)]

opstitch::uops! {
    /// As CPython's JIT pins them. All are callee-saved, so they survive calls.
    registers {
        executor: x20, frame: x21, stack_pointer: x22, thread: x23,
        cache0: x24, cache1: x25, cache2: x26
    }

    // Objects; see `objects.rs`, which has the same numbers.
    const REFCOUNT = 0;
    const TYPE = 8;
    const RANGE_START = 16; // and RANGE_STEP = 24
    const RANGE_LEN = 32;
    // The frame.
    const INSTR_PTR = 0;
    const STACK_POINTER = 8;
    const LOCALS = 16;
    // The thread.
    const CURRENT_EXECUTOR = 0;
    const EVAL_BREAKER = 8;
    // The executor.
    const VALID = 0;
    const WARM = 1;

    // A stack reference's lowest bits: 00 for a reference that is owned (or NULL), 01 for one that is
    // borrowed, 11 for an integer of 62 bits. So bit 1 alone tells integers from the rest.
    const TAG = 3;
    const TAG_INT = 3;
    const TAG_BORROWED = 1;

    /// The trace's entry (r00): makes its executor the current one.
    op _START_EXECUTOR(this: literal, invalid: exit) {
        ; stp x29, x30, [sp, #-16]!
        ; mov x29, sp
        ; ldr executor, =>this
        ; str executor, [thread, CURRENT_EXECUTOR]
        ; ldrb w9, [executor, VALID]
        ; cbz w9, =>invalid
    }

    /// Notes that the trace is in use (r00).
    op _MAKE_WARM {
        ; mov w9, #1
        ; strb w9, [executor, WARM]
    }

    /// Notes which bytecode instruction is being executed, for tracebacks.
    op _SET_IP(instr_ptr: literal) {
        ; ldr x9, =>instr_ptr
        ; str x9, [frame, INSTR_PTR]
    }

    /// Handles signals and other requests to the interpreter, if there are any (r00).
    op _CHECK_PERIODIC(handle_pending: call, error: exit) {
        ; ldrb w9, [thread, EVAL_BREAKER]
        ; cbnz w9, >pending
        ; done:
    } cold {
        ; pending:
        ; str stack_pointer, [frame, STACK_POINTER]
        ; mov x0, thread
        ; bl =>handle_pending
        ; cbnz w0, =>error
        ; b <done
    }

    /// Leaves the trace if what it relies on does not hold any more (r00).
    op _CHECK_VALIDITY(invalid: exit) {
        ; ldrb w9, [executor, VALID]
        ; cbz w9, =>invalid
    }

    /// Is the iterator that of a range (r02)? Loads the iterator, and the NULL above it.
    op _ITER_CHECK_RANGE(range_iterator: literal, other: exit) {
        ; ldp cache0, cache1, [stack_pointer, #-16]!
        ; ldr x9, [cache0, TYPE]
        ; ldr x10, =>range_iterator
        ; cmp x9, x10
        ; b.ne =>other
    }

    /// Has the range a next number (r22)?
    op _GUARD_NOT_EXHAUSTED_RANGE(exhausted: exit) {
        ; ldr x9, [cache0, RANGE_LEN]
        ; cmp x9, #0
        ; b.le =>exhausted
    }

    /// Pushes the range's next number (r23). One that is too big for a tagged integer is made an object.
    op _ITER_NEXT_RANGE(from_long: call, error: exit) {
        ; ldp x9, x10, [cache0, RANGE_START]
        ; ldr x11, [cache0, RANGE_LEN]
        ; add x10, x9, x10
        ; sub x11, x11, #1
        ; str x10, [cache0, RANGE_START]
        ; str x11, [cache0, RANGE_LEN]
        ; lsl cache2, x9, #2
        ; cmp x9, cache2, asr #2
        ; b.ne >big
        ; orr cache2, cache2, TAG_INT
        ; done:
    } cold {
        ; big:
        ; mov x0, x9
        ; bl =>from_long
        ; cbz x0, =>error
        ; mov cache2, x0
        ; b <done
    }

    /// Swaps the topmost item with local 2 (r33).
    op _SWAP_FAST_2 {
        ; ldr x9, [frame, LOCALS + 2 * 8]
        ; str cache2, [frame, LOCALS + 2 * 8]
        ; mov cache2, x9
    }

    /// Writes the lower two cached items to the stack in memory (r31).
    op _SPILL_OR_RELOAD {
        ; stp cache0, cache1, [stack_pointer], #16
        ; mov cache0, cache2
    }

    /// Drops the topmost item, whatever it is (r10).
    op _POP_TOP(dealloc: call) {
        ; tst cache0, TAG
        ; b.eq >owned
        ; done:
    } cold {
        ; owned:
        ; cbz cache0, <done
        ; ldr w9, [cache0, REFCOUNT]
        ; tbnz w9, #31, <done // immortal
        ; subs w9, w9, #1
        ; str w9, [cache0, REFCOUNT]
        ; b.ne <done
        ; str stack_pointer, [frame, STACK_POINTER]
        ; mov x0, cache0
        ; bl =>dealloc
        ; b <done
    }

    /// Pushes local 1, which keeps its reference (r01).
    op _LOAD_FAST_BORROW_1 {
        ; ldr x9, [frame, LOCALS + 8]
        ; orr cache0, x9, TAG_BORROWED
    }

    /// Pushes local 2, which keeps its reference (r12).
    op _LOAD_FAST_BORROW_2 {
        ; ldr x9, [frame, LOCALS + 2 * 8]
        ; orr cache1, x9, TAG_BORROWED
    }

    /// The topmost item is some integer: is it a tagged one (r22)?
    op _GUARD_TOS_OVERFLOWED(which: u16, big: exit) {
        ; tbz cache1, #1, >fail
    } cold {
        ; fail:
        ; movz x1, which
        ; b =>big
    }

    /// Is the item below the topmost a tagged integer (r22)?
    op _GUARD_NOS_INT(which: u16, other: exit) {
        ; tbz cache0, #1, >fail
    } cold {
        ; fail:
        ; movz x1, which
        ; b =>other
    }

    /// Adds two tagged integers (r23). Leaves their sum, and above it both, which the next two drop.
    op _BINARY_OP_ADD_INT(which: u16, overflow: exit) {
        ; sub x9, cache0, TAG_INT
        ; adds x9, x9, cache1
        ; b.vs >fail
        ; mov cache2, cache1
        ; mov cache1, cache0
        ; mov cache0, x9
    } cold {
        ; fail:
        ; movz x1, which
        ; b =>overflow
    }

    /// Drops the topmost item, which owns nothing (r32, r21).
    op _POP_TOP_NOP {}

    /// Swaps the topmost item with local 1 (r11).
    op _SWAP_FAST_1 {
        ; ldr x9, [frame, LOCALS + 8]
        ; str cache0, [frame, LOCALS + 8]
        ; mov cache0, x9
    }

    /// Drops the topmost item, which is some integer (r10).
    op _POP_TOP_INT(exact_dealloc: call) {
        ; tst cache0, TAG
        ; b.eq >owned
        ; done:
    } cold {
        ; owned:
        ; ldr w9, [cache0, REFCOUNT]
        ; tbnz w9, #31, <done // immortal
        ; subs w9, w9, #1
        ; str w9, [cache0, REFCOUNT]
        ; b.ne <done
        ; mov x0, cache0
        ; bl =>exact_dealloc
        ; b <done
    }

    /// Goes round the loop (r00).
    op _JUMP_TO_TOP(top: label) {
        ; b =>top
    }

    /// An exit: the interpreter goes on at `instr_ptr`, and the executor is not tried again (r00).
    op _DEOPT(exit: u16, instr_ptr: literal) {
        ; ldr x9, =>instr_ptr
        ; stp x9, stack_pointer, [frame, INSTR_PTR]
        ; movz x0, exit
        ; ldp x29, x30, [sp], #16
        ; ret
    }

    /// An exit: an exception is set, and the interpreter looks for its handler. `cached` of two cached
    /// items are still on the stack; the frame has room for both.
    op _ERROR_POP_N(exit: u16, cached: u2 in 0..=2, instr_ptr: literal) {
        ; stp cache0, cache1, [stack_pointer]
        ; add stack_pointer, stack_pointer, cached * 8
        ; ldr x9, =>instr_ptr
        ; stp x9, stack_pointer, [frame, INSTR_PTR]
        ; movz x0, exit
        ; ldp x29, x30, [sp], #16
        ; ret
    }

    /// An exit: the interpreter goes on at `instr_ptr`, or another trace does (r20).
    op _EXIT_TRACE(exit: u16, instr_ptr: literal) {
        ; stp cache0, cache1, [stack_pointer], #16
        ; ldr x9, =>instr_ptr
        ; stp x9, stack_pointer, [frame, INSTR_PTR]
        ; movz x0, exit
        ; ldp x29, x30, [sp], #16
        ; ret
    }
}
