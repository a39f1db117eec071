opstitch::uops! {
    op InAdd(mask: logical64) { ; add x0, x0, mask }
    op InMov(mask: logical64) { ; mov x0, mask }
    op InVector(mask: logical64) { ; orr v0.h8, mask }
    op Narrow(mask: logical32) { ; and x0, x0, mask }
    op Wide(mask: logical64) { ; tst w0, mask }
    op NotAlone(mask: logical64) { ; and x0, x0, !mask }
    op Negative { ; and x0, x0, -16 }
    op NegativeOperand(n: i8) { ; orr x0, x0, n }
    op NegativeMove { ; mov x0, -1 }
    op NegativeMoveOperand(n: i8) { ; mov x0, n }
    op FloatInAdd { ; add x0, x0, 1.0 }
    op FloatInShift { ; shl v0.s4, v1.s4, -1.0 }
    op IntegerInFmov { ; fmov d0, 1 }
    op NumberInFmov(n: u8) { ; fmov d0, n }
    op Fp8InAdd(x: fp8) { ; add x0, x0, x }
    op Fp8InExpression(x: fp8) { ; fmov d0, x * 2 }
}

fn main() {}
