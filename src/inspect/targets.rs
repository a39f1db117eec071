//! The names of what instructions lead to.

use super::places::{Block, Name, Places};
use crate::asm::branch::{self, Field};
use crate::asm::literal::Load;
use crate::link::Part;
use crate::op::operand::{Handle, Target};
use crate::op::template::{Goal, NO_CLOSING, Reference};
use crate::trace::state::Origin;

/// What the operands of a micro-op say about an instruction of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    /// It leads to this exit or label.
    To(Name),
    /// It leads to the other part of the micro-op.
    OtherPart,
    /// It leads to a place in the same part.
    Inside,
    Unknown,
}

/// What stands for the target of an instruction, and a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The address that the instruction leads to.
    pub(super) target: u64,
    pub(super) name: String,
    pub(super) remark: Option<String>,
}

impl Places<'_> {
    /// The reference that the instruction at `at` is in its template, and the operand's value.
    pub(super) fn reference(&self, at: u32, block: &Block) -> Option<(Reference, u64)> {
        let (op, values) = self.op(block)?;
        let mut references = Places::part(block).of(op).references.iter();
        let reference = references.find(|r| u32::from(r.word) == at.wrapping_sub(block.start))?;
        let value = values.get(usize::from(reference.argument));
        Some((*reference, value.copied().unwrap_or(0)))
    }

    /// What a branch at `at` is meant to lead to.
    fn meant(&self, at: u32, block: Option<&Block>) -> Meant {
        let Some((block, (op, values))) = block.and_then(|b| Some((b, self.op(b)?))) else {
            return Meant::Unknown;
        };
        let index = |value| Handle::from_raw(value).index();
        if let Some((reference, value)) = self.reference(at, block) {
            return match reference.goal {
                Goal::Exit => Meant::To(Name::Exit(index(value))),
                Goal::Label => Meant::To(Name::Label(index(value))),
                Goal::OtherPart => Meant::OtherPart,
                _ => Meant::Unknown,
            };
        }
        if self.is_slot(at, block) && op.template.closing != NO_CLOSING {
            let closing = values.get(usize::from(op.template.closing));
            return closing.map_or(Meant::Unknown, |&to| Meant::To(Name::Label(index(to))));
        }
        let inside = at.wrapping_sub(block.start) < Places::part(block).of(op).words.len() as u32;
        if inside {
            Meant::Inside
        } else {
            Meant::Unknown
        }
    }

    /// The name of what the branch or literal load `word` at `at` leads to.
    pub(super) fn target(&self, at: u32, word: u32, block: Option<&Block>) -> Option<Named> {
        if let Some(field) = branch::branch_field(word) {
            let to = i64::from(at) + field.displacement(word);
            let inside = u32::try_from(to).ok();
            if let Some(trampoline) = inside.and_then(|to| self.trampoline(to)) {
                return Some(trampoline);
            }
            return match inside.filter(|to| self.code().contains(to)) {
                Some(to) => self.inside(at, to, block),
                None => self.outside(to),
            };
        }
        Load::of(word)?;
        let to = i64::from(at) + Field::Imm19.displacement(word);
        Some(Named {
            target: self.address(to),
            name: self.literal(u32::try_from(to).ok()?)?,
            remark: None,
        })
    }

    fn inside(&self, at: u32, to: u32, block: Option<&Block>) -> Option<Named> {
        let target = self.address(to.into());
        let named = |name, remark| {
            Some(Named {
                target,
                name,
                remark,
            })
        };
        // A branch to a veneer is one to where the veneer leads.
        let veneer = self.island_at(to).filter(|island| to < island.literals);
        if let Some(word) = self.word(to).filter(|&word| branch::is_b(word)) {
            let end = i64::from(to) + Field::Imm26.displacement(word);
            let end = u32::try_from(end).ok().filter(|&end| end != to);
            if let (Some(_), Some(end)) = (veneer, end) {
                let name = self.name(at, end, block)?;
                return named(name, Some(format!("via veneer at {target:#x}")));
            }
        }
        named(self.name(at, to, block)?, None)
    }

    /// What a place in the code is called, seen from an instruction at `at`.
    fn name(&self, at: u32, to: u32, from: Option<&Block>) -> Option<String> {
        let meant = self.meant(at, from);
        if meant == Meant::Inside {
            return None; // the address says more
        }
        let mut names = self.names_at(to);
        let block = self.block_at(to);
        if let (Some(from), Some(block)) = (from, &block)
            && from.belongs_with(block)
            && from.cold != block.cold
            && !matches!(meant, Meant::To(_))
        {
            let part = if block.cold { "cold part" } else { "hot part" };
            return Some(behind(part.to_owned(), to.saturating_sub(block.start)));
        }
        let name = match meant {
            Meant::To(name) if self.names_at(to).any(|other| other == name) => Some(name),
            _ => names.next(),
        };
        if let Some(name) = name {
            return Some(name.text());
        }
        let block = block?;
        let (op, _) = self.op(&block)?;
        let words = Places::part(&block).of(op).words.len() as u32;
        let name = match block.origin {
            Origin::Part(op) if !block.cold => format!("op {op}"),
            origin if block.cold => Name::Cold(origin).text(),
            _ => return None,
        };
        (to.wrapping_sub(block.start) < words).then(|| behind(name, to - block.start))
    }

    /// The trampoline that starts at `to`.
    fn trampoline(&self, to: u32) -> Option<Named> {
        let (start, target) = self.trace.map().trampoline_at(to)?;
        (start == to).then(|| Named {
            target: self.address(to.into()),
            name: self.function(target),
            remark: Some("via trampoline".to_owned()),
        })
    }

    /// What lies outside the code: something of the program's own.
    fn outside(&self, to: i64) -> Option<Named> {
        let target = self.address(to);
        if let Some(name) = self.symbols.name(target) {
            return Some(Named {
                target,
                name: name.to_owned(),
                remark: None,
            });
        }
        let (name, remark) = self.around.name(target, self.symbols)?;
        Some(Named {
            target,
            name,
            remark,
        })
    }

    /// The name of a call target.
    pub(super) fn function(&self, target: Target) -> String {
        let name = self.symbols.name(target.address());
        name.map_or_else(|| target.to_string(), str::to_owned)
    }

    /// How a load speaks of the literal at `at`.
    fn literal(&self, at: u32) -> Option<String> {
        let pool = self.trace.range(Part::Literals).start / 4;
        let in_island = || self.island_at(at).is_some_and(|i| at >= i.literals);
        if at < pool && !in_island() {
            return None;
        }
        let value = self.value(at)?;
        Some(match self.mutable(at) {
            Some(number) => format!("mut literal {number}"),
            None => format!("literal {value:#x}"),
        })
    }

    fn mutable(&self, at: u32) -> Option<usize> {
        let found = self.mutables.binary_search_by_key(&at, |&(word, _)| word);
        Some(self.mutables[found.ok()?].1)
    }

    /// What the literal at `at` is: its name, and whose address it holds.
    pub(super) fn described(&self, at: u32) -> (String, Option<String>) {
        let name = self.literal(at).unwrap_or_default();
        let first = self.words.partition_point(|&(word, _)| word < at);
        let target = self.words.get(first).filter(|&&(word, _)| word == at);
        let holds = target.map(|&(_, target)| {
            let name = self.symbols.name(target.address());
            let name = name.map_or("call target".to_owned(), |n| format!("address of {n}"));
            name + retargetable(target)
        });
        (name, holds)
    }
}

/// What is added to the name of a target.
pub(super) fn retargetable(target: Target) -> &'static str {
    if target.is_retargetable() {
        ", retargetable"
    } else {
        ""
    }
}

fn behind(name: String, words: u32) -> String {
    match words {
        0 => name,
        words => format!("{name}+{:#x}", words * 4),
    }
}
