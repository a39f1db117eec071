//! What a block becomes: a struct per micro-op and their enum ([`types`]), and the constants behind
//! them.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};

use crate::Errors;
use crate::body::{self, Names};
use crate::declare::{self, Declared};
use crate::draft::{self, Draft};
use crate::operand::{Kind, Operand};
use crate::parse::{Block, Op};
use crate::shared::Shared;
use crate::types;

/// Expands a block. Where there are errors, the types are still made, so that code that uses them
/// does not fail for want of them.
pub(crate) fn expand(mut block: Block) -> TokenStream {
    let mut errors = Errors::default();
    let declared = Declared::read(&mut block, &mut errors);
    let mut shared = Shared::default();
    let mut drafts = Vec::new();
    for (op, operands) in block.ops.iter().zip(&declared.operands) {
        if operands.iter().any(|operand| operand.error.is_some()) {
            // What else is wrong may come from that.
            continue;
        }
        let operands = with_constants(op, operands, &declared);
        let names = Names {
            aliases: &declared.aliases,
            constants: &declared.constants,
            operands: &operands,
        };
        let failed = errors.count();
        let body = body::scan(op, &names, &mut errors);
        if errors.count() == failed {
            let draft = draft::draft(op, &body, &names, &mut shared);
            drafts.extend(errors.take(draft));
        }
    }
    if let Some(name) = &shared.too_long {
        let message = "a name has at most 255 bytes, and all names of a block 65,536";
        errors.add(syn::Error::new(name.span(), message));
    }
    if !shared.fits() {
        let message = "there are too many ranges and expressions; split the block into two";
        errors.add(syn::Error::new(block.name.span(), message));
    }
    let types = types::types(&block, &declared.operands);
    match errors.into_tokens() {
        Some(errors) => {
            let stubs = types::implementations(&block, &declared.operands, None);
            quote!(#errors #types #stubs)
        }
        None => {
            let set = set(&block, &declared, &drafts, &shared);
            let implementations = types::implementations(&block, &declared.operands, Some(set));
            let implementations = with_patched(&declared, implementations);
            quote!(#types #implementations)
        }
    }
}

/// The operands of a micro-op, and the constants that it names and that are patched in like them.
fn with_constants(op: &Op, operands: &[Operand], declared: &Declared) -> Vec<Operand> {
    let cold = op.cold.iter().flat_map(|cold| cold.body.clone());
    let body: TokenStream = op.hot.clone().into_iter().chain(cold).collect();
    let constants = declared.patched.iter().map(|patched| &patched.operand);
    let named = constants.filter(|constant| mentions(body.clone(), constant));
    operands.iter().chain(named).cloned().collect()
}

fn mentions(tokens: TokenStream, operand: &Operand) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => name == operand.name,
        TokenTree::Group(group) => mentions(group.stream(), operand),
        _ => false,
    })
}

/// Puts what the compiler has to evaluate around the rest: its names are the author's, and must not
/// meet those of the expansion.
fn with_patched(declared: &Declared, inner: TokenStream) -> TokenStream {
    if declared.patched.is_empty() {
        return inner;
    }
    let count = declared.patched.len();
    let values = declared.patched.iter().map(|patched| {
        let value = &patched.value;
        quote_spanned!(patched.span()=> (#value) as ::core::primitive::i128)
    });
    quote! {
        const _: () = {
            #[allow(clippy::as_conversions, clippy::cast_lossless, clippy::unnecessary_cast, unused_parens)]
            const OPSTITCH_CONSTANTS: [::core::primitive::i128; #count] = [#(#values),*];
            #inner
        };
    }
}

/// The checks of the constants that the compiler evaluates, and their values as they are patched in.
fn patched(declared: &Declared) -> TokenStream {
    let mut items = TokenStream::new();
    for (index, patched) in declared.patched.iter().enumerate() {
        let Kind::Number { min, max, .. } = patched.operand.kind else {
            continue;
        };
        let (name, step) = (&patched.operand.name, patched.operand.scale);
        let message = declare::outside(name, None, min, max, step);
        let span = patched.span();
        let constant = draft::patched_name(name);
        items.extend(quote! {
            const #constant: __opstitch::Constant = __opstitch::Constant {
                value: OPSTITCH_CONSTANTS[#index],
                min: #min,
                max: #max,
                step: #step,
            };
        });
        items.extend(quote_spanned! {span=>
            const _: () = if !#constant.is_allowed() {
                ::core::panic!(#message)
            };
        });
    }
    items
}

/// The constants of the set.
fn set(block: &Block, declared: &Declared, drafts: &[Draft], shared: &Shared) -> TokenStream {
    let count = drafts.len();
    let mut items = patched(declared);
    let (mut baked, mut names, mut operands) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (draft, op)) in drafts.iter().zip(&block.ops).enumerate() {
        let constant = format_ident!("DRAFT_{index}", span = Span::mixed_site());
        items.extend(draft_items(draft, op, &constant));
        let draft_type = &draft.draft_type;
        baked.push(quote!({ const DRAFT: &#draft_type = &#constant; DRAFT.baked() }));
        let (start, len) = draft.name;
        names.push(quote!((#start, #len)));
        operands.extend(draft.operands.iter().cloned());
    }
    let ranges = shared
        .ranges
        .iter()
        .map(|(min, span)| quote!(__opstitch::Range { min: #min, span: #span }));
    let affines = [(1, 0)]
        .iter()
        .chain(&shared.affines)
        .map(|(multiplier, addend)| quote!(__opstitch::Affine { multiplier: #multiplier, addend: #addend }));
    let texts = &shared.names;
    let too_large = "this block of micro-ops has too many operands, holes, references or tables; \
                     split it into two `uops!` blocks";
    let span = block
        .ops
        .first()
        .map_or(block.name.span(), |op| op.name.span());
    let check = quote_spanned! {span=>
        const _: () = if !TOTALS.fit() {
            ::core::panic!(#too_large)
        };
    };
    quote! {
        #items
        const BAKED: &[__opstitch::Baked] = &[#(#baked),*];
        const NAMES: [(::core::primitive::u16, ::core::primitive::u8); #count] = [#(#names),*];
        const TOTALS: __opstitch::Totals = __opstitch::totals(BAKED);
        #check
        const TEMPLATES: [__opstitch::Template; #count] = __opstitch::templates(BAKED, &NAMES);
        const WORDS: [::core::primitive::u32; TOTALS.words] = __opstitch::words(BAKED);
        const HOLES: [__opstitch::Hole; TOTALS.holes] = __opstitch::holes(BAKED);
        const REFERENCES: [__opstitch::Reference; TOTALS.references] = __opstitch::references(BAKED);
        const TABLES: [::core::primitive::u32; TOTALS.tables] = __opstitch::tables(BAKED);
        // The constant is for the compiler, which looks through it in whatever crate a micro-op is pushed; the
        // static is the set that all see at one address.
        static SET: __opstitch::MicroOpSet = DATA;
        const DATA: __opstitch::MicroOpSet = __opstitch::MicroOpSet {
            templates: &TEMPLATES,
            words: &WORDS,
            holes: &HOLES,
            references: &REFERENCES,
            operands: &[#(#operands),*],
            ranges: &[#(#ranges),*],
            affines: &[#(#affines),*],
            tables: &TABLES,
            names: #texts,
        };
    }
}

/// A micro-op's constant, and the check that it has no flaw.
fn draft_items(draft: &Draft, op: &Op, constant: &Ident) -> TokenStream {
    let (value, draft_type) = (&draft.value, &draft.draft_type);
    let checks = draft.flaws.iter().map(|flaw| {
        let (index, message) = (flaw.index, &flaw.message);
        let kind = Ident::new(flaw.kind, flaw.span);
        let mut constant = constant.clone();
        constant.set_span(flaw.span);
        quote_spanned!(flaw.span=> #constant.check(__opstitch::Flaw::#kind, #index, #message);)
    });
    let span = op.name.span();
    let check = quote_spanned!(span=> const _: () = { #(#checks)* };);
    quote! {
        #[allow(unused_mut)]
        const #constant: #draft_type = #value;
        #check
    }
}
