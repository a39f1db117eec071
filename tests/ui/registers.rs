opstitch::uops! {
    registers { stack: x20 }

    op Expression(a: reg) { ; mov x0, X(a + 1) }
    op Number(a: u5) { ; mov x0, X(a) }
    op VectorInX(a: vreg) { ; mov x0, X(a) }
    op GeneralInV(a: reg) { ; add v0.s4, v1.s4, V(a).s4 }
    op WithoutFamily(a: reg) { ; mov x0, a }
    op VectorWithoutFamily(a: vreg) { ; fadd d0, d1, a }
    op Length(n: u2) { ; ld1 {v0.b16 * n}, [x0] }
    op NoRegister { ; ld1 {3}, [x0] }
    op More { ; mov x0, x1 + 1 }
    op Alias(d: reg) { ; str X(d), [X(stack), #8] }
    op Named { ; mov x0, X(x20) }
    op Platform { ; mov x18, x0 ; str wzr, [x0, w18, uxtw] }
    op PlatformByNumber { ; mov w0, W(9 * 2) }
    op NoSuchRegister { ; ldr x31, [x0] }
    op NoSuchVector { ; fadd d0, d1, d32 }
    op MoreBehindAddress { ; ldr x0, [x1] 8 }
}

fn main() {}
