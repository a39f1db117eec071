//! What dynasm-rs 5.1 encodes wrongly without a word, or would leave to run time, is refused here.

use proc_macro2::Span;

use super::error;
use super::pieces::Place;
use crate::operand::Kind;

/// What an argument looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A register, by the letter of its width.
    Register(char),
    Memory,
    List,
    Label,
    /// An immediate, and the operand in it.
    Number(Option<usize>),
    Modifier,
    /// A condition, or a name of the system.
    Name,
    /// A condition that always holds.
    Always,
}

/// An instruction as far as the rules need it.
pub(super) struct Outline<'a> {
    pub(super) mnemonic: &'a str,
    pub(super) arguments: &'a [(Shape, Span)],
}

impl Outline<'_> {
    /// The width of the first argument, if it is a register.
    pub(super) fn first_register(&self) -> Option<char> {
        match self.arguments.first() {
            Some((Shape::Register(width), _)) => Some(*width),
            _ => None,
        }
    }
}

/// Instructions whose immediate is a mask, or a number of 64 bits.
const MASKS: &[&str] = &["and", "ands", "eor", "mov.logical", "movi", "orr", "tst"];
const LOGICAL: &[&str] = &["and", "ands", "eor", "mov.logical", "orr", "tst"];
/// Instructions that rotate by an angle.
const ANGLES: &[&str] = &["fcadd", "fcmla"];
const FLOATS: &[&str] = &[
    "fcmeq", "fcmge", "fcmgt", "fcmle", "fcmlt", "fcmp", "fcmpe", "fmov",
];
/// Instructions whose two immediates limit each other, or share a field.
const BIT_FIELDS: &[&str] = &["bfc", "bfi", "bfxil", "sbfiz", "sbfx", "ubfiz", "ubfx"];
const BIT_FIELD_MOVES: &[&str] = &["bfm", "sbfm", "ubfm"];
/// Instructions that are encoded with the inverse of their condition.
const INVERTING: &[&str] = &["cinc", "cinv", "cneg", "cset", "csetm"];
/// Instructions that take a 64-bit register and extend a 32-bit one.
const EXTENDING: &[&str] = &["add", "adds", "cmn", "cmp", "sub", "subs"];

/// What an immediate that is an argument of its own is to the instruction.
pub(super) fn place(mnemonic: &str) -> Place {
    if mnemonic == "mov" {
        Place::Move
    } else if MASKS.contains(&mnemonic) {
        Place::Mask
    } else if ANGLES.contains(&mnemonic) {
        Place::Amount
    } else {
        Place::Field
    }
}

/// The kinds of operands that an instruction refers to by `=>`.
pub(super) fn allowed_behind_arrow(mnemonic: &str) -> &'static [Kind] {
    match mnemonic {
        "bl" => &[Kind::Call, Kind::Label],
        "b" => &[Kind::Call, Kind::Exit, Kind::Label],
        "cbz" | "cbnz" | "tbz" | "tbnz" => &[Kind::Exit, Kind::Label],
        "ldr" | "ldrsw" | "prfm" => &[Kind::Literal, Kind::MutLiteral],
        conditional if conditional.starts_with("b.") => &[Kind::Exit, Kind::Label],
        _ => &[],
    }
}

/// Refuses instructions by their name alone.
pub(super) fn check_mnemonic(mnemonic: &str, span: Span) -> syn::Result<()> {
    let message = match mnemonic {
        "adrp" => {
            "`adrp` needs the final address of the code, which a template does not know; load the \
             address as a `literal`"
        }
        "mov.inverted" => "dynasm-rs leaves `mov.inverted` to run time; write `movn`",
        "bti" => "there is no `bti`; write `hint 34` (`c`), `hint 36` (`j`) or `hint 38` (`jc`)",
        _ => return Ok(()),
    };
    error(span, message)
}

/// Refuses a name where a system register stands that nothing else is called by.
pub(super) fn check_system_register(mnemonic: &str, span: Span) -> syn::Result<()> {
    match mnemonic {
        "mrs" | "msr" => error(
            span,
            "dynasm-rs knows no system register by its name; write the 15 bits that the instruction \
             has for it, op0 - 2, op1, CRn, CRm and op2 (Arm ARM C5.2): `mrs x0, 0x5a10` reads NZCV, \
             0x5a20 is FPCR",
        ),
        _ => Ok(()),
    }
}

/// Refuses a floating-point literal where an integer stands, and the other way round.
pub(super) fn check_number(mnemonic: &str, is_float: bool, span: Span) -> syn::Result<()> {
    if is_float && !FLOATS.contains(&mnemonic) {
        let message = format!("`{mnemonic}` takes an integer here");
        return error(span, message);
    }
    if !is_float && mnemonic == "fmov" {
        let message = "`fmov` takes a floating-point number, `1.0`, or an operand declared `fp8`";
        return error(span, message);
    }
    Ok(())
}

/// Refuses a mask or a floating-point operand where the instruction does not take one.
pub(super) fn check_kind(
    outline: &Outline<'_>,
    kind: Kind,
    name: &str,
    span: Span,
) -> syn::Result<()> {
    let mnemonic = outline.mnemonic;
    let bits = match outline.first_register() {
        Some('w') => 32,
        Some('x') => 64,
        _ => 0,
    };
    let (declared, right) = match kind {
        Kind::Logical32 => (32, LOGICAL.contains(&mnemonic)),
        Kind::Logical64 => (64, LOGICAL.contains(&mnemonic)),
        Kind::Fp8 if mnemonic != "fmov" => {
            let message = format!("`{name}` is {}, which only `fmov` takes", kind.described());
            return error(span, message);
        }
        _ => return Ok(()),
    };
    if !right || bits == 0 {
        let message = format!(
            "`{name}` is {}, which only `and`, `ands`, `orr`, `eor`, `tst` and `mov.logical` take",
            kind.described()
        );
        return error(span, message);
    }
    if declared != bits {
        let message = format!(
            "`{name}` is {}, and this instruction has {bits} bits; declare `{name}: logical{bits}`",
            kind.described()
        );
        return error(span, message);
    }
    Ok(())
}

/// Refuses what only shows in all arguments together.
pub(super) fn check_arguments(outline: &Outline<'_>) -> syn::Result<()> {
    check_extension(outline)?;
    check_condition(outline)?;
    check_target(outline)?;
    check_bit_field(outline)
}

/// `add x0, x1, w2` without an extension: dynasm-rs encodes `uxtx`.
fn check_extension(outline: &Outline<'_>) -> syn::Result<()> {
    if let [(Shape::Register('x'), _), .., (Shape::Register('w'), span)] = outline.arguments
        && EXTENDING.contains(&outline.mnemonic)
    {
        let message = "a 32-bit register here needs its extension spelled out, or it would be \
                       taken for the 64-bit one: add `, uxtw` or `, sxtw`";
        return error(*span, message);
    }
    Ok(())
}

/// `cset x0, al`: dynasm-rs encodes the inverse of what always holds, and that holds too.
fn check_condition(outline: &Outline<'_>) -> syn::Result<()> {
    if let Some((Shape::Always, span)) = outline.arguments.last()
        && INVERTING.contains(&outline.mnemonic)
    {
        let message = format!(
            "`{}` is encoded with the inverse of its condition (Arm ARM C6.2), and `al` and `nv` have \
             none that fails; write what it would always do",
            outline.mnemonic
        );
        return error(*span, message);
    }
    Ok(())
}

/// A distance in bytes in place of a label: it would be wrong as soon as something is laid out anew.
fn check_target(outline: &Outline<'_>) -> syn::Result<()> {
    let mnemonic = outline.mnemonic;
    let (target, message) = match mnemonic {
        "ldr" | "ldrsw" | "prfm" => (
            outline.arguments.get(1),
            "a literal is no distance; declare a `literal` operand and write `=>operand`",
        ),
        "b" | "bl" | "cbz" | "cbnz" | "tbz" | "tbnz" | "adr" => (
            outline.arguments.last(),
            "a place is no distance; name it: `=>operand`, `>label` or `<label`",
        ),
        _ if mnemonic.starts_with("b.") => (
            outline.arguments.last(),
            "a place is no distance; name it: `=>operand`, `>label` or `<label`",
        ),
        _ => return Ok(()),
    };
    match target {
        Some((Shape::Number(_), span)) => error(*span, message),
        _ => Ok(()),
    }
}

/// Two operands that dynasm-rs would check against each other.
fn check_bit_field(outline: &Outline<'_>) -> syn::Result<()> {
    let mnemonic = outline.mnemonic;
    let narrow = outline.first_register() == Some('w');
    let is_move = BIT_FIELD_MOVES.contains(&mnemonic) && !narrow;
    if !is_move && !BIT_FIELDS.contains(&mnemonic) {
        return Ok(());
    }
    let mut operands = outline
        .arguments
        .iter()
        .filter_map(|argument| match argument {
            (Shape::Number(Some(operand)), span) => Some((operand, span)),
            _ => None,
        });
    let Some((first, _)) = operands.next() else {
        return Ok(());
    };
    match operands.find(|(operand, _)| *operand != first) {
        Some((_, span)) if is_move => {
            let message = format!(
                "dynasm-rs checks the two numbers of a 64-bit `{mnemonic}` against each other; make \
                 one of them a constant, or write the word: `.u32 0x9340_0000 | immr << 16 | imms << \
                 10 | n << 5 | d` for `sbfm`, 0xb340_0000 for `bfm`, 0xd340_0000 for `ubfm`"
            );
            error(*span, message)
        }
        Some((_, span)) => {
            let message = format!(
                "the two numbers of `{mnemonic}` share a field, or limit each other; make one of them \
                 a constant, or take the fields themselves as operands (`bfm`, `sbfm`, `ubfm`)"
            );
            error(*span, message)
        }
        None => Ok(()),
    }
}
