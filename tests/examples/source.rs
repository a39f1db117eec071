//! Micro-ops as their author wrote them: the text of a `uops!` block, turned into what another assembler
//! reads. Nothing of opstitch or dynasm-rs takes part in it.
//!
//! It knows as much of the syntax as the examples use, and panics at anything else.

use std::collections::HashMap;

/// The text of a block.
pub(crate) struct Source {
    /// What names stand for: registers, and constants in parentheses.
    names: HashMap<String, String>,
    pub(crate) ops: Vec<SourceOp>,
}

/// The text of a micro-op.
pub(crate) struct SourceOp {
    pub(crate) name: String,
    /// The kinds of the operands by their names.
    operands: HashMap<String, String>,
    parts: [Vec<Statement>; 2],
}

enum Statement {
    Label(String),
    Instruction(Vec<String>),
}

/// An instruction for another assembler.
pub(crate) struct Line {
    pub(crate) text: String,
    /// Whether it names something outside the part of the micro-op that it stands in. Its
    /// displacement is then 0.
    pub(crate) refers: bool,
}

/// Words, `=>`, and everything else character by character. Comments are left out.
fn tokens(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for char in code.chars() {
        let is_word = char.is_alphanumeric() || char == '_';
        match tokens.last_mut() {
            Some(last) if in_word && is_word => last.push(char),
            Some(last) if char == '>' && last == "=" => last.push(char),
            _ if char.is_whitespace() => {}
            _ => tokens.push(char.into()),
        }
        in_word = is_word;
    }
    tokens
}

/// Reads tokens from left to right.
struct Reader<'t> {
    tokens: &'t [String],
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn peek(&self) -> Option<&'t str> {
        self.tokens.first().map(String::as_str)
    }

    fn word(&mut self) -> String {
        self.next().expect("a word").to_owned()
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.next(), Some(token));
    }

    /// The tokens up to one that is not inside brackets, which is read too.
    fn until(&mut self, end: &str) -> &'t [String] {
        let mut depth = 0;
        let at = self.tokens.iter().position(|token| {
            match token.as_str() {
                token if token == end && depth == 0 => return true,
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            false
        });
        let at = at.unwrap_or_else(|| panic!("there is no `{end}`"));
        let (inside, rest) = self.tokens.split_at(at);
        self.tokens = &rest[1..];
        inside
    }
}

/// `name: value, ...`.
fn pairs(tokens: &[String]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for pair in tokens
        .split(|token| token == ",")
        .filter(|pair| !pair.is_empty())
    {
        assert_eq!(pair[1], ":");
        pairs.push((pair[0].clone(), pair[2..].join(" ")));
    }
    pairs
}

/// Reads the first `uops!` block of a file.
pub(crate) fn read(file: &str) -> Source {
    let (_, block) = file.split_once("uops! {").expect("a block of micro-ops");
    let all = tokens(block);
    let mut reader = Reader { tokens: &all };
    let block = reader.until("}");
    let mut reader = Reader { tokens: block };
    let mut source = Source {
        names: HashMap::new(),
        ops: Vec::new(),
    };
    while let Some(token) = reader.next() {
        match token {
            "registers" => {
                reader.expect("{");
                source.names.extend(pairs(reader.until("}")));
            }
            "const" => {
                let name = reader.word();
                reader.expect("=");
                let value = reader.until(";").join(" ");
                source.names.insert(name, format!("({value})"));
            }
            "op" => source.ops.push(read_op(&mut reader)),
            other => panic!("`{other}` begins nothing that is known here"),
        }
    }
    source
}

fn read_op(reader: &mut Reader<'_>) -> SourceOp {
    let name = reader.word();
    let mut operands = HashMap::new();
    if reader.peek() == Some("(") {
        reader.expect("(");
        operands.extend(pairs(reader.until(")")));
    }
    reader.expect("{");
    let hot = statements(reader.until("}"));
    let mut cold = Vec::new();
    if reader.peek() == Some("cold") {
        reader.expect("cold");
        reader.expect("{");
        cold = statements(reader.until("}"));
    }
    SourceOp {
        name,
        operands,
        parts: [hot, cold],
    }
}

fn statements(body: &[String]) -> Vec<Statement> {
    let statements = body.split(|token| token == ";").filter(|s| !s.is_empty());
    let statements = statements.map(|tokens| match tokens {
        [name, colon] if colon == ":" => Statement::Label(name.clone()),
        _ => Statement::Instruction(tokens.to_vec()),
    });
    statements.collect()
}

impl Source {
    /// The instructions of a micro-op's hot and cold part, with these values for its numbers.
    pub(crate) fn lines(&self, op: &SourceOp, value: &dyn Fn(&str) -> i128) -> [Vec<Line>; 2] {
        [0, 1].map(|part| {
            let mut lines = Vec::new();
            for statement in &op.parts[part] {
                if let Statement::Instruction(tokens) = statement {
                    let at = lines.len();
                    lines.push(self.line(op, part, at, tokens, value));
                }
            }
            // A closing `b =>label` is no part of the micro-op: it is what its continuation becomes.
            let closing = op.parts[part].last().is_some_and(|last| match last {
                Statement::Instruction(tokens) => match &tokens[..] {
                    [b, to, name] => b == "b" && to == "=>" && op.operands[name] == "label",
                    _ => false,
                },
                Statement::Label(_) => false,
            });
            lines.truncate(lines.len() - usize::from(closing));
            lines
        })
    }

    fn line(
        &self,
        op: &SourceOp,
        part: usize,
        at: usize,
        tokens: &[String],
        value: &dyn Fn(&str) -> i128,
    ) -> Line {
        let mut refers = false;
        let mut text = tokens[0].clone();
        let mut reader = Reader {
            tokens: &tokens[1..],
        };
        while let Some(token) = reader.next() {
            let token = match token {
                "=>" => {
                    assert!(op.operands.contains_key(&reader.word()));
                    refers = true;
                    "#0".to_owned()
                }
                ">" | "<" => match op.label(part, &reader.word()) {
                    Some(target) => format!("#{}", 4 * (target as i64 - at as i64)),
                    None => {
                        refers = true;
                        "#0".to_owned()
                    }
                },
                name if self.names.contains_key(name) => self.names[name].clone(),
                name if op.operands.contains_key(name) => match op.operands[name].as_bytes() {
                    [b'u' | b'i', b'1'..=b'9', ..] => format!("({})", value(name)),
                    _ => panic!("`{name}` of {} is of an unknown kind", op.name),
                },
                other => other.to_owned(),
            };
            let is_word =
                |char: Option<char>| char.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if is_word(text.chars().last()) && is_word(token.chars().next()) {
                text.push(' ');
            }
            text.push_str(&token);
            // `b.ne` is one mnemonic, and what follows it is none of it.
            if text.len() == tokens[0].len() + 1 && text.ends_with('.') {
                text.push_str(&reader.word());
                text.push(' ');
            }
        }
        Line { text, refers }
    }
}

impl SourceOp {
    /// The word at which a label of this part stands; `None` for one of the other part.
    fn label(&self, part: usize, name: &str) -> Option<usize> {
        let mut word = 0;
        for statement in &self.parts[part] {
            match statement {
                Statement::Label(label) if label == name => return Some(word),
                Statement::Label(_) => {}
                Statement::Instruction(_) => word += 1,
            }
        }
        None
    }
}
