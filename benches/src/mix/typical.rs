//! Typical micro-ops: six instructions, one immediate, and one call, exit or label.

super::mix! {
    mix Typical "typical", at most 7 words;
    // Guards: exits.
    1 AddInt(slot: u12; out: exit) {
        ; ldr x9, [x21, slot * 8] ; ldur x10, [x20, #-8] ; adds x9, x9, x10 ; b.vs =>out
        ; stur x9, [x20, #-8] ; mov x11, x9
    }
    1 SubInt(slot: u12; out: exit) {
        ; ldr x9, [x21, slot * 8] ; ldur x10, [x20, #-8] ; subs x9, x10, x9 ; b.vs =>out
        ; stur x9, [x20, #-8] ; mov x11, x9
    }
    1 GuardTag(tag: u12; out: exit) {
        ; ldur x9, [x20, #-8] ; and x10, x9, x23 ; ldr w11, [x10, #4] ; cmp w11, tag
        ; b.ne =>out ; mov x12, x10
    }
    1 GuardTrue(slot: u12; out: exit) {
        ; ldr x9, [x21, slot * 8] ; cbz x9, =>out ; ldr x10, [x19, #16] ; add x10, x10, #1
        ; str x10, [x19, #16] ; mov x11, x9
    }
    1 GuardLess(slot: u12; out: exit) {
        ; ldur x9, [x20, #-8] ; ldr x10, [x21, slot * 8] ; cmp x9, x10 ; b.ge =>out
        ; sub x20, x20, #8 ; mov x11, x10
    }
    1 Index(slot: u12; out: exit) {
        ; ldr x9, [x21, slot * 8] ; ldur x10, [x20, #-8] ; ldur x11, [x9, #-8] ; cmp x10, x11
        ; b.hs =>out ; ldr x12, [x9, x10, lsl #3]
    }
    1 LoadChecked(slot: u12; out: exit) {
        ; ldr x9, [x21, slot * 8] ; str x9, [x20], #8 ; ldr w10, [x9] ; add w10, w10, #1
        ; str w10, [x9] ; cbz w10, =>out
    }
    1 Budget(cost: u12; out: exit) {
        ; ldr x9, [x19, #24] ; subs x9, x9, cost ; b.lo =>out ; str x9, [x19, #24]
        ; ldr x10, [x19, #32] ; mov x11, x10
    }
    // Runtime functions: calls.
    1 CallSlot(slot: u12; function: call) {
        ; mov x0, x19 ; ldr x1, [x21, slot * 8] ; bl =>function ; ldr x9, [x19, #8]
        ; str x0, [x20], #8 ; str x20, [x19, #40]
    }
    1 CallNumber(number: u12; function: call) {
        ; mov x0, x19 ; ldur x1, [x20, #-8] ; movz x2, number ; bl =>function
        ; stur x0, [x20, #-8] ; ldr x20, [x19, #40]
    }
    1 CallMethod(slot: u12; function: call) {
        ; ldr x1, [x20, #-8]! ; ldr x2, [x1, slot * 8] ; mov x0, x19 ; str x20, [x19, #40]
        ; bl =>function ; str x0, [x20], #8
    }
    1 CallPair(slot: u12; function: call) {
        ; ldp x1, x2, [x20, #-16]! ; add x3, x21, slot ; mov x0, x19 ; bl =>function
        ; str x0, [x20], #8 ; mov x11, x0
    }
    1 Allocate(size: u12; function: call) {
        ; movz x1, size ; mov x0, x19 ; str x20, [x19, #40] ; str x21, [x19, #48]
        ; bl =>function ; str x0, [x20], #8
    }
    1 Release(slot: u12; function: call) {
        ; ldr x0, [x21, slot * 8] ; ldr w9, [x0] ; sub w9, w9, #1 ; str w9, [x0]
        ; bl =>function ; mov x20, x0
    }
    1 Store(slot: u12; function: call) {
        ; ldr x1, [x20, #-8]! ; str x1, [x21, slot * 8] ; mov x0, x19 ; mov x2, x21
        ; bl =>function ; ldr x9, [x19, #8]
    }
    1 Compare(slot: u12; function: call) {
        ; ldur x1, [x20, #-8] ; ldr x2, [x21, slot * 8] ; mov x0, x19 ; bl =>function
        ; cmp x0, #0 ; cset x9, eq
    }
    // Control flow: labels.
    1 JumpIfZero(slot: u12; to: label) {
        ; ldr x9, [x21, slot * 8] ; ldr x10, [x19, #56] ; add x10, x10, #1 ; str x10, [x19, #56]
        ; mov x11, x9 ; cbz x9, =>to
    }
    1 JumpIfNot(slot: u12; to: label) {
        ; ldr x9, [x21, slot * 8] ; sub x20, x20, #8 ; ldr x10, [x20] ; mov x11, x10
        ; cmp x9, x10 ; b.ne =>to
    }
    1 JumpIfLess(limit: u12; to: label) {
        ; ldr x9, [x20, #-8]! ; cmp x9, limit ; b.lt =>to ; ldr x10, [x19, #64]
        ; add x10, x10, #1 ; str x10, [x19, #64]
    }
    1 JumpIfTag(tag: u12; to: label) {
        ; ldur x9, [x20, #-8] ; and x10, x9, x23 ; ldr w11, [x10, #4] ; cmp w11, tag
        ; b.eq =>to ; mov x12, x10
    }
    1 Loop(step: u12; to: label) {
        ; ldr x9, [x21, #8] ; add x9, x9, step ; str x9, [x21, #8] ; ldr x10, [x21, #16]
        ; cmp x9, x10 ; b.lt =>to
    }
    1 Next(size: u12; to: label) {
        ; ldp x9, x10, [x20, #-16] ; add x9, x9, size ; cmp x9, x10 ; b.hs =>to
        ; stur x9, [x20, #-16] ; ldr x11, [x9]
    }
    1 Test(slot: u12; to: label) {
        ; ldr x9, [x21, slot * 8] ; tst x9, x22 ; b.eq =>to ; str x9, [x20], #8
        ; ldr x10, [x19, #72] ; mov x11, x10
    }
    1 Switch(value: u12; to: label) {
        ; ldur w9, [x20, #-8] ; ldur w10, [x20, #-4] ; orr w9, w9, w10 ; cmp w9, value
        ; b.eq =>to ; mov x11, x9
    }
    closing {}
}
