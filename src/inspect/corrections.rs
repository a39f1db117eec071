//! What disarm64 0.2 writes wrongly, among the instructions that a micro-op can contain.
//!
//! Found by comparing with LLVM's disassembler, for each instruction that dynasm-rs knows, and of random words with
//! that of binutils. What it does not write at all, and calls undefined or by the name of the operand's kind, becomes `?`.
//! Left as they are: instructions on SVE's and SME's registers, on bfloat16 and on bytes of mixed signs, which only a `.u32`
//! makes, and operations of `prfm` that are reserved.

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
        if word >> 10 & 0b11 == 0b11 {
            // Of 64-bit elements: the list is not written where there is one in each.
            let registers = match word >> 12 & 0xf {
                0b0000 | 0b0010 => 4,
                0b0100 | 0b0110 => 3,
                0b1000 | 0b1010 => 2,
                _ => 1,
            };
            replace(operands, 0, list(word, registers));
        }
        let name = if word >> 22 & 1 == 1 { "ld" } else { "st" };
        return format!("{name}{structures}");
    } else if word & 0xbf40_c000 == 0x0d40_c000 {
        // ld1r to ld4r: the arrangement, and how far they move.
        let registers = (word >> 13 & 1) << 1 | word >> 21 & 1;
        let registers = registers + 1;
        *operands = vec![list(word, registers), format!("[{}]", base(from))];
        if word >> 23 & 1 == 1 {
            operands.push(match word >> 16 & 0x1f {
                31 => format!("#{}", registers << (word >> 10 & 0b11)),
                by => format!("x{by}"),
            });
        }
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
        replace(operands, 1, general("x", from));
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
    } else if word & 0xff7f_cc00 == 0x6e30_c800 {
        // The same of singles.
        *operands = vec![format!("s{to}"), format!("v{from}.4s")];
    } else if matches!(word & 0xdf80_fc00, 0x5f00_e400 | 0x5f00_fc00) {
        // scvtf, ucvtf, fcvtzs and fcvtzu with fraction bits, of scalars: the width. The highest bit of immh says it.
        let width = match word >> 19 & 0xf {
            0b1000.. => "d",
            0b0100.. => "s",
            _ => "h",
        };
        replace(operands, 0, format!("{width}{to}"));
        replace(operands, 1, format!("{width}{from}"));
    } else if matches!(word & 0xbf20_e400, 0x2e00_c400 | 0x2e00_e400) {
        // fcmla and fcadd of vectors: they are not written.
        for (index, register) in [to, from, word >> 16 & 0x1f].into_iter().enumerate() {
            replace(
                operands,
                index,
                format!("v{register}.{}", arrangement(word >> 22, word)),
            );
        }
    } else if word & 0xbf00_9400 == 0x2f00_1000 {
        // fcmla by an element: all but the angle.
        let (high, low) = (word >> 11 & 1, word >> 21 & 1);
        let element = match word >> 22 & 0b11 {
            0b01 => format!("h[{}]", high << 1 | low),
            _ => format!("s[{high}]"),
        };
        let arrangement = arrangement(word >> 22, word);
        replace(operands, 0, format!("v{to}.{arrangement}"));
        replace(operands, 1, format!("v{from}.{arrangement}"));
        replace(operands, 2, format!("v{}.{element}", word >> 16 & 0x1f));
    } else if word & 0x3fe0_001f == 0x2b20_001f && from != 31 {
        // cmp and cmn with an extension that changes nothing: it is `lsl`, or is not there, only with `sp`.
        let (width, extension) = match (word >> 31, word >> 13 & 0b111) {
            (1, 0b011) => ("x", "uxtx"),
            (0, 0b010) => ("w", "uxtw"),
            _ => return mnemonic,
        };
        let extension = match word >> 10 & 0b111 {
            0 => extension.to_owned(),
            by => format!("{extension} #{by}"),
        };
        let name = |register| general(width, register);
        *operands = vec![name(to), name(from), name(word >> 16 & 0x1f), extension];
    }
    mnemonic
}

/// The arrangement of a vector of elements of that size, in its two lowest bits; the word says whether it is a whole one.
fn arrangement(size: u32, word: u32) -> &'static str {
    let whole = (word >> 30 & 1) as usize;
    [["8b", "16b"], ["4h", "8h"], ["2s", "4s"], ["1d", "2d"]][size as usize & 0b11][whole]
}

/// So many registers from the one that is loaded first.
fn list(word: u32, registers: u32) -> String {
    let arrangement = arrangement(word >> 10, word);
    let names = (0..registers).map(|next| format!("v{}.{arrangement}", (word + next) & 0x1f));
    format!("{{ {} }}", names.collect::<Vec<_>>().join(", "))
}

/// A general register that is no base: number 31 is zero.
fn general(width: &str, register: u32) -> String {
    match register {
        31 => format!("{width}zr"),
        register => format!("{width}{register}"),
    }
}

fn base(register: u32) -> String {
    match register {
        31 => "sp".to_owned(),
        register => format!("x{register}"),
    }
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
            (0x6ec2_c420, "fcmla v0.2d, v1.2d, v2.2d, #0"),
            (0x6f94_39d4, "fcmla v20.4s, v14.4s, v20.s[1], #90"),
            (0x6f7f_5820, "fcmla v0.8h, v1.8h, v31.h[3], #180"),
            (0x2f61_1020, "fcmla v0.4h, v1.4h, v1.h[1], #0"),
            (0xeb25_641f, "cmp x0, x5, uxtx #1"),
            (0xab2a_639f, "cmn x28, x10, uxtx"),
            (0x6b30_4eff, "cmp w23, w16, uxtw #3"),
            (0xeb25_67ff, "cmp sp, x5, lsl #1"),
            (0xeb25_c41f, "cmp x0, w5, sxtw #1"),
            (0x2e42_d420, "fcmla v0.4h, v1.4h, v2.4h, #180"),
            (0x6eca_e614, "fcadd v20.2d, v16.2d, v10.2d, #90"),
            (0x2e82_f420, "fcadd v0.2s, v1.2s, v2.2s, #270"),
            (0x4d60_ec66, "ld4r { v6.2d, v7.2d, v8.2d, v9.2d }, [x3]"),
            (0x4d40_ec66, "ld3r { v6.2d, v7.2d, v8.2d }, [x3]"),
            (0x4d60_cc66, "ld2r { v6.2d, v7.2d }, [x3]"),
            (0x4d40_cc66, "ld1r { v6.2d }, [x3]"),
            (0x0d40_c3e0, "ld1r { v0.8b }, [sp]"),
            (0x4ddf_c800, "ld1r { v0.4s }, [x0], #4"),
            (
                0x0dff_e41f,
                "ld4r { v31.4h, v0.4h, v1.4h, v2.4h }, [x0], #8",
            ),
            (0x0dc2_cc20, "ld1r { v0.1d }, [x1], x2"),
            (0x0c40_ac66, "ld1 { v6.1d, v7.1d }, [x3]"),
            (0x0c00_7c00, "st1 { v0.1d }, [x0]"),
            (0x4cdf_0c00, "ld4 { v0.2d, v1.2d, v2.2d, v3.2d }, [x0], #64"),
            (0x6e30_fa82, "fmaxv s2, v20.4s"),
            (0x6eb0_c820, "fminnmv s0, v1.4s"),
            (0x5f3c_fcb5, "fcvtzs s21, s5, #4"),
            (0x7f53_e4d7, "ucvtf d23, d6, #45"),
            (0x5f7d_e4d7, "scvtf d23, d6, #3"),
            (0x5f1d_e4d7, "scvtf h23, h6, #3"),
        ];
        for (word, text) in expected {
            assert_eq!(instruction(word, 0), text, "{word:08x}");
        }
    }
}
