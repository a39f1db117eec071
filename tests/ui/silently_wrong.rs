opstitch::uops! {
    registers { stack: x20 }

    op Add { ; add x0, x19, w3 }
    op Adds { ; adds x0, x19, w3 }
    op Sub { ; sub x0, stack, stack_w }
    op Subs(a: reg) { ; subs x0, x19, W(a) }
    op Cmp { ; cmp x19, w3 }
    op Cmn { ; cmn x19, w3 }
    op ToSp { ; add sp, sp, w3 }
    op Load { ; ldr x0, [x1, w2] }
    op Store { ; str x0, [stack, stack_w] }
    op LoadChosen(a: reg) { ; ldrb w0, [x1, W(a)] }
    op Prefetch { ; prfm 0, [x1, w2] }
    op List { ; ld1 {v0.b16 - v3.b16}, [x0] }
    op Table { ; tbl v0.b16, {v1.b16 - v2.b16}, v3.b16 }
    op Adrp { ; here: ; adrp x0, <here }
    op AdrpForward { ; adrp x0, >here ; here: ; ret }
    op Register { ; mov x0, X(40) }
    op Zero { ; mov x0, X(31) }
    op Vector { ; add v0.s4, v1.s4, V(32).s4 }
    op Set { ; cset x0, al }
    op SetAll { ; csetm w0, nv }
    op Increment(a: reg) { ; cinc X(a), x1, al }
    op Invert { ; cinv w0, w1, nv }
    op Negate { ; cneg x0, x1, al }
}

fn main() {}
