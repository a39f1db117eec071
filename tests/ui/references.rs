opstitch::uops! {
    registers { stack: x20 }

    op CallByCbz(function: call) { ; cbz x0, =>function }
    op CallByTbz(function: call) { ; tbz x0, 3, =>function }
    op CallByCondition(function: call) { ; b.eq =>function }
    op ExitByBl(out: exit) { ; bl =>out }
    op ExitByAdr(out: exit) { ; adr x0, =>out }
    op ExitByLdr(out: exit) { ; ldr x0, =>out }
    op LabelByLdr(top: label) { ; ldr x0, =>top }
    op LiteralByB(value: literal) { ; b =>value }
    op LiteralByBl(value: literal) { ; bl =>value }
    op LiteralByStr(value: mut literal) { ; str x0, =>value }
    op WithoutDot(out: exit) { ; beq =>out }
    op CallByBlr(function: call) { ; blr =>function }
    op JumpByBr(function: call) { ; br =>function }
    op ExitByBlr(out: exit) { ; blr =>out }
    op LiteralByBr(value: literal) { ; br =>value }
    op CallWithoutDot(function: call) { ; beq =>function }
    op LiteralWithoutDot(value: mut literal) { ; bne =>value }
    op Number(slot: u12) { ; cbz x0, =>slot }
    op Register(which: reg) { ; b =>which }
    op Pinned { ; b =>stack }
    op Local { ; top: ; cbz x0, =>top }
    op WithOffset(out: exit) { ; b.vs =>out + 4 }
    op CallWithoutArrow(function: call) { ; bl function }
    op ExitAsNumber(out: exit) { ; add x0, x0, out }
    op Distance { ; cbz x0, 8 ; ret }
    op DistanceOfOperand(n: u12) { ; b n * 4 }
    op DistanceOfLiteral { ; ldr x0, 8 ; ret }
    op Q(value: literal) { ; ldr q0, =>value }
    op Extern { ; bl extern 0x1000 }
}

fn main() {}
