//! A linked trace as a picture: one self-contained HTML page.
//!
//! The page is laid out here: sections side by side, micro-ops as tiles ([`tiles`]), what leads from
//! one to another as arrows ([`arrows`]). All of it is one inline SVG; a little script shows what is
//! under the pointer, and without it the picture is complete all the same. The page loads nothing.

mod arrows;
mod page;
mod tiles;

use super::places::Places;
use super::{Listing, Symbols, lines};
use crate::link::LinkedTrace;

impl LinkedTrace {
    /// The trace as a picture: one HTML page without anything outside of it, for light and dark.
    ///
    /// Hot and cold code, trampolines and literals stand side by side, with an arrow for each branch, call
    /// and literal load. Pointing at a micro-op shows its operands and bytes, and which arrows are its own.
    ///
    /// ```
    /// # opstitch::uops! {
    /// #     op Guard(otherwise: exit) { ; cbz x0, =>otherwise }
    /// #     op Return { ; ret }
    /// # }
    /// use opstitch::inspect::Symbols;
    ///
    /// let mut builder = opstitch::TraceBuilder::new();
    /// let otherwise = builder.exit([Return])?;
    /// builder.push(Guard { otherwise })?;
    /// builder.push(Return)?;
    /// let page = builder.finish()?.link(0x1_0000)?.to_html(&Symbols::new());
    /// assert!(page.starts_with("<!doctype html>"));
    /// // std::fs::write("trace.html", page)?;
    /// # Ok::<(), opstitch::Error>(())
    /// ```
    pub fn to_html(&self, symbols: &Symbols) -> String {
        self.listing(symbols).to_html()
    }
}

impl Listing<'_> {
    /// What the listing shows, as a picture: see [`LinkedTrace::to_html`].
    pub fn to_html(&self) -> String {
        let places = Places::new(&self.trace, self.symbols, &self.around);
        let lines = lines::of(&places);
        let mut picture = tiles::Picture::new(&places, &lines);
        let arrows = arrows::arrows(&places, &mut picture);
        let mut heading = String::new();
        let _ = self.write_heading(&mut heading); // writing to a string does not fail
        page::page(&heading, &self.trace, &picture, &arrows)
    }
}
