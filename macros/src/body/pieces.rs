//! A statement as pieces, and how it is rendered with a value for each operand.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Expr;
use syn::spanned::Spanned;

use super::Names;
use crate::eval::{self, Scope};
use crate::operand::Kind;
use crate::probe;

/// A statement: exactly one word of code.
pub(crate) enum Statement {
    Instruction(Instruction),
    Word(Word),
}

/// An instruction.
pub(crate) struct Instruction {
    pub(super) pieces: Vec<Piece>,
    pub(super) labels: Vec<Span>,
}

/// A word written as it is, with `.u32`.
pub(crate) struct Word {
    pub(super) expr: Expr,
    /// The operands in it, and where.
    pub(super) operands: Vec<(usize, Span)>,
}

/// Part of an instruction.
pub(super) enum Piece {
    Tokens(TokenStream),
    /// An expression over one operand.
    Number {
        operand: usize,
        expr: Expr,
        place: Place,
    },
    /// `X(operand)`.
    Register {
        operand: usize,
        width: char,
        span: Span,
    },
    Group {
        delimiter: Delimiter,
        inner: Vec<Piece>,
        span: Span,
    },
}

/// What an immediate is to its instruction. dynasm-rs checks literals in 63 bits and a sign; where
/// it does not, what it cannot check it would leave to run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A number in the range of a field.
    Field,
    /// A mask or a wide number, taken as 64 bits without a sign.
    Mask,
    /// What `mov` puts into a register: 16 bits somewhere, or a mask, without a sign.
    Move,
    /// An amount that is never negative: of a shift or a rotation, or an element's number.
    Amount,
}

/// A rendered statement.
pub(crate) enum Rendered {
    Assembly(TokenStream),
    Word(u32),
}

/// A place where an operand stands.
pub(crate) struct Use<'s> {
    pub(crate) operand: usize,
    /// The expression it stands in, if it is a number.
    pub(crate) expr: Option<&'s Expr>,
    pub(crate) span: Span,
}

impl Statement {
    /// Where labels stand, those of operands and local ones.
    pub(crate) fn labels(&self) -> &[Span] {
        match self {
            Statement::Instruction(instruction) => &instruction.labels,
            Statement::Word(_) => &[],
        }
    }

    /// All places where operands stand.
    pub(crate) fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        match self {
            Statement::Instruction(instruction) => collect_uses(&instruction.pieces, &mut uses),
            Statement::Word(word) => {
                uses.extend(word.operands.iter().map(|&(operand, span)| Use {
                    operand,
                    expr: Some(&word.expr),
                    span,
                }));
            }
        }
        uses
    }

    /// The statement with a value for each operand.
    pub(crate) fn render(
        &self,
        names: &Names<'_>,
        value: &dyn Fn(usize) -> i128,
    ) -> syn::Result<Rendered> {
        match self {
            Statement::Instruction(instruction) => {
                render(&instruction.pieces, names, value).map(Rendered::Assembly)
            }
            Statement::Word(word) => word.value(names, value).map(Rendered::Word),
        }
    }
}

impl Word {
    /// The word with a value for one operand, and the lowest one for the others.
    pub(crate) fn with(&self, names: &Names<'_>, operand: usize, value: i128) -> syn::Result<u32> {
        self.value(names, &|other| match other == operand {
            true => value,
            false => probe::probes(names.operands[other].kind).base,
        })
    }

    /// The word with a value for each operand.
    pub(crate) fn value(
        &self,
        names: &Names<'_>,
        value: &dyn Fn(usize) -> i128,
    ) -> syn::Result<u32> {
        let values: Vec<_> = self
            .operands
            .iter()
            .map(|&(operand, _)| {
                let declared = &names.operands[operand];
                (declared.name.to_string(), value(operand) * declared.scale)
            })
            .collect();
        let values: Vec<_> = values.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let scope = Scope {
            constants: names.constants,
            operands: &values,
        };
        let word = eval::eval(&self.expr, &scope)?;
        u32::try_from(word).map_err(|_| {
            let message = format!("an instruction has 32 bits, and this is {word:#x}");
            syn::Error::new(first_span(&self.expr), message)
        })
    }
}

fn collect_uses<'s>(pieces: &'s [Piece], uses: &mut Vec<Use<'s>>) {
    for piece in pieces {
        match piece {
            Piece::Tokens(_) => {}
            Piece::Number { operand, expr, .. } => uses.push(Use {
                operand: *operand,
                expr: Some(expr),
                span: first_span(expr),
            }),
            Piece::Register { operand, span, .. } => uses.push(Use {
                operand: *operand,
                expr: None,
                span: *span,
            }),
            Piece::Group { inner, .. } => collect_uses(inner, uses),
        }
    }
}

fn render(
    pieces: &[Piece],
    names: &Names<'_>,
    value: &dyn Fn(usize) -> i128,
) -> syn::Result<TokenStream> {
    let mut out = TokenStream::new();
    for piece in pieces {
        match piece {
            Piece::Tokens(tokens) => out.extend(tokens.clone()),
            Piece::Number {
                operand,
                expr,
                place,
            } => out.extend(number(names, *operand, expr, *place, value(*operand))?),
            Piece::Register {
                operand,
                width,
                span,
            } => {
                let register = format!("{width}{}", value(*operand));
                let register = Ident::new(&register, *span);
                out.extend(quote!(#register));
            }
            Piece::Group {
                delimiter,
                inner,
                span,
            } => {
                let mut group = Group::new(*delimiter, render(inner, names, value)?);
                group.set_span(*span);
                out.extend([TokenTree::Group(group)]);
            }
        }
    }
    Ok(out)
}

fn number(
    names: &Names<'_>,
    operand: usize,
    expr: &Expr,
    place: Place,
    value: i128,
) -> syn::Result<TokenStream> {
    let declared = &names.operands[operand];
    match declared.kind {
        Kind::Logical32 => integer(probe::mask(value, 32) as i128, expr, Place::Mask),
        Kind::Logical64 => integer(probe::mask(value, 64) as i128, expr, Place::Mask),
        Kind::Fp8 => {
            let float = probe::float(value);
            let mut literal = Literal::f64_unsuffixed(float.abs());
            literal.set_span(first_span(expr));
            let minus = (float < 0.0).then(|| Punct::new('-', Spacing::Alone));
            Ok(quote!(#minus #literal))
        }
        _ => integer(names.eval_with(expr, operand, value)?, expr, place),
    }
}

/// An integer literal that dynasm-rs can check, at the author's expression.
pub(super) fn integer(value: i128, at: &Expr, place: Place) -> syn::Result<TokenStream> {
    let span = first_span(at);
    let highest: i128 = match place {
        Place::Field | Place::Amount => i64::MAX.into(),
        Place::Mask | Place::Move => u64::MAX.into(),
    };
    let problem = match place {
        Place::Field if value < -highest => "is too low for any instruction",
        Place::Mask if value < 0 => &format!(
            "is negative; a mask has no sign, so write it out: `{:#x}` for an `x` register, `{:#x}` for a `w` register",
            value as u64, value as u32
        ),
        Place::Move if value < 0 => {
            "is negative, and `mov` takes no sign; write `movn x0, n`, which makes -1 - n, or load a `literal`"
        }
        Place::Amount if value < 0 => "is negative, and an amount or an element's number is not",
        _ if value > highest => "is too high for any instruction",
        _ => {
            let mut literal = Literal::u64_unsuffixed(value.unsigned_abs() as u64);
            literal.set_span(span);
            let minus = (value < 0).then(|| {
                let mut minus = Punct::new('-', Spacing::Alone);
                minus.set_span(span);
                minus
            });
            return Ok(quote!(#minus #literal));
        }
    };
    let message = format!("the value {value} {problem}");
    Err(syn::Error::new(span, message))
}

/// Where an error in an expression is shown: at its first name, else at its start.
pub(super) fn first_span(expr: &Expr) -> Span {
    match eval::names(expr).first() {
        Some(name) => name.span(),
        None => expr.span(),
    }
}
