//! What there is to see in a linked trace, line by line.

use std::fmt;

use super::disassemble;
use super::places::{Block, Name, Places};
use super::targets::retargetable;
use crate::asm::{NOP, TRAMPOLINE, UDF, branch};
use crate::link::Part;
use crate::op::operand::{Handle, OperandKind, Target};
use crate::op::template::Goal;
use crate::trace::state::{Island, Origin};

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A section starts.
    Section { part: Part, bytes: usize },
    /// Exits and labels lie here.
    Names(String),
    /// A micro-op starts, with these operands.
    Block {
        title: String,
        operands: Vec<(&'static str, String)>,
    },
    /// An island starts.
    Island { bytes: usize },
    /// The micro-op before an island goes on.
    BehindIsland,
    /// A trampoline starts, to this function.
    Trampoline(String),
    /// An instruction or a literal.
    Word {
        /// In words from the trace's start.
        at: u32,
        /// The word, in hexadecimal digits.
        encoded: String,
        text: String,
        /// Empty if there is nothing to say.
        remark: String,
    },
}

/// The lines of a trace.
pub(super) fn of(places: &Places<'_>) -> Vec<Line> {
    let lines = Vec::new();
    let mut writer = Writer { places, lines };
    writer.code(Part::Hot);
    writer.code(Part::Cold);
    writer.trampolines();
    writer.literals();
    writer.lines
}

struct Writer<'p, 't> {
    places: &'p Places<'t>,
    lines: Vec<Line>,
}

impl Writer<'_, '_> {
    /// Adds a section's heading; returns its words, `None` if it has none.
    fn section(&mut self, part: Part) -> Option<(u32, u32)> {
        let range = self.places.trace.range(part);
        if range.is_empty() {
            return None;
        }
        let bytes = range.len();
        self.lines.push(Line::Section { part, bytes });
        Some((range.start / 4, range.end / 4))
    }

    /// Adds a section of micro-ops and islands.
    fn code(&mut self, part: Part) {
        let Some((mut at, end)) = self.section(part) else {
            return;
        };
        let mut behind = None;
        while at < end {
            if let Some(island) = self.places.island_at(at) {
                self.island(island);
                at = island.end.max(at + 1);
                behind = Some(at);
                continue;
            }
            let named = self.headings(at);
            if !named && behind == Some(at) {
                self.lines.push(Line::BehindIsland);
            }
            let pad = (at < self.places.entry()).then_some("landing pad");
            self.instruction(at, self.places.block_at(at).as_ref(), pad);
            at += 1;
        }
    }

    /// Adds a line with the exits and labels that lie here, and one for each micro-op that starts here.
    /// Returns whether there was any.
    fn headings(&mut self, at: u32) -> bool {
        let blocks = self.places.blocks_from(at);
        let names: Vec<_> = self.places.names_at(at).collect();
        // The line of a micro-op names the cold part, or the exit.
        let said = |name: &Name| {
            blocks.iter().any(|block| match (*name, block.origin) {
                (Name::Cold(part), origin) => part == origin,
                (Name::Exit(exit), Origin::Exit(first)) => exit == first,
                _ => false,
            })
        };
        if !names.iter().all(said) {
            let names: Vec<_> = names.iter().map(|name| name.text()).collect();
            self.lines.push(Line::Names(names.join(", ")));
        }
        for block in &blocks {
            let line = self.heading(block);
            self.lines.push(line);
        }
        !names.is_empty() || !blocks.is_empty()
    }

    /// A micro-op and its operands.
    fn heading(&self, block: &Block) -> Line {
        let mut title = match block.origin {
            Origin::Part(op) => format!("op {op} "),
            Origin::Exit(exit) => format!("exit {exit} "),
        };
        if block.cold {
            title.push_str("(cold) ");
        }
        let Some((op, values)) = self.places.op(block) else {
            title.push('?');
            return Line::Block {
                title,
                operands: Vec::new(),
            };
        };
        title.push_str(op.name());
        let operands = op.operands().iter().zip(values).enumerate();
        let operands = operands.map(|(index, (operand, &value))| {
            let value = match operand.kind {
                OperandKind::Call => self.places.function(Target::from_raw(value)),
                OperandKind::Literal => format!("{value:#x}"),
                OperandKind::MutLiteral => {
                    format!("mut literal {}", Handle::from_raw(value).index())
                }
                kind => Shown(kind, value).to_string(),
            };
            (op.operand_name(index), value)
        });
        Line::Block {
            title,
            operands: operands.collect(),
        }
    }

    /// Adds an instruction with the names of what it leads to.
    fn instruction(&mut self, at: u32, block: Option<&Block>, role: Option<&str>) {
        let Some(word) = self.places.word(at) else {
            return;
        };
        let mut text = disassemble::instruction(word, self.places.address(at.into()));
        let mut remarks: Vec<String> = role.map(str::to_owned).into_iter().collect();
        if let Some(named) = self.places.target(at, word, block) {
            text = disassemble::renamed(&text, named.target, &named.name);
            remarks.extend(named.remark);
        } else if let Some(value) = self.relaxed(at, block) {
            remarks.push(format!("literal {value:#x}"));
        }
        if word == NOP {
            self.patch_sites(at, block, &mut remarks);
        } else if branch::is_b(word) {
            remarks.extend(self.patched(at));
        }
        self.line(at, format!("{word:08x}"), text, remarks.join(", "));
    }

    /// The value of a literal whose load became the instruction at `at`.
    fn relaxed(&self, at: u32, block: Option<&Block>) -> Option<u64> {
        let (reference, value) = self.places.reference(at, block?)?;
        (reference.goal == Goal::Literal).then_some(value)
    }

    /// What a NOP is there for.
    fn patch_sites(&self, at: u32, block: Option<&Block>, remarks: &mut Vec<String>) {
        if at == self.places.entry() {
            remarks.push("entry".to_owned());
        }
        let points = self.places.points_at(at);
        let points: Vec<_> = points
            .map(|exit| format!("invalidation point: {}", exit.text()))
            .collect();
        if self.places.is_linkable(at) {
            remarks.push("linkable".to_owned());
        } else if points.is_empty() && block.is_some_and(|block| self.places.is_slot(at, block)) {
            remarks.push("fall-through".to_owned());
        }
        remarks.extend(points);
    }

    /// What a `b` is that was a NOP when the trace was installed.
    fn patched(&self, at: u32) -> Option<String> {
        let to = self.places.leads_to(at);
        let same = |exit: &Name| to.is_some_and(|to| self.places.names_at(to).any(|n| n == *exit));
        if let Some(exit) = self.places.points_at(at).find(same) {
            return Some(format!("invalidated: {}", exit.text()));
        }
        self.places.is_linkable(at).then(|| "linked".to_owned())
    }

    fn island(&mut self, island: Island) {
        let Island {
            start,
            literals,
            end,
        } = island;
        let bytes = (end - start) as usize * 4;
        self.lines.push(Line::Island { bytes });
        for at in start..literals {
            let role = match (self.places.word(at), self.trampoline_at(at)) {
                (Some(UDF), _) => {
                    self.padding(at);
                    continue;
                }
                (_, Some((first, name))) if at == first => format!("trampoline to {name}"),
                (_, Some(_)) => "trampoline".to_owned(),
                _ if at == start && self.places.leads_to(at) == Some(end) => {
                    "around the island".to_owned()
                }
                _ => "veneer".to_owned(),
            };
            self.instruction(at, None, Some(&role));
        }
        (literals..end).step_by(2).for_each(|at| self.word(at));
    }

    fn trampolines(&mut self) {
        let Some((start, end)) = self.section(Part::Trampolines) else {
            return;
        };
        let mut at = start;
        while let Some((_, name)) = self.trampoline_at(at) {
            self.lines.push(Line::Trampoline(name));
            self.instruction(at, None, None);
            self.instruction(at + 1, None, None);
            at += TRAMPOLINE;
        }
        (at..end).for_each(|at| self.padding(at));
    }

    /// The trampoline that the word at `at` belongs to: where it starts, and the name of its target.
    fn trampoline_at(&self, at: u32) -> Option<(u32, String)> {
        let (first, target) = self.places.trace.map().trampoline_at(at)?;
        let name = self.places.function(target);
        Some((first, format!("{name}{}", retargetable(target))))
    }

    fn literals(&mut self) {
        let Some((start, end)) = self.section(Part::Literals) else {
            return;
        };
        (start..end).step_by(2).for_each(|at| self.word(at));
    }

    /// Adds a literal.
    fn word(&mut self, at: u32) {
        let Some(value) = self.places.value(at) else {
            return;
        };
        let (name, holds) = self.places.described(at);
        self.line(at, format!("{value:016x}"), name, holds.unwrap_or_default());
    }

    fn padding(&mut self, at: u32) {
        let (text, remark) = ("udf #0x0".to_owned(), "padding".to_owned());
        self.line(at, format!("{UDF:08x}"), text, remark);
    }

    fn line(&mut self, at: u32, encoded: String, text: String, remark: String) {
        self.lines.push(Line::Word {
            at,
            encoded,
            text,
            remark,
        });
    }
}

/// A value of an operand, as it is shown.
struct Shown(OperandKind, u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(self.1, f)
    }
}
