//! Straight micro-ops: eight instructions, two immediates, no reference.

super::mix! {
    mix Straight "straight", at most 9 words;
    1 Add(a: u12, b: u12;) {
        ; ldr x9, [x21, a * 8] ; ldr x10, [x21, b * 8] ; add x9, x9, x10 ; and x9, x9, x22
        ; eor x11, x9, x10 ; str x9, [x20, #8] ; str x11, [x20, #16] ; add x20, x20, #8
    }
    1 Sub(a: u12, b: u12;) {
        ; ldr x9, [x21, a * 8] ; sub x9, x9, b ; str x9, [x20, #8] ; add x20, x20, #8
        ; ldr x12, [x19, #16] ; add x12, x12, #1 ; str x12, [x19, #16] ; mov x13, x9
    }
    1 Mul(a: u12, b: u12;) {
        ; ldp x9, x10, [x20, #-16] ; mul x9, x9, x10 ; add x9, x9, a ; sub x9, x9, b
        ; stp x9, x10, [x20, #-16] ; lsr x11, x9, #32 ; orr x11, x11, x10 ; str x11, [x19, #24]
    }
    1 Madd(a: u12, b: u12;) {
        ; ldur x9, [x20, #-8] ; ldr x10, [x21, a * 8] ; ldr x11, [x21, b * 8] ; madd x9, x10, x11, x9
        ; stur x9, [x20, #-8] ; ldr x12, [x19, #32] ; add x12, x12, #8 ; str x12, [x19, #32]
    }
    1 Field(object: u12, field: u12;) {
        ; ldr x9, [x21, object * 8] ; and x9, x9, x23 ; ldr x10, [x9, field * 8] ; str x10, [x20, #8]
        ; add x20, x20, #8 ; ldr w11, [x9, #4] ; orr w11, w11, #1 ; str w11, [x9, #4]
    }
    1 SetField(object: u12, field: u12;) {
        ; ldr x9, [x21, object * 8] ; and x9, x9, x23 ; ldur x10, [x20, #-8] ; sub x20, x20, #8
        ; str x10, [x9, field * 8] ; ldr w11, [x9, #4] ; orr w11, w11, #2 ; str w11, [x9, #4]
    }
    1 Swap(a: u12, b: u12;) {
        ; ldr x9, [x21, a * 8] ; ldr x10, [x21, b * 8] ; mov x11, x9 ; mov x12, x10
        ; str x12, [x21, #24] ; str x11, [x21, #16] ; eor x13, x11, x12 ; str x13, [x19, #40]
    }
    1 Less(a: u12, b: u12;) {
        ; ldr x9, [x21, a * 8] ; cmp x9, b ; cset x10, lt ; orr x10, x10, x24
        ; str x10, [x20, #8] ; add x20, x20, #8 ; ldr x11, [x19, #48] ; str x11, [x19, #56]
    }
    1 Bytes(a: u12, b: u12;) {
        ; ldur x9, [x20, #-8] ; ldrb w10, [x9, a] ; ldrb w11, [x9, b] ; orr w10, w10, w11, lsl #8
        ; stur x10, [x20, #-8] ; rev w12, w10 ; clz w12, w12 ; str w12, [x19, #64]
    }
    1 Shift(a: u12, b: u12;) {
        ; ldr w9, [x21, a * 4] ; lsl w9, w9, #3 ; add w9, w9, b ; asr w10, w9, #2
        ; str w10, [x20, #4] ; str w9, [x20, #8] ; add x20, x20, #8 ; mov x13, x20
    }
    1 Count(a: u12, b: u12;) {
        ; ldr x9, [x19, a * 8] ; adds x9, x9, #1 ; cset x10, cs ; str x9, [x19, #112]
        ; ldr x11, [x19, b * 8] ; add x11, x11, x10 ; str x11, [x19, #72] ; mvn x12, x11
    }
    1 Select(a: u12, b: u12;) {
        ; ldr x9, [x21, a * 8] ; ldr x10, [x21, b * 8] ; ldur x11, [x20, #-8] ; cmp x11, #0
        ; csel x9, x9, x10, ne ; stur x9, [x20, #-8] ; neg x12, x9 ; str x12, [x19, #80]
    }
    1 Pair(a: u12, b: u12;) {
        ; mov x9, x20 ; add x9, x9, a ; add x10, x9, b ; stp x9, x10, [x20, #16]
        ; add x20, x20, #16 ; ldr x11, [x19, #88] ; sub x11, x11, #16 ; str x11, [x19, #88]
    }
    1 Float(a: u12, b: u12;) {
        ; ldr d0, [x21, a * 8] ; ldr d1, [x21, b * 8] ; fadd d0, d0, d1 ; fmul d2, d0, d1
        ; str d0, [x20, #8] ; str d2, [x20, #16] ; add x20, x20, #16 ; fmov x9, d2
    }
    1 Halves(a: u12, b: u12;) {
        ; ldrh w9, [x21, a * 2] ; ldrsh x10, [x21, b * 2] ; add x9, x9, x10 ; sxtw x11, w9
        ; strh w9, [x20, #2] ; str x11, [x20, #8] ; add x20, x20, #8 ; mov x12, x11
    }
    1 Clear(a: u12, b: u12;) {
        ; str xzr, [x21, a * 8] ; str xzr, [x21, b * 8] ; ldr x9, [x19, #96] ; sub x9, x9, #2
        ; str x9, [x19, #96] ; mov x10, x9 ; and x10, x10, x22 ; str x10, [x19, #104]
    }
    closing {}
}
