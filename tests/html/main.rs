//! The picture of a trace: its text, and how a browser shows it.

pub mod browser;
mod traces;

use opstitch::inspect::Symbols;
use opstitch::{LinkedTrace, Part};

/// How often `needle` is in `page`.
fn count(page: &str, needle: &str) -> usize {
    page.matches(needle).count()
}

/// The opening tags of a page that have a class of that name.
fn with_class<'p>(page: &'p str, element: &str, class: &str) -> Vec<&'p str> {
    let start = format!("<{element} class=\"");
    let tags = page.match_indices(&start).map(|(at, _)| {
        let tag = &page[at..];
        &tag[..tag.find('>').unwrap_or(tag.len())]
    });
    tags.filter(|tag| {
        let classes = tag[start.len()..].split('"').next().unwrap_or_default();
        classes.split(' ').any(|other| other == class)
    })
    .collect()
}

#[test]
fn every_micro_op_and_every_instruction_is_in_the_picture() {
    for (name, linked, symbols) in traces::all() {
        let page = linked.to_html(&symbols);
        let listing = linked.listing(&symbols).to_string();
        let lines = listing.lines().skip(1);
        let (words, headings): (Vec<_>, Vec<_>) = lines
            .filter(|line| !line.is_empty())
            .partition(|line| line.starts_with("  "));
        assert_eq!(count(&page, "<text class=\"row"), words.len(), "{name}");
        let blocks = headings
            .iter()
            .filter(|h| h.starts_with("op ") || h.starts_with("exit "));
        let blocks = blocks.filter(|heading| !heading.ends_with(':')).count();
        assert!(with_class(&page, "g", "tile").len() >= blocks, "{name}");
    }
}

#[test]
fn every_branch_call_and_load_has_an_arrow_of_its_kind() {
    let arrows = |linked: &LinkedTrace, symbols: &Symbols, kind| {
        with_class(&linked.to_html(symbols), "path", kind).len()
    };
    let (near, names) = traces::calls(traces::NEAR);
    assert_eq!(arrows(&near, &names, "call"), 2); // one from the hot, one from the cold part
    assert_eq!(arrows(&near, &names, "exit"), 3);
    assert_eq!(arrows(&near, &names, "cold"), 2);
    assert_eq!(arrows(&near, &names, "branch"), 1);
    assert_eq!(arrows(&near, &names, "load"), 1);
    let (far, names) = traces::calls(traces::FAR);
    assert_eq!(arrows(&far, &names, "load"), 2); // and the trampoline
    let islands = traces::islands();
    assert!(arrows(&islands, &Symbols::new(), "veneer") > 0);
    let both = traces::calls_and_islands();
    assert!(both.range(Part::Trampolines).is_empty());
    assert!(arrows(&both, &Symbols::new(), "veneer") > 0);
    assert_eq!(arrows(&both, &Symbols::new(), "call"), 40);
    assert_eq!(arrows(&both, &Symbols::new(), "load"), 1); // of the trampoline: small literals are no loads
}

#[test]
fn names_are_shown_as_they_are_and_never_become_markup() {
    let (linked, _) = traces::calls(traces::NEAR);
    let evil = traces::EVIL;
    let symbols = Symbols::new().with(evil, traces::FUNCTION);
    let page = linked.to_html(&symbols);
    assert!(!page.contains(evil));
    assert!(
        page.contains("&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;")
    );
    assert!(!page.contains('\u{7}'));
    let scripts = count(&page, "<script");
    assert_eq!(scripts, 1);
}

#[test]
fn the_page_names_nothing_outside_of_it() {
    for (name, linked, symbols) in traces::all() {
        let page = linked.to_html(&symbols);
        let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for outside in ["http", "//", "src=", "@import", "url(h", "fetch", "<base"] {
            assert_eq!(count(&page, outside), 0, "{outside} in the page of {name}");
        }
    }
}

#[test]
fn the_same_trace_has_the_same_picture() {
    let (linked, symbols) = traces::calls(traces::FAR);
    assert_eq!(linked.to_html(&symbols), linked.to_html(&symbols));
    assert_eq!(linked.listing(&symbols).to_html(), linked.to_html(&symbols));
}
