//! Instructions as text.

use disarm64::{InsnDisplay, decoder};

use super::{aliases, corrections};

/// The instruction `word` at `address`, in the usual syntax: `ldr x9, [x21, #24]`. A word that is no
/// instruction becomes `.inst` with its value.
pub(crate) fn instruction(word: u32, address: u64) -> String {
    let Some(decoded) = decode(word) else {
        return format!(".inst {word:#010x}");
    };
    // The mnemonic, tabs, then the operands, if there are any.
    let text = decoded.display_at(address).to_string();
    let (mnemonic, operands) = text.split_once('\t').unwrap_or((&text, ""));
    let (mnemonic, mut operands) = (mnemonic.trim_end().to_owned(), split(operands.trim()));
    let mnemonic = corrections::correct(word, mnemonic, &mut operands);
    let operands: Vec<_> = operands.iter().map(String::as_str).collect();
    aliases::alias(word, &operands).unwrap_or_else(|| joined(&mnemonic, &operands))
}

fn decode(word: u32) -> Option<decoder::Opcode> {
    if is_reserved_shift(word) {
        return None;
    }
    decoder::decode(word)
}

/// Whether `word` is an instruction of the architecture, as far as the disassembler knows it.
#[cfg(feature = "check")]
pub(crate) fn is_instruction(word: u32) -> bool {
    decode(word).is_some()
}

/// The operands; commas between brackets separate none.
fn split(operands: &str) -> Vec<String> {
    let mut depth = 0;
    let parts = operands.split(|c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

pub(super) fn joined(mnemonic: &str, operands: &[&str]) -> String {
    if operands.is_empty() {
        return mnemonic.to_owned();
    }
    format!("{mnemonic} {}", operands.join(", "))
}

/// `text` with its last operand replaced by `name`, if that operand is `target`: of branches and literal
/// loads, the place they lead to.
pub(crate) fn renamed(text: &str, target: u64, name: &str) -> String {
    match text.strip_suffix(&format!("{target:#x}")) {
        Some(rest) => format!("{rest}{name}"),
        None => format!("{text} ({name})"),
    }
}

/// Whether `word` is a scalar shift by an immediate whose element size is reserved: `immh`, bits 22:19,
/// is zero (Arm ARM C4.1.96, "Advanced SIMD scalar shift by immediate"). disarm64 0.2 takes it for an
/// instruction, and a build of it that checks for overflow panics.
fn is_reserved_shift(word: u32) -> bool {
    word & 0xdff8_0400 == 0x5f00_0400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_read_as_usual() {
        let expected = [
            (0xf97f_fea9, "ldr x9, [x21, #0x7ff8]"),
            (0xa97f_2a89, "ldp x9, x10, [x20, #-16]"),
            (0xd503_245f, "bti c"),
            (0xd503_201f, "nop"),
            (0x5400_0046, "b.vs 0x10008"),
            (0xb400_0049, "cbz x9, 0x10008"),
            (0xb6f8_0009, "tbz x9, #63, 0x10000"),
            (0x9400_0001, "bl 0x10004"),
            (0x5800_0049, "ldr x9, 0x10008"),
            (0x0000_0001, "udf #0x1"),
            (0xd400_1000, ".inst 0xd4001000"),
            (0xffff_ffff, ".inst 0xffffffff"),
        ];
        for (word, text) in expected {
            assert_eq!(instruction(word, 0x1_0000), text);
        }
    }

    #[test]
    fn the_target_alone_is_renamed() {
        let renamed_at = |word, target, name| renamed(&instruction(word, 0), target, name);
        assert_eq!(renamed_at(0xb400_0049, 8, "exit 2"), "cbz x9, exit 2");
        assert_eq!(renamed_at(0x5400_0046, 8, "label 0"), "b.vs label 0");
        assert_eq!(renamed_at(0x9400_0001, 4, "rt_push"), "bl rt_push");
        assert_eq!(renamed_at(0xb6f8_0009, 0, "exit 0"), "tbz x9, #63, exit 0");
        // Not what was expected: nothing is lost.
        assert_eq!(renamed_at(0x9400_0001, 8, "rt_push"), "bl 0x4 (rt_push)");
    }

    #[test]
    fn words_that_the_decoder_cannot_show() {
        for word in [0x5f00_5400, 0x7f07_6400, 0x5f03_77ff] {
            assert_eq!(instruction(word, 0), format!(".inst {word:#010x}"));
        }
    }

    #[test]
    fn no_word_panics() {
        // Every combination of the upper half, each with another lower half.
        for upper in 0..=0xffffu32 {
            let lower = upper.wrapping_mul(0x9e37_79b1) >> 16;
            for word in [upper << 16 | lower, upper << 16 | !lower & 0xffff] {
                assert!(!instruction(word, u64::MAX - 3).is_empty());
            }
        }
    }
}
