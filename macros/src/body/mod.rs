//! A micro-op's statements, taken apart: where operands stand, what labels mean, what is refused.
//!
//! A statement stays as the author wrote it, but for a few pieces ([`pieces`]): an expression that
//! names an operand, `X(operand)`, `=>operand` and `>label`. Rendered with a value for each operand, it
//! is an instruction of plain literals, which dynasm-rs checks and encodes at compile time.
//! [`scanner`] reads instructions, [`rules`] knows what dynasm-rs gets wrong.

mod pieces;
mod rules;
mod scanner;

use std::collections::{BTreeMap, HashMap};

use proc_macro2::{Ident, Span, TokenStream, TokenTree};

use crate::Errors;
use crate::eval::{self, Constants, Scope};
use crate::names::Register;
use crate::operand::Operand;
use crate::parse::Op;

pub(crate) use pieces::{Rendered, Statement, Use, Word};

/// Labels from here on are places in the body; below are operands.
const FIRST_LOCAL: u16 = 256;

/// The names of pinned registers.
#[derive(Default)]
pub(crate) struct Aliases {
    /// Every name, `stack` and `stack_w`, and the register it stands for.
    pub(crate) all: HashMap<String, Register>,
    /// Those that were declared.
    pub(crate) declared: Vec<String>,
}

/// What a body may name.
pub(crate) struct Names<'a> {
    pub(crate) aliases: &'a Aliases,
    pub(crate) constants: &'a Constants,
    /// The operands of the micro-op, then the constants that are patched in.
    pub(crate) operands: &'a [Operand],
}

impl Names<'_> {
    fn operand(&self, name: &Ident) -> Option<usize> {
        self.operands.iter().position(|o| o.name == *name)
    }

    /// The value of an expression without operands.
    fn eval(&self, expr: &syn::Expr) -> syn::Result<i128> {
        eval::eval(expr, &Scope::of(self.constants))
    }

    /// The value of an expression over one operand.
    pub(crate) fn eval_with(
        &self,
        expr: &syn::Expr,
        operand: usize,
        value: i128,
    ) -> syn::Result<i128> {
        let operand = &self.operands[operand];
        let scope = Scope {
            constants: self.constants,
            operands: &[(&operand.name.to_string(), value * operand.scale)],
        };
        eval::eval(expr, &scope)
    }
}

/// What has been found in a body.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) hot: Vec<Statement>,
    pub(crate) cold: Vec<Statement>,
    /// Local labels: whether cold, and the word in that part.
    pub(crate) locals: Vec<(bool, u16)>,
    /// For literal operands: the values that all their loads can hold.
    pub(crate) literal_ranges: BTreeMap<usize, (i128, i128)>,
}

/// The longest part of a micro-op, in instructions. `tbz` reaches 8,191.
const MAX_WORDS: usize = 1023;
/// The most operands, labels and references that a template's counters hold.
const MAX_COUNT: usize = 250;

struct Label {
    name: String,
    cold: bool,
    word: usize,
    /// The statement it stands before, hot and cold counted on.
    statement: usize,
}

/// Takes a body apart. Errors are added at the author's tokens; what could be read is returned.
pub(crate) fn scan(op: &Op, names: &Names<'_>, errors: &mut Errors) -> Body {
    let mut body = Body::default();
    let hot = split(op.hot.clone(), errors);
    let cold = match &op.cold {
        Some(cold) => split(cold.body.clone(), errors),
        None => Vec::new(),
    };
    let labels = find_labels(&hot, &cold);
    let mut scanner = scanner::Scanner::new(names, &labels, &mut body.literal_ranges);
    let (mut failed, mut is_entered) = (false, false);
    for (statements, into) in [(&hot, &mut body.hot), (&cold, &mut body.cold)] {
        // In the end, of the hot part.
        is_entered = scanner.leads_to_cold();
        for tokens in statements {
            if label_of(tokens).is_none() {
                match scanner.statement(tokens) {
                    Ok(read) => into.extend(read),
                    Err(error) => {
                        errors.add(error);
                        failed = true;
                    }
                }
            }
            scanner.next();
        }
    }
    let used = scanner.used();
    check_size(op, names, [&hot, &cold], &labels, &body, errors);
    if let Some(cold) = &op.cold {
        let message = match body.cold.is_empty() {
            true if !failed => Some("this cold part has no instruction; leave it out"),
            false if !is_entered && !failed => Some(
                "nothing leads to this cold part; branch to a label in it, `; cbz x0, >slow`, or leave \
                 it out",
            ),
            _ => None,
        };
        if let Some(message) = message {
            errors.add(syn::Error::new(cold.keyword, message));
        }
    }
    for (operand, used) in names.operands.iter().zip(used) {
        // Where a statement is wrong, it may be the one that was to use the operand.
        if !used && !operand.is_constant && !failed {
            let message = format!(
                "operand `{}` is never used; use it in the body, or leave it out",
                operand.name
            );
            errors.add(syn::Error::new(operand.name.span(), message));
        }
    }
    body.locals = labels.iter().map(|l| (l.cold, l.word as u16)).collect();
    body
}

/// Splits a body at its semicolons.
fn split(tokens: TokenStream, errors: &mut Errors) -> Vec<Vec<TokenTree>> {
    let mut statements = Vec::new();
    let mut current = Vec::new();
    let mut begun = false;
    let mut doubled = false;
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
            doubled = true;
        } else if doubled {
            // Not an instruction: it would only be reported once more.
            current.clear();
            doubled = false;
        }
        if !current.is_empty() {
            statements.push(std::mem::take(&mut current));
        }
        begun = true;
    }
    if !current.is_empty() && !doubled {
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
            if let [TokenTree::Ident(name), colon, ..] = tokens.as_slice()
                && is_punct(Some(colon), ':')
            {
                labels.push(Label {
                    name: name.to_string(),
                    cold: cold_part,
                    word,
                    statement: first + index,
                });
            }
            if label_of(tokens).is_none() {
                word += words(tokens);
            }
        }
    }
    labels
}

/// How many words a statement writes.
fn words(tokens: &[TokenTree]) -> usize {
    match is_punct(tokens.first(), '.') {
        true => split_at_commas(tokens).len(),
        false => 1,
    }
}

fn check_size(
    op: &Op,
    names: &Names<'_>,
    [hot, cold]: [&[Vec<TokenTree>]; 2],
    labels: &[Label],
    body: &Body,
    errors: &mut Errors,
) {
    let mut refuse = |what: &str, count: usize, most: usize| {
        let message = format!(
            "`{}` has {count} {what}, and at most {most} are allowed; split it into several \
             micro-ops, or call a function",
            op.name
        );
        errors.add(syn::Error::new(op.name.span(), message));
    };
    for (part, what) in [(hot, "hot"), (cold, "cold")] {
        let instructions = part.iter().filter(|tokens| label_of(tokens).is_none());
        let words: usize = instructions.map(|tokens| words(tokens)).sum();
        if words > MAX_WORDS {
            refuse(
                &format!("instructions in its {what} part"),
                words,
                MAX_WORDS,
            );
        }
    }
    if labels.len() > MAX_COUNT {
        refuse("labels", labels.len(), MAX_COUNT);
    }
    if names.operands.len() > MAX_COUNT {
        refuse("operands", names.operands.len(), MAX_COUNT);
    }
    let statements = body.hot.iter().chain(&body.cold);
    let references = statements.map(|statement| statement.labels().len()).sum();
    if references > MAX_COUNT {
        refuse("references", references, MAX_COUNT);
    }
}

/// Whether these begin a label argument: `=>`, `>`, `<`, `->`.
fn is_arrow(tokens: &[TokenTree]) -> bool {
    let at = |index: usize, char| is_punct(tokens.get(index), char);
    at(0, '>') || at(0, '<') || (at(1, '>') && (at(0, '=') || at(0, '-')))
}

fn split_at_commas(tokens: &[TokenTree]) -> Vec<&[TokenTree]> {
    if tokens.is_empty() {
        return Vec::new();
    }
    tokens.split(|token| is_punct(Some(token), ',')).collect()
}

fn error<T>(span: Span, message: impl std::fmt::Display) -> syn::Result<T> {
    Err(syn::Error::new(span, message))
}
