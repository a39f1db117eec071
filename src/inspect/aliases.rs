//! The names that the architecture prefers: `mov x0, x19` for `orr x0, xzr, x19`.
//!
//! The disassembler writes the instruction that is encoded. Where that is seldom what its author wrote,
//! the alias is put in its place.
//!
//! Source: [Arm ARM](https://developer.arm.com/documentation/ddi0487/latest), C6.2, "Alias
//! conditions" of each instruction.

use super::disassemble::joined;

/// The alias of `word` with its operands, if it has one. `operands` are those of the instruction.
pub(super) fn alias(word: u32, operands: &[&str]) -> Option<String> {
    for &(mask, bits, alias, without) in SHORT {
        if word & mask == bits {
            let operands = operands.iter().enumerate();
            let operands = operands.filter(|&(index, _)| Some(index) != without);
            let operands: Vec<_> = operands.map(|(_, &operand)| operand).collect();
            return Some(joined(alias, &operands));
        }
    }
    bit_field(word, operands)
        .or_else(|| conditional(word, operands))
        .or_else(|| rotate(word, operands))
        .or_else(|| element(word, operands))
}

/// Aliases that at most leave an operand out: mask and bits of the word, name, index of that operand.
const SHORT: &[(u32, u32, &str, Option<usize>)] = &[
    (0xffff_ffff, 0xd65f_03c0, "ret", Some(0)),
    // mov: from a register, from and to the stack pointer, of a mask
    (0x7fe0_ffe0, 0x2a00_03e0, "mov", Some(1)),
    (0x7fff_ffe0, 0x1100_03e0, "mov", Some(2)),
    (0x7fff_fc1f, 0x1100_001f, "mov", Some(2)),
    (0x7f80_03e0, 0x3200_03e0, "mov", Some(1)),
    (0x7f20_03e0, 0x2a20_03e0, "mvn", Some(1)),
    // flags alone: immediate, shifted register, extended register
    (0x7f80_001f, 0x7100_001f, "cmp", Some(0)),
    (0x7f20_001f, 0x6b00_001f, "cmp", Some(0)),
    (0x7fe0_001f, 0x6b20_001f, "cmp", Some(0)),
    (0x7f80_001f, 0x3100_001f, "cmn", Some(0)),
    (0x7f20_001f, 0x2b00_001f, "cmn", Some(0)),
    (0x7fe0_001f, 0x2b20_001f, "cmn", Some(0)),
    (0x7f80_001f, 0x7200_001f, "tst", Some(0)),
    (0x7f20_001f, 0x6a00_001f, "tst", Some(0)),
    // from zero
    (0x7f20_03e0, 0x4b00_03e0, "neg", Some(1)),
    (0x7f20_03e0, 0x6b00_03e0, "negs", Some(1)),
    (0x7fe0_ffe0, 0x5a00_03e0, "ngc", Some(1)),
    (0x7fe0_ffe0, 0x7a00_03e0, "ngcs", Some(1)),
    // products with nothing added
    (0x7fe0_fc00, 0x1b00_7c00, "mul", Some(3)),
    (0x7fe0_fc00, 0x1b00_fc00, "mneg", Some(3)),
    (0xffe0_fc00, 0x9b20_7c00, "smull", Some(3)),
    (0xffe0_fc00, 0x9b20_fc00, "smnegl", Some(3)),
    (0xffe0_fc00, 0x9ba0_7c00, "umull", Some(3)),
    (0xffe0_fc00, 0x9ba0_fc00, "umnegl", Some(3)),
    // shifts by a register
    (0x7fe0_fc00, 0x1ac0_2000, "lsl", None),
    (0x7fe0_fc00, 0x1ac0_2400, "lsr", None),
    (0x7fe0_fc00, 0x1ac0_2800, "asr", None),
    (0x7fe0_fc00, 0x1ac0_2c00, "ror", None),
];

/// `sbfm`, `bfm` and `ubfm`: shifts, extensions, and fields by their lowest bit and width.
fn bit_field(word: u32, operands: &[&str]) -> Option<String> {
    let [to, from, _, _] = *operands else {
        return None;
    };
    if word & 0x1f80_0000 != 0x1300_0000 {
        return None;
    }
    let size = if word >> 31 == 0 { 32 } else { 64 };
    let (rotation, last) = (word >> 16 & 0x3f, word >> 10 & 0x3f);
    if word >> 22 & 1 != word >> 31 || rotation >= size || last >= size {
        return None; // reserved
    }
    let (prefix, shift) = match word >> 29 & 0b11 {
        0b00 => ("s", "asr"),
        0b01 => ("", ""),
        _ => ("u", "lsr"),
    };
    if prefix.is_empty() {
        let (name, lowest, width) = if last < rotation {
            ("bfi", size - rotation, last + 1)
        } else {
            ("bfxil", rotation, last - rotation + 1)
        };
        return Some(format!("{name} {to}, {from}, #{lowest}, #{width}"));
    }
    if prefix == "u" && last + 1 == rotation {
        return Some(format!("lsl {to}, {from}, #{}", size - rotation));
    }
    if last == size - 1 {
        return Some(format!("{shift} {to}, {from}, #{rotation}"));
    }
    let extension = match (rotation, last) {
        (0, 7) => Some("xtb"),
        (0, 15) => Some("xth"),
        (0, 31) => Some("xtw"),
        _ => None,
    };
    if let Some(extension) = extension.filter(|_| prefix == "s" || size == 32) {
        let from = from.replacen('x', "w", 1);
        return Some(format!("{prefix}{extension} {to}, {from}"));
    }
    let (name, lowest, width) = if last < rotation {
        ("bfiz", size - rotation, last + 1)
    } else {
        ("bfx", rotation, last - rotation + 1)
    };
    Some(format!("{prefix}{name} {to}, {from}, #{lowest}, #{width}"))
}

/// `csinc`, `csinv` and `csneg` of one register: `cset`, `cinc` and their kin.
fn conditional(word: u32, operands: &[&str]) -> Option<String> {
    const OPPOSITES: [&str; 14] = [
        "ne", "eq", "cc", "cs", "pl", "mi", "vc", "vs", "ls", "hi", "lt", "ge", "le", "gt",
    ];
    let [to, from, also_from, _] = *operands else {
        return None;
    };
    let (of_zero, of_register) = match word & 0x7fe0_0c00 {
        0x1a80_0400 => ("cset", "cinc"),
        0x5a80_0000 => ("csetm", "cinv"),
        0x5a80_0400 => ("cneg", "cneg"),
        _ => return None,
    };
    let opposite = OPPOSITES.get((word >> 12 & 0xf) as usize)?;
    if from != also_from {
        None
    } else if from.ends_with("zr") && of_zero != "cneg" {
        Some(format!("{of_zero} {to}, {opposite}"))
    } else {
        Some(format!("{of_register} {to}, {from}, {opposite}"))
    }
}

/// `extr` of one register.
fn rotate(word: u32, operands: &[&str]) -> Option<String> {
    let [to, from, also_from, by] = *operands else {
        return None;
    };
    let rotates = word & 0x7fa0_0000 == 0x1380_0000 && from == also_from;
    rotates.then(|| format!("ror {to}, {from}, {by}"))
}

/// `dup` of one element into a scalar.
fn element(word: u32, operands: &[&str]) -> Option<String> {
    let [to, from] = *operands else {
        return None;
    };
    (word & 0xffe0_fc00 == 0x5e00_0400).then(|| format!("mov {to}, {from}"))
}

#[cfg(test)]
mod tests {
    use super::super::disassemble::instruction;

    #[test]
    fn aliases_are_those_of_the_architecture() {
        let expected = [
            (0xaa13_03e0, "mov x0, x19"),
            (0x9100_03fd, "mov x29, sp"),
            (0x9100_001f, "mov sp, x0"),
            (0xb240_7fe9, "mov x9, #0xffffffff"),
            (0x2a21_03e0, "mvn w0, w1"),
            (0xf100_013f, "cmp x9, #0x0"),
            (0xeb01_041f, "cmp x0, x1, lsl #1"),
            (0x3100_051f, "cmn w8, #0x1"),
            (0xf240_013f, "tst x9, #0x1"),
            (0xcb01_03e0, "neg x0, x1"),
            (0x9b02_7c20, "mul x0, x1, x2"),
            (0x9bc2_7c20, "umulh x0, x1, x2"),
            (0x9ac2_2020, "lsl x0, x1, x2"),
            (0xd373_c929, "lsl x9, x9, #13"),
            (0xd34d_fd29, "lsr x9, x9, #13"),
            (0x131f_7d29, "asr w9, w9, #31"),
            (0x5300_1d29, "uxtb w9, w9"),
            (0x9340_7c20, "sxtw x0, w1"),
            (0xd340_7c20, "ubfx x0, x1, #0, #32"),
            (0xd37c_0c20, "ubfiz x0, x1, #4, #4"),
            (0x9344_1c20, "sbfx x0, x1, #4, #4"),
            (0xb37c_0c20, "bfi x0, x1, #4, #4"),
            (0xb344_1c20, "bfxil x0, x1, #4, #4"),
            (0x93c1_1020, "ror x0, x1, #4"),
            (0x93c2_1020, "extr x0, x1, x2, #4"),
            (0x9a9f_17e0, "cset x0, eq"),
            (0xda9f_03e0, "csetm x0, ne"),
            (0x9a81_1420, "cinc x0, x1, eq"),
            (0x9a82_1420, "csinc x0, x1, x2, ne"),
            (0x5e1c_0420, "mov s0, v1.s[3]"),
            (0x5e08_0420, "mov d0, v1.d[0]"),
            (0xd65f_03c0, "ret"),
            (0xd65f_0260, "ret x19"),
        ];
        for (word, text) in expected {
            assert_eq!(instruction(word, 0), text, "{word:08x}");
        }
    }
}
