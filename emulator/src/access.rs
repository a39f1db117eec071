//! Which address does a load or store access?
//!
//! Unicorn says of a fault which page was missed, not which byte. The instruction has not changed
//! any register at that point, so its address can be computed again.

/// The lowest byte on the missed `page` that the instruction `word` at `pc` accesses.
pub(crate) fn missed(word: u32, pc: u64, page: u64, register: impl Fn(u8) -> u64) -> u64 {
    match address(word, pc, register) {
        // An access that begins on the page before misses the first byte of this one.
        Some(address) if address > page && address - page < crate::memory::PAGE => address,
        _ => page,
    }
}

/// The first byte that a load or store accesses. `register` is asked for 31 where `sp` is meant.
/// `None` for what is not a load or store, and for those of extensions (SVE, MTE, PAC) whose
/// addressing this does not know.
pub(crate) fn address(word: u32, pc: u64, register: impl Fn(u8) -> u64) -> Option<u64> {
    let field = |low: u32, width: u32| word >> low & ((1 << width) - 1);
    let signed = |low: u32, width: u32| {
        let shift = 64 - width;
        (u64::from(field(low, width)) << shift) as i64 >> shift
    };
    let base = || register(field(5, 5) as u8);
    let vector = field(26, 1) == 1;

    if word & 0x3b00_0000 == 0x1800_0000 {
        // Literal.
        return Some(pc.wrapping_add_signed(signed(5, 19) * 4));
    }
    if word & 0x3f00_0000 == 0x0800_0000 || word & 0xbe00_0000 == 0x0c00_0000 {
        // Exclusive, ordered and compare-and-swap; structures.
        return Some(base());
    }
    if word & 0x3f20_0c00 == 0x1900_0000 {
        // Ordered with an unscaled offset.
        return Some(base().wrapping_add_signed(signed(12, 9)));
    }
    if word & 0x3a00_0000 == 0x2800_0000 {
        // Pairs.
        let scale = match (vector, field(30, 2)) {
            (true, size) => 2 + size,
            (false, 2) => 3,
            (false, _) => 2,
        };
        let post = field(23, 2) == 1;
        let offset = if post { 0 } else { signed(15, 7) << scale };
        return Some(base().wrapping_add_signed(offset));
    }
    if word & 0xffff_ffe0 == 0xd50b_7420 {
        // `dc zva`: 31 is the zero register here.
        return match field(0, 5) {
            31 => Some(0),
            number => Some(register(number as u8)),
        };
    }
    if word & 0x3a00_0000 != 0x3800_0000 {
        return None;
    }
    let quad = vector && field(23, 1) == 1;
    let scale = if quad { 4 } else { field(30, 2) };
    if field(24, 1) == 1 {
        return Some(base().wrapping_add(u64::from(field(10, 12)) << scale));
    }
    match (field(21, 1), field(10, 2)) {
        // Post-indexed.
        (0, 1) => Some(base()),
        // Unscaled, unprivileged, pre-indexed.
        (0, _) => Some(base().wrapping_add_signed(signed(12, 9))),
        // Atomics.
        (1, 0) => Some(base()),
        // Register offset.
        (1, 2) => {
            let index = match field(16, 5) {
                31 => 0,
                number => register(number as u8),
            };
            let index = match field(13, 3) {
                0b010 => u64::from(index as u32),
                0b110 => i64::from(index as i32) as u64,
                _ => index,
            };
            let shift = if field(12, 1) == 1 { scale } else { 0 };
            Some(base().wrapping_add(index << shift))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `xn` holds `0x1000 * (n + 1)`, `sp` 0x9_0000, but `x2` is negative.
    fn registers(number: u8) -> u64 {
        match number {
            2 => -16i64 as u64,
            31 => 0x9_0000,
            n => 0x1000 * (u64::from(n) + 1),
        }
    }

    #[test]
    fn every_addressing_form() {
        // Encoded by `llvm-mc -triple=aarch64 -mattr=+v8.5a -show-encoding`.
        for (text, word, expected) in CASES {
            let found = address(word, 0x4_0000, registers);
            assert_eq!(
                found,
                Some(expected),
                "{text}: {found:x?}, not {expected:#x}"
            );
        }
    }

    #[test]
    fn other_instructions_have_no_address() {
        // nop; add x1, x1, #1; ret; ldraa x0, [x1]; ld1b {z0.b}, p0/z, [x0]
        for word in [
            0xd503_201f,
            0x9100_0421,
            0xd65f_03c0,
            0xf820_0420,
            0xa400_a000,
        ] {
            assert_eq!(address(word, 0, registers), None, "{word:08x}");
        }
    }

    #[test]
    fn the_missed_byte_lies_on_the_page() {
        let ldr = 0xf940_0020; // ldr x0, [x1]
        for (base, expected) in [(0x2ffc, 0x3000), (0x3000, 0x3000), (0x3010, 0x3010)] {
            assert_eq!(missed(ldr, 0, 0x3000, |_| base), expected);
        }
    }

    #[rustfmt::skip]
    const CASES: [(&str, u32, u64); 39] = [
        ("ldr x0, #-8", 0x58ff_ffc0, 0x3_fff8),
        ("ldr q0, #16", 0x9c00_0080, 0x4_0010),
        ("ldrsw x0, #4", 0x9800_0020, 0x4_0004),
        ("ldaxr x0, [x1]", 0xc85f_fc20, 0x2000),
        ("stlr w0, [sp]", 0x889f_ffe0, 0x9_0000),
        ("casal x0, x3, [x4]", 0xc8e0_fc83, 0x5000),
        ("caspal x0, x1, x4, x5, [x6]", 0x4860_fcc4, 0x7000),
        ("ld1 {v0.16b, v1.16b}, [x1], #32", 0x4cdf_a020, 0x2000),
        ("st1 {v0.s}[1], [x3]", 0x0d00_9060, 0x4000),
        ("ld4 {v0.4s, v1.4s, v2.4s, v3.4s}, [x1], x0", 0x4cc0_0820, 0x2000),
        ("ldapur x0, [x1, #-8]", 0xd95f_8020, 0x1ff8),
        ("ldp x0, x3, [x1, #-16]", 0xa97f_0c20, 0x1ff0),
        ("ldp w0, w3, [x1, #8]!", 0x29c1_0c20, 0x2008),
        ("ldpsw x0, x3, [x1], #8", 0x68c1_0c20, 0x2000),
        ("stp q0, q1, [sp, #32]", 0xad01_07e0, 0x9_0020),
        ("ldp s0, s1, [x1, #-4]", 0x2d7f_8420, 0x1ffc),
        ("ldnp d0, d1, [x1, #-8]", 0x6c7f_8420, 0x1ff8),
        ("dc zva, x3", 0xd50b_7423, 0x4000),
        ("dc zva, xzr", 0xd50b_743f, 0x0),
        ("ldr x0, [x1, #8]", 0xf940_0420, 0x2008),
        ("ldr x0, [sp, #32760]", 0xf97f_ffe0, 0x9_7ff8),
        ("ldrb w0, [x1, #4095]", 0x397f_fc20, 0x2fff),
        ("str q0, [x1, #16]", 0x3d80_0420, 0x2010),
        ("ldr b0, [x1, #1]", 0x3d40_0420, 0x2001),
        ("str s0, [x1, #4]", 0xbd00_0420, 0x2004),
        ("str x0, [x1], #8", 0xf800_8420, 0x2000),
        ("str x0, [x1, #-8]!", 0xf81f_8c20, 0x1ff8),
        ("ldur x0, [x1, #-1]", 0xf85f_f020, 0x1fff),
        ("ldtr x0, [x1, #1]", 0xf840_1820, 0x2001),
        ("stur q0, [x1, #-256]", 0x3c90_0020, 0x1f00),
        ("ldr q0, [x1], #16", 0x3cc1_0420, 0x2000),
        ("ldadd x0, x3, [x4]", 0xf820_0083, 0x5000),
        ("swpal w0, w3, [sp]", 0xb8e0_83e3, 0x9_0000),
        ("ldr x0, [x1, x2]", 0xf862_6820, 0x1ff0),
        ("ldr x0, [x1, x3, lsl #3]", 0xf863_7820, 0x2_2000),
        ("ldr w0, [x1, w2, uxtw]", 0xb862_4820, 0x1_0000_1ff0),
        ("ldr w0, [x1, w2, sxtw #2]", 0xb862_d820, 0x1fc0),
        ("ldr q0, [x1, x3, lsl #4]", 0x3ce3_7820, 0x4_2000),
        ("ldr d0, [x1, xzr]", 0xfc7f_6820, 0x2000),
    ];
}
