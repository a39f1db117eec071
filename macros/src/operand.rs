//! The kinds of operands.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Token};

use crate::parse::docs;

/// What an operand is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number in `min ..= max`, patched into the code.
    Number {
        signed: bool,
        min: i128,
        max: i128,
    },
    Logical32,
    Logical64,
    Fp8,
    Reg,
    /// v0 to v`max`: some instructions have four bits for a register.
    VReg {
        max: u8,
    },
    Call,
    Exit,
    Label,
    Literal,
    MutLiteral,
}

impl Kind {
    /// With its article, for messages.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Kind::Number { .. } => "a number",
            Kind::Logical32 => "a 32-bit mask",
            Kind::Logical64 => "a 64-bit mask",
            Kind::Fp8 => "a floating-point number",
            Kind::Reg => "a register",
            Kind::VReg { .. } => "a vector register",
            Kind::Call => "a call",
            Kind::Exit => "an exit",
            Kind::Label => "a label",
            Kind::Literal => "a literal",
            Kind::MutLiteral => "a mut literal",
        }
    }

    fn can_have_range(self) -> bool {
        matches!(self, Kind::Number { .. } | Kind::VReg { .. })
    }

    /// Whether it stands behind `=>`.
    pub(crate) fn is_reference(self) -> bool {
        matches!(
            self,
            Kind::Call | Kind::Exit | Kind::Label | Kind::Literal | Kind::MutLiteral
        )
    }
}

/// A declared operand, or a constant that is patched in like one.
#[derive(Clone)]
pub(crate) struct Operand {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) kind: Kind,
    /// Evaluated once the constants of the block are known.
    pub(crate) range: Option<Range>,
    /// In expressions the name stands for so many times the value that is patched in.
    pub(crate) scale: i128,
    /// Whether it is a constant of the block.
    pub(crate) is_constant: bool,
    /// What is wrong with its declaration.
    pub(crate) error: Option<syn::Error>,
}

/// `in lowest ..= highest`.
#[derive(Clone)]
pub(crate) struct Range {
    pub(crate) lowest: Expr,
    pub(crate) highest: Expr,
}

impl Range {
    /// Reads a range if there is one.
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Option<Range>> {
        if !input.peek(Token![in]) {
            return Ok(None);
        }
        let _: Token![in] = input.parse()?;
        let at = input.span();
        // Not as one expression: that would go on behind the `=` of a constant.
        let lowest = Range::end(input)?;
        if !input.peek(Token![..=]) || lowest.is_empty() {
            let message = "a range needs both ends and `..=`: `lowest..=highest`";
            return Err(error(at, message));
        }
        let _: Token![..=] = input.parse()?;
        let highest = Range::end(input)?;
        Ok(Some(Range {
            lowest: syn::parse2(lowest)?,
            highest: syn::parse2(highest)?,
        }))
    }

    /// The tokens up to `..`, `=` or a comma.
    fn end(input: ParseStream<'_>) -> syn::Result<TokenStream> {
        let mut end = TokenStream::new();
        while !(input.is_empty()
            || input.peek(Token![..])
            || input.peek(Token![,])
            || (input.peek(Token![=]) && !input.peek(Token![==])))
        {
            end.extend([input.parse::<TokenTree>()?]);
        }
        Ok(end)
    }
}

impl Parse for Operand {
    fn parse(input: ParseStream<'_>) -> syn::Result<Operand> {
        let docs = docs(input)?;
        let name: Ident = input.parse()?;
        let _: Token![:] = input.parse()?;
        let is_mut = input.peek(Token![mut]);
        if is_mut {
            let _: Token![mut] = input.parse()?;
        }
        let kind_name: Ident = input.parse()?;
        let range_span = input.span();
        let range = Range::parse(input)?;
        let kind = match (is_mut, kind_of(&kind_name)) {
            (true, Ok(Kind::Literal)) => Ok(Kind::MutLiteral),
            (true, Ok(_)) => Err(error(kind_name.span(), "only a literal can be `mut`")),
            (false, Ok(kind)) if range.is_some() && !kind.can_have_range() => {
                let message =
                    "only numbers and vector registers can have a range: `u12 in 1..=100`";
                Err(error(range_span, message))
            }
            (_, kind) => kind,
        };
        // With a wrong kind the micro-op is there all the same, for those who use it.
        let (kind, range, error) = match kind {
            Ok(kind) => (kind, range, None),
            Err(error) => (ANY_NUMBER, None, Some(error)),
        };
        Ok(Operand {
            docs,
            name,
            kind,
            range,
            scale: 1,
            is_constant: false,
            error,
        })
    }
}

const ANY_NUMBER: Kind = Kind::Number {
    signed: false,
    min: 0,
    max: u64::MAX as i128,
};

fn kind_of(name: &Ident) -> syn::Result<Kind> {
    let text = name.to_string();
    let kind = match text.as_str() {
        "logical32" => Kind::Logical32,
        "logical64" => Kind::Logical64,
        "fp8" => Kind::Fp8,
        "reg" => Kind::Reg,
        "vreg" => Kind::VReg { max: 31 },
        "call" => Kind::Call,
        "exit" => Kind::Exit,
        "label" => Kind::Label,
        "literal" => Kind::Literal,
        _ => return number(&text).ok_or_else(|| unknown_kind(name)),
    };
    Ok(kind)
}

/// `u1` to `u64` and `i1` to `i64`.
pub(crate) fn number(text: &str) -> Option<Kind> {
    let (signed, digits) = match text.split_at_checked(1)? {
        ("u", digits) => (false, digits),
        ("i", digits) => (true, digits),
        _ => return None,
    };
    let bits: u32 = digits.parse().ok()?;
    if !(1..=64).contains(&bits) || bits.to_string() != digits {
        return None;
    }
    let (min, max) = match signed {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    };
    Some(Kind::Number { signed, min, max })
}

fn unknown_kind(name: &Ident) -> syn::Error {
    let message = format!(
        "`{name}` is no kind of operand; there are u1 to u64 and i1 to i64 (with a range, if need \
         be: `u12 in 1..=100`), logical32, logical64, fp8, reg, vreg, call, exit, label, literal \
         and mut literal"
    );
    error(name.span(), message)
}

fn error(span: Span, message: impl std::fmt::Display) -> syn::Error {
    syn::Error::new(span, message)
}
