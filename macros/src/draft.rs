//! A micro-op's constant: its body once, its instructions once more for every probe, and what the
//! baking has to know of them.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::body::{Body, Names, Rendered, Statement, Use, Word};
use crate::eval::{self, Affine, Variable};
use crate::flaws::{self, Flaw};
use crate::operand::{Kind, Operand};
use crate::parse::Op;
use crate::probe::{self, Probes};
use crate::shared::Shared;

/// A micro-op's constant, and what the set needs to know of it.
pub(crate) struct Draft {
    /// The expression of a `Draft`.
    pub(crate) value: TokenStream,
    /// Its type.
    pub(crate) draft_type: TokenStream,
    pub(crate) flaws: Vec<Flaw>,
    /// Its operands, as expressions of `Operand`.
    pub(crate) operands: Vec<TokenStream>,
    pub(crate) name: (u16, u8),
}

/// A use of an operand by a statement, all its expressions together.
pub(crate) struct Site {
    pub(crate) word: usize,
    pub(crate) operand: usize,
    pub(crate) probes: Probes,
    pub(crate) first_probe: usize,
    /// The maps to look at the operand's value through, with their numbers in the set.
    pub(crate) views: Vec<(u16, (i64, i64))>,
    pub(crate) span: Span,
}

/// Operands of one statement, all changed at once.
pub(crate) struct Joint {
    word: usize,
    /// For each site, its probe.
    chosen: Vec<(usize, usize)>,
    pub(crate) span: Span,
}

pub(crate) fn draft(
    op: &Op,
    body: &Body,
    names: &Names<'_>,
    shared: &mut Shared,
) -> syn::Result<Draft> {
    let statements: Vec<&Statement> = body.hot.iter().chain(&body.cold).collect();
    let sites = sites(&statements, names, shared)?;
    let joints = joints(&sites);
    let base = |operand: usize| probe::probes(names.operands[operand].kind).base;

    let mut recorder = Assembly::new("__recorder", &op.name);
    for statement in &statements {
        recorder.push(statement.render(names, &base)?);
    }
    let mut probes = Assembly::new("__probes", &op.name);
    for site in &sites {
        for &value in &site.probes.rest {
            let with = |operand| match operand == site.operand {
                true => value,
                false => base(operand),
            };
            probes.push(statements[site.word].render(names, &with)?);
        }
    }
    let first_joint = probes.count;
    for joint in &joints {
        let with = |operand: usize| {
            let mut chosen = joint.chosen.iter();
            let changed = chosen.find(|(site, _)| sites[*site].operand == operand);
            changed.map_or_else(
                || base(operand),
                |&(site, probe)| sites[site].probes.rest[probe],
            )
        };
        probes.push(statements[joint.word].render(names, &with)?);
    }

    let (hot, cold) = (body.hot.len(), body.cold.len());
    let (words, probe_count) = (hot + cold, probes.count);
    let relocations = label_spans(&statements);
    let relocation_count = relocations.len();
    let holes = 8 * sites.len();
    let tables = sites.iter().filter(|site| site.probes.complete);
    let table: usize = tables.map(|site| site.probes.rest.len() + 1).sum();
    let declared = names.operands.iter().filter(|operand| !operand.is_constant);
    let operands: Vec<_> = declared
        .enumerate()
        .map(|(index, operand)| operand_value(index, operand, body, shared))
        .collect();
    let constants = names.operands.iter().filter(|operand| operand.is_constant);
    let constants = constants.map(|operand| {
        let name = patched_name(&operand.name);
        quote!(#name.value())
    });
    let site_values = sites.iter().map(site_value);
    let joint_values = (first_joint..)
        .zip(&joints)
        .map(|(probe, joint)| joint_value(joint, probe, &sites));
    let locals = body
        .locals
        .iter()
        .map(|(cold, word)| quote!(__opstitch::Local { cold: #cold, word: #word }));
    let (recording, probing) = (recorder.finish(), probes.finish());
    let value = quote! {{
        const BODY: __opstitch::Body = __opstitch::Body {
            hot: #hot,
            cold: #cold,
            operands: &[#(#operands),*],
            constants: &[#(#constants),*],
            locals: &[#(#locals),*],
            sites: &[#(#site_values),*],
            joints: &[#(#joint_values),*],
        };
        let mut __recorder = __opstitch::Recorder::<#words, #relocation_count>::new();
        #recording
        let mut __probes = __opstitch::Recorder::<#probe_count, 0>::new();
        #probing
        __opstitch::bake(&__recorder, &__probes, &BODY)
    }};
    Ok(Draft {
        value,
        draft_type: quote!(__opstitch::Draft<#words, #holes, #relocation_count, #table>),
        flaws: flaws::flaws(op, &sites, &joints, &relocations, names),
        operands,
        name: shared.name(&op.name),
    })
}

/// The name, in the expansion, of a constant that the compiler evaluates.
pub(crate) fn patched_name(name: &Ident) -> Ident {
    format_ident!("CONSTANT_{}", name.unraw(), span = Span::mixed_site())
}

/// Calls on the recorder of that name, one word each.
struct Assembly {
    recorder: Ident,
    /// Where an error is shown of which dynasm-rs does not say where it is: at the micro-op's name.
    span: Span,
    calls: TokenStream,
    /// Statements for the next call of `dynasm!`.
    statements: TokenStream,
    count: usize,
}

impl Assembly {
    fn new(recorder: &str, op: &Ident) -> Assembly {
        Assembly {
            recorder: format_ident!("{recorder}"),
            span: Span::call_site().located_at(op.span()),
            calls: TokenStream::new(),
            statements: TokenStream::new(),
            count: 0,
        }
    }

    fn push(&mut self, rendered: Rendered) {
        self.count += 1;
        match rendered {
            Rendered::Assembly(statement) => self.statements.extend(quote!(; #statement)),
            Rendered::Word(word) => {
                self.flush();
                let recorder = &self.recorder;
                let bytes = Literal::byte_string(&word.to_le_bytes());
                self.calls.extend(quote!(#recorder.extend(#bytes);));
            }
        }
    }

    fn flush(&mut self) {
        let statements = std::mem::take(&mut self.statements);
        if !statements.is_empty() {
            let (recorder, span) = (&self.recorder, self.span);
            self.calls.extend(
                quote_spanned!(span=> __opstitch::dynasm!(#recorder ; .arch aarch64 #statements);),
            );
        }
    }

    fn finish(mut self) -> TokenStream {
        self.flush();
        self.calls
    }
}

fn sites(
    statements: &[&Statement],
    names: &Names<'_>,
    shared: &mut Shared,
) -> syn::Result<Vec<Site>> {
    let mut sites = Vec::new();
    let mut first_probe = 0;
    for (word, statement) in statements.iter().enumerate() {
        let uses = statement.uses();
        for (index, found) in uses.iter().enumerate() {
            let same = |other: &&Use<'_>| other.operand == found.operand;
            if uses[..index].iter().any(|other| same(&other)) {
                continue;
            }
            let exprs: Vec<_> = uses.iter().filter(same).filter_map(|u| u.expr).collect();
            let kind = names.operands[found.operand].kind;
            let mut probes = probe::probes(kind);
            let maps = match probe::range(kind) {
                Some((_, max)) => maps(statement, found.operand, &exprs, max, names, &mut probes)?,
                None => vec![(1, 0)],
            };
            let count = probes.rest.len();
            let number = |map: (i64, i64)| match map {
                (1, 0) => (0, map),
                map => (shared.affine(map), map),
            };
            sites.push(Site {
                word,
                operand: found.operand,
                probes,
                first_probe,
                views: maps.into_iter().map(number).collect(),
                span: found.span,
            });
            first_probe += count;
        }
        if let Statement::Word(word) = statement {
            check_word(word, &uses, names)?;
        }
    }
    Ok(sites)
}

/// Chooses the maps through which an operand's bits may be found in a statement, and makes sure that
/// the probes tell apart what could be taken for each other.
fn maps(
    statement: &Statement,
    operand: usize,
    exprs: &[&syn::Expr],
    max: i128,
    names: &Names<'_>,
    probes: &mut Probes,
) -> syn::Result<Vec<(i64, i64)>> {
    let declared = &names.operands[operand];
    let name = declared.name.to_string();
    let variable = Variable {
        name: &name,
        scale: declared.scale,
    };
    let whole: Vec<_> = exprs
        .iter()
        .map(|expr| eval::affine(expr, variable, names.constants))
        .collect();
    let plain = whole.iter().all(|part| part.is_some_and(only_moves));
    // Then each single bit, and all together, tell apart what there is: bits of the operand, and those of a
    // negative, each of which changes with the operand's bits up to one.
    let selected = (max + 1) & max == 0
        && matches!(statement, Statement::Instruction(_))
        && exprs
            .iter()
            .all(|expr| eval::selects_bits(expr, variable, names.constants));
    let mut parts = Vec::new();
    for expr in exprs {
        eval::affine_parts(expr, variable, names.constants, &mut parts);
    }
    let mut maps: Vec<(i64, i64)> = Vec::new();
    for part in parts {
        let map = match part {
            _ if only_moves(part) => (1, 0),
            (a, b) => match (i64::try_from(a), i64::try_from(b)) {
                (Ok(a), Ok(b)) => (a, b),
                _ => continue,
            },
        };
        if !maps.contains(&map) {
            maps.push(map);
        }
    }
    if maps.is_empty() {
        maps.push((1, 0));
    }
    // Every value is tried where there are few; then the negative may serve too, for shifts store it.
    if probes.complete {
        for (a, b) in maps.clone() {
            let negative = (a.wrapping_neg(), b.wrapping_neg());
            if !maps.contains(&negative) {
                maps.push(negative);
            }
        }
    } else if !((plain || selected) && probes.base == 0) {
        let is_map = |part: &Option<Affine>| {
            part.is_some_and(|(a, b)| {
                let map = i64::try_from(a).ok().zip(i64::try_from(b).ok());
                only_moves((a, b)) || map.is_some_and(|map| maps.contains(&map))
            })
        };
        probes.tell_apart(max, |value| {
            let mut bits = Vec::with_capacity(maps.len() + 2 * exprs.len());
            bits.extend(maps.iter().map(|map| apply(*map, value as u64)));
            match statement {
                // dynasm-rs copies bits of the expression's value: of a map, if it is one. In some
                // fields it copies bits of the negative; they are not so wide that a map fits.
                Statement::Instruction(_) => {
                    for (expr, _) in exprs.iter().zip(&whole).filter(|(_, part)| !is_map(part)) {
                        let value = names.eval_with(expr, operand, value)? as u64;
                        bits.extend([value, value.wrapping_neg()]);
                    }
                }
                Statement::Word(word) => bits.push(word.with(names, operand, value)?.into()),
            }
            Ok::<_, syn::Error>(bits)
        })?;
    }
    Ok(maps)
}

/// Makes sure that the operands of a word do not change each other's bits: each two of them with every two of the values
/// that are tried of each, and all of them with a sample.
fn check_word(word: &Word, uses: &[Use<'_>], names: &Names<'_>) -> syn::Result<()> {
    let [_, second, ..] = uses else {
        return Ok(());
    };
    let limits = |operand: usize| probe::range(names.operands[operand].kind).unwrap_or((0, 0));
    let base = |operand: usize| limits(operand).0;
    let at_base = word.value(names, &base)?;
    check_pairs(word, uses, names, &base, at_base)?;
    let mut random = 0u64;
    for round in 0..256 {
        let values: Vec<_> = uses
            .iter()
            .map(|found| {
                let (min, max) = limits(found.operand);
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0xb);
                let value = match round {
                    0 => max,
                    _ => min + i128::from(random >> 20) % (max - min + 1),
                };
                (found.operand, value)
            })
            .collect();
        let value_of = |operand: usize| {
            let found = values.iter().find(|(known, _)| *known == operand);
            found.map_or(0, |(_, value)| *value)
        };
        let mut sum = at_base;
        for &(changed, value) in &values {
            sum ^= word.with(names, changed, value)? ^ at_base;
        }
        if sum != word.value(names, &value_of)? {
            return Err(syn::Error::new(second.span, flaws::JOINT));
        }
    }
    Ok(())
}

/// Each single bit of one operand, and all of them, with each of another: so that no two go to the same place unless they
/// may both be there.
fn check_pairs(
    word: &Word,
    uses: &[Use<'_>],
    names: &Names<'_>,
    base: &dyn Fn(usize) -> i128,
    at_base: u32,
) -> syn::Result<()> {
    let probes = |found: &Use<'_>| probe::probes(names.operands[found.operand].kind).rest;
    for (index, first) in uses.iter().enumerate() {
        for second in &uses[index + 1..] {
            let alone = |value| Ok((value, word.with(names, second.operand, value)?));
            let alone = probes(second).into_iter().map(alone);
            let alone = alone.collect::<syn::Result<Vec<_>>>()?;
            for a in probes(first) {
                let flips = word.with(names, first.operand, a)? ^ at_base;
                for &(b, of_second) in &alone {
                    let both = |operand: usize| match operand {
                        operand if operand == first.operand => a,
                        operand if operand == second.operand => b,
                        operand => base(operand),
                    };
                    if word.value(names, &both)? != of_second ^ flips {
                        return Err(syn::Error::new(second.span, flaws::JOINT));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether the bits of the operand are only moved, none changed.
fn only_moves((a, b): Affine) -> bool {
    b == 0 && a > 0 && a & (a - 1) == 0
}

fn apply((a, b): (i64, i64), value: u64) -> u64 {
    value.wrapping_mul(a as u64).wrapping_add(b as u64)
}

/// Statements with several operands, with all of them changed: by their first probes, their second
/// ones, and their last.
fn joints(sites: &[Site]) -> Vec<Joint> {
    let mut joints = Vec::new();
    for together in sites.chunk_by(|a, b| a.word == b.word) {
        if together.len() < 2 {
            continue;
        }
        for choice in [0, 1, usize::MAX] {
            let chosen = sites.iter().enumerate().filter_map(|(index, site)| {
                let last = site.probes.rest.len().checked_sub(1)?;
                (site.word == together[0].word).then_some((index, choice.min(last)))
            });
            joints.push(Joint {
                word: together[0].word,
                chosen: chosen.collect(),
                span: together[1].span,
            });
        }
    }
    joints
}

fn site_value(site: &Site) -> TokenStream {
    let (word, operand) = (site.word as u16, site.operand as u8);
    let base = site.probes.base as u64;
    let (first_probe, complete) = (site.first_probe, site.probes.complete);
    let probes = site.probes.rest.len();
    let views = site.views.iter().map(|&(number, map)| {
        let flips = site.probes.rest.iter().map(|&value| {
            let flips = apply(map, value as u64) ^ apply(map, base);
            Literal::u64_unsuffixed(flips)
        });
        let (multiplier, addend) = map;
        quote!(__opstitch::View::new(#number, #multiplier, #addend, &[#(#flips),*]))
    });
    quote!(__opstitch::Site {
        word: #word,
        operand: #operand,
        base: #base,
        first_probe: #first_probe,
        probes: #probes,
        complete: #complete,
        views: &[#(#views),*],
    })
}

fn joint_value(joint: &Joint, probe: usize, sites: &[Site]) -> TokenStream {
    let word = joint.word as u16;
    let single = joint.chosen.iter();
    let single = single.map(|&(site, probe)| {
        let word = sites[site].first_probe + probe;
        quote!((#site, #word))
    });
    quote!(__opstitch::Joint { word: #word, probe: #probe, single: &[#(#single),*] })
}

/// Where labels stand, in the order of their instructions.
fn label_spans(statements: &[&Statement]) -> Vec<Span> {
    let labels = statements.iter().flat_map(|it| it.labels());
    labels.copied().collect()
}

fn operand_value(index: usize, operand: &Operand, body: &Body, shared: &mut Shared) -> TokenStream {
    let (name, name_len) = shared.name(&operand.name);
    let any = (0, u64::MAX.into());
    let (kind, (min, max)) = match operand.kind {
        Kind::Number { signed, min, max } => {
            (if signed { "Signed" } else { "Unsigned" }, (min, max))
        }
        Kind::Logical32 => ("Logical32", any),
        Kind::Logical64 => ("Logical64", any),
        Kind::Fp8 => ("Fp8", any),
        Kind::Reg => ("Reg", (0, 30)),
        Kind::VReg { max } => ("VReg", (0, max.into())),
        Kind::Call => ("Call", any),
        Kind::Exit => ("Exit", any),
        Kind::Label => ("Label", any),
        Kind::Literal => ("Literal", *body.literal_ranges.get(&index).unwrap_or(&any)),
        Kind::MutLiteral => ("MutLiteral", any),
    };
    let kind = format_ident!("{kind}");
    let range = shared.range(min, max);
    quote!(__opstitch::Operand::new(#name, #name_len, __opstitch::OperandKind::#kind, #range))
}
