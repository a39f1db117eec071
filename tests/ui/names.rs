opstitch::uops! {
    registers { vm: x19, stack: x20 }
    const SIZE = 8;

    op Base(slot: u12) { ; ldr x0, [stakc, slot * SIZE] }
    op Alone { ; mov x0, stakc }
    op Offset(slot: u12) { ; ldr x0, [stack, slto * 8] }
    op Constant(slot: u12) { ; ldr x0, [stack, slot * SIZ] }
    op Chosen(which: reg) { ; mov x0, X(wich) }
    op Place(overflow: exit) { ; b.vs =>overfow }
    op Element { ; umov w0, v1.h[lane] }
    op Amount { ; add x0, x1, x2, lsl bits }
    op Condition { ; csel x0, x1, x2, zero }
    op Word { ; .u32 word }
    op ReadSystem { ; mrs x0, fpcr }
    op WriteSystem { ; msr fpcr, x0 }
    op Barrier { ; isb foo }
    op ChosenCondition(c: u4, out: exit) { ; b.c =>out }
    op LabelWithoutArrow { ; cbz x0, done ; done: }
    op RegisterInNumber { ; ldr x0, [vm, 8 * stack] }
    op Nothing { ; done: ; mov x0, zzzzzz }
}

fn main() {}
