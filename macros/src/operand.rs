//! The kinds of operands.

use proc_macro2::{Ident, Span};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Token};

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
    VReg,
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
            Kind::Number { .. } => "an immediate",
            Kind::Logical32 | Kind::Logical64 => "a logical immediate",
            Kind::Fp8 => "a floating-point immediate",
            Kind::Reg => "a register",
            Kind::VReg => "a vector register",
            Kind::Call => "a call",
            Kind::Exit => "an exit",
            Kind::Label => "a label",
            Kind::Literal => "a literal",
            Kind::MutLiteral => "a mut literal",
        }
    }
}

/// A declared operand.
pub(crate) struct Operand {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) kind: Kind,
    /// `in lowest ..= highest`, evaluated once the constants of the block are known.
    pub(crate) range: Option<(Expr, Expr)>,
    pub(crate) kind_span: Span,
}

impl Parse for Operand {
    fn parse(input: ParseStream<'_>) -> syn::Result<Operand> {
        let docs = crate::parse::docs(input)?;
        let name: Ident = input.parse()?;
        let _: Token![:] = input.parse()?;
        if input.peek(Token![mut]) {
            let _: Token![mut] = input.parse()?;
            let kind: Ident = input.parse()?;
            if kind != "literal" {
                return Err(syn::Error::new(kind.span(), "only a literal can be `mut`"));
            }
            return Ok(Operand {
                docs,
                name,
                kind: Kind::MutLiteral,
                range: None,
                kind_span: kind.span(),
            });
        }
        let kind_name: Ident = input.parse()?;
        let kind = kind_of(&kind_name)?;
        let mut range = None;
        if input.peek(Token![in]) {
            let _: Token![in] = input.parse()?;
            let limits: syn::ExprRange = input.parse()?;
            let Kind::Number { .. } = kind else {
                return Err(syn::Error::new_spanned(
                    limits,
                    "only a number can have a range; write `u12 in 1..=100`",
                ));
            };
            match (&limits.start, &limits.limits, &limits.end) {
                (Some(start), syn::RangeLimits::Closed(_), Some(end)) => {
                    range = Some(((**start).clone(), (**end).clone()));
                }
                _ => {
                    let message = "a range needs both ends and `..=`: `lowest..=highest`";
                    return Err(syn::Error::new_spanned(limits, message));
                }
            }
        }
        Ok(Operand {
            docs,
            name,
            kind,
            range,
            kind_span: kind_name.span(),
        })
    }
}

fn kind_of(name: &Ident) -> syn::Result<Kind> {
    let text = name.to_string();
    let kind = match text.as_str() {
        "logical32" => Kind::Logical32,
        "logical64" => Kind::Logical64,
        "fp8" => Kind::Fp8,
        "reg" => Kind::Reg,
        "vreg" => Kind::VReg,
        "call" => Kind::Call,
        "exit" => Kind::Exit,
        "label" => Kind::Label,
        "literal" => Kind::Literal,
        _ => return number(&text).ok_or_else(|| unknown_kind(name)),
    };
    Ok(kind)
}

fn number(text: &str) -> Option<Kind> {
    let (signed, digits) = match text.split_at_checked(1)? {
        ("u", digits) => (false, digits),
        ("i", digits) => (true, digits),
        _ => return None,
    };
    let bits: u32 = digits.parse().ok().filter(|bits| (1..=64).contains(bits))?;
    Some(if signed {
        Kind::Number {
            signed,
            min: -(1 << (bits - 1)),
            max: (1 << (bits - 1)) - 1,
        }
    } else {
        Kind::Number {
            signed,
            min: 0,
            max: (1 << bits) - 1,
        }
    })
}

fn unknown_kind(name: &Ident) -> syn::Error {
    let message = format!(
        "`{name}` is no kind of operand; there are u1 to u64 and i1 to i64 (with a range, if need \
         be: `u12 in 1..=100`), logical32, logical64, fp8, reg, vreg, call, exit, label, literal \
         and mut literal"
    );
    syn::Error::new(name.span(), message)
}
