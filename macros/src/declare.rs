//! The declarations of a block: constants, registers, operands. Their names and ranges are checked,
//! and put into tables.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

use crate::Errors;
use crate::body::Aliases;
use crate::eval::{self, Constants, Scope};
use crate::names::{self, Register};
use crate::operand::{Kind, Operand, Range};
use crate::parse::{Alias, Block, Constant, Op};

/// What a block declares.
pub(crate) struct Declared {
    pub(crate) constants: Constants,
    /// Constants that only the compiler can evaluate; they are patched in like operands.
    pub(crate) patched: Vec<Patched>,
    pub(crate) aliases: Aliases,
    /// The operands of each micro-op, with their ranges narrowed.
    pub(crate) operands: Vec<Vec<Operand>>,
}

/// A constant that is patched in at compile time.
pub(crate) struct Patched {
    pub(crate) operand: Operand,
    pub(crate) value: TokenStream,
}

impl Patched {
    /// Where its value begins.
    pub(crate) fn span(&self) -> Span {
        let first = self.value.clone().into_iter().next();
        first.map_or(self.operand.name.span(), |token| token.span())
    }
}

impl Declared {
    /// Reads and checks the declarations of a block. What is declared twice is left out the second
    /// time, so that it is said once.
    pub(crate) fn read(block: &mut Block, errors: &mut Errors) -> Declared {
        let mut declared = Declared {
            constants: Constants::new(),
            patched: Vec::new(),
            aliases: Aliases::default(),
            operands: Vec::new(),
        };
        for alias in &block.registers {
            if let Err(error) = declared.add_alias(alias) {
                errors.add(error);
                // Only its own error: what uses it is right as far as can be seen.
                let name = alias.name.to_string();
                let register = Register::parse(&alias.register.to_string());
                let register = register.filter(|register| !register.is_platforms());
                if !declared.aliases.all.contains_key(&name) {
                    declared.name_register(&name, register.unwrap_or(Register::X0));
                }
            }
        }
        for constant in &block.constants {
            if let Err(error) = declared.add_constant(constant) {
                errors.add(error);
                declared.constants.insert(constant.name.to_string(), 0);
            }
        }
        if block.ops.is_empty() {
            let message = "there is no micro-op here; declare one: `op Return { ; ret }`";
            errors.add(syn::Error::new(Span::call_site(), message));
        }
        let mut seen = vec![block.name.clone()];
        block.ops.retain(|op| {
            if seen.contains(&op.name) {
                let message = match op.name == block.name {
                    true => format!(
                        "`{}` is the enum of all micro-ops; rename this one, or begin the block with \
                         another name for the enum: `pub enum MicroOps;`",
                        op.name
                    ),
                    false => format!("`{}` is declared twice; rename one of the two", op.name),
                };
                errors.add(syn::Error::new(op.name.span(), message));
                return false;
            }
            seen.push(op.name.clone());
            let operands = declared.read_operands(op, errors);
            declared.operands.push(operands);
            true
        });
        declared
    }

    /// Why an alias or a constant cannot have this name.
    fn check_name(&self, name: &Ident) -> syn::Result<()> {
        self.check_text(&name.to_string(), name.span())
    }

    fn check_text(&self, text: &str, span: Span) -> syn::Result<()> {
        let is_patched = || self.patched.iter().any(|p| p.operand.name == *text);
        let problem = if names::is_reserved(text) {
            "means something to the assembler"
        } else if self.aliases.all.contains_key(text) {
            "is a register here already"
        } else if self.constants.contains_key(text) || is_patched() {
            "is a constant here already"
        } else {
            return Ok(());
        };
        let message = format!("`{text}` {problem}; choose another name");
        Err(syn::Error::new(span, message))
    }

    /// Every name of a pinned register: `stack` and `stack_w`, `acc` and `acc_s`.
    fn add_alias(&mut self, alias: &Alias) -> syn::Result<()> {
        let (name, target) = (alias.name.to_string(), alias.register.to_string());
        let Some(register) = Register::parse(&target) else {
            let message = format!(
                "`{target}` is no register; there are x0 to x30, v0 to v31 and their narrower names"
            );
            return Err(syn::Error::new(alias.register.span(), message));
        };
        if register.is_platforms() {
            return Err(syn::Error::new(alias.register.span(), names::PLATFORM));
        }
        self.check_name(&alias.name)?;
        let mut declared = self.aliases.declared.iter();
        let is_same = |known: &&String| self.aliases.all[*known].is_same(register);
        if let Some(known) = declared.find(is_same) {
            let name = match self.aliases.all[known].width == register.width {
                true => known.clone(),
                false => format!("{known}_{}", register.width),
            };
            let message = format!(
                "`{known}` is that register already; write `{name}`, or choose another register"
            );
            return Err(syn::Error::new(alias.register.span(), message));
        }
        for width in register.widths() {
            self.check_text(&format!("{name}_{width}"), alias.name.span())?;
        }
        self.name_register(&name, register);
        Ok(())
    }

    fn name_register(&mut self, name: &str, register: Register) {
        let all = &mut self.aliases.all;
        self.aliases.declared.push(name.to_owned());
        all.insert(name.to_owned(), register);
        for &width in register.widths() {
            all.insert(format!("{name}_{width}"), Register { width, ..register });
        }
    }

    fn add_constant(&mut self, constant: &Constant) -> syn::Result<()> {
        self.check_name(&constant.name)?;
        let scope = Scope::of(&self.constants);
        let step = match &constant.step {
            Some(step) => match step.base10_parse::<u32>()? {
                0 => {
                    let message =
                        "every number is a multiple of a step, but of 0 only 0 is; leave `* 0` out";
                    return Err(syn::Error::new(step.span(), message));
                }
                step => step.into(),
            },
            None => 1,
        };
        let kind = match &constant.kind {
            Some((kind, range)) => Some(narrow(*kind, range.as_ref(), &self.constants)?),
            None => None,
        };
        let value = eval::eval(&constant.value, &scope);
        let name = &constant.name;
        match (value, kind) {
            (Ok(value), kind) => {
                if let Some(Kind::Number { min, max, .. }) = kind
                    && !(value % step == 0 && (min..=max).contains(&(value / step)))
                {
                    let message = outside(name, Some(value), min, max, step);
                    return Err(syn::Error::new_spanned(&constant.value, message));
                }
                self.constants.insert(name.to_string(), value);
            }
            (Err(_), Some(kind)) => self.patched.push(Patched {
                operand: Operand {
                    docs: Vec::new(),
                    name: name.clone(),
                    kind,
                    range: None,
                    scale: step,
                    is_constant: true,
                    error: None,
                },
                value: constant.value.to_token_stream(),
            }),
            (Err(error), None) => {
                let hint = "a value that only the compiler knows needs a kind, by which it is patched \
                            in: `const FIELD: u12 * 8 = core::mem::offset_of!(Vm, field);`";
                let message = format!("{error}; {hint}");
                return Err(syn::Error::new(error.span(), message));
            }
        }
        Ok(())
    }

    fn read_operands(&self, op: &Op, errors: &mut Errors) -> Vec<Operand> {
        let mut operands: Vec<Operand> = Vec::new();
        for operand in &op.operands {
            let name = &operand.name;
            if operands.iter().any(|known| known.name == *name) {
                let message = format!("operand `{name}` is declared twice; rename one of the two");
                errors.add(syn::Error::new(name.span(), message));
                continue;
            }
            let mut operand = operand.clone();
            let narrowed = narrow(operand.kind, operand.range.as_ref(), &self.constants);
            match self.check_name(name).and(narrowed) {
                _ if operand.error.is_some() => {}
                Ok(kind) => operand.kind = kind,
                Err(error) => operand.error = Some(error),
            }
            if let Some(error) = &operand.error {
                errors.add(error.clone());
            }
            operands.push(operand);
        }
        operands
    }
}

/// Says that a constant's value is none that its declaration allows.
pub(crate) fn outside(
    name: &Ident,
    value: Option<i128>,
    min: i128,
    max: i128,
    step: i128,
) -> String {
    let is = value.map_or("has a value".to_owned(), |value| format!("is {value},"));
    // What only the compiler knows has to have a kind.
    let or_none = if value.is_some() { ", or none" } else { "" };
    if step == 1 {
        format!("`{name}` {is} outside {min}..={max}; declare a wider kind{or_none}")
    } else {
        format!(
            "`{name}` {is} outside {}..={}, or no multiple of {step}; declare another kind or step{or_none}",
            min * step,
            max * step
        )
    }
}

/// The kind with its declared range.
fn narrow(kind: Kind, range: Option<&Range>, constants: &Constants) -> syn::Result<Kind> {
    let Some(range) = range else {
        return Ok(kind);
    };
    let scope = Scope::of(constants);
    let (lowest, highest) = (
        eval::eval(&range.lowest, &scope)?,
        eval::eval(&range.highest, &scope)?,
    );
    let refuse = |message: String| Err(syn::Error::new_spanned(&range.lowest, message));
    if lowest > highest {
        return refuse("this range is empty; write the lowest value first".to_owned());
    }
    match kind {
        Kind::Number { signed, min, max } if min <= lowest && highest <= max => Ok(Kind::Number {
            signed,
            min: lowest,
            max: highest,
        }),
        Kind::Number { min, max, .. } => refuse(format!(
            "this range is wider than its kind, {min}..={max}; declare a wider one"
        )),
        Kind::VReg { max } if lowest == 0 && highest <= max.into() => {
            Ok(Kind::VReg { max: highest as u8 })
        }
        _ => refuse("vector registers are numbered from 0 to 31: `vreg in 0..=15`".to_owned()),
    }
}
