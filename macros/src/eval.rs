//! Expressions over operands: their value, and the parts of them that are `a * operand + b`.
//!
//! Integer arithmetic in 128 bits, every step checked: nothing wraps. Division and remainder round as
//! Rust's do; shifts are arithmetic.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprBinary, Lit, UnOp};

/// The constants of a block whose value is known here.
pub(crate) type Constants = BTreeMap<String, i128>;

/// What names in an expression stand for.
pub(crate) struct Scope<'a> {
    pub(crate) constants: &'a Constants,
    /// The values of operands, by name.
    pub(crate) operands: &'a [(&'a str, i128)],
}

impl<'a> Scope<'a> {
    /// No operands.
    pub(crate) fn of(constants: &'a Constants) -> Scope<'a> {
        Scope {
            constants,
            operands: &[],
        }
    }

    fn get(&self, name: &str) -> Option<i128> {
        let operand = self.operands.iter().find(|(known, _)| *known == name);
        operand
            .map(|(_, value)| *value)
            .or_else(|| self.constants.get(name).copied())
    }
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

/// The float that an expression is, if it is one.
pub(crate) fn is_float(expr: &Expr) -> bool {
    match strip(expr) {
        Expr::Unary(unary) => matches!(unary.op, UnOp::Neg(_)) && is_float(&unary.expr),
        Expr::Lit(lit) => matches!(lit.lit, Lit::Float(_)),
        _ => false,
    }
}

/// All names in an expression.
pub(crate) fn names(expr: &Expr) -> Vec<&Ident> {
    let mut found = Vec::new();
    collect_names(expr, &mut found);
    found
}

fn collect_names<'e>(expr: &'e Expr, found: &mut Vec<&'e Ident>) {
    match strip(expr) {
        Expr::Path(path) => found.extend(path.path.get_ident()),
        Expr::Unary(unary) => collect_names(&unary.expr, found),
        Expr::Binary(binary) => {
            collect_names(&binary.left, found);
            collect_names(&binary.right, found);
        }
        _ => {}
    }
}

/// The value of an expression.
pub(crate) fn eval(expr: &Expr, scope: &Scope<'_>) -> syn::Result<i128> {
    match strip(expr) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse::<i128>(),
            Lit::Byte(byte) => Ok(byte.value().into()),
            _ => Err(error(lit, "an immediate is an integer")),
        },
        Expr::Path(path) => {
            let ident = path.path.get_ident().map(Ident::to_string);
            let known = ident.and_then(|ident| scope.get(&ident));
            known.ok_or_else(|| {
                error(
                    path,
                    "the macro does not know this; literals, operands and constants of this block \
                     (`const SIZE = 16;`) can stand here",
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
            combine(binary, a, b)
        }
        Expr::Cast(cast) => Err(error(
            &cast.as_token,
            "immediates are numbers without a width; leave the cast out",
        )),
        other => Err(error(
            other,
            "an immediate is arithmetic over literals, operands and constants of this block",
        )),
    }
}

fn overflow(at: &impl Spanned) -> syn::Error {
    error(at, "the value overflows 128 bits")
}

fn combine(binary: &ExprBinary, a: i128, b: i128) -> syn::Result<i128> {
    let shift = || {
        let shift = u32::try_from(b).ok().filter(|&b| b < 127);
        shift.ok_or_else(|| error(&binary.right, "a shift is by 0 to 126 bits"))
    };
    let value = match binary.op {
        BinOp::Add(_) => a.checked_add(b),
        BinOp::Sub(_) => a.checked_sub(b),
        BinOp::Mul(_) => a.checked_mul(b),
        BinOp::Div(_) | BinOp::Rem(_) if b == 0 => {
            return Err(error(&binary.right, "division by zero"));
        }
        BinOp::Div(_) => a.checked_div(b),
        BinOp::Rem(_) => a.checked_rem(b),
        BinOp::BitAnd(_) => Some(a & b),
        BinOp::BitOr(_) => Some(a | b),
        BinOp::BitXor(_) => Some(a ^ b),
        BinOp::Shl(_) => a.checked_mul(1 << shift()?),
        BinOp::Shr(_) => Some(a >> shift()?),
        _ => {
            return Err(error(
                &binary.op,
                "this operator cannot stand in an immediate",
            ));
        }
    };
    value.ok_or_else(|| overflow(binary))
}

/// `a * operand + b`, as `(a, b)`.
pub(crate) type Affine = (i128, i128);

/// An operand, and how many times its value its name stands for.
#[derive(Clone, Copy)]
pub(crate) struct Variable<'a> {
    pub(crate) name: &'a str,
    pub(crate) scale: i128,
}

/// The expression as `a * operand + b`, if it is that.
pub(crate) fn affine(expr: &Expr, variable: Variable<'_>, constants: &Constants) -> Option<Affine> {
    let expr = strip(expr);
    if name(expr).is_some_and(|name| name == variable.name) {
        return Some((variable.scale, 0));
    }
    if let Ok(constant) = eval(expr, &Scope::of(constants)) {
        return Some((0, constant));
    }
    match expr {
        Expr::Unary(unary) => {
            let (a, b) = affine(&unary.expr, variable, constants)?;
            match unary.op {
                UnOp::Neg(_) => Some((a.checked_neg()?, b.checked_neg()?)),
                UnOp::Not(_) => Some((a.checked_neg()?, !b)),
                _ => None,
            }
        }
        Expr::Binary(binary) => {
            let left = affine(&binary.left, variable, constants)?;
            let right = affine(&binary.right, variable, constants)?;
            let scaled = |by: i128| Some((left.0.checked_mul(by)?, left.1.checked_mul(by)?));
            match binary.op {
                BinOp::Add(_) => Some((left.0.checked_add(right.0)?, left.1.checked_add(right.1)?)),
                BinOp::Sub(_) => Some((left.0.checked_sub(right.0)?, left.1.checked_sub(right.1)?)),
                BinOp::Mul(_) if right.0 == 0 => scaled(right.1),
                BinOp::Mul(_) if left.0 == 0 => {
                    Some((right.0.checked_mul(left.1)?, right.1.checked_mul(left.1)?))
                }
                BinOp::Shl(_) if right.0 == 0 && (0..127).contains(&right.1) => {
                    scaled(1 << right.1)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether each bit of the expression is zero or a bit of the operand, and these are in their order: masks
/// and shifts of a number that is not negative.
pub(crate) fn selects_bits(expr: &Expr, variable: Variable<'_>, constants: &Constants) -> bool {
    let expr = strip(expr);
    if name(expr).is_some_and(|name| name == variable.name) {
        return variable.scale > 0 && variable.scale & (variable.scale - 1) == 0;
    }
    let Expr::Binary(binary) = expr else {
        return false;
    };
    let constant = |side: &Expr| eval(side, &Scope::of(constants)).is_ok_and(|value| value >= 0);
    let selects = |side: &Expr| selects_bits(side, variable, constants);
    match binary.op {
        BinOp::BitAnd(_) => {
            (selects(&binary.left) && constant(&binary.right))
                || (constant(&binary.left) && selects(&binary.right))
        }
        BinOp::Shl(_) | BinOp::Shr(_) => selects(&binary.left) && constant(&binary.right),
        _ => false,
    }
}

/// The largest parts of an expression that are `a * operand + b` with an `a` that is not zero.
pub(crate) fn affine_parts(
    expr: &Expr,
    variable: Variable<'_>,
    constants: &Constants,
    found: &mut Vec<Affine>,
) {
    match affine(expr, variable, constants) {
        Some((0, _)) => {}
        Some(part) if found.contains(&part) => {}
        Some(part) => found.push(part),
        None => match strip(expr) {
            Expr::Unary(unary) => affine_parts(&unary.expr, variable, constants, found),
            Expr::Binary(binary) => {
                affine_parts(&binary.left, variable, constants, found);
                affine_parts(&binary.right, variable, constants, found);
            }
            _ => {}
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: Variable<'static> = Variable {
        name: "n",
        scale: 1,
    };

    fn value(text: &str, n: i128) -> Result<i128, String> {
        let constants = Constants::from([("SIZE".to_owned(), 24)]);
        let scope = Scope {
            constants: &constants,
            operands: &[("n", n)],
        };
        eval(&syn::parse_str(text).unwrap(), &scope).map_err(|error| error.to_string())
    }

    fn parts(text: &str) -> Vec<Affine> {
        let constants = Constants::from([("SIZE".to_owned(), 24)]);
        let mut found = Vec::new();
        affine_parts(&syn::parse_str(text).unwrap(), N, &constants, &mut found);
        found
    }

    #[test]
    fn values_are_those_of_128_bits() {
        assert_eq!(value("n * SIZE + 0x10", 3), Ok(88));
        assert_eq!(value("-(n - 5) / 2", 0), Ok(2));
        assert_eq!(value("!n & 0xff", 1), Ok(254));
        assert_eq!(value("n << 64 >> 64", -7), Ok(-7));
        assert_eq!(value("b'a' % 10", 0), Ok(7));
        assert!(value("1 << 127", 0).unwrap_err().contains("0 to 126"));
        assert!(value("n << 126", 2).unwrap_err().contains("overflows"));
        assert!(value("1 << -1", 0).unwrap_err().contains("0 to 126"));
        assert!(value("1 / n", 0).unwrap_err().contains("zero"));
        assert!(value("n as u8", 0).unwrap_err().contains("cast"));
        assert!(value("other", 0).unwrap_err().contains("does not know"));
    }

    #[test]
    fn masks_and_shifts_select_bits() {
        let constants = Constants::from([("SIZE".to_owned(), 24)]);
        let selects = |text| selects_bits(&syn::parse_str(text).unwrap(), N, &constants);
        for text in ["n", "n & 0xff", "SIZE & n", "(n >> 4 & SIZE) << 2"] {
            assert!(selects(text), "{text}");
        }
        for text in [
            "SIZE",
            "-n",
            "!n & 0xff",
            "n + 1",
            "n & -2",
            "n | 1",
            "n >> n",
        ] {
            assert!(!selects(text), "{text}");
        }
    }

    #[test]
    fn affine_parts_are_found() {
        assert_eq!(parts("n"), [(1, 0)]);
        assert_eq!(parts("(n + 2) * SIZE - 1"), [(24, 47)]);
        assert_eq!(parts("5 - (n << 3)"), [(-8, 5)]);
        assert_eq!(parts("!n"), [(-1, -1)]);
        assert_eq!(parts("((n + 15) >> 4) & 0xff"), [(1, 15)]);
        assert_eq!(parts("(n >> 4) | (n + 1)"), [(1, 0), (1, 1)]);
        assert_eq!(parts("n - n"), []);
        assert_eq!(parts("n * n"), [(1, 0)]);
    }
}
