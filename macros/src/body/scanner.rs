//! Reads one statement after the other.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Expr;

use super::pieces::{self, Instruction, Piece, Place, Statement, Word};
use super::rules::{self, Outline, Shape};
use super::{FIRST_LOCAL, Label, Names, error, ident, is_arrow, is_punct, split_at_commas};
use crate::eval;
use crate::names::{self, Register};
use crate::operand::Kind;

pub(super) struct Scanner<'a> {
    names: &'a Names<'a>,
    labels: &'a [Label],
    literal_ranges: &'a mut BTreeMap<usize, (i128, i128)>,
    used: Vec<bool>,
    /// Whether a label of the cold part has been met behind an arrow.
    leads_to_cold: bool,
    /// The number of the statement that is read.
    statement: usize,
    // What has been read of it.
    mnemonic: String,
    arguments: Vec<(Shape, Span)>,
    references: Vec<(usize, Span)>,
    label_spans: Vec<Span>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(
        names: &'a Names<'a>,
        labels: &'a [Label],
        literal_ranges: &'a mut BTreeMap<usize, (i128, i128)>,
    ) -> Self {
        Scanner {
            names,
            labels,
            literal_ranges,
            used: vec![false; names.operands.len()],
            leads_to_cold: false,
            statement: 0,
            mnemonic: String::new(),
            arguments: Vec::new(),
            references: Vec::new(),
            label_spans: Vec::new(),
        }
    }

    /// Goes on to the next statement.
    pub(super) fn next(&mut self) {
        self.statement += 1;
    }

    /// Whether what has been read leads to the cold part.
    pub(super) fn leads_to_cold(&self) -> bool {
        self.leads_to_cold
    }

    /// Which operands have been met.
    pub(super) fn used(self) -> Vec<bool> {
        self.used
    }

    /// Reads a statement that is no label.
    pub(super) fn statement(&mut self, tokens: &[TokenTree]) -> syn::Result<Vec<Statement>> {
        let span = tokens[0].span();
        if is_punct(tokens.first(), '.') {
            return self.words(tokens);
        }
        if is_arrow(tokens) {
            return error(
                span,
                "only local labels, `name:`, can stand in a micro-op; a place between micro-ops is \
                 a label of the trace",
            );
        }
        let Some(mnemonic) = ident(tokens.first()) else {
            return error(span, "an instruction begins with its mnemonic");
        };
        if let [_, colon, next, ..] = tokens
            && is_punct(Some(colon), ':')
        {
            return error(
                next.span(),
                "a label stands alone; put a semicolon behind it",
            );
        }
        self.mnemonic = mnemonic.to_string();
        self.arguments.clear();
        self.references.clear();
        self.label_spans.clear();
        let mut pieces = vec![Piece::Tokens(quote!(#mnemonic))];
        let mut rest = &tokens[1..];
        while let [dot, TokenTree::Ident(suffix), after @ ..] = rest
            && is_punct(Some(dot), '.')
        {
            if self.is_number(&suffix.to_string()) {
                return error(
                    suffix.span(),
                    "a condition is part of the instruction; declare one micro-op for each",
                );
            }
            self.mnemonic = format!("{}.{suffix}", self.mnemonic);
            pieces.push(Piece::Tokens(quote!(#dot #suffix)));
            rest = after;
        }
        rules::check_mnemonic(&self.mnemonic, span)?;
        for (index, argument) in split_at_commas(rest).into_iter().enumerate() {
            if index > 0 {
                pieces.push(comma());
            }
            self.argument(argument, &mut pieces)?;
        }
        rules::check_arguments(&self.outline())?;
        self.note_literal_ranges()?;
        Ok(vec![Statement::Instruction(Instruction {
            pieces,
            labels: std::mem::take(&mut self.label_spans),
        })])
    }

    fn outline(&self) -> Outline<'_> {
        Outline {
            mnemonic: &self.mnemonic,
            arguments: &self.arguments,
        }
    }

    /// `.u32 a, b`: words that dynasm-rs has no mnemonic for.
    fn words(&mut self, tokens: &[TokenTree]) -> syn::Result<Vec<Statement>> {
        if ident(tokens.get(1)).is_none_or(|name| name != "u32") {
            let span = tokens.get(1).unwrap_or(&tokens[0]).span();
            return error(
                span,
                "the only directive here is `.u32`, for instructions that have no mnemonic; the \
                 others would change what the next instructions mean",
            );
        }
        let mut words = Vec::new();
        for word in split_at_commas(&tokens[2..]) {
            let expr: Expr = syn::parse2(word.iter().cloned().collect())?;
            self.check_names(&expr)?;
            let mut operands: Vec<(usize, Span)> = Vec::new();
            for name in eval::names(&expr) {
                let Some(operand) = self.names.operand(name) else {
                    continue;
                };
                let kind = self.names.operands[operand].kind;
                if !matches!(kind, Kind::Number { .. } | Kind::Reg | Kind::VReg { .. }) {
                    let message = format!(
                        "`{name}` is {}; only numbers and registers can stand in a `.u32`",
                        kind.described()
                    );
                    return error(name.span(), message);
                }
                self.used[operand] = true;
                if operands.iter().all(|(known, _)| *known != operand) {
                    operands.push((operand, name.span()));
                }
            }
            let word = Word { expr, operands };
            if word.operands.is_empty() {
                word.value(self.names, &|_| 0)?;
            }
            words.push(Statement::Word(word));
        }
        Ok(words)
    }

    /// One argument.
    fn argument(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        let Some(first) = tokens.first() else {
            return Ok(());
        };
        let span = first.span();
        let shape = if is_arrow(tokens) {
            self.label(tokens, out)?;
            Shape::Label
        } else {
            match first {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    self.memory(group, &tokens[1..], out)?;
                    Shape::Memory
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.list(group, &tokens[1..], out)?;
                    Shape::List
                }
                TokenTree::Punct(equals) if equals.as_char() == '=' => {
                    let message = "`=` takes no value here: declare an operand, `value: literal`, and write `=>value`; \
                                   or make the value by `movz` and `movk`";
                    return error(span, message);
                }
                _ => self.item(tokens, out)?,
            }
        };
        self.arguments.push((shape, span));
        Ok(())
    }

    /// A register, a modifier, an immediate or a name: what can stand in brackets too.
    fn item(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<Shape> {
        let name = ident(tokens.first());
        let text = name.map(Ident::to_string).unwrap_or_default();
        if let Some(name) = name
            && names::is_modifier(&text)
        {
            out.push(Piece::Tokens(quote!(#name)));
            if tokens.len() > 1 {
                self.number(&tokens[1..], Place::Amount, out)?;
            }
            return Ok(Shape::Modifier);
        }
        if let Some(name) = name
            && text == "extern"
        {
            let message = "write a far address as a `call` operand: `bl =>function`";
            return error(name.span(), message);
        }
        if let Some((width, rest)) = self.register(tokens, out)? {
            if let (Some(TokenTree::Group(group)), 'x' | 'w') = (rest.first(), width) {
                return error(group.span(), "a comma is missing in front of this");
            }
            self.suffix(rest, out)?;
            return Ok(Shape::Register(width));
        }
        if let ([TokenTree::Ident(name)], false) = (tokens, self.is_number(&text))
            && names::is_argument_of(&text, &self.mnemonic)
        {
            out.push(Piece::Tokens(quote!(#name)));
            return Ok(match names::is_always(&text) {
                true => Shape::Always,
                false => Shape::Name,
            });
        }
        if let ([TokenTree::Ident(name)], false) = (tokens, self.is_number(&text)) {
            rules::check_system_register(&self.mnemonic, name.span())?;
        }
        let place = rules::place(&self.mnemonic);
        self.number(tokens, place, out).map(Shape::Number)
    }

    /// Whether the name is that of an operand or a constant.
    fn is_number(&self, name: &str) -> bool {
        let mut operands = self.names.operands.iter();
        operands.any(|o| o.name == name) || self.names.constants.contains_key(name)
    }

    /// A register at the beginning: its width, and what follows.
    fn register<'t>(
        &mut self,
        tokens: &'t [TokenTree],
        out: &mut Vec<Piece>,
    ) -> syn::Result<Option<(char, &'t [TokenTree])>> {
        let Some(name) = ident(tokens.first()) else {
            return Ok(None);
        };
        if let Some(width) = names::family(&name.to_string())
            && let Some(TokenTree::Group(group)) = tokens.get(1)
        {
            self.chosen_register(width, name, group, out)?;
            return Ok(Some((width, &tokens[2..])));
        }
        let Some((register, name)) = self.named_register(name) else {
            return Ok(None);
        };
        if register.is_platforms() {
            return error(name.span(), names::PLATFORM);
        }
        out.push(Piece::Tokens(quote!(#name)));
        Ok(Some((register.width, &tokens[1..])))
    }

    /// The register that a name or an alias stands for, under its own name.
    fn named_register(&self, name: &Ident) -> Option<(Register, Ident)> {
        let text = name.to_string();
        let alias = self.names.aliases.all.get(&text).copied();
        let register = alias.or_else(|| Register::parse(&text))?;
        Some((register, Ident::new(&register.name(), name.span())))
    }

    /// `X(operand)`, or `X(3)`.
    fn chosen_register(
        &mut self,
        width: char,
        family: &Ident,
        group: &Group,
        out: &mut Vec<Piece>,
    ) -> syn::Result<()> {
        let expr: Expr = syn::parse2(group.stream())?;
        if let Some(name) = eval::name(&expr)
            && self.named_register(name).is_some()
        {
            let message = format!(
                "`{name}` is a register already; write it without `{family}(..)`, in which an operand belongs"
            );
            return error(name.span(), message);
        }
        self.check_names(&expr)?;
        for name in eval::names(&expr) {
            let Some(operand) = self.names.operand(name) else {
                continue;
            };
            let kind = self.names.operands[operand].kind;
            let (right, wanted) = match width {
                'x' | 'w' => (kind == Kind::Reg, "a `reg`"),
                _ => (matches!(kind, Kind::VReg { .. }), "a `vreg`"),
            };
            if !right {
                let message = format!(
                    "`{name}` is {}; in `{family}(..)` belongs {wanted}",
                    kind.described()
                );
                return error(name.span(), message);
            }
            if eval::name(&expr).is_none() {
                let message =
                    format!("write `{family}({name})`: a register has no neighbours here");
                return error(name.span(), message);
            }
            self.used[operand] = true;
            out.push(Piece::Register {
                operand,
                width,
                span: name.span(),
            });
            return Ok(());
        }
        let number = self.names.eval(&expr)?;
        let name = u8::try_from(number).ok().map(|n| format!("{width}{n}"));
        let register = name.as_deref().and_then(Register::parse);
        match name.filter(|_| register.is_some()) {
            Some(_) if register.is_some_and(Register::is_platforms) => {
                error(pieces::first_span(&expr), names::PLATFORM)
            }
            Some(name) => {
                let name = Ident::new(&name, family.span());
                out.push(Piece::Tokens(quote!(#name)));
                Ok(())
            }
            None => {
                let message = format!("there is no register {width}{number}");
                error(pieces::first_span(&expr), message)
            }
        }
    }

    /// What follows a register: `.b16`, `.b[3]`.
    fn suffix(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        let mut rest = tokens;
        if let [dot, TokenTree::Ident(lanes), after @ ..] = rest
            && is_punct(Some(dot), '.')
        {
            out.push(Piece::Tokens(quote!(#dot #lanes)));
            rest = after;
        }
        if let [TokenTree::Group(group), after @ ..] = rest
            && group.delimiter() == Delimiter::Bracket
        {
            self.element(group, out)?;
            rest = after;
        }
        nothing_more(rest, "behind a register")
    }

    /// `[3]` behind a vector register or a register list.
    fn element(&mut self, group: &Group, out: &mut Vec<Piece>) -> syn::Result<()> {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        let mut inner = Vec::new();
        self.number(&tokens, Place::Amount, &mut inner)?;
        out.push(Piece::Group {
            delimiter: Delimiter::Bracket,
            inner,
            span: group.span(),
        });
        Ok(())
    }

    /// `[base, offset]`, and the `!` behind it.
    fn memory(
        &mut self,
        group: &Group,
        rest: &[TokenTree],
        out: &mut Vec<Piece>,
    ) -> syn::Result<()> {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        let items = split_at_commas(&tokens);
        let mut inner = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                inner.push(comma());
            }
            let shape = self.item(item, &mut inner)?;
            if index == 1 && items.len() == 2 && shape == Shape::Register('w') {
                return error(
                    item[0].span(),
                    "a 32-bit index needs its extension spelled out, or it would be taken for the \
                     64-bit register: add `, uxtw` or `, sxtw`",
                );
            }
        }
        out.push(Piece::Group {
            delimiter: Delimiter::Bracket,
            inner,
            span: group.span(),
        });
        match rest {
            [bang, rest @ ..] if is_punct(Some(bang), '!') => {
                out.push(Piece::Tokens(quote!(#bang)));
                nothing_more(rest, "behind `!`")
            }
            rest => nothing_more(rest, "behind an address but `!`"),
        }
    }

    /// `{v0.b16, v1.b16}` or `{v0.b16 * 2}`, and the `[element]` behind it.
    fn list(&mut self, group: &Group, rest: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        if let Some(dash) = tokens.iter().find(|token| is_punct(Some(token), '-')) {
            return error(
                dash.span(),
                "a range of registers would be one register short; write them out, `{v0.b16, \
                 v1.b16}`, or as `{v0.b16 * 2}`",
            );
        }
        let mut inner = Vec::new();
        for (index, item) in split_at_commas(&tokens).into_iter().enumerate() {
            if index > 0 {
                inner.push(comma());
            }
            let mut parts = item.splitn(2, |token| is_punct(Some(token), '*'));
            let (register, count) = (parts.next().unwrap_or(item), parts.next());
            match self.register(register, &mut inner)? {
                Some((_, rest)) => self.suffix(rest, &mut inner)?,
                None => {
                    let span = item.first().map_or(group.span(), TokenTree::span);
                    return error(span, "a register list holds vector registers: `v0.b16`");
                }
            }
            if let Some(count) = count {
                let expr: Expr = syn::parse2(count.iter().cloned().collect())?;
                self.check_names(&expr)?;
                if let Some((_, name)) = self.only_operand(&expr)? {
                    return error(
                        name.span(),
                        "the length of a register list is fixed: `{v0.b16 * 2}`",
                    );
                }
                let count = pieces::integer(self.names.eval(&expr)?, &expr, Place::Amount)?;
                inner.push(Piece::Tokens(quote!(* #count)));
            }
        }
        out.push(Piece::Group {
            delimiter: Delimiter::Brace,
            inner,
            span: group.span(),
        });
        match rest {
            [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Bracket => {
                self.element(group, out)?;
                nothing_more(rest, "behind an element")
            }
            rest => nothing_more(rest, "behind a register list"),
        }
    }

    /// `=>operand`, `>label` or `<label`.
    fn label(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        let span = tokens[0].span();
        if is_punct(tokens.first(), '-') {
            return error(
                span,
                "a global label cannot be there twice, and a micro-op can; use `>local` or a \
                 `label` operand",
            );
        }
        let is_operand = is_punct(tokens.first(), '=');
        let forward = is_punct(tokens.first(), '>');
        let name = match &tokens[if is_operand { 2 } else { 1 }..] {
            [TokenTree::Ident(name)] => name,
            [TokenTree::Ident(_), more, ..] => {
                return error(
                    more.span(),
                    "nothing more can stand behind the name of a place",
                );
            }
            _ => return error(span, "here belongs the name of a place"),
        };
        let number = match is_operand {
            true => self.reference(name)?,
            false => self.local(name, forward)?,
        };
        self.label_spans.push(name.span());
        out.push(numbered(number, span));
        Ok(())
    }

    /// What stands behind `=>`.
    fn reference(&mut self, name: &Ident) -> syn::Result<u16> {
        let Some(operand) = self.names.operand(name) else {
            self.check_label(name)?;
            if self.named_register(name).is_some() || self.is_number(&name.to_string()) {
                let message = format!("`{name}` is no place; declare an operand and name that");
                return error(name.span(), message);
            }
            return Err(self.unknown(name));
        };
        self.used[operand] = true;
        let kind = self.names.operands[operand].kind;
        let allowed = rules::allowed_behind_arrow(&self.mnemonic);
        if !allowed.contains(&kind) {
            return error(name.span(), self.wrong_reference(name, kind, allowed));
        }
        self.references.push((operand, name.span()));
        Ok(operand as u16)
    }

    fn wrong_reference(&self, name: &Ident, kind: Kind, allowed: &[Kind]) -> String {
        let mnemonic = &self.mnemonic;
        let is = format!("`{name}` is {}", kind.described());
        if kind == Kind::Call && !allowed.is_empty() && allowed[0] == Kind::Exit {
            return format!(
                "{is}, and `{mnemonic}` may not reach it; branch over a `b =>{name}` or a `bl =>{name}`"
            );
        }
        if !kind.is_reference() {
            return format!("{is}, no place; leave `=>` out");
        }
        let allowed: Vec<_> = allowed.iter().map(|kind| kind.described()).collect();
        match allowed.split_last() {
            Some((last, [])) => format!("{is}; behind `=>` of `{mnemonic}` belongs {last}"),
            Some((last, rest)) => format!(
                "{is}; behind `=>` of `{mnemonic}` belongs {} or {last}",
                rest.join(", ")
            ),
            None => {
                let meant = match (mnemonic.as_str(), mnemonic.strip_prefix('b')) {
                    ("br", _) => Some("b".to_owned()),
                    ("blr", _) => Some("bl".to_owned()),
                    (_, Some(condition)) if names::is_condition(condition) => {
                        Some(format!("b.{condition}"))
                    }
                    _ => None,
                };
                let takes = |mnemonic: &str| rules::allowed_behind_arrow(mnemonic).contains(&kind);
                let is_literal = matches!(kind, Kind::Literal | Kind::MutLiteral);
                let hint = match meant {
                    None if is_literal => format!("load it into a register, `; ldr x9, =>{name}`"),
                    None => "load an address as a `literal`".to_owned(),
                    Some(meant) if takes(&meant) => format!("write `{meant} =>{name}`"),
                    Some(_) if takes("b") => format!("go there by a `b =>{name}`"),
                    Some(_) => format!("load it into a register, `; ldr x9, =>{name}`"),
                };
                format!(
                    "{is}, and `{mnemonic}` cannot refer to anything outside the micro-op; {hint}"
                )
            }
        }
    }

    /// `>label` or `<label`.
    fn local(&mut self, name: &Ident, forward: bool) -> syn::Result<u16> {
        let mut known = (0..).zip(self.labels).filter(|(_, l)| *name == l.name);
        let here = self.statement;
        let found = if forward {
            known.clone().find(|(_, label)| label.statement > here)
        } else {
            known
                .clone()
                .filter(|(_, label)| label.statement < here)
                .last()
        };
        if let Some((index, label)) = found {
            self.leads_to_cold |= label.cold;
            return Ok(FIRST_LOCAL.saturating_add(index));
        }
        if let Some(operand) = self.names.operand(name) {
            let kind = self.names.operands[operand].kind;
            let message = format!("`{name}` is {}; write `=>{name}`", kind.described());
            return error(name.span(), message);
        }
        let message = match (known.next().is_some(), forward) {
            (false, _) => format!(
                "there is no label `{name}:` in this micro-op; bind it before an instruction: \
                 `; {name}:`"
            ),
            (true, true) => format!("`{name}:` stands before this; write `<{name}`"),
            (true, false) => format!("`{name}:` stands behind this; write `>{name}`"),
        };
        error(name.span(), message)
    }

    /// What a literal may be, to be what the register or the extension loads.
    fn note_literal_ranges(&mut self) -> syn::Result<()> {
        /// A load of 64 bits can hold whatever a load of 32, signed or not, can.
        const ANY: (i128, i128) = (0, u64::MAX as i128);
        let register = self.outline().first_register();
        for &(operand, span) in &self.references {
            let kind = self.names.operands[operand].kind;
            if !matches!(kind, Kind::Literal | Kind::MutLiteral) {
                continue;
            }
            let range = match (self.mnemonic.as_str(), register) {
                ("ldrsw", _) => (i32::MIN.into(), i32::MAX.into()),
                ("ldr", Some('w' | 's')) => (0, u32::MAX.into()),
                ("ldr", Some('q')) => {
                    return error(
                        span,
                        "a literal has 64 bits, and `q` registers have 128; load two `d` registers",
                    );
                }
                _ => ANY,
            };
            let entry = self.literal_ranges.entry(operand).or_insert(ANY);
            *entry = match (*entry, range) {
                (ANY, range) | (range, ANY) => range,
                (a, b) => (a.0.max(b.0), a.1.min(b.1)),
            };
        }
        Ok(())
    }

    /// An immediate, and the operand in it.
    fn number(
        &mut self,
        tokens: &[TokenTree],
        place: Place,
        out: &mut Vec<Piece>,
    ) -> syn::Result<Option<usize>> {
        let tokens = match tokens {
            [hash, rest @ ..] if is_punct(Some(hash), '#') => {
                out.push(Piece::Tokens(quote!(#hash)));
                rest
            }
            tokens => tokens,
        };
        let stream: TokenStream = tokens.iter().cloned().collect();
        if stream.is_empty() {
            return Ok(None);
        }
        let expr: Expr = syn::parse2(stream)?;
        let is_float = eval::is_float(&expr);
        if is_float {
            rules::check_number(&self.mnemonic, true, pieces::first_span(&expr))?;
            out.push(Piece::Tokens(quote!(#expr)));
            return Ok(None);
        }
        self.check_names(&expr)?;
        let Some((operand, name)) = self.only_operand(&expr)? else {
            if place != Place::Amount {
                rules::check_number(&self.mnemonic, false, pieces::first_span(&expr))?;
            }
            let value = self.names.eval(&expr)?;
            out.push(Piece::Tokens(pieces::integer(value, &expr, place)?));
            return Ok(None);
        };
        self.used[operand] = true;
        let declared = &self.names.operands[operand];
        let kind = declared.kind;
        let hint = match kind {
            Kind::Number { .. } => {
                if place != Place::Amount {
                    rules::check_number(&self.mnemonic, false, name.span())?;
                }
                None
            }
            Kind::Logical32 | Kind::Logical64 | Kind::Fp8 => {
                let text = name.to_string();
                rules::check_kind(&self.outline(), kind, &text, name.span())?;
                let alone = eval::name(&expr).is_some();
                (!alone).then(|| "it stands alone".to_owned())
            }
            Kind::Reg => Some(format!("write `X({name})` or `W({name})`")),
            Kind::VReg { .. } => Some(format!("write `V({name}).b16`, `D({name})` or the like")),
            _ => Some(format!("write `=>{name}`")),
        };
        if let Some(hint) = hint {
            let message = format!("`{name}` is {}; {hint}", kind.described());
            return error(name.span(), message);
        }
        out.push(Piece::Number {
            operand,
            expr,
            place,
        });
        Ok(Some(operand))
    }

    /// The operand in an expression, if there is one.
    fn only_operand<'e>(&self, expr: &'e Expr) -> syn::Result<Option<(usize, &'e Ident)>> {
        let mut found: Option<(usize, &Ident)> = None;
        for name in eval::names(expr) {
            let Some(operand) = self.names.operand(name) else {
                continue;
            };
            if let Some((first, other)) = found
                && first != operand
            {
                return error(name.span(), self.two_in_one(first, operand, other, name));
            }
            found = Some((operand, name));
        }
        Ok(found)
    }

    /// Why two cannot stand in one immediate.
    fn two_in_one(&self, first: usize, second: usize, other: &Ident, name: &Ident) -> String {
        let is_constant = |operand: usize| self.names.operands[operand].is_constant;
        match (is_constant(first), is_constant(second)) {
            (true, true) => format!(
                "`{other}` and `{name}` are both patched in by the compiler, and only one number can be in one \
                 place; declare a constant of their sum, or of whatever this is"
            ),
            (false, false) => format!(
                "one immediate can depend on one operand only, and `{other}` stands here too; compute the \
                 value before the micro-op is pushed, or with an instruction"
            ),
            (first_is_constant, _) => {
                let constant = if first_is_constant { other } else { name };
                format!(
                    "`{constant}` is patched in by the compiler, so no operand can stand in the same immediate; \
                     write its value, `const {constant} = ..;` without a kind, and check it where it is known: \
                     `const _: () = assert!(core::mem::offset_of!(..) == ..);`"
                )
            }
        }
    }

    fn check_names(&self, expr: &Expr) -> syn::Result<()> {
        for name in eval::names(expr) {
            if !self.is_number(&name.to_string()) {
                return Err(self.unknown(name));
            }
        }
        Ok(())
    }

    /// Refuses a local label where it stands without its arrow, or behind another.
    fn check_label(&self, name: &Ident) -> syn::Result<()> {
        if self.labels.iter().any(|label| *name == label.name) {
            let message = format!("`{name}` is a local label; write `>{name}` or `<{name}`");
            return error(name.span(), message);
        }
        Ok(())
    }

    /// A name that nothing has, with the names that something has.
    fn unknown(&self, name: &Ident) -> syn::Error {
        let text = name.to_string();
        if let Err(error) = self.check_label(name) {
            return error;
        }
        if self.named_register(name).is_some() {
            let message = format!("`{text}` is a register, and a number belongs here");
            return syn::Error::new(name.span(), message);
        }
        let is_constant = |constant: bool| {
            let operands = self.names.operands.iter();
            operands.filter(move |o| o.is_constant == constant)
        };
        let operands = is_constant(false).map(|o| o.name.to_string());
        let registers = self.names.aliases.declared.iter().cloned();
        let labels = self.labels.iter().map(|label| label.name.clone());
        let constants = self.names.constants.keys().cloned();
        let constants = constants.chain(is_constant(true).map(|o| o.name.to_string()));
        let groups: [(&str, Vec<String>); 4] = [
            ("operands", operands.collect()),
            ("registers", registers.collect()),
            ("labels", labels.collect()),
            ("constants", constants.collect()),
        ];
        let mut message = format!("`{text}` is no operand, register, label or constant here");
        let all = groups.iter().flat_map(|(_, names)| names);
        let nearest = all.min_by_key(|known| names::distance(known, &text));
        let is_near = nearest.is_some_and(|known| names::distance(known, &text) <= 1);
        if let Some(hint) = names::no_register(&text).filter(|_| !is_near) {
            message = format!("there is no register `{text}`; {hint}");
            return syn::Error::new(name.span(), message);
        }
        if let Some(nearest) = nearest.filter(|known| names::distance(known, &text) <= 2) {
            message += &format!("; did you mean `{nearest}`?");
        }
        for (what, known) in &groups {
            if !known.is_empty() {
                message += &format!("\n{what}: {}", known.join(", "));
            }
        }
        syn::Error::new(name.span(), message)
    }
}

fn nothing_more(rest: &[TokenTree], place: &str) -> syn::Result<()> {
    match rest.first() {
        Some(token) => {
            let message = format!(
                "nothing can stand here, {place}: arguments are set apart by commas, and each instruction begins with a \
                 semicolon"
            );
            error(token.span(), message)
        }
        None => Ok(()),
    }
}

fn comma() -> Piece {
    Piece::Tokens(quote!(,))
}

/// `=>3u16`, at the author's arrow.
fn numbered(number: u16, span: Span) -> Piece {
    let mut arrow = [
        Punct::new('=', Spacing::Joint),
        Punct::new('>', Spacing::Alone),
    ];
    arrow.iter_mut().for_each(|punct| punct.set_span(span));
    let [first, second] = arrow;
    let mut number = Literal::u16_suffixed(number);
    number.set_span(span);
    Piece::Tokens(quote!(#first #second #number))
}
