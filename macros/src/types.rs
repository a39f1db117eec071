//! The struct per micro-op, their enum, and the traits of both.

use proc_macro2::TokenStream;
use quote::quote;

use crate::operand::{Kind, Operand};
use crate::parse::{Block, Op};

/// The struct per micro-op, and the enum.
pub(crate) fn types(block: &Block, ops: &[Vec<Operand>]) -> TokenStream {
    let Block {
        docs,
        visibility,
        name,
        ..
    } = block;
    let derives = quote! {
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::cmp::PartialEq
        )]
    };
    let mut structs = TokenStream::new();
    let mut variants = TokenStream::new();
    for (op, operands) in block.ops.iter().zip(ops) {
        let op_name = &op.name;
        let docs = docs_or(&op.docs, || format!("The micro-op `{op_name}`."));
        let fields = operands.iter().map(|operand| {
            let docs = docs_or(&operand.docs, || operand_doc(operand));
            let (name, value) = (&operand.name, value_type(operand.kind));
            quote!(#docs #visibility #name: #value)
        });
        let body = if operands.is_empty() {
            quote!(;)
        } else {
            quote!({ #(#fields),* })
        };
        structs.extend(quote! {
            #docs
            #derives
            #visibility struct #op_name #body
        });
        variants.extend(quote!(#docs #op_name(#op_name),));
    }
    let docs = docs_or(docs, || "The micro-ops of one `uops!` block.".to_owned());
    quote! {
        #structs
        #docs
        #derives
        #[allow(dead_code)]
        #visibility enum #name { #variants }
    }
}

fn docs_or(docs: &[syn::Attribute], otherwise: impl FnOnce() -> String) -> TokenStream {
    if docs.is_empty() {
        let text = otherwise();
        quote!(#[doc = #text])
    } else {
        quote!(#(#docs)*)
    }
}

fn operand_doc(operand: &Operand) -> String {
    match operand.kind {
        Kind::Number { min, max, .. } => format!("A number in {min}..={max}."),
        Kind::Logical32 => "A mask that a 32-bit logical instruction can hold.".into(),
        Kind::Logical64 => "A mask that a 64-bit logical instruction can hold.".into(),
        Kind::Fp8 => "A number that `fmov` can hold.".into(),
        Kind::Reg => "A general-purpose register.".into(),
        Kind::VReg { .. } => "A vector register.".into(),
        Kind::Call => "A call target.".into(),
        Kind::Exit => "A side exit.".into(),
        Kind::Label => "A place in the trace.".into(),
        Kind::Literal => "A constant.".into(),
        Kind::MutLiteral => "A word that can be changed later.".into(),
    }
}

fn value_type(kind: Kind) -> TokenStream {
    match kind {
        Kind::Number { signed: false, .. } | Kind::Logical64 | Kind::Literal => {
            quote!(::core::primitive::u64)
        }
        Kind::Number { signed: true, .. } => quote!(::core::primitive::i64),
        Kind::Logical32 => quote!(::core::primitive::u32),
        Kind::Fp8 => quote!(::core::primitive::f64),
        Kind::Reg => quote!(::opstitch::Reg),
        Kind::VReg { .. } => quote!(::opstitch::VReg),
        Kind::Call => quote!(::opstitch::Target),
        Kind::Exit => quote!(::opstitch::Exit),
        Kind::Label => quote!(::opstitch::Label),
        Kind::MutLiteral => quote!(::opstitch::MutLiteral),
    }
}

/// The traits. Without a set, where the block has errors, they are there but do nothing.
pub(crate) fn implementations(
    block: &Block,
    ops: &[Vec<Operand>],
    set: Option<TokenStream>,
) -> TokenStream {
    let Block {
        name, visibility, ..
    } = block;
    let (set_value, data) = match set {
        Some(_) => (quote!(&SET), quote!(DATA)),
        None => (
            quote!(::core::unreachable!()),
            quote!(__opstitch::MicroOpSet::EMPTY),
        ),
    };
    let most = ops.iter().map(Vec::len).max().unwrap_or(0);
    let mut items = TokenStream::new();
    let mut indices = TokenStream::new();
    let mut values = TokenStream::new();
    let mut arranged_values = TokenStream::new();
    let mut visits = TokenStream::new();
    let (len, is_known) = (ops.len(), !are_mostly_alike(block, ops));
    for (index, (op, operands)) in block.ops.iter().zip(ops).enumerate() {
        let op_name = &op.name;
        let count = operands.len();
        let raw = operands.iter().map(|operand| {
            let field = &operand.name;
            quote!(__opstitch::OperandValue::raw(self.#field))
        });
        let raw_of_variant = |operand: &Operand| {
            let field = &operand.name;
            quote!(__opstitch::OperandValue::raw(__op.#field))
        };
        let mut natural: Vec<_> = operands.iter().map(raw_of_variant).collect();
        natural.resize(most, quote!(0));
        let mut arranged = natural.clone();
        if let Some(destination) = destination(operands) {
            arranged[destination..].rotate_left(1);
        }
        let binding = if count == 0 { quote!(_) } else { quote!(__op) };
        indices.extend(quote!(#name::#op_name(_) => #index,));
        visits.extend(quote!(#name::#op_name(__op) => __visitor.visit(__op),));
        values.extend(quote!(#name::#op_name(#binding) => [#(#natural),*],));
        arranged_values.extend(quote!(#name::#op_name(#binding) => [#(#arranged),*],));
        items.extend(quote! {
            impl ::opstitch::MicroOp for #op_name {
                type Operands = [::core::primitive::u64; #count];
                const DATA: __opstitch::MicroOpSet = #data;
                const IS_KNOWN: ::core::primitive::bool = true;
                #[inline]
                fn set(&self) -> &'static ::opstitch::MicroOpSet { #set_value }
                #[inline]
                fn index(&self) -> ::core::primitive::usize { #index }
                #[inline]
                fn operands(&self) -> [::core::primitive::u64; #count] { [#(#raw),*] }
            }
            impl ::core::fmt::Display for #op_name {
                fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    __opstitch::write_micro_op(self, __f)
                }
            }
            impl __OpstitchVariant for #op_name {
                fn into_enum(self) -> #name { #name::#op_name(self) }
            }
        });
    }
    if block.ops.is_empty() {
        return TokenStream::new();
    }
    // What pushing by rows asks for: where there is code for each micro-op, nothing does.
    let for_rows = (!is_known).then(|| quote! {
        const FROM_ZERO: ::core::primitive::bool = __opstitch::MicroOpSet::is_from_zero(&#data);
        #[inline(always)]
        fn arranged(&self) -> [::core::primitive::u64; #most] { match self { #arranged_values } }
    });
    quote! {
        const _: () = {
            // Names that no micro-op and no enum has: both are in scope here.
            use ::opstitch::__private as __opstitch;
            #set
            #items
            // One `From` for all: the compiler compares each impl of a trait for one type with every other.
            #[diagnostic::on_unimplemented(message = "`{Self}` is no micro-op of this block")]
            #visibility trait __OpstitchVariant {
                fn into_enum(self) -> #name;
            }
            impl<__M: __OpstitchVariant> ::core::convert::From<__M> for #name {
                #[inline]
                fn from(__op: __M) -> #name { __op.into_enum() }
            }
            impl ::opstitch::MicroOp for #name {
                type Operands = [::core::primitive::u64; #most];
                const IS_KNOWN: ::core::primitive::bool = #is_known;
                const COUNT: ::core::primitive::usize = #len;
                #[inline]
                fn set(&self) -> &'static ::opstitch::MicroOpSet { #set_value }
                #[inline]
                fn index(&self) -> ::core::primitive::usize { match self { #indices } }
                #[inline(always)]
                fn operands(&self) -> [::core::primitive::u64; #most] { match self { #values } }
                #for_rows
                #[inline]
                fn visit<__V: __opstitch::Visitor>(&self, __visitor: __V) -> __V::Output { match self { #visits } }
            }
            impl ::core::fmt::Display for #name {
                fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    __opstitch::write_micro_op(self, __f)
                }
            }
            impl #name {
                /// All micro-ops of the block.
                #[allow(dead_code)]
                #visibility fn micro_ops() -> &'static ::opstitch::MicroOpSet { #set_value }
            }
        };
    }
}

/// The operand that says where a branch or a call leads, if there is only one.
fn destination(operands: &[Operand]) -> Option<usize> {
    let is_destination =
        |operand: &Operand| matches!(operand.kind, Kind::Call | Kind::Label | Kind::Exit);
    let mut found = (0..operands.len()).filter(|&index| is_destination(&operands[index]));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Whether most of the micro-ops lie alike in their enum, and have nothing that a row of the builder has no room for. Then
/// one way of pushing serves them all, and takes no branch that depends on which of them comes; otherwise there is one
/// anyway, and it had better lead to code for the micro-op alone.
fn are_mostly_alike(block: &Block, ops: &[Vec<Operand>]) -> bool {
    let shapes = block.ops.iter().zip(ops);
    let shapes: Vec<_> = shapes.map(|(op, operands)| shape(op, operands)).collect();
    let like = |shape| shapes.iter().filter(|&other| other == shape).count();
    let known = shapes.iter().filter(|shape| shape.is_some());
    known.map(like).max().unwrap_or(0) * 4 >= shapes.len() * 3
}

/// How a micro-op's operands lie in its struct: whether each is a register, which has a byte, or has eight. `None` if it
/// has no row.
fn shape(op: &Op, operands: &[Operand]) -> Option<Vec<bool>> {
    let has_row = |operand: &Operand| match operand.kind {
        Kind::Number { .. } | Kind::Call | Kind::Exit | Kind::Label => true,
        Kind::Reg | Kind::VReg { .. } => true,
        Kind::Literal | Kind::MutLiteral => false,
        Kind::Logical32 | Kind::Logical64 | Kind::Fp8 => false,
    };
    let is_register = |operand: &Operand| matches!(operand.kind, Kind::Reg | Kind::VReg { .. });
    let fits = op.cold.is_none() && operands.len() <= 4 && operands.iter().all(has_row);
    fits.then(|| operands.iter().map(is_register).collect())
}
