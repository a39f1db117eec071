//! Loads and stores. Each access has two forms: with an offset of 0 to 4095 times its size, and
//! (`Near`) with one of -256 to 255 bytes. `scaled` counts in units of the access.

opstitch::uops! {
    pub enum Op;

    op LoadByte(dst: reg, base: reg, scaled: u12) { ; ldrb W(dst), [X(base), scaled] }
    op LoadHalf(dst: reg, base: reg, scaled: u12) { ; ldrh W(dst), [X(base), scaled * 2] }
    op LoadWord(dst: reg, base: reg, scaled: u12) { ; ldr W(dst), [X(base), scaled * 4] }
    op LoadDouble(dst: reg, base: reg, scaled: u12) { ; ldr X(dst), [X(base), scaled * 8] }
    op LoadSignedByte(dst: reg, base: reg, scaled: u12) { ; ldrsb X(dst), [X(base), scaled] }
    op LoadSignedHalf(dst: reg, base: reg, scaled: u12) { ; ldrsh X(dst), [X(base), scaled * 2] }
    op LoadSignedWord(dst: reg, base: reg, scaled: u12) { ; ldrsw X(dst), [X(base), scaled * 4] }
    op StoreByte(src: reg, base: reg, scaled: u12) { ; strb W(src), [X(base), scaled] }
    op StoreHalf(src: reg, base: reg, scaled: u12) { ; strh W(src), [X(base), scaled * 2] }
    op StoreWord(src: reg, base: reg, scaled: u12) { ; str W(src), [X(base), scaled * 4] }
    op StoreDouble(src: reg, base: reg, scaled: u12) { ; str X(src), [X(base), scaled * 8] }
    op ClearByte(base: reg, scaled: u12) { ; strb wzr, [X(base), scaled] }
    op ClearHalf(base: reg, scaled: u12) { ; strh wzr, [X(base), scaled * 2] }
    op ClearWord(base: reg, scaled: u12) { ; str wzr, [X(base), scaled * 4] }
    op ClearDouble(base: reg, scaled: u12) { ; str xzr, [X(base), scaled * 8] }

    op LoadByteNear(dst: reg, base: reg, offset: i9) { ; ldurb W(dst), [X(base), offset] }
    op LoadHalfNear(dst: reg, base: reg, offset: i9) { ; ldurh W(dst), [X(base), offset] }
    op LoadWordNear(dst: reg, base: reg, offset: i9) { ; ldur W(dst), [X(base), offset] }
    op LoadDoubleNear(dst: reg, base: reg, offset: i9) { ; ldur X(dst), [X(base), offset] }
    op LoadSignedByteNear(dst: reg, base: reg, offset: i9) { ; ldursb X(dst), [X(base), offset] }
    op LoadSignedHalfNear(dst: reg, base: reg, offset: i9) { ; ldursh X(dst), [X(base), offset] }
    op LoadSignedWordNear(dst: reg, base: reg, offset: i9) { ; ldursw X(dst), [X(base), offset] }
    op StoreByteNear(src: reg, base: reg, offset: i9) { ; sturb W(src), [X(base), offset] }
    op StoreHalfNear(src: reg, base: reg, offset: i9) { ; sturh W(src), [X(base), offset] }
    op StoreWordNear(src: reg, base: reg, offset: i9) { ; stur W(src), [X(base), offset] }
    op StoreDoubleNear(src: reg, base: reg, offset: i9) { ; stur X(src), [X(base), offset] }
    op ClearByteNear(base: reg, offset: i9) { ; sturb wzr, [X(base), offset] }
    op ClearHalfNear(base: reg, offset: i9) { ; sturh wzr, [X(base), offset] }
    op ClearWordNear(base: reg, offset: i9) { ; stur wzr, [X(base), offset] }
    op ClearDoubleNear(base: reg, offset: i9) { ; stur xzr, [X(base), offset] }
}
