opstitch::uops! {
    const OFFSET = 32768;

    op TooWide(slot: u13) { ; ldr x0, [x1, slot * 8] }
    op TooLow(offset: i10) { ; ldur x0, [x1, offset] }
    op Unscaled(offset: u12) { ; ldr x0, [x1, offset] }
    op Constant { ; ldr x0, [x1, OFFSET] }
    op Literal { ; add x0, x0, 4096 }
    op Shift(n: u7) { ; lsl x0, x1, n }
    op Lane(n: u4) { ; umov w0, v1.h[n] }
    op Barrier(n: u5) { ; dmb n }
    op NotAMask(n: u12) { ; and x0, x0, n }
    op FourBits(m: vreg) { ; mul v0.h8, v1.h8, V(m).h[1] }
}

fn main() {}
