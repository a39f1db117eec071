//! What disarm64 0.2 writes wrongly, among the instructions that a micro-op can contain.
//!
//! Found by comparing with LLVM's disassembler, for each instruction that dynasm-rs knows. What it does
//! not write at all, and calls undefined or by the name of the operand's kind, becomes `?`.

/// Corrects the operands of `word`, and returns its mnemonic.
pub(super) fn correct(word: u32, mnemonic: String, operands: &mut Vec<String>) -> String {
    for operand in operands.iter_mut() {
        let kind = operand.starts_with(':') && operand.ends_with(':');
        if kind || operand == "<undefined>" {
            "?".clone_into(operand);
        }
        if operand.starts_with("LSL ") || operand.starts_with("MSL ") {
            operand.make_ascii_lowercase();
        }
    }
    let (to, from) = (word & 0x1f, word >> 5 & 0x1f);
    if word & 0x1f80_0000 == 0x1280_0000 {
        // movn, movz, movk: the shift in hexadecimal, and written where there is none.
        operands.truncate(2);
        match word >> 21 & 0b11 {
            0 => {}
            lane => operands.push(format!("lsl #{}", 16 * lane)),
        }
    } else if word & 0xbf80_0000 == 0x0c00_0000 || word & 0xbf80_0000 == 0x0c80_0000 {
        // ld1 to ld4 and st1 to st4 of whole registers: all of them are ld4 and st4.
        let structures = match word >> 12 & 0xf {
            0b0000 => 4,
            0b0100 => 3,
            0b1000 => 2,
            _ => 1,
        };
        let name = if word >> 22 & 1 == 1 { "ld" } else { "st" };
        return format!("{name}{structures}");
    } else if word & 0xff3e_7c00 == 0x1e22_4000 {
        // fcvt: the destination has the source's width.
        let width = |field: u32| ["s", "d", "?", "h"][field as usize & 0b11];
        let (source, destination) = (width(word >> 22), width(word >> 15));
        *operands = vec![format!("{destination}{to}"), format!("{source}{from}")];
    } else if word & 0xffe0_fc00 == 0x5e00_0400 {
        // dup of an element into a scalar: the width. The lowest bit of imm5 that is set says it.
        let width = (word >> 16 & 0x1f).trailing_zeros() as usize;
        let width = ["b", "h", "s", "d"].get(width).unwrap_or(&"?");
        replace(operands, 0, format!("{width}{to}"));
    } else if word & 0xffef_fc00 == 0x4e08_1c00 {
        // ins of a general register into a 64-bit element: the width.
        let register = match from {
            31 => "xzr".to_owned(),
            from => format!("x{from}"),
        };
        replace(operands, 1, register);
    } else if word & 0x9fc0_f400 == 0x0f80_e000 {
        // sdot and udot by an element: registers from v16 on.
        let index = (word >> 11 & 1) << 1 | word >> 21 & 1;
        let register = word >> 16 & 0x1f;
        replace(operands, 2, format!("v{register}.4b[{index}]"));
    } else if word & 0xdf3e_0c00 == 0x5e30_0800 {
        // addp, faddp, fmaxp and so on of the two elements of a register: their arrangement.
        if let Some(width) = operands.first().and_then(|to| to.get(..1)) {
            let pair = format!("v{from}.2{width}");
            replace(operands, 1, pair);
        }
    } else if word & 0xbf7f_cc00 == 0x0e30_c800 {
        // fmaxv, fminv, fmaxnmv, fminnmv of halves: the width.
        let count = if word >> 30 & 1 == 1 { 8 } else { 4 };
        *operands = vec![format!("h{to}"), format!("v{from}.{count}h")];
    }
    mnemonic
}

fn replace(operands: &mut [String], index: usize, text: String) {
    if let Some(operand) = operands.get_mut(index) {
        *operand = text;
    }
}

#[cfg(test)]
mod tests {
    use super::super::disassemble::instruction;

    #[test]
    fn what_the_disassembler_gets_wrong() {
        let expected = [
            (0xd295_79a9, "movz x9, #0xabcd"),
            (0xf2f5_79a9, "movk x9, #0xabcd, lsl #48"),
            (0x92a0_00a9, "movn x9, #0x5, lsl #16"),
            (0x4f00_a400, "movi v0.8h, #0x0, lsl #8"),
            (0x0c40_2000, "ld1 { v0.8b, v1.8b, v2.8b, v3.8b }, [x0]"),
            (0x4c40_7800, "ld1 { v0.4s }, [x0]"),
            (0x0c00_8800, "st2 { v0.2s, v1.2s }, [x0]"),
            (0x4c9f_0800, "st4 { v0.4s, v1.4s, v2.4s, v3.4s }, [x0], #64"),
            (0x0c40_4400, "ld3 { v0.4h, v1.4h, v2.4h }, [x0]"),
            (0x1e22_c020, "fcvt d0, s1"),
            (0x1e62_4020, "fcvt s0, d1"),
            (0x1ee2_c020, "fcvt d0, h1"),
            (0x5e08_0420, "mov d0, v1.d[0]"),
            (0x5e1c_0420, "mov s0, v1.s[3]"),
            (0x4e18_1d20, "ins v0.d[1], x9"),
            (0x4e08_1fe0, "ins v0.d[0], xzr"),
            (0x4e04_1d20, "ins v0.s[0], w9"),
            (0x0f94_e201, "sdot v1.2s, v16.8b, v20.4b[0]"),
            (0x6fb2_e862, "udot v2.4s, v3.16b, v18.4b[3]"),
            (0x7e70_d820, "faddp d0, v1.2d"),
            (0x7e30_d820, "faddp s0, v1.2s"),
            (0x5ef1_b820, "addp d0, v1.2d"),
            (0x4e30_f820, "fmaxv h0, v1.8h"),
            (0x0eb0_c820, "fminnmv h0, v1.4h"),
            (0x6ec2_c420, "fcmla ?, ?, ?, #0"),
        ];
        for (word, text) in expected {
            assert_eq!(instruction(word, 0), text, "{word:08x}");
        }
    }
}
