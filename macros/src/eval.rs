//! Expressions over an operand: their value, and whether they are `a * operand + b`.
//!
//! Integer arithmetic in 128 bits, every step checked: nothing wraps. Division and remainder round as
//! Rust's do; shifts are arithmetic.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Lit, UnOp};

/// The constants of a block.
pub(crate) type Constants = HashMap<String, i128>;

/// What names in an expression stand for.
pub(crate) struct Scope<'a> {
    pub(crate) constants: &'a Constants,
    /// The operand's name and value.
    pub(crate) operand: Option<(&'a str, i128)>,
}

fn error(at: &impl Spanned, message: impl std::fmt::Display) -> syn::Error {
    syn::Error::new(at.span(), message)
}

/// The expression inside parentheses and invisible groups.
fn strip(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => strip(&inner.expr),
        Expr::Group(inner) => strip(&inner.expr),
        _ => expr,
    }
}

/// The name that an expression is, if it is one.
pub(crate) fn name(expr: &Expr) -> Option<&Ident> {
    match strip(expr) {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        _ => None,
    }
}

/// All names in an expression.
pub(crate) fn names<'e>(expr: &'e Expr, found: &mut Vec<&'e Ident>) {
    match strip(expr) {
        Expr::Path(path) => found.extend(path.path.get_ident()),
        Expr::Unary(unary) => names(&unary.expr, found),
        Expr::Cast(cast) => names(&cast.expr, found),
        Expr::Binary(binary) => {
            names(&binary.left, found);
            names(&binary.right, found);
        }
        _ => {}
    }
}

/// The value of an expression.
pub(crate) fn eval(expr: &Expr, scope: &Scope<'_>) -> syn::Result<i128> {
    let overflow = |at: &dyn Spanned| syn::Error::new(at.span(), "the value overflows 128 bits");
    match strip(expr) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse::<i128>(),
            Lit::Byte(byte) => Ok(byte.value().into()),
            _ => Err(error(lit, "an immediate is an integer")),
        },
        Expr::Path(path) => {
            let known = path.path.get_ident().and_then(|ident| {
                let ident = ident.to_string();
                match scope.operand {
                    Some((name, value)) if name == ident => Some(value),
                    _ => scope.constants.get(&ident).copied(),
                }
            });
            known.ok_or_else(|| {
                error(
                    path,
                    "only literals, operands and constants declared in this block (`const SIZE = \
                     16;`) can stand in an immediate",
                )
            })
        }
        Expr::Unary(unary) => {
            let value = eval(&unary.expr, scope)?;
            match unary.op {
                UnOp::Neg(_) => value.checked_neg().ok_or_else(|| overflow(unary)),
                UnOp::Not(_) => Ok(!value),
                _ => Err(error(unary, "only `-` and `!` can stand in an immediate")),
            }
        }
        Expr::Binary(binary) => {
            let (a, b) = (eval(&binary.left, scope)?, eval(&binary.right, scope)?);
            let shift = || u32::try_from(b).ok().filter(|&b| b < 128);
            let value = match binary.op {
                BinOp::Add(_) => a.checked_add(b),
                BinOp::Sub(_) => a.checked_sub(b),
                BinOp::Mul(_) => a.checked_mul(b),
                BinOp::Div(_) if b == 0 => return Err(error(&binary.right, "division by zero")),
                BinOp::Div(_) => a.checked_div(b),
                BinOp::Rem(_) if b == 0 => return Err(error(&binary.right, "division by zero")),
                BinOp::Rem(_) => a.checked_rem(b),
                BinOp::BitAnd(_) => Some(a & b),
                BinOp::BitOr(_) => Some(a | b),
                BinOp::BitXor(_) => Some(a ^ b),
                BinOp::Shl(_) => shift().and_then(|b| a.checked_mul(1i128.checked_shl(b)?)),
                BinOp::Shr(_) => shift().map(|b| a >> b),
                _ => {
                    return Err(error(
                        &binary.op,
                        "this operator cannot stand in an immediate",
                    ));
                }
            };
            value.ok_or_else(|| overflow(binary))
        }
        other => Err(error(
            other,
            "an immediate is arithmetic over literals, operands and constants of this block",
        )),
    }
}

/// `a` and `b`, if the expression is `a * operand + b`.
pub(crate) fn affine(expr: &Expr, operand: &str, constants: &Constants) -> Option<(i128, i128)> {
    let expr = strip(expr);
    if name(expr).is_some_and(|name| name == operand) {
        return Some((1, 0));
    }
    let scope = Scope {
        constants,
        operand: None,
    };
    if let Ok(constant) = eval(expr, &scope) {
        return Some((0, constant));
    }
    match expr {
        Expr::Unary(unary) => {
            let (a, b) = affine(&unary.expr, operand, constants)?;
            match unary.op {
                UnOp::Neg(_) => Some((a.checked_neg()?, b.checked_neg()?)),
                _ => None,
            }
        }
        Expr::Binary(binary) => {
            let left = affine(&binary.left, operand, constants)?;
            let right = affine(&binary.right, operand, constants)?;
            match binary.op {
                BinOp::Add(_) => Some((left.0.checked_add(right.0)?, left.1.checked_add(right.1)?)),
                BinOp::Sub(_) => Some((left.0.checked_sub(right.0)?, left.1.checked_sub(right.1)?)),
                BinOp::Mul(_) if right.0 == 0 => {
                    Some((left.0.checked_mul(right.1)?, left.1.checked_mul(right.1)?))
                }
                BinOp::Mul(_) if left.0 == 0 => {
                    Some((right.0.checked_mul(left.1)?, right.1.checked_mul(left.1)?))
                }
                BinOp::Shl(_) if right.0 == 0 && (0..64).contains(&right.1) => {
                    let factor = 1 << right.1;
                    Some((left.0.checked_mul(factor)?, left.1.checked_mul(factor)?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
