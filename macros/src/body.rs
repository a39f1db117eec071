//! A micro-op's statements, taken apart: where operands stand, what labels mean, what is refused.
//!
//! A statement stays as the author wrote it, but for a few pieces: an expression that names an operand
//! becomes a [`Piece::Number`], `X(operand)` a [`Piece::Register`], `=>operand` and `>label` numbers.
//! Rendered with a value for each operand, it is an instruction of plain literals, which dynasm-rs
//! checks and encodes at compile time.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Expr;

use crate::Errors;
use crate::eval::{self, Constants, Scope};
use crate::names::{self, Register};
use crate::operand::{Kind, Operand};
use crate::probe;

/// Labels from here on are places in the body; below are operands.
const FIRST_LOCAL: u16 = 256;

/// What a body may name.
pub(crate) struct Names<'a> {
    pub(crate) aliases: &'a HashMap<String, String>,
    pub(crate) constants: &'a Constants,
    pub(crate) operands: &'a [Operand],
}

/// Part of a statement.
enum Piece {
    Tokens(TokenStream),
    /// An expression over one operand.
    Number {
        operand: usize,
        expr: Box<Expr>,
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

/// A statement.
pub(crate) enum Statement {
    Instruction(Instruction),
    /// Words written as they are, with `.u32`.
    Raw(Vec<u32>),
}

/// An instruction.
pub(crate) struct Instruction {
    pieces: Vec<Piece>,
    pub(crate) references: Vec<(usize, Span)>,
    /// Where labels stand, those of operands and local ones.
    pub(crate) labels: Vec<Span>,
}

/// What has been found in a body.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) hot: Vec<Statement>,
    pub(crate) cold: Vec<Statement>,
    /// Local labels: whether cold, and the word in that part.
    pub(crate) locals: Vec<(bool, u16)>,
    /// For literal operands: the values that all their loads can hold.
    pub(crate) literal_ranges: HashMap<usize, (i128, i128)>,
}

impl Statement {
    pub(crate) fn words(&self) -> usize {
        match self {
            Statement::Instruction(_) => 1,
            Statement::Raw(words) => words.len(),
        }
    }
}

struct Label {
    name: String,
    cold: bool,
    word: u16,
    /// The statement it stands before, hot and cold counted on.
    statement: usize,
}

struct Scanner<'a> {
    names: &'a Names<'a>,
    labels: Vec<Label>,
    statement: usize,
    mnemonic: String,
    used: &'a mut [bool],
    references: Vec<(usize, Span)>,
    label_spans: Vec<Span>,
    /// The width and span of each plain register argument.
    registers: Vec<(char, Span)>,
    literal_ranges: &'a mut HashMap<usize, (i128, i128)>,
}

/// Takes a body apart. Errors are added at the author's tokens; what could be read is returned.
pub(crate) fn scan(
    hot: TokenStream,
    cold: Option<TokenStream>,
    names: &Names<'_>,
    errors: &mut Errors,
) -> Body {
    let mut body = Body::default();
    let mut used = vec![false; names.operands.len()];
    let hot = split(hot, errors);
    let has_cold = cold.is_some();
    let cold = cold.map_or_else(Vec::new, |cold| split(cold, errors));
    let labels = find_labels(&hot, &cold);
    let mut scanner = Scanner {
        names,
        labels,
        statement: 0,
        mnemonic: String::new(),
        used: &mut used,
        references: Vec::new(),
        label_spans: Vec::new(),
        registers: Vec::new(),
        literal_ranges: &mut body.literal_ranges,
    };
    for (statements, into) in [(hot, &mut body.hot), (cold, &mut body.cold)] {
        for tokens in statements {
            if label_of(&tokens).is_none()
                && let Some(statement) = errors.take(scanner.statement(tokens))
            {
                into.push(statement);
            }
            scanner.statement += 1;
        }
    }
    body.locals = scanner.labels.iter().map(|l| (l.cold, l.word)).collect();
    if has_cold && body.cold.is_empty() {
        let message = "this cold part is empty; leave it out";
        errors.add(syn::Error::new(Span::call_site(), message));
    }
    for (operand, used) in names.operands.iter().zip(used) {
        if !used {
            let message = format!("operand `{}` is never used", operand.name);
            errors.add(syn::Error::new(operand.name.span(), message));
        }
    }
    body
}

/// Splits a body at its semicolons.
fn split(tokens: TokenStream, errors: &mut Errors) -> Vec<Vec<TokenTree>> {
    let mut statements = Vec::new();
    let mut current = Vec::new();
    let mut begun = false;
    for token in tokens {
        if !is_punct(Some(&token), ';') {
            if !begun {
                let message = "a body is `; instruction ; instruction`: begin it with a semicolon";
                errors.add(syn::Error::new(token.span(), message));
                begun = true;
            }
            current.push(token);
            continue;
        }
        if begun && current.is_empty() {
            let message = "`;;` would be a Rust statement, and a template is a constant; write \
                           instructions only";
            errors.add(syn::Error::new(token.span(), message));
        }
        if !current.is_empty() {
            statements.push(std::mem::take(&mut current));
        }
        begun = true;
    }
    if !current.is_empty() {
        statements.push(current);
    }
    statements
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn ident(token: Option<&TokenTree>) -> Option<&Ident> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident),
        _ => None,
    }
}

/// The name, if the statement is `name:`.
fn label_of(tokens: &[TokenTree]) -> Option<&Ident> {
    match tokens {
        [TokenTree::Ident(name), colon] if is_punct(Some(colon), ':') => Some(name),
        _ => None,
    }
}

fn find_labels(hot: &[Vec<TokenTree>], cold: &[Vec<TokenTree>]) -> Vec<Label> {
    let mut labels = Vec::new();
    for (cold_part, statements, first) in [(false, hot, 0), (true, cold, hot.len())] {
        let mut word = 0;
        for (index, tokens) in statements.iter().enumerate() {
            match label_of(tokens) {
                Some(name) => labels.push(Label {
                    name: name.to_string(),
                    cold: cold_part,
                    word,
                    statement: first + index,
                }),
                None => word += raw_words(tokens).unwrap_or(1),
            }
        }
    }
    labels
}

/// How many words a `.u32` directive writes.
fn raw_words(tokens: &[TokenTree]) -> Option<u16> {
    is_punct(tokens.first(), '.').then(|| {
        let commas = tokens.iter().filter(|token| is_punct(Some(token), ','));
        commas.count() as u16 + 1
    })
}

fn error<T>(span: Span, message: impl std::fmt::Display) -> syn::Result<T> {
    Err(syn::Error::new(span, message))
}

impl Scanner<'_> {
    fn statement(&mut self, tokens: Vec<TokenTree>) -> syn::Result<Statement> {
        let span = tokens[0].span();
        if is_punct(tokens.first(), '.') {
            return self.directive(&tokens).map(Statement::Raw);
        }
        if is_punct(tokens.first(), '-') || is_punct(tokens.first(), '=') {
            return error(
                span,
                "only local labels, `name:`, can stand in a micro-op; a place between micro-ops is a \
                 label of the trace",
            );
        }
        let Some(mnemonic) = ident(tokens.first()) else {
            return error(span, "an instruction begins with its mnemonic");
        };
        self.mnemonic = mnemonic.to_string();
        self.references = Vec::new();
        self.label_spans = Vec::new();
        self.registers = Vec::new();
        let mut pieces = vec![Piece::Tokens(quote!(#mnemonic))];
        let mut rest = &tokens[1..];
        while let [dot, TokenTree::Ident(suffix), after @ ..] = rest
            && is_punct(Some(dot), '.')
        {
            self.mnemonic = format!("{}.{suffix}", self.mnemonic);
            pieces.push(Piece::Tokens(quote!(#dot #suffix)));
            rest = after;
        }
        if self.mnemonic == "adrp" {
            return error(
                span,
                "`adrp` needs the final address of the code, which a template does not know; load \
                 addresses as a `literal`",
            );
        }
        if self.mnemonic == "mov.inverted" {
            return error(
                span,
                "`mov.inverted` is not encoded at compile time; write `movn`",
            );
        }
        let arguments = split_at_commas(rest);
        let mut has_modifier = false;
        for (index, argument) in arguments.iter().enumerate() {
            if index > 0 {
                pieces.push(comma());
            }
            has_modifier |=
                ident(argument.first()).is_some_and(|i| names::is_modifier(&i.to_string()));
            self.item(argument, true, &mut pieces)?;
        }
        if !has_modifier {
            self.refuse_implicit_extension()?;
        }
        self.note_literal_range()?;
        Ok(Statement::Instruction(Instruction {
            pieces,
            references: std::mem::take(&mut self.references),
            labels: std::mem::take(&mut self.label_spans),
        }))
    }

    /// `add x0, x1, w2` without an extension: dynasm-rs encodes `uxtx`.
    fn refuse_implicit_extension(&self) -> syn::Result<()> {
        const EXTENDING: &[&str] = &["add", "adds", "sub", "subs", "cmp", "cmn"];
        match self.registers.as_slice() {
            [(first, _), .., (last, span)]
                if *first == 'x' && *last == 'w' && EXTENDING.contains(&self.mnemonic.as_str()) =>
            {
                error(
                    *span,
                    "a 32-bit register here needs its extension spelled out, or it would be taken \
                     for the 64-bit one: add `, uxtw` or `, sxtw`",
                )
            }
            _ => Ok(()),
        }
    }

    /// What a literal may be, to be what the register or the extension loads.
    fn note_literal_range(&mut self) -> syn::Result<()> {
        for &(operand, span) in &self.references {
            if !matches!(
                self.names.operands[operand].kind,
                Kind::Literal | Kind::MutLiteral
            ) {
                continue;
            }
            let range = match (self.mnemonic.as_str(), self.registers.first()) {
                ("ldrsw", _) => (i128::from(i32::MIN), i128::from(i32::MAX)),
                ("ldr", Some(('w' | 's', _))) => (0, i128::from(u32::MAX)),
                ("ldr", Some(('q', _))) => {
                    return error(
                        span,
                        "a literal has 64 bits, and `q` registers have 128; load two `d` registers",
                    );
                }
                _ => (0, i128::from(u64::MAX)),
            };
            // A load of 64 bits can hold whatever a load of 32, signed or not, can.
            const ANY: (i128, i128) = (0, u64::MAX as i128);
            let entry = self.literal_ranges.entry(operand).or_insert(ANY);
            *entry = match (*entry, range) {
                (ANY, range) | (range, ANY) => range,
                (a, b) => (a.0.max(b.0), a.1.min(b.1)),
            };
        }
        Ok(())
    }

    /// `.u32 a, b`: words that dynasm-rs has no mnemonic for.
    fn directive(&mut self, tokens: &[TokenTree]) -> syn::Result<Vec<u32>> {
        let name = ident(tokens.get(1));
        if name.is_none_or(|name| name != "u32") {
            return error(
                tokens[0].span(),
                "the only directive here is `.u32`, for instructions that have no mnemonic; the \
                 others would change what the next instructions mean",
            );
        }
        split_at_commas(&tokens[2..])
            .into_iter()
            .map(|word| {
                let expr: Expr = syn::parse2(word.iter().cloned().collect())?;
                let scope = Scope {
                    constants: self.names.constants,
                    operand: None,
                };
                let value = eval::eval(&expr, &scope)?;
                u32::try_from(value)
                    .map_err(|_| syn::Error::new_spanned(&expr, "an instruction has 32 bits"))
            })
            .collect()
    }

    /// One argument, or one item inside brackets or braces.
    fn item(
        &mut self,
        tokens: &[TokenTree],
        argument: bool,
        out: &mut Vec<Piece>,
    ) -> syn::Result<()> {
        let Some(first) = tokens.first() else {
            return Ok(());
        };
        let span = first.span();
        if is_punct(Some(first), '=') && is_punct(tokens.get(1), '>') {
            return self.reference(&tokens[2..], span, out);
        }
        if is_punct(Some(first), '>') || is_punct(Some(first), '<') {
            return self.local(&tokens[1..], is_punct(Some(first), '>'), span, out);
        }
        if is_punct(Some(first), '-') && is_punct(tokens.get(1), '>') {
            return error(
                span,
                "global labels cannot be used twice, and a micro-op is; use `>local` or a `label` operand",
            );
        }
        if let TokenTree::Group(group) = first {
            match group.delimiter() {
                Delimiter::Bracket => return self.memory(group, &tokens[1..], out),
                Delimiter::Brace => return self.list(group, &tokens[1..], out),
                _ => {}
            }
        }
        if is_punct(Some(first), '#') {
            out.push(Piece::Tokens(quote!(#first)));
            return self.expression(&tokens[1..], out);
        }
        if let Some(name) = ident(Some(first)) {
            let text = name.to_string();
            if text == "extern" {
                return error(
                    span,
                    "write a far address as a `call` operand: `bl =>function`",
                );
            }
            if names::is_modifier(&text) {
                out.push(Piece::Tokens(quote!(#name)));
                let rest = &tokens[1..];
                return match rest.first() {
                    None => Ok(()),
                    hash if is_punct(hash, '#') => {
                        out.push(Piece::Tokens(quote!(#hash)));
                        self.expression(&rest[1..], out)
                    }
                    Some(_) => self.expression(rest, out),
                };
            }
            if let Some(width) = names::family(&text)
                && let Some(TokenTree::Group(group)) = tokens.get(1)
            {
                self.chosen_register(width, name, group, out)?;
                if argument {
                    self.registers.push((width, span));
                }
                return self.suffix(&tokens[2..], out);
            }
            if let Some((register, name)) = self.register(name) {
                if argument {
                    self.registers.push((register.width, span));
                }
                out.push(Piece::Tokens(quote!(#name)));
                return self.suffix(&tokens[1..], out);
            }
            if tokens.len() == 1 && names::is_argument_of(&text, &self.mnemonic) {
                out.push(Piece::Tokens(quote!(#name)));
                return Ok(());
            }
        }
        self.expression(tokens, out)
    }

    /// The register that a name or an alias stands for, under its own name.
    fn register(&self, name: &Ident) -> Option<(Register, Ident)> {
        let text = name.to_string();
        let real = self.names.aliases.get(&text).unwrap_or(&text);
        let register = Register::parse(real)?;
        Some((register, Ident::new(real, name.span())))
    }

    /// What follows a register: `.b16`, `.b[3]`.
    fn suffix(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        for token in tokens {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    self.element(group, out)?;
                }
                token => out.push(Piece::Tokens(quote!(#token))),
            }
        }
        Ok(())
    }

    /// `[3]` behind a vector register or a register list.
    fn element(&mut self, group: &Group, out: &mut Vec<Piece>) -> syn::Result<()> {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        let mut inner = Vec::new();
        self.expression(&tokens, &mut inner)?;
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
        if let [_, index] = items.as_slice()
            && let Some(name) = ident(index.first())
        {
            let width = match self.register(name) {
                Some((register, _)) => Some(register.width),
                None => names::family(&name.to_string()).filter(|_| index.len() > 1),
            };
            if width == Some('w') {
                return error(
                    name.span(),
                    "a 32-bit index needs its extension spelled out, or it would be taken for the \
                     64-bit register: add `, uxtw` or `, sxtw`",
                );
            }
        }
        let mut inner = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                inner.push(comma());
            }
            self.item(item, false, &mut inner)?;
        }
        out.push(Piece::Group {
            delimiter: Delimiter::Bracket,
            inner,
            span: group.span(),
        });
        out.push(Piece::Tokens(rest.iter().cloned().collect()));
        Ok(())
    }

    /// `{v0.b16, v1.b16}`, and the `[element]` behind it.
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
        for (index, item) in split_at_commas(&tokens).iter().enumerate() {
            if index > 0 {
                inner.push(comma());
            }
            self.item(item, false, &mut inner)?;
        }
        out.push(Piece::Group {
            delimiter: Delimiter::Brace,
            inner,
            span: group.span(),
        });
        self.suffix(rest, out)
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
        let wanted = if matches!(width, 'x' | 'w') {
            Kind::Reg
        } else {
            Kind::VReg
        };
        if let Some(name) = eval::name(&expr)
            && let Some(operand) = self.operand(name)
        {
            let kind = self.names.operands[operand].kind;
            if kind != wanted {
                let message = format!(
                    "`{name}` is {}; in `{family}(..)` belongs {}",
                    kind.described(),
                    wanted.described()
                );
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
        let scope = Scope {
            constants: self.names.constants,
            operand: None,
        };
        self.check_names(&expr)?;
        let number = eval::eval(&expr, &scope)?;
        let name = u8::try_from(number).ok().map(|n| format!("{width}{n}"));
        match name.filter(|name| Register::parse(name).is_some()) {
            Some(name) => {
                let name = Ident::new(&name, family.span());
                out.push(Piece::Tokens(quote!(#name)));
                Ok(())
            }
            None => Err(syn::Error::new_spanned(
                &expr,
                format!("there is no register {width}{number}"),
            )),
        }
    }

    /// What stands behind `=>`.
    fn reference(
        &mut self,
        tokens: &[TokenTree],
        arrow: Span,
        out: &mut Vec<Piece>,
    ) -> syn::Result<()> {
        let [TokenTree::Ident(name)] = tokens else {
            let span = tokens.get(1).map_or(arrow, TokenTree::span);
            return error(
                span,
                "behind `=>` stands the name of an operand, and nothing else",
            );
        };
        let Some(operand) = self.operand(name) else {
            return Err(self.unknown(name));
        };
        let kind = self.names.operands[operand].kind;
        let (allowed, expected): (&[Kind], &str) = match self.mnemonic.as_str() {
            "bl" => (&[Kind::Call, Kind::Label], "a call or a label"),
            "b" => (
                &[Kind::Call, Kind::Exit, Kind::Label],
                "a call, an exit or a label",
            ),
            "cbz" | "cbnz" | "tbz" | "tbnz" => (&[Kind::Exit, Kind::Label], "an exit or a label"),
            "ldr" | "ldrsw" | "prfm" => (
                &[Kind::Literal, Kind::MutLiteral],
                "a literal or a mut literal",
            ),
            conditional if conditional.starts_with("b.") => {
                (&[Kind::Exit, Kind::Label], "an exit or a label")
            }
            _ => (&[], "no operand: load its address as a `literal`"),
        };
        self.used[operand] = true;
        if !allowed.contains(&kind) {
            let message = format!(
                "`{name}` is {}; behind `=>` of `{}` belongs {expected}",
                kind.described(),
                self.mnemonic
            );
            return error(name.span(), message);
        }
        self.references.push((operand, name.span()));
        self.label_spans.push(name.span());
        out.push(numbered(operand as u16, arrow));
        Ok(())
    }

    /// `>label` or `<label`.
    fn local(
        &mut self,
        tokens: &[TokenTree],
        forward: bool,
        arrow: Span,
        out: &mut Vec<Piece>,
    ) -> syn::Result<()> {
        let [TokenTree::Ident(name)] = tokens else {
            let span = tokens.get(1).map_or(arrow, TokenTree::span);
            return error(
                span,
                "behind `>` or `<` stands the name of a local label, and nothing else",
            );
        };
        let here = self.statement;
        let mut known = (0..).zip(&self.labels).filter(|(_, l)| *name == l.name);
        let found = if forward {
            known.find(|(_, label)| label.statement > here)
        } else {
            known.filter(|(_, label)| label.statement < here).last()
        };
        match found {
            Some((index, _)) => {
                self.label_spans.push(name.span());
                out.push(numbered(FIRST_LOCAL + index, arrow));
                Ok(())
            }
            None => {
                let side = if forward { "behind" } else { "before" };
                error(
                    name.span(),
                    format!("there is no label `{name}:` {side} this instruction"),
                )
            }
        }
    }

    fn operand(&self, name: &Ident) -> Option<usize> {
        self.names.operands.iter().position(|o| o.name == *name)
    }

    /// An immediate.
    fn expression(&mut self, tokens: &[TokenTree], out: &mut Vec<Piece>) -> syn::Result<()> {
        let stream: TokenStream = tokens.iter().cloned().collect();
        if stream.is_empty() {
            return Ok(());
        }
        let expr: Expr = syn::parse2(stream)?;
        if let Expr::Lit(lit) = &expr
            && matches!(lit.lit, syn::Lit::Float(_))
        {
            out.push(Piece::Tokens(quote!(#expr)));
            return Ok(());
        }
        if let Expr::Unary(unary) = &expr
            && let Expr::Lit(lit) = &*unary.expr
            && matches!(lit.lit, syn::Lit::Float(_))
        {
            out.push(Piece::Tokens(quote!(#expr)));
            return Ok(());
        }
        self.check_names(&expr)?;
        let mut found = Vec::new();
        eval::names(&expr, &mut found);
        let mut operand: Option<(usize, &Ident)> = None;
        for name in found {
            let Some(index) = self.operand(name) else {
                continue;
            };
            if operand.is_some_and(|(other, _)| other != index) {
                let message = "one immediate can depend on one operand only; compute the value \
                               before the micro-op is pushed";
                return error(name.span(), message);
            }
            operand = Some((index, name));
        }
        let Some((operand, name)) = operand else {
            let scope = Scope {
                constants: self.names.constants,
                operand: None,
            };
            let value = eval::eval(&expr, &scope)?;
            out.push(Piece::Tokens(integer(value, &expr)?));
            return Ok(());
        };
        let kind = self.names.operands[operand].kind;
        self.used[operand] = true;
        match kind {
            Kind::Number { .. } => {}
            Kind::Logical32 | Kind::Logical64 | Kind::Fp8 => {
                if eval::name(&expr).is_none() {
                    let message = format!("`{name}` is {}, which stands alone", kind.described());
                    return error(name.span(), message);
                }
            }
            Kind::Reg => {
                return error(
                    name.span(),
                    format!("`{name}` is a register; write `X({name})` or `W({name})`"),
                );
            }
            Kind::VReg => {
                return error(
                    name.span(),
                    format!(
                        "`{name}` is a vector register; write `V({name}).b16`, `D({name})` or the like"
                    ),
                );
            }
            _ => {
                return error(
                    name.span(),
                    format!("`{name}` is {}; write `=>{name}`", kind.described()),
                );
            }
        }
        out.push(Piece::Number {
            operand,
            expr: Box::new(expr),
        });
        Ok(())
    }

    fn check_names(&self, expr: &Expr) -> syn::Result<()> {
        let mut found = Vec::new();
        eval::names(expr, &mut found);
        for name in found {
            let text = name.to_string();
            if self.operand(name).is_none() && !self.names.constants.contains_key(&text) {
                return Err(self.unknown(name));
            }
        }
        Ok(())
    }

    fn unknown(&self, name: &Ident) -> syn::Error {
        let list = |what: &str, mut names: Vec<String>| {
            names.sort();
            match names.is_empty() {
                true => String::new(),
                false => format!("; {what}: {}", names.join(", ")),
            }
        };
        let operands = self.names.operands.iter().map(|o| o.name.to_string());
        let labels = self.labels.iter().map(|l| l.name.clone());
        let message = format!(
            "`{name}` is no operand, register, label or constant here{}{}{}{}",
            list("operands", operands.collect()),
            list("registers", self.names.aliases.keys().cloned().collect()),
            list("labels", labels.collect()),
            list("constants", self.names.constants.keys().cloned().collect()),
        );
        syn::Error::new(name.span(), message)
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

fn split_at_commas(tokens: &[TokenTree]) -> Vec<Vec<TokenTree>> {
    if tokens.is_empty() {
        return Vec::new();
    }
    let parts = tokens.split(|token| is_punct(Some(token), ','));
    parts.map(<[_]>::to_vec).collect()
}

/// An integer literal that dynasm-rs can check, at the author's expression.
fn integer(value: i128, at: &Expr) -> syn::Result<TokenStream> {
    let span = first_span(at);
    let too_wide = || syn::Error::new_spanned(at, "the value does not fit into 64 bits");
    let magnitude = u64::try_from(value.unsigned_abs()).map_err(|_| too_wide())?;
    if value < 0 && magnitude > 1 << 63 {
        return Err(too_wide());
    }
    let mut literal = Literal::u64_unsuffixed(magnitude);
    literal.set_span(span);
    if value >= 0 {
        return Ok(quote!(#literal));
    }
    let mut minus = Punct::new('-', Spacing::Alone);
    minus.set_span(span);
    Ok(quote!(#minus #literal))
}

fn first_span(expr: &Expr) -> Span {
    let mut found = Vec::new();
    eval::names(expr, &mut found);
    match found.first() {
        Some(name) => name.span(),
        None => syn::spanned::Spanned::span(expr),
    }
}

/// One place where an operand stands.
pub(crate) struct Use<'i> {
    pub(crate) operand: usize,
    /// The expression it stands in, if it is a number's.
    pub(crate) expr: Option<&'i Expr>,
    pub(crate) span: Span,
}

impl Instruction {
    /// All places where operands stand.
    pub(crate) fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        collect_uses(&self.pieces, &mut uses);
        uses
    }

    /// The instruction with a value for each operand.
    pub(crate) fn render(
        &self,
        names: &Names<'_>,
        value: &dyn Fn(usize) -> i128,
    ) -> syn::Result<TokenStream> {
        render(&self.pieces, names, value)
    }
}

fn collect_uses<'i>(pieces: &'i [Piece], uses: &mut Vec<Use<'i>>) {
    for piece in pieces {
        match piece {
            Piece::Tokens(_) => {}
            Piece::Number { operand, expr } => uses.push(Use {
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
            Piece::Number { operand, expr } => {
                out.extend(number(names, *operand, expr, value(*operand))?);
            }
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

fn number(names: &Names<'_>, operand: usize, expr: &Expr, value: i128) -> syn::Result<TokenStream> {
    let declared = &names.operands[operand];
    match declared.kind {
        Kind::Logical32 => integer(probe::mask(value, 32) as i128, expr),
        Kind::Logical64 => {
            let mut mask = Literal::u64_unsuffixed(probe::mask(value, 64) as u64);
            mask.set_span(first_span(expr));
            Ok(quote!(#mask))
        }
        Kind::Fp8 => {
            let float = probe::float(value);
            let mut literal = Literal::f64_unsuffixed(float.abs());
            literal.set_span(first_span(expr));
            let minus = (float < 0.0).then(|| Punct::new('-', Spacing::Alone));
            Ok(quote!(#minus #literal))
        }
        _ => {
            let name = declared.name.to_string();
            let scope = Scope {
                constants: names.constants,
                operand: Some((&name, value)),
            };
            integer(eval::eval(expr, &scope)?, expr)
        }
    }
}
