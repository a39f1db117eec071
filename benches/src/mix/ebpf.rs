//! eBPF instructions as a JIT would translate them, x0 to x10 being r0 to r10. The weights are how often each class of
//! instruction comes up in the programs of the public suite bpf_conformance, in parts of about a hundred.

super::mix! {
    mix Ebpf "ebpf", at most 6 words;
    33 MovImm(dst: reg, value: u32;) { ; movz W(dst), value & 0xffff ; movk W(dst), value >> 16, lsl #16 }
    2 MovReg(dst: reg, src: reg;) { ; mov X(dst), X(src) }
    1 Mov32(dst: reg, src: reg;) { ; mov W(dst), W(src) }
    2 AddImm(dst: reg, value: u12;) { ; add XSP(dst), XSP(dst), value }
    1 AddReg(dst: reg, src: reg;) { ; add X(dst), X(dst), X(src) }
    1 SubImm(dst: reg, value: u12;) { ; sub XSP(dst), XSP(dst), value }
    1 SubReg(dst: reg, src: reg;) { ; sub X(dst), X(dst), X(src) }
    1 MulReg(dst: reg, src: reg;) { ; mul X(dst), X(dst), X(src) }
    3 DivReg(dst: reg, src: reg; zero: exit) { ; cbz X(src), =>zero ; udiv X(dst), X(dst), X(src) }
    1 AndReg(dst: reg, src: reg;) { ; and X(dst), X(dst), X(src) }
    2 OrReg(dst: reg, src: reg;) { ; orr X(dst), X(dst), X(src) }
    1 XorReg(dst: reg, src: reg;) { ; eor X(dst), X(dst), X(src) }
    3 LshReg(dst: reg, src: reg;) { ; lsl X(dst), X(dst), X(src) }
    2 RshReg(dst: reg, src: reg;) { ; lsr X(dst), X(dst), X(src) }
    1 Neg(dst: reg;) { ; neg X(dst), X(dst) }
    2 Swap(dst: reg;) { ; rev X(dst), X(dst) }
    2 Load64(dst: reg, src: reg, offset: u12;) { ; ldr X(dst), [X(src), offset * 8] }
    2 Load32(dst: reg, src: reg, offset: u12;) { ; ldr W(dst), [X(src), offset * 4] }
    1 Load8(dst: reg, src: reg, offset: u12;) { ; ldrb W(dst), [X(src), offset] }
    3 Store64(dst: reg, src: reg, offset: u12;) { ; str X(src), [X(dst), offset * 8] }
    2 Store32(dst: reg, src: reg, offset: u12;) { ; str W(src), [X(dst), offset * 4] }
    6 LoadImm64(dst: reg, low: u32, high: u32;) {
        ; movz X(dst), low & 0xffff ; movk X(dst), low >> 16, lsl #16
        ; movk X(dst), high & 0xffff, lsl #32 ; movk X(dst), high >> 16, lsl #48
    }
    2 JumpEqualImm(dst: reg, value: u12; to: label) { ; cmp XSP(dst), value ; b.eq =>to }
    6 JumpNotEqualImm(dst: reg, value: u12; to: label) { ; cmp XSP(dst), value ; b.ne =>to }
    3 JumpEqual(dst: reg, src: reg; to: label) { ; cmp X(dst), X(src) ; b.eq =>to }
    2 JumpAbove(dst: reg, src: reg; to: label) { ; cmp X(dst), X(src) ; b.hi =>to }
    2 JumpLess(dst: reg, src: reg; to: label) { ; cmp X(dst), X(src) ; b.lt =>to }
    1 CallHelper(number: u16; helper: call) {
        ; movz x16, number ; str x16, [x19, #8] ; mov x5, x10 ; bl =>helper ; ldr x10, [x19, #16]
    }
    closing {
        2 Jump(to: label) { ; b =>to }
        10 Exit() { ; mov x0, x7 ; ret }
    }
}
