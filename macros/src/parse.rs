//! The grammar of a `uops!` block.
//!
//! ```text
//! block     = [ docs [ vis ] "enum" Name ";" ] item*
//! item      = docs "registers" "{" ( docs name ":" register ),* "}"
//!           | docs "const" NAME [ ":" type ] "=" expression ";"
//!           | docs "op" Name [ "(" operand,* ")" ] "{" body "}" [ "cold" "{" body "}" ]
//! operand   = docs name ":" kind [ "in" lowest "..=" highest ]
//! body      = ( ";" statement )*                     as dynasm-rs has it
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Token, Visibility, braced, parenthesized};

use crate::operand::Operand;

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
    pub(crate) value: Expr,
}

/// A micro-op as it is written.
pub(crate) struct Op {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) operands: Vec<Operand>,
    pub(crate) hot: TokenStream,
    pub(crate) cold: Option<TokenStream>,
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
            if first && (input.peek(Token![pub]) || ahead.peek(Token![enum])) {
                block.docs = docs;
                block.visibility = input.parse()?;
                let _: Token![enum] = input.parse()?;
                block.name = input.parse()?;
                let _: Token![;] = input.parse()?;
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
        if input.peek(Token![:]) {
            // The type says nothing: constants are numbers without a width.
            let _: Token![:] = input.parse()?;
            let _: syn::Type = input.parse()?;
        }
        let _: Token![=] = input.parse()?;
        let value = input.parse()?;
        let _: Token![;] = input.parse()?;
        Ok(Constant { name, value })
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
            let _: keyword::cold = input.parse()?;
            let inner;
            braced!(inner in input);
            cold = Some(inner.parse()?);
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
