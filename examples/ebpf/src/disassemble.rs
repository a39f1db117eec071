//! Instructions as text, in the way of Linux' and LLVM's disassemblers.

use crate::instruction::*;
use crate::verify::target;

/// The instruction at `pc`; an lddw with its second half. For code that the verifier accepts.
pub fn disassemble(code: &[Instruction], pc: usize) -> String {
    let instruction = code[pc];
    let (dst, src) = (instruction.dst(), instruction.src());
    let imm = instruction.imm;
    match instruction.class() {
        ALU | ALU64 => arithmetic(instruction),
        JMP | JMP32 => jump(instruction, pc),
        LD => {
            let high = code.get(pc + 1).map_or(0, |half| half.imm as u32);
            format!(
                "r{dst} = {:#x} ll",
                u64::from(high) << 32 | u64::from(imm as u32)
            )
        }
        LDX => format!("r{dst} = {}", place(instruction, src)),
        ST => format!("{} = {imm}", place(instruction, dst)),
        _ if instruction.mode() == ATOMIC => atomic(instruction),
        _ => format!("{} = r{src}", place(instruction, dst)),
    }
}

/// `r` or `w`, as the width is.
fn register(wide: bool, number: u8) -> String {
    format!("{}{number}", if wide { 'r' } else { 'w' })
}

fn operand(instruction: Instruction, wide: bool) -> String {
    if instruction.uses_register() {
        register(wide, instruction.src())
    } else {
        instruction.imm.to_string()
    }
}

fn arithmetic(instruction: Instruction) -> String {
    let wide = instruction.class() == ALU64;
    let dst = register(wide, instruction.dst());
    let right = operand(instruction, wide);
    let sign = if instruction.offset == 1 { "s" } else { "" };
    let operation = match instruction.operation() {
        ADD => "+=",
        SUB => "-=",
        MUL => "*=",
        DIV => return format!("{dst} {sign}/= {right}"),
        MOD => return format!("{dst} {sign}%= {right}"),
        OR => "|=",
        AND => "&=",
        LSH => "<<=",
        RSH => ">>=",
        ARSH => "s>>=",
        XOR => "^=",
        NEG => return format!("{dst} = -{dst}"),
        END => {
            let swap = match (wide, instruction.uses_register()) {
                (true, _) => "bswap",
                (_, true) => "be",
                (_, false) => "le",
            };
            return format!("{dst} = {swap}{} {dst}", instruction.imm);
        }
        _ if instruction.offset != 0 => return format!("{dst} = (s{}){right}", instruction.offset),
        _ => "=",
    };
    format!("{dst} {operation} {right}")
}

fn jump(instruction: Instruction, pc: usize) -> String {
    let wide = instruction.class() == JMP;
    let to = target(pc, instruction.distance());
    let condition = match instruction.operation() {
        JA => return format!("goto {to}"),
        CALL if instruction.is_local_call() => {
            return format!("call {}", target(pc, instruction.imm));
        }
        CALL => return format!("call helper {}", instruction.imm),
        EXIT => return "exit".to_owned(),
        JEQ => "==",
        JGT => ">",
        JGE => ">=",
        JSET => "&",
        JNE => "!=",
        JSGT => "s>",
        JSGE => "s>=",
        JLT => "<",
        JLE => "<=",
        JSLT => "s<",
        _ => "s<=",
    };
    let dst = register(wide, instruction.dst());
    let right = operand(instruction, wide);
    format!("if {dst} {condition} {right} goto {to}")
}

fn place(instruction: Instruction, base: u8) -> String {
    let sign = if instruction.mode() == MEMSX {
        's'
    } else {
        'u'
    };
    let (bits, offset) = (8 * u32::from(instruction.size()), instruction.offset);
    format!("*({sign}{bits} *)(r{base} {offset:+})")
}

fn atomic(instruction: Instruction) -> String {
    let place = place(instruction, instruction.dst());
    let src = instruction.src();
    let imm = instruction.imm as u8;
    let operation = match imm & !FETCH {
        ADD => "+=",
        OR => "|=",
        AND => "&=",
        XOR => "^=",
        _ if imm == XCHG => return format!("r{src} = xchg({place}, r{src})"),
        _ => return format!("r0 = cmpxchg({place}, r0, r{src})"),
    };
    let fetch = if imm & FETCH != 0 {
        format!("r{src} = fetch ")
    } else {
        String::new()
    };
    format!("{fetch}lock {place} {operation} r{src}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_instructions() {
        let texts = [
            (0x07, 0x01, 0, -5, "r1 += -5"),
            (0x3c, 0x21, 1, 0, "w1 s/= w2"),
            (0xbf, 0x21, 8, 0, "r1 = (s8)r2"),
            (0xd7, 0x03, 0, 32, "r3 = bswap32 r3"),
            (0xdc, 0x03, 0, 16, "w3 = be16 w3"),
            (0x5d, 0x21, 2, 0, "if r1 != r2 goto 3"),
            (0x85, 0x00, 0, 5, "call helper 5"),
            (0x91, 0x21, -3, 0, "r1 = *(s8 *)(r2 -3)"),
            (0xdb, 0x21, 8, 0xf1, "r0 = cmpxchg(*(u64 *)(r1 +8), r0, r2)"),
            (0xc3, 0x21, 4, 0x51, "r2 = fetch lock *(u32 *)(r1 +4) &= r2"),
        ];
        for (opcode, registers, offset, imm, text) in texts {
            let instruction = Instruction {
                opcode,
                registers,
                offset,
                imm,
            };
            assert_eq!(disassemble(&[instruction], 0), text);
        }
    }
}
