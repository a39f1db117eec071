//! The grammar of a `uops!` block.
//!
//! ```text
//! block     = [ docs [ vis ] "enum" Name ";" ] item*
//! item      = docs "registers" "{" ( docs name ":" register ),* "}"
//!           | docs "const" NAME [ ":" ( bits [ "*" step ] [ range ] | type ) ] "=" expression ";"
//!           | docs "op" Name [ "(" operand,* ")" ] "{" body "}" [ "cold" "{" body "}" ]
//! operand   = docs name ":" kind
//! kind      = number | "vreg" [ range ] | "reg" | "logical32" | ...
//! number    = bits [ range ]
//! bits      = "u1" to "u64" | "i1" to "i64"
//! range     = "in" lowest "..=" highest
//! body      = ( ";" statement )*                     as dynasm-rs has it
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, LitInt, Token, Visibility, braced, parenthesized};

use crate::operand::{self, Kind, Operand, Range};

/// A `uops!` block.
pub(crate) struct Block {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) registers: Vec<Alias>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) ops: Vec<Op>,
}

/// A name for a register.
pub(crate) struct Alias {
    pub(crate) name: Ident,
    pub(crate) register: Ident,
}

/// A number with a name.
pub(crate) struct Constant {
    pub(crate) name: Ident,
    /// Where its type is a number's kind.
    pub(crate) kind: Option<(Kind, Option<Range>)>,
    /// What all its values are multiples of.
    pub(crate) step: Option<LitInt>,
    pub(crate) value: Expr,
}

/// A micro-op as it is written.
pub(crate) struct Op {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) operands: Vec<Operand>,
    pub(crate) hot: TokenStream,
    pub(crate) cold: Option<Cold>,
}

/// The cold part of a micro-op.
pub(crate) struct Cold {
    pub(crate) keyword: Span,
    pub(crate) body: TokenStream,
}

mod keyword {
    syn::custom_keyword!(registers);
    syn::custom_keyword!(op);
    syn::custom_keyword!(cold);
}

/// Reads doc comments, and refuses other attributes.
pub(crate) fn docs(input: ParseStream<'_>) -> syn::Result<Vec<Attribute>> {
    let attributes = input.call(Attribute::parse_outer)?;
    match attributes.iter().find(|a| !a.path().is_ident("doc")) {
        Some(other) => Err(syn::Error::new_spanned(
            other,
            "only doc comments are carried over; leave other attributes out",
        )),
        None => Ok(attributes),
    }
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> syn::Result<Block> {
        let mut block = Block {
            docs: Vec::new(),
            visibility: Visibility::Public(Token![pub](Span::call_site())),
            name: Ident::new("Op", Span::call_site()),
            registers: Vec::new(),
            constants: Vec::new(),
            ops: Vec::new(),
        };
        let mut first = true;
        while !input.is_empty() {
            let docs = docs(input)?;
            let ahead = input.lookahead1();
            let is_enum = ahead.peek(Token![enum]) || input.peek(Token![pub]);
            if is_enum && first {
                block.docs = docs;
                block.visibility = input.parse()?;
                let _: Token![enum] = input.parse()?;
                block.name = input.parse()?;
                let _: Token![;] = input.parse()?;
            } else if is_enum {
                let message = "the enum comes first in its block, and only once; micro-ops and \
                               constants take its visibility";
                return Err(input.error(message));
            } else if ahead.peek(keyword::registers) {
                let _: keyword::registers = input.parse()?;
                let inner;
                braced!(inner in input);
                block
                    .registers
                    .extend(Punctuated::<Alias, Token![,]>::parse_terminated(&inner)?);
            } else if ahead.peek(Token![const]) {
                block.constants.push(input.parse()?);
            } else if ahead.peek(keyword::op) {
                block.ops.push(Op::parse(docs, input)?);
            } else {
                return Err(ahead.error());
            }
            first = false;
        }
        Ok(block)
    }
}

impl Parse for Alias {
    fn parse(input: ParseStream<'_>) -> syn::Result<Alias> {
        docs(input)?;
        let name = input.parse()?;
        let _: Token![:] = input.parse()?;
        let register = input.parse()?;
        Ok(Alias { name, register })
    }
}

impl Parse for Constant {
    fn parse(input: ParseStream<'_>) -> syn::Result<Constant> {
        let _: Token![const] = input.parse()?;
        let name = input.parse()?;
        let (mut kind, mut step) = (None, None);
        if input.peek(Token![:]) {
            let _: Token![:] = input.parse()?;
            let number = input
                .fork()
                .call(Ident::parse_any)
                .ok()
                .and_then(|name| operand::number(&name.to_string()));
            match number {
                Some(number) => {
                    let _: Ident = input.call(Ident::parse_any)?;
                    if input.peek(Token![*]) {
                        let _: Token![*] = input.parse()?;
                        step = Some(input.parse()?);
                    }
                    kind = Some((number, Range::parse(input)?));
                }
                // The type says nothing: constants are numbers without a width.
                None => drop(input.parse::<syn::Type>()?),
            }
        }
        let _: Token![=] = input.parse()?;
        let value = input.parse()?;
        let _: Token![;] = input.parse()?;
        Ok(Constant {
            name,
            kind,
            step,
            value,
        })
    }
}

impl Op {
    fn parse(docs: Vec<Attribute>, input: ParseStream<'_>) -> syn::Result<Op> {
        let _: keyword::op = input.parse()?;
        let name = input.parse()?;
        let mut operands = Vec::new();
        if input.peek(syn::token::Paren) {
            let inner;
            parenthesized!(inner in input);
            operands.extend(Punctuated::<Operand, Token![,]>::parse_terminated(&inner)?);
        }
        let inner;
        braced!(inner in input);
        let hot = inner.parse()?;
        let mut cold = None;
        if input.peek(keyword::cold) {
            let keyword: keyword::cold = input.parse()?;
            let inner;
            braced!(inner in input);
            cold = Some(Cold {
                keyword: keyword.span,
                body: inner.parse()?,
            });
        }
        Ok(Op {
            docs,
            name,
            operands,
            hot,
            cold,
        })
    }
}
