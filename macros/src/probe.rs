//! Which values of an operand to try, so that the bits it goes to show themselves.

use crate::operand::Kind;

/// Up to so many values are all tried, and may end in a table.
const FEW: i128 = 64;

/// Ranges of so many values are searched without gaps for values that tell bits apart.
const MANY: i128 = 1 << 16;

/// Values of one operand in one instruction. What a value means depends on the kind: the number
/// itself, a register's number, or the field of an encoded mask or floating-point number.
#[derive(Debug)]
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
        Kind::Reg => partial(0, [1, 2, 4, 8, 16, 21, 30]),
        Kind::VReg { max } => {
            let all = [1, 2, 4, 8, 16, 21, i128::from(max)];
            let mut rest: Vec<_> = all.into_iter().filter(|n| *n <= max.into()).collect();
            rest.dedup();
            partial(0, rest)
        }
        Kind::Logical32 => masks(&[0b10_0000, 0b11_0000, 0b11_1000, 0b11_1100], 5),
        Kind::Logical64 => masks(&[0, 30, 0b10_0000, 0b11_0000, 0b11_1000, 0b11_1100], 6),
        Kind::Fp8 => partial(0, [1, 2, 4, 8, 16, 32, 64, 128, 0x55, 0xaa, 0xff]),
        _ => partial(0, []),
    }
}

/// The lowest and the highest value of what is a number, or a register's.
pub(crate) fn range(kind: Kind) -> Option<(i128, i128)> {
    match kind {
        Kind::Number { min, max, .. } => Some((min, max)),
        Kind::Reg => Some((0, 30)),
        Kind::VReg { max } => Some((0, max.into())),
        _ => None,
    }
}

fn partial(base: i128, rest: impl IntoIterator<Item = i128>) -> Probes {
    Probes {
        base,
        rest: rest.into_iter().collect(),
        complete: false,
    }
}

/// The lowest value; one more by each power of two; the highest; a pattern and its complement.
fn numbers(min: i128, max: i128) -> Probes {
    if max - min < FEW {
        return Probes {
            base: min,
            rest: (min + 1..=max).collect(),
            complete: true,
        };
    }
    let third = (max - min) / 3;
    let mut rest: Vec<_> = (0..64).map(|bit| min + (1 << bit)).collect();
    rest.extend([max, min + third, max - third, -1, 0, 1]);
    rest.retain(|value| (min + 1..=max).contains(value));
    rest.sort_unstable();
    rest.dedup();
    Probes {
        base: min,
        rest,
        complete: false,
    }
}

impl Probes {
    /// Adds values, until bits that behave alike in all probes behave alike for every value.
    ///
    /// `bits` are all bits that an instruction may depend on, or that a hole may be made from, for a
    /// value of the operand. With them told apart, a hole that is right for the probes is right
    /// for all values. (Beyond [`MANY`] values only a sample of them is searched.)
    pub(crate) fn tell_apart<E>(
        &mut self,
        max: i128,
        bits: impl Fn(i128) -> Result<Vec<u64>, E>,
    ) -> Result<(), E> {
        if self.complete {
            return Ok(());
        }
        let base = bits(self.base)?;
        let len = base.len();
        // Each class is a mask of bits that have behaved alike up to now, as many words as `base`.
        // Plain loops: where the macro is not optimized, these are what it spends its time on.
        let mut classes = vec![u64::MAX; len];
        let mut splits = |value: i128| -> Result<bool, E> {
            let mut flips = bits(value)?;
            for word in 0..len {
                flips[word] ^= base[word];
            }
            let before = classes.len();
            let mut class = 0;
            while class < before {
                let (mut flipped, mut kept) = (0, 0);
                for word in 0..len {
                    flipped |= classes[class + word] & flips[word];
                    kept |= classes[class + word] & !flips[word];
                }
                if flipped != 0 && kept != 0 {
                    for word in 0..len {
                        let mask = classes[class + word];
                        classes[class + word] = mask & flips[word];
                        classes.push(mask & !flips[word]);
                    }
                }
                class += len;
            }
            Ok(classes.len() > before)
        };
        for &value in &self.rest {
            splits(value)?;
        }
        let count = max - self.base + 1;
        // Steps of about the golden ratio visit every value of a short range, and spread over a long one.
        let step = if count > MANY {
            ((count * 0x9e37) >> 16) | 1
        } else {
            1
        };
        let mut value = self.base;
        for _ in 0..count.min(MANY) {
            if splits(value)? {
                self.rest.push(value);
            }
            value = self.base + (value - self.base + step) % count;
        }
        Ok(())
    }
}

/// Encoded masks `N:immr:imms`: every bit of `immr` and of the run's length alone, and each size of
/// element.
fn masks(sizes: &[i128], rotations: u32) -> Probes {
    let n = i128::from(rotations == 6);
    let field = |n: i128, immr: i128, imms: i128| n << 12 | immr << 6 | imms;
    let mut rest: Vec<_> = (0..rotations).map(|bit| field(n, 1 << bit, 0)).collect();
    rest.extend((0..5).map(|bit| field(n, 0, 1 << bit)));
    // Elements smaller than 64 bits have no N; in 64 bits, 0 stands for the element of 32.
    rest.extend(sizes.iter().map(|&imms| field(0, 0, imms)));
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
        assert!(numbers(0, u64::MAX.into()).rest.contains(&(1 << 63)));
        assert!(numbers(7, 7).rest.is_empty());
    }

    /// In this range no probe of the first choice has bits 6 and 7 both set: bit 8 of `n + 64` would
    /// pass for bit 8 of `n`.
    #[test]
    fn a_carry_is_told_from_the_bit_it_goes_to() {
        let mut probes = numbers(0, 2080);
        let carries = |probes: &Probes| probes.rest.iter().any(|n| n & 0xc0 == 0xc0);
        assert!(!carries(&probes));
        let bits = |n: i128| Ok::<_, ()>(vec![n as u64, (n + 64) as u64]);
        probes.tell_apart(2080, bits).unwrap();
        assert!(carries(&probes));
        assert!(probes.rest.len() < 32, "{}", probes.rest.len());
    }
}
