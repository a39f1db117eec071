//! What a block becomes: a struct per micro-op, their enum, and the constants behind them.

use std::collections::HashMap;

use proc_macro2::{Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::Errors;
use crate::body::{self, Body, Instruction, Names, Statement};
use crate::eval::{self, Constants, Scope};
use crate::names;
use crate::operand::{Kind, Operand};
use crate::parse::{Block, Op};
use crate::probe::{self, Probes};

/// The longest part of a micro-op, in instructions. `tbz` reaches 8,191.
const MAX_WORDS: usize = 1023;
/// The most operands and references that a template's counters hold.
const MAX_COUNT: usize = 250;

/// Arrays that all micro-ops of the block share, and texts that are stored once.
#[derive(Default)]
struct Shared {
    names: String,
    ranges: Vec<(u64, u64)>,
    affines: Vec<(i64, i64)>,
}

impl Shared {
    /// Where `name` is in the names.
    fn name(&mut self, name: &str) -> (u16, u8) {
        let at = self.names.find(name).unwrap_or_else(|| {
            self.names.push_str(name);
            self.names.len() - name.len()
        });
        (at as u16, name.len() as u8)
    }

    fn range(&mut self, min: i128, max: i128) -> u16 {
        let range = (min as u64, (max - min) as u64);
        position(&mut self.ranges, range) as u16
    }

    /// The number of a map; 0 is left to the identity.
    fn affine(&mut self, map: (i64, i64)) -> u16 {
        position(&mut self.affines, map) as u16 + 1
    }
}

fn position<T: PartialEq>(all: &mut Vec<T>, item: T) -> usize {
    all.iter()
        .position(|known| *known == item)
        .unwrap_or_else(|| {
            all.push(item);
            all.len() - 1
        })
}

/// Expands a block. Where there are errors, the types are still made, so that code that uses them
/// does not fail for want of them.
pub(crate) fn expand(block: Block) -> TokenStream {
    let mut errors = Errors::default();
    let constants = constants(&block, &mut errors);
    let aliases = aliases(&block, &mut errors);
    let ops = resolve_ranges(&block, &constants, &mut errors);
    check_declarations(&block, &ops, &aliases, &constants, &mut errors);

    let mut shared = Shared::default();
    let mut drafts = Vec::new();
    for (op, operands) in block.ops.iter().zip(&ops) {
        let names = Names {
            aliases: &aliases,
            constants: &constants,
            operands,
        };
        let mut body = body::scan(op.hot.clone(), op.cold.clone(), &names, &mut errors);
        check_size(op, &body, &mut errors);
        let draft = draft(op, &mut body, &names, &mut shared);
        drafts.extend(errors.take(draft));
    }
    let types = types(&block, &ops);
    match errors.into_tokens() {
        Some(errors) => {
            let stubs = implementations(&block, &ops, None);
            quote!(#errors #types #stubs)
        }
        None => {
            let set = set(&block, &drafts, &mut shared);
            let implementations = implementations(&block, &ops, Some(set));
            quote!(#types #implementations)
        }
    }
}

fn constants(block: &Block, errors: &mut Errors) -> Constants {
    let mut constants = Constants::new();
    for constant in &block.constants {
        let name = constant.name.to_string();
        if names::is_reserved(&name) || constants.contains_key(&name) {
            let message = format!("`{name}` already means something here; choose another name");
            errors.add(syn::Error::new(constant.name.span(), message));
        }
        let scope = Scope {
            constants: &constants,
            operand: None,
        };
        if let Some(value) = errors.take(eval::eval(&constant.value, &scope)) {
            constants.insert(name, value);
        }
    }
    constants
}

/// Every name of every pinned register: `stack` and `stack_w`, `acc` and `acc_s`.
fn aliases(block: &Block, errors: &mut Errors) -> HashMap<String, String> {
    let mut aliases = HashMap::new();
    for alias in &block.registers {
        let name = alias.name.to_string();
        let target = alias.register.to_string();
        let Some(register) = names::Register::parse(&target) else {
            let message = format!("`{target}` is no register; there are x0 to x30 and d0 to d31");
            errors.add(syn::Error::new(alias.register.span(), message));
            continue;
        };
        if register.is_general() && register.number == 18 {
            let message = "x18 belongs to the platform (AAPCS64 6.1.1); choose another register";
            errors.add(syn::Error::new(alias.register.span(), message));
        }
        let widths = match register.number {
            31 if register.is_general() => &[][..],
            _ => register.widths(),
        };
        let mut all = vec![(name.clone(), target)];
        all.extend(
            widths
                .iter()
                .map(|&width| (format!("{name}_{width}"), register.name_as(width))),
        );
        for (name, register) in all {
            if names::is_reserved(&name) || aliases.insert(name.clone(), register).is_some() {
                let message = format!("`{name}` already means something here; choose another name");
                errors.add(syn::Error::new(alias.name.span(), message));
            }
        }
    }
    aliases
}

/// The operands of each micro-op, with their ranges narrowed to the declared ones.
fn resolve_ranges(block: &Block, constants: &Constants, errors: &mut Errors) -> Vec<Vec<Operand>> {
    let narrow = |operand: &Operand, errors: &mut Errors| -> Kind {
        let (Kind::Number { signed, min, max }, Some((low, high))) = (operand.kind, &operand.range)
        else {
            return operand.kind;
        };
        let scope = Scope {
            constants,
            operand: None,
        };
        let low_value = errors.take(eval::eval(low, &scope)).unwrap_or(min);
        let high_value = errors.take(eval::eval(high, &scope)).unwrap_or(max);
        let fits = min <= low_value && low_value <= high_value && high_value <= max;
        if !fits {
            let message = format!("this range is empty, or wider than {min}..={max}");
            errors.add(syn::Error::new_spanned(low, message));
            return operand.kind;
        }
        Kind::Number {
            signed,
            min: low_value,
            max: high_value,
        }
    };
    let operands = |op: &Op, errors: &mut Errors| {
        let operands = op.operands.iter().map(|operand| Operand {
            docs: operand.docs.clone(),
            name: operand.name.clone(),
            kind: narrow(operand, errors),
            range: None,
            kind_span: operand.kind_span,
        });
        operands.collect()
    };
    block.ops.iter().map(|op| operands(op, errors)).collect()
}

fn check_declarations(
    block: &Block,
    ops: &[Vec<Operand>],
    aliases: &HashMap<String, String>,
    constants: &Constants,
    errors: &mut Errors,
) {
    if block.ops.is_empty() {
        let message = "there is no micro-op here; declare one: `op Return { ; ret }`";
        errors.add(syn::Error::new(Span::call_site(), message));
    }
    let mut seen = Vec::new();
    for (op, operands) in block.ops.iter().zip(ops) {
        if op.name == block.name || seen.contains(&&op.name) {
            let message = format!("`{}` is declared twice", op.name);
            errors.add(syn::Error::new(op.name.span(), message));
        }
        seen.push(&op.name);
        if operands.len() > MAX_COUNT {
            let message = format!("a micro-op has at most {MAX_COUNT} operands");
            errors.add(syn::Error::new(op.name.span(), message));
        }
        for (index, operand) in operands.iter().enumerate() {
            let name = operand.name.to_string();
            let problem = if aliases.contains_key(&name) {
                "is a register here; rename the operand or the register"
            } else if constants.contains_key(&name) {
                "is a constant here; rename the operand or the constant"
            } else if names::is_reserved(&name) {
                "means something to the assembler; rename the operand"
            } else if operands[..index].iter().any(|o| o.name == operand.name) {
                "is declared twice; rename one of the two operands"
            } else {
                continue;
            };
            let message = format!("`{name}` {problem}");
            errors.add(syn::Error::new(operand.name.span(), message));
        }
    }
    if let Some(name) = constants.keys().find(|name| aliases.contains_key(*name)) {
        let constant = block.constants.iter().find(|c| c.name == name);
        let span = constant.map_or(Span::call_site(), |c| c.name.span());
        let message = format!("`{name}` is a register and a constant; rename one");
        errors.add(syn::Error::new(span, message));
    }
}

fn check_size(op: &Op, body: &Body, errors: &mut Errors) {
    for (part, what) in [(&body.hot, "hot"), (&body.cold, "cold")] {
        let words: usize = part.iter().map(Statement::words).sum();
        let references = |statement: &Statement| match statement {
            Statement::Instruction(instruction) => instruction.references.len(),
            Statement::Raw(_) => 0,
        };
        let references: usize = part.iter().map(references).sum();
        if words > MAX_WORDS || references > MAX_COUNT {
            let message = format!(
                "the {what} part of `{}` has {words} instructions and {references} references; at most \
                 {MAX_WORDS} and {MAX_COUNT} are allowed: split it into several micro-ops, or call \
                 a function",
                op.name
            );
            errors.add(syn::Error::new(op.name.span(), message));
        }
    }
}

/// A micro-op's constant, and what the set needs to know of it.
struct Draft {
    /// The expression of a `Draft`.
    value: TokenStream,
    /// Its type.
    draft_type: TokenStream,
    /// For each flaw that has a place of its own, a pattern, a place and a message.
    flaws: Vec<(TokenStream, Span, String)>,
    /// Its operands, as expressions of `Operand`.
    operands: Vec<TokenStream>,
    name: (u16, u8),
}

/// A use of an operand by an instruction, all expressions together.
struct Site {
    word: usize,
    operand: usize,
    probes: Probes,
    first_probe: usize,
    maps: Vec<(u16, (i64, i64))>,
    span: Span,
    /// In which instruction.
    statement: usize,
}

fn draft(op: &Op, body: &mut Body, names: &Names<'_>, shared: &mut Shared) -> syn::Result<Draft> {
    let hot: usize = body.hot.iter().map(Statement::words).sum();
    let cold: usize = body.cold.iter().map(Statement::words).sum();
    let statements: Vec<&Statement> = body.hot.iter().chain(&body.cold).collect();
    let sites = sites(&statements, names, shared);
    let base = |operand: usize| probe::probes(names.operands[operand].kind).base;

    // The body itself.
    let mut recording = TokenStream::new();
    let mut run = TokenStream::new();
    for statement in &statements {
        match statement {
            Statement::Instruction(instruction) => {
                let rendered = instruction.render(names, &base)?;
                run.extend(quote!(; #rendered));
            }
            Statement::Raw(words) => {
                recording.extend(assembled("recorder", std::mem::take(&mut run)));
                for word in words {
                    let bytes = Literal::byte_string(&word.to_le_bytes());
                    recording.extend(quote!(recorder.extend(#bytes);));
                }
            }
        }
    }
    recording.extend(assembled("recorder", run));

    // Its instructions once more for every probe.
    let mut probing = TokenStream::new();
    let mut count = 0;
    let instruction_of = |site: &Site| -> Option<&Instruction> {
        match statements[site.statement] {
            Statement::Instruction(instruction) => Some(instruction),
            Statement::Raw(_) => None,
        }
    };
    let mut site_tokens = Vec::new();
    for site in &sites {
        let Some(instruction) = instruction_of(site) else {
            continue;
        };
        for &value in &site.probes.rest {
            let with = |operand| {
                if operand == site.operand {
                    value
                } else {
                    base(operand)
                }
            };
            let rendered = instruction.render(names, &with)?;
            probing.extend(quote!(; #rendered));
        }
        debug_assert_eq!(site.first_probe, count);
        count += site.probes.rest.len();
        site_tokens.push(site_value(site));
    }
    let mut joints = Vec::new();
    for (first, indices) in together(&sites) {
        let Some(instruction) = instruction_of(&sites[first]) else {
            continue;
        };
        for choice in [0, 1, usize::MAX] {
            let chosen = |index: &usize| {
                let rest = &sites[*index].probes.rest;
                rest.get(choice.min(rest.len().saturating_sub(1))).copied()
            };
            let values: Vec<_> = indices
                .iter()
                .filter_map(|i| Some((*i, chosen(i)?)))
                .collect();
            let with = |operand: usize| {
                let changed = values.iter().find(|(i, _)| sites[*i].operand == operand);
                changed.map_or_else(|| base(operand), |(_, value)| *value)
            };
            let rendered = instruction.render(names, &with)?;
            probing.extend(quote!(; #rendered));
            let word = sites[first].word as u16;
            let pairs = values.iter().map(|(index, value)| {
                let (index, value) = (*index as u16, *value as u64);
                quote!((#index, #value))
            });
            joints.push((
                quote!(p::Joint { word: #word, probe: #count, values: &[#(#pairs),*] }),
                sites[first].span,
            ));
            count += 1;
        }
    }
    let probing = assembled("probes", probing);

    let words = hot + cold;
    let relocations = label_spans(&statements);
    let relocation_count = relocations.len();
    let holes = 8 * sites.len();
    let tables = sites.iter().filter(|site| site.probes.complete);
    let table: usize = tables.map(|site| site.probes.rest.len() + 1).sum();
    let operands: Vec<_> = names
        .operands
        .iter()
        .enumerate()
        .map(|(index, operand)| operand_value(index, operand, body, shared))
        .collect();
    let locals = body
        .locals
        .iter()
        .map(|(cold, word)| quote!(p::Local { cold: #cold, word: #word }));
    let joint_values = joints.iter().map(|(value, _)| value);
    let value = quote! {{
        const BODY: p::Body = p::Body {
            hot: #hot,
            cold: #cold,
            operands: &[#(#operands),*],
            locals: &[#(#locals),*],
            sites: &[#(#site_tokens),*],
            joints: &[#(#joint_values),*],
        };
        let mut recorder = p::Recorder::<#words, #relocation_count>::new();
        #recording
        let mut probes = p::Recorder::<#count, 0>::new();
        #probing
        p::bake(&recorder, &probes, &BODY)
    }};
    Ok(Draft {
        value,
        draft_type: quote!(p::Draft<#words, #holes, #relocation_count, #table>),
        flaws: flaws(op, &sites, &joints, &relocations, names),
        operands,
        name: shared.name(&op.name.to_string()),
    })
}

/// A call of `dynasm!` on the recorder of that name.
fn assembled(recorder: &str, statements: TokenStream) -> TokenStream {
    if statements.is_empty() {
        return statements;
    }
    let recorder = format_ident!("{recorder}");
    quote!(p::dynasm!(#recorder ; .arch aarch64 #statements);)
}

fn sites(statements: &[&Statement], names: &Names<'_>, shared: &mut Shared) -> Vec<Site> {
    let (mut sites, mut word, mut first_probe) = (Vec::<Site>::new(), 0, 0);
    for (index, statement) in statements.iter().enumerate() {
        if let Statement::Instruction(instruction) = statement {
            let start = sites.len();
            for found in instruction.uses() {
                let known = sites[start..]
                    .iter_mut()
                    .find(|s| s.operand == found.operand);
                let site = match known {
                    Some(site) => site,
                    None => {
                        let probes = probe::probes(names.operands[found.operand].kind);
                        let count = probes.rest.len();
                        sites.push(Site {
                            word,
                            operand: found.operand,
                            probes,
                            first_probe,
                            maps: Vec::new(),
                            span: found.span,
                            statement: index,
                        });
                        first_probe += count;
                        sites.last_mut().expect("just pushed")
                    }
                };
                let operand = &names.operands[found.operand];
                if let (Some(expr), Kind::Number { .. }) = (found.expr, operand.kind) {
                    let name = operand.name.to_string();
                    let map = eval::affine(expr, &name, names.constants).unwrap_or((1, 0));
                    add_map(site, map, shared);
                }
            }
            for site in &mut sites[start..] {
                finish_maps(site, names.operands[site.operand].kind, shared);
            }
        }
        word += statement.words();
    }
    sites
}

fn add_map(site: &mut Site, (a, b): (i128, i128), shared: &mut Shared) {
    let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) else {
        return;
    };
    // A power of two moves bits and changes none.
    let plain = b == 0 && a > 0 && a & (a - 1) == 0;
    let number = if plain { return } else { shared.affine((a, b)) };
    if !site.maps.iter().any(|(known, _)| *known == number) {
        site.maps.push((number, (a, b)));
    }
}

/// The negative is tried too: shifts store it.
fn finish_maps(site: &mut Site, kind: Kind, shared: &mut Shared) {
    if matches!(kind, Kind::Number { .. }) && site.maps.len() < 3 {
        let (a, b) = site.maps.first().map_or((1, 0), |(_, map)| *map);
        let negative = (a.wrapping_neg(), b.wrapping_neg());
        site.maps.push((shared.affine(negative), negative));
    }
}

/// Sites that share an instruction: the first one and all of them.
fn together(sites: &[Site]) -> Vec<(usize, Vec<usize>)> {
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        match groups.last_mut() {
            Some((first, group)) if sites[*first].word == site.word => group.push(index),
            _ => groups.push((index, vec![index])),
        }
    }
    groups.retain(|(_, group)| group.len() > 1);
    groups
}

fn site_value(site: &Site) -> TokenStream {
    let (word, operand) = (site.word as u16, site.operand as u8);
    let (base, first_probe, complete) = (
        site.probes.base as u64,
        site.first_probe,
        site.probes.complete,
    );
    let probes = site.probes.rest.iter().map(|&value| value as u64);
    let maps = site.maps.iter().map(|(number, (multiplier, addend))| {
        quote!((#number, p::Affine { multiplier: #multiplier, addend: #addend }))
    });
    quote!(p::Site {
        word: #word,
        operand: #operand,
        base: #base,
        probes: &[#(#probes),*],
        first_probe: #first_probe,
        maps: &[#(#maps),*],
        complete: #complete,
    })
}

/// Where labels stand, in the order of their instructions.
fn label_spans(statements: &[&Statement]) -> Vec<Span> {
    let labels = |statement: &&Statement| match statement {
        Statement::Instruction(instruction) => instruction.labels.clone(),
        Statement::Raw(_) => Vec::new(),
    };
    statements.iter().flat_map(labels).collect()
}

fn operand_value(index: usize, operand: &Operand, body: &Body, shared: &mut Shared) -> TokenStream {
    let (name, name_len) = shared.name(&operand.name.to_string());
    let any = (0, u64::MAX as i128);
    let (kind, (min, max)) = match operand.kind {
        Kind::Number {
            signed: false,
            min,
            max,
        } => ("Unsigned", (min, max)),
        Kind::Number {
            signed: true,
            min,
            max,
        } => ("Signed", (min, max)),
        Kind::Logical32 => ("Logical32", any),
        Kind::Logical64 => ("Logical64", any),
        Kind::Fp8 => ("Fp8", any),
        Kind::Reg => ("Reg", (0, 30)),
        Kind::VReg => ("VReg", (0, 31)),
        Kind::Call => ("Call", any),
        Kind::Exit => ("Exit", any),
        Kind::Label => ("Label", any),
        Kind::Literal => ("Literal", *body.literal_ranges.get(&index).unwrap_or(&any)),
        Kind::MutLiteral => ("MutLiteral", any),
    };
    let kind = format_ident!("{kind}");
    let range = shared.range(min, max);
    quote!(p::Operand::new(#name, #name_len, ::opstitch::OperandKind::#kind, #range))
}

fn flaws(
    op: &Op,
    sites: &[Site],
    joints: &[(TokenStream, Span)],
    relocations: &[Span],
    names: &Names<'_>,
) -> Vec<(TokenStream, Span, String)> {
    let mut flaws = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let operand = &names.operands[site.operand];
        let name = &operand.name;
        let message = match operand.kind {
            Kind::Number { .. } => format!(
                "`{name}` does not go bit by bit into this instruction, and has more than 64 values; \
                 declare at most 64 (`{name}: u6`), or compute the field before pushing and take \
                 it as the operand"
            ),
            kind => format!(
                "`{name}` is {}, and this instruction takes something else here",
                kind.described()
            ),
        };
        flaws.push((quote!(p::Flaw::Site(#index)), site.span, message));
    }
    for (index, (_, span)) in joints.iter().enumerate() {
        let message = "the operands of this instruction change each other's bits (as `lsb` and \
                       `width` of `ubfx` do); make one of them a constant, or use the form that takes \
                       the fields themselves (`ubfm`)";
        flaws.push((quote!(p::Flaw::Joint(#index)), *span, message.to_owned()));
    }
    for (index, span) in relocations.iter().enumerate() {
        let message = "this instruction cannot refer to that place; branches can, and literal loads \
                       to literals only";
        flaws.push((
            quote!(p::Flaw::Relocation(#index)),
            *span,
            message.to_owned(),
        ));
    }
    let cold_end = op.cold.clone().and_then(|cold| cold.into_iter().last());
    let cold_span = cold_end.map_or(op.name.span(), |token| token.span());
    flaws.push((
        quote!(p::Flaw::ColdFallsOffEnd),
        cold_span,
        "the cold part goes on behind its last instruction; end it with a branch back (`b <label`), an \
         exit or a tail call"
            .to_owned(),
    ));
    flaws.push((
        quote!(p::Flaw::TooManyHoles),
        op.name.span(),
        "this micro-op's operands go to too many places; split it into several micro-ops"
            .to_owned(),
    ));
    flaws
}

/// The struct per micro-op, and the enum.
fn types(block: &Block, ops: &[Vec<Operand>]) -> TokenStream {
    let Block {
        docs,
        visibility,
        name,
        ..
    } = block;
    let mut structs = TokenStream::new();
    let mut variants = TokenStream::new();
    for (op, operands) in block.ops.iter().zip(ops) {
        let op_name = &op.name;
        let docs = docs_or(&op.docs, || format!("The micro-op `{op_name}`."));
        let fields = operands.iter().map(|operand| {
            let docs = docs_or(&operand.docs, || operand_doc(operand));
            let (name, value) = (&operand.name, value_type(operand.kind));
            quote!(#docs pub #name: #value)
        });
        let body = if operands.is_empty() {
            quote!(;)
        } else {
            quote!({ #(#fields),* })
        };
        structs.extend(quote! {
            #docs
            #[derive(Debug, Clone, Copy, PartialEq)]
            #visibility struct #op_name #body
        });
        variants.extend(quote!(#docs #op_name(#op_name),));
    }
    let docs = docs_or(docs, || "The micro-ops of one `uops!` block.".to_owned());
    quote! {
        #structs
        #docs
        #[derive(Debug, Clone, Copy, PartialEq)]
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
        Kind::VReg => "A vector register.".into(),
        Kind::Call => "A call target.".into(),
        Kind::Exit => "A side exit.".into(),
        Kind::Label => "A place in the trace.".into(),
        Kind::Literal => "A constant.".into(),
        Kind::MutLiteral => "A word that can be changed later.".into(),
    }
}

fn value_type(kind: Kind) -> TokenStream {
    match kind {
        Kind::Number { signed: false, .. } | Kind::Logical64 | Kind::Literal => quote!(u64),
        Kind::Number { signed: true, .. } => quote!(i64),
        Kind::Logical32 => quote!(u32),
        Kind::Fp8 => quote!(f64),
        Kind::Reg => quote!(::opstitch::Reg),
        Kind::VReg => quote!(::opstitch::VReg),
        Kind::Call => quote!(::opstitch::Target),
        Kind::Exit => quote!(::opstitch::Exit),
        Kind::Label => quote!(::opstitch::Label),
        Kind::MutLiteral => quote!(::opstitch::MutLiteral),
    }
}

/// The constants of the set.
fn set(block: &Block, drafts: &[Draft], shared: &mut Shared) -> TokenStream {
    let count = drafts.len();
    let mut items = TokenStream::new();
    let mut baked = Vec::new();
    let mut names = Vec::new();
    let mut operands = Vec::new();
    for (index, (draft, op)) in drafts.iter().zip(&block.ops).enumerate() {
        let constant = format_ident!("DRAFT_{index}", span = Span::mixed_site());
        let (value, draft_type) = (&draft.value, &draft.draft_type);
        let flaws = draft.flaws.iter().map(|(pattern, span, message)| {
            quote_spanned!(*span=> ::core::option::Option::Some(#pattern) => ::core::panic!(#message),)
        });
        let span = op.name.span();
        items.extend(quote! {
            #[allow(unused_mut)]
            const #constant: #draft_type = #value;
        });
        items.extend(quote_spanned! {span=>
            const _: () = match #constant.flaw {
                ::core::option::Option::None => {}
                #(#flaws)*
                ::core::option::Option::Some(_) => ::core::panic!("this micro-op makes no template"),
            };
        });
        baked.push(quote!({ const DRAFT: &#draft_type = &#constant; DRAFT.baked() }));
        let (start, len) = draft.name;
        names.push(quote!((#start, #len)));
        operands.extend(draft.operands.iter().cloned());
    }
    let ranges = shared
        .ranges
        .iter()
        .map(|(min, span)| quote!(p::Range { min: #min, span: #span }));
    let affines = [(1, 0)]
        .iter()
        .chain(&shared.affines)
        .map(|(multiplier, addend)| quote!(p::Affine { multiplier: #multiplier, addend: #addend }));
    let texts = &shared.names;
    quote! {
        #items
        const BAKED: &[p::Baked] = &[#(#baked),*];
        const NAMES: [(u16, u8); #count] = [#(#names),*];
        const TOTALS: p::Totals = p::totals(BAKED);
        static TEMPLATES: [p::Template; #count] = p::templates(BAKED, &NAMES);
        static WORDS: [u32; TOTALS.words] = p::words(BAKED);
        static HOLES: [p::Hole; TOTALS.holes] = p::holes(BAKED);
        static REFERENCES: [p::Reference; TOTALS.references] = p::references(BAKED);
        static TABLES: [u32; TOTALS.tables] = p::tables(BAKED);
        static SET: ::opstitch::MicroOpSet = ::opstitch::MicroOpSet {
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

/// The traits. Without a set, where the block has errors, they are there but do nothing.
fn implementations(block: &Block, ops: &[Vec<Operand>], set: Option<TokenStream>) -> TokenStream {
    let name = &block.name;
    let set_value = match set {
        Some(_) => quote!(&SET),
        None => quote!(::core::unreachable!()),
    };
    let most = ops.iter().map(Vec::len).max().unwrap_or(0);
    let mut items = TokenStream::new();
    let mut indices = TokenStream::new();
    let mut values = TokenStream::new();
    for (index, (op, operands)) in block.ops.iter().zip(ops).enumerate() {
        let op_name = &op.name;
        let count = operands.len();
        let raw = operands.iter().map(|operand| {
            let field = &operand.name;
            quote!(::opstitch::OperandValue::raw(self.#field))
        });
        let raw_of_variant = operands.iter().map(|operand| {
            let field = &operand.name;
            quote!(::opstitch::OperandValue::raw(op.#field))
        });
        let padding = (count..most).map(|_| quote!(0));
        let binding = if count == 0 { quote!(_) } else { quote!(op) };
        indices.extend(quote!(#name::#op_name(_) => #index,));
        values.extend(quote!(
            #name::#op_name(#binding) => [#(#raw_of_variant,)* #(#padding),*],
        ));
        items.extend(quote! {
            impl ::opstitch::MicroOp for #op_name {
                type Operands = [u64; #count];
                #[inline]
                fn set(&self) -> &'static ::opstitch::MicroOpSet { #set_value }
                #[inline]
                fn index(&self) -> usize { #index }
                #[inline]
                fn operands(&self) -> [u64; #count] { [#(#raw),*] }
            }
            impl ::core::fmt::Display for #op_name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    p::write_micro_op(self, f)
                }
            }
            impl ::core::convert::From<#op_name> for #name {
                fn from(op: #op_name) -> #name { #name::#op_name(op) }
            }
        });
    }
    if block.ops.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: () = {
            use ::opstitch::__private as p;
            #set
            #items
            impl ::opstitch::MicroOp for #name {
                type Operands = [u64; #most];
                #[inline]
                fn set(&self) -> &'static ::opstitch::MicroOpSet { #set_value }
                #[inline]
                fn index(&self) -> usize { match self { #indices } }
                #[inline]
                fn operands(&self) -> [u64; #most] { match self { #values } }
            }
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    p::write_micro_op(self, f)
                }
            }
            impl #name {
                /// All micro-ops of the block.
                #[allow(dead_code)]
                pub fn micro_ops() -> &'static ::opstitch::MicroOpSet { #set_value }
            }
        };
    }
}
