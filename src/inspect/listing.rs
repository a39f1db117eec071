//! The listing of a linked trace.

use std::borrow::Cow;
use std::fmt;

use super::Symbols;
use super::around::Around;
use super::lines::{self, Line};
use super::places::Places;
use crate::link::{LinkedTrace, Part};

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

impl Listing<'_> {
    /// What the trace is called, where it is, and how long.
    pub(super) fn write_heading(&self, f: &mut impl fmt::Write) -> fmt::Result {
        let (address, length) = (self.trace.address(), self.trace.bytes().len());
        self.around.write_heading(&self.trace, f)?;
        write!(f, " at {address:#x}, {length} bytes")
    }
}

/// Where remarks start, counted from the disassembly of an instruction.
const REMARK: usize = 32;

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, length) = (self.trace.address(), self.trace.bytes().len());
        let last = address.saturating_add(length as u64);
        let width = format!("{last:x}").len();
        let places = Places::new(&self.trace, self.symbols, &self.around);
        self.write_heading(f)?;
        writeln!(f)?;
        for line in lines::of(&places) {
            match line {
                Line::Section { part, bytes } => {
                    let name = match part {
                        Part::Hot => "hot",
                        Part::Cold => "cold",
                        Part::Trampolines => "trampolines",
                        Part::Literals => "literals",
                    };
                    writeln!(f, "\n{name}, {bytes} bytes")?;
                }
                Line::Names(names) => writeln!(f, "{names}:")?,
                Line::Block { title, operands } => {
                    f.write_str(&title)?;
                    for (name, value) in operands {
                        write!(f, " {name}={value}")?;
                    }
                    writeln!(f)?;
                }
                Line::Island { bytes } => writeln!(f, "island, {bytes} bytes")?,
                Line::BehindIsland => writeln!(f, "behind the island:")?,
                Line::Trampoline(name) => writeln!(f, "{name}:")?,
                Line::Word {
                    at,
                    encoded,
                    text,
                    remark,
                } => {
                    let address = places.address(at.into());
                    write!(f, "  {address:0width$x}  {encoded}  ")?;
                    if remark.is_empty() {
                        writeln!(f, "{text}")?;
                    } else {
                        let column = (REMARK + 8).saturating_sub(encoded.len());
                        writeln!(f, "{:column$}; {remark}", format!("{text} "))?;
                    }
                }
            }
        }
        Ok(())
    }
}
