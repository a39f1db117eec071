//! The listing of a linked trace.

use std::borrow::Cow;
use std::fmt;

use super::around::Around;
use super::places::{Block, Name, Places};
use super::targets::retargetable;
use super::{Symbols, disassemble};
use crate::asm::{NOP, UDF, branch};
use crate::link::{LinkedTrace, Part};
use crate::op::operand::{Handle, OperandKind, Target};
use crate::op::template::Goal;
use crate::trace::state::{Island, Origin};

impl LinkedTrace {
    /// The trace as text: each micro-op with its operands, then address, encoded word and disassembly
    /// of each of its instructions, with names for call targets, exits, labels and literals;
    /// islands, trampolines and the literal pool included. See [`inspect`](crate::inspect).
    ///
    /// A trace that was built without [annotations](crate::Options::annotate) has fewer names: its
    /// micro-ops are not told apart.
    pub fn listing<'t>(&'t self, symbols: &'t Symbols) -> Listing<'t> {
        Listing {
            trace: Cow::Borrowed(self),
            symbols,
            around: Around::default(),
        }
    }
}

/// A trace as text: see [`LinkedTrace::listing`], and for a trace in a slab `InstalledTrace::listing`.
#[derive(Debug, Clone)]
pub struct Listing<'t> {
    pub(super) trace: Cow<'t, LinkedTrace>,
    pub(super) symbols: &'t Symbols,
    pub(super) around: Around,
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, length) = (self.trace.address(), self.trace.bytes().len());
        let last = address.saturating_add(length as u64);
        let places = Places::new(&self.trace, self.symbols, &self.around);
        let mut writer = Writer {
            width: format!("{last:x}").len(),
            places,
            f,
        };
        self.around.write_heading(&self.trace, writer.f)?;
        writeln!(writer.f, " at {address:#x}, {length} bytes")?;
        writer.code(Part::Hot)?;
        writer.code(Part::Cold)?;
        writer.trampolines()?;
        writer.literals()
    }
}

/// Where remarks start, counted from the disassembly of an instruction.
const REMARK: usize = 32;

struct Writer<'t, 'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    places: Places<'t>,
    /// Digits of an address.
    width: usize,
}

impl Writer<'_, '_, '_> {
    /// Writes a section's heading; returns its words, `None` if it has none.
    fn section(&mut self, part: Part) -> Result<Option<(u32, u32)>, fmt::Error> {
        let range = self.places.trace.range(part);
        if range.is_empty() {
            return Ok(None);
        }
        let name = match part {
            Part::Hot => "hot",
            Part::Cold => "cold",
            Part::Trampolines => "trampolines",
            Part::Literals => "literals",
        };
        writeln!(self.f, "\n{name}, {} bytes", range.len())?;
        Ok(Some((range.start / 4, range.end / 4)))
    }

    /// Writes a section of micro-ops and islands.
    fn code(&mut self, part: Part) -> fmt::Result {
        let Some((mut at, end)) = self.section(part)? else {
            return Ok(());
        };
        let mut behind = None;
        while at < end {
            if let Some(island) = self.places.island_at(at) {
                self.island(island)?;
                at = island.end.max(at + 1);
                behind = Some(at);
                continue;
            }
            let named = self.headings(at)?;
            if !named && behind == Some(at) {
                writeln!(self.f, "behind the island:")?;
            }
            let pad = (at < self.places.entry()).then_some("landing pad");
            self.instruction(at, self.places.block_at(at).as_ref(), pad)?;
            at += 1;
        }
        Ok(())
    }

    /// Writes a line with the exits and labels that lie here, and one for each micro-op that starts here.
    /// Returns whether there was any.
    fn headings(&mut self, at: u32) -> Result<bool, fmt::Error> {
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
            writeln!(self.f, "{}:", names.join(", "))?;
        }
        for block in &blocks {
            self.heading(block)?;
        }
        Ok(!names.is_empty() || !blocks.is_empty())
    }

    /// Writes a micro-op and its operands.
    fn heading(&mut self, block: &Block) -> fmt::Result {
        match block.origin {
            Origin::Part(op) => write!(self.f, "op {op} ")?,
            Origin::Exit(exit) => write!(self.f, "exit {exit} ")?,
        }
        if block.cold {
            self.f.write_str("(cold) ")?;
        }
        let Some((op, values)) = self.places.op(block) else {
            return writeln!(self.f, "?");
        };
        self.f.write_str(op.name())?;
        for (index, (operand, &value)) in op.operands().iter().zip(values).enumerate() {
            write!(self.f, " {}=", op.operand_name(index))?;
            match operand.kind {
                OperandKind::Call => {
                    let target = self.places.function(Target::from_raw(value));
                    self.f.write_str(&target)?;
                }
                OperandKind::Literal => write!(self.f, "{value:#x}")?,
                OperandKind::MutLiteral => {
                    write!(self.f, "mut literal {}", Handle::from_raw(value).index())?;
                }
                kind => kind.write(value, self.f)?,
            }
        }
        writeln!(self.f)
    }

    /// Writes an instruction with the names of what it leads to.
    fn instruction(&mut self, at: u32, block: Option<&Block>, role: Option<&str>) -> fmt::Result {
        let Some(word) = self.places.word(at) else {
            return Ok(());
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
        self.line(at, &format!("{word:08x}"), &text, &remarks.join(", "))
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

    fn island(&mut self, island: Island) -> fmt::Result {
        let Island {
            start,
            literals,
            end,
        } = island;
        writeln!(self.f, "island, {} bytes", (end - start) * 4)?;
        for at in start..literals {
            match self.places.word(at) {
                Some(UDF) => self.padding(at)?,
                _ if at == start && self.places.leads_to(at) == Some(end) => {
                    self.instruction(at, None, Some("around the island"))?;
                }
                _ => self.instruction(at, None, Some("veneer"))?,
            }
        }
        (literals..end).step_by(2).try_for_each(|at| self.word(at))
    }

    fn trampolines(&mut self) -> fmt::Result {
        let Some((start, end)) = self.section(Part::Trampolines)? else {
            return Ok(());
        };
        let mut at = start;
        for &target in self.places.trace.far_targets() {
            let name = self.places.function(target);
            writeln!(self.f, "{name}{}:", retargetable(target))?;
            self.instruction(at, None, None)?;
            self.instruction(at + 1, None, None)?;
            at += 2;
        }
        (at..end).try_for_each(|at| self.padding(at))
    }

    fn literals(&mut self) -> fmt::Result {
        let Some((start, end)) = self.section(Part::Literals)? else {
            return Ok(());
        };
        (start..end).step_by(2).try_for_each(|at| self.word(at))
    }

    /// Writes a literal.
    fn word(&mut self, at: u32) -> fmt::Result {
        let Some(value) = self.places.value(at) else {
            return Ok(());
        };
        let (name, holds) = self.places.described(at);
        let remark = holds.unwrap_or_default();
        self.line(at, &format!("{value:016x}"), &name, &remark)
    }

    fn padding(&mut self, at: u32) -> fmt::Result {
        self.line(at, &format!("{UDF:08x}"), "udf #0x0", "padding")
    }

    fn line(&mut self, at: u32, encoded: &str, text: &str, remark: &str) -> fmt::Result {
        let address = self.places.address(at.into());
        let width = self.width;
        write!(self.f, "  {address:0width$x}  {encoded}  ")?;
        if remark.is_empty() {
            return writeln!(self.f, "{text}");
        }
        let column = (REMARK + 8).saturating_sub(encoded.len());
        writeln!(self.f, "{:column$}; {remark}", format!("{text} "))
    }
}
