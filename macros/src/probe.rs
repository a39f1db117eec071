//! Which values of an operand to try, so that the bits it goes to show themselves.

use crate::operand::Kind;

/// Up to so many values are all tried, and may end in a table.
const FEW: i128 = 64;

/// Values of one operand in one instruction. What a value means depends on the kind: the number
/// itself, a register's number, or the field of an encoded mask or floating-point number.
pub(crate) struct Probes {
    pub(crate) base: i128,
    pub(crate) rest: Vec<i128>,
    /// Whether these are all values, in order.
    pub(crate) complete: bool,
}

/// The values to try for an operand.
pub(crate) fn probes(kind: Kind) -> Probes {
    match kind {
        Kind::Number { min, max, .. } => numbers(min, max),
        Kind::Reg => partial(0, [1, 2, 4, 8, 16, 30, 21, 10]),
        Kind::VReg => partial(0, [1, 2, 4, 8, 16, 31, 21, 10]),
        Kind::Logical32 => masks(
            &[
                (0, 1),
                (0, 30),
                (0, 0b10_0000),
                (0, 0b11_0000),
                (0, 0b11_1000),
                (0, 0b11_1100),
            ],
            5,
        ),
        Kind::Logical64 => masks(
            &[
                (1, 32),
                (1, 62),
                (0, 0),
                (0, 30),
                (0, 0b10_0000),
                (0, 0b11_0000),
                (0, 0b11_1000),
                (0, 0b11_1100),
            ],
            6,
        ),
        Kind::Fp8 => partial(0, [1, 2, 4, 8, 16, 32, 64, 128, 0x55, 0xaa, 0xff]),
        _ => partial(0, []),
    }
}

fn partial(base: i128, rest: impl IntoIterator<Item = i128>) -> Probes {
    Probes {
        base,
        rest: rest.into_iter().collect(),
        complete: false,
    }
}

fn numbers(min: i128, max: i128) -> Probes {
    if max - min < FEW {
        return Probes {
            base: min,
            rest: (min + 1..=max).collect(),
            complete: true,
        };
    }
    let bits = || (0..64).map(|bit| 1i128 << bit);
    let third = (max - min) / 3;
    let mut rest = vec![max, min + third, max - third];
    rest.extend(bits().map(|bit| min + bit));
    rest.extend([-1, 0, 1]);
    rest.extend(
        bits()
            .filter(|bit| bit.count_ones() == 1 && *bit <= 4)
            .map(|bit| max - bit),
    );
    rest.retain(|value| (min + 1..=max).contains(value));
    rest.sort_unstable();
    rest.dedup();
    Probes {
        base: min,
        rest,
        complete: false,
    }
}

/// Encoded masks `N:immr:imms`: every bit of `immr` and of the run's length alone, and each size of
/// element.
fn masks(sizes: &[(i128, i128)], rotations: u32) -> Probes {
    let n = i128::from(rotations == 6);
    let field = |n: i128, immr: i128, imms: i128| n << 12 | immr << 6 | imms;
    let mut rest: Vec<_> = (0..rotations).map(|bit| field(n, 1 << bit, 0)).collect();
    rest.extend((0..5).map(|bit| field(n, 0, 1 << bit)));
    rest.extend(sizes.iter().map(|&(n, imms)| field(n, 0, imms)));
    rest.push(field(n, 21, 10));
    rest.sort_unstable();
    rest.dedup();
    Probes {
        base: field(n, 0, 0),
        rest,
        complete: false,
    }
}

/// The mask that an encoded logical immediate stands for (Arm ARM, `DecodeBitMasks`).
pub(crate) fn mask(field: i128, width: u32) -> u128 {
    let (n, immr, imms) = (field >> 12 & 1, (field >> 6 & 63) as u32, field & 63);
    let size_bits = (n << 6 | (!imms & 63)) as u32;
    let size = 1u32 << size_bits.ilog2();
    let ones = (imms as u32 & (size - 1)) + 1;
    let run = (1u128 << ones) - 1;
    let rotate = immr % size;
    let element = (run >> rotate | run << (size - rotate)) & ((1u128 << size) - 1);
    (0..width / size).fold(0, |mask, copy| mask | element << (copy * size))
}

/// The number that an encoded floating-point immediate stands for (Arm ARM, `VFPExpandImm`).
pub(crate) fn float(field: i128) -> f64 {
    let field = field as u32;
    let sign = field >> 7 & 1;
    let exponent = field >> 4 & 7;
    // NOT(b) : bbbbb : cd for a single.
    let b = exponent >> 2;
    let bits = sign << 31
        | (b ^ 1) << 30
        | (if b == 1 { 0x1f } else { 0 }) << 25
        | (exponent & 3) << 23
        | (field & 0xf) << 19;
    f32::from_bits(bits).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_what_their_fields_say() {
        assert_eq!(mask(0x1000, 64), 1);
        assert_eq!(mask(0x1000 | 63 << 6, 64), 2);
        assert_eq!(mask(0x1000 | 31, 64), 0xffff_ffff);
        assert_eq!(mask(0b11_1100, 64), 0x5555_5555_5555_5555);
        assert_eq!(mask(0b11_1100, 32), 0x5555_5555);
        assert_eq!(mask(0, 32), 1);
    }

    #[test]
    fn floats_are_what_their_fields_say() {
        assert_eq!(float(0x70), 1.0);
        assert_eq!(float(0x00), 2.0);
        assert_eq!(float(0xf0), -1.0);
        assert_eq!(float(0x40), 0.125);
        assert_eq!(float(0x3f), 31.0);
    }

    #[test]
    fn few_values_are_all_tried() {
        let all = numbers(0, 63);
        assert!(all.complete && all.rest.len() == 63);
        let some = numbers(0, 4095);
        assert!(!some.complete && some.rest.contains(&4095) && some.rest.contains(&2048));
        assert!(numbers(i64::MIN.into(), i64::MAX.into()).rest.len() <= 128);
    }
}
