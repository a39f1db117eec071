//! Registers chosen when a micro-op is pushed, in every field that takes one.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

opstitch::uops! {
    registers { vm: x19, accumulator: v8 }

    op MoveX(to: reg, from: reg) { ; mov X(to), X(from) }
    op AddW(to: reg, a: reg, b: reg) { ; add W(to), W(a), W(b) }
    op MultiplyAdd(to: reg, a: reg, b: reg, c: reg) { ; madd X(to), X(a), X(b), X(c) }
    op Load(to: reg, base: reg, index: reg) { ; ldr X(to), [X(base), X(index), lsl #3] }
    op LoadPair(a: reg, base: reg) { ; ldp X(a), x9, [X(base)] }
    op LoadPairSecond(b: reg, base: reg) { ; ldp x9, X(b), [X(base)] }
    op AddImmediate(to: reg, from: reg, n: u12) { ; add XSP(to), XSP(from), n }
    op Exchange(old: reg, new: reg, at: reg) { ; casal X(old), X(new), [X(at)] }
    op Same(both: reg) { ; add X(both), X(both), X(both) }
    op ShiftBy(to: reg, n: u6) { ; lsl X(to), X(to), n }
    op FromAlias(to: reg) { ; mov X(to), vm ; mov W(to), vm_w ; fmov X(to), accumulator_d }
    op TestAndSkip(r: reg, bit: u6) { ; tbz X(r), bit, >on ; cbz W(r), >on ; mov x9, xzr ; on: ; mov x9, X(r) }
    op AddFloat(to: vreg, a: vreg, b: vreg) { ; fadd D(to), D(a), D(b) }
    op FloatWidths(r: vreg) {
        ; fadd H(r), H(r), H(r)
        ; fneg S(r), S(r)
        ; ldr Q(r), [x20]
        ; ldr B(r), [x20]
    }
    op Vector(to: vreg, a: vreg, b: vreg) { ; add V(to).s4, V(a).s4, V(b).s4 }
    op Element(to: reg, from: vreg, i: u1) { ; umov X(to), V(from).d[i] }
    op Accumulate(r: vreg) { ; fmla V(r).d2, accumulator_v.d2, accumulator_v.d[1] }
    op Convert(to: reg, from: vreg) { ; fcvtzs X(to), D(from) }
    op Leave { ; ret }
}

#[test]
fn registers() {
    assert_extremes("encoding_registers", Leave.set());
}
