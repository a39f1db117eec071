//! Listings of installed traces.

use opstitch::Target;
use opstitch::inspect::Symbols;
use opstitch::slab::{Slab, SlabError};

use crate::micro_ops::*;
use crate::support::{MAPPINGS, far};

/// The listing with addresses counted from the trace's start, and without the words of instructions.
fn listing(trace: &opstitch::slab::InstalledTrace, symbols: &Symbols) -> Vec<String> {
    let listing = trace.listing(symbols).expect("annotations").to_string();
    let start = trace.address();
    let line = |line: &str| match line.trim_start().split_once("  ") {
        Some((address, rest)) if line.starts_with("  ") => {
            let address = u64::from_str_radix(address, 16).expect("an address");
            let (word, text) = rest.split_once("  ").expect("an instruction or a literal");
            let mut text: Vec<_> = text.split_whitespace().collect();
            if text.contains(&"literal") {
                text.push(word);
            }
            format!("{:#x} {}", address - start, text.join(" "))
        }
        _ => line.replace(&format!("{start:#x}"), "START"),
    };
    listing.lines().map(line).collect()
}

#[test]
fn links_patches_trampolines_and_literals_are_shown_as_they_are() {
    let slab = annotated(MAPPINGS[0]);
    let function = Target::retargetable(far(&slab, 1).address()).expect("a target");
    let symbols = Symbols::new()
        .with("rt_slow", function.address())
        .with("rt_slower", 0x4000);
    let mut everything = everything(function, false);
    everything.builder.set_name("loop");
    let (linkable, cached) = (everything.linkable, everything.cached);
    let trace = everything.builder.finish().expect("a trace");
    let trace = slab.install(&trace).expect("room");
    let other = leave(&slab, 1, None);

    let before = listing(&trace, &symbols);
    assert_eq!(
        before[0],
        format!("trace 0 \"loop\" at START, {} bytes", trace.len())
    );
    let expect = |lines: &[String], expected: &str| {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected} is not in\n{}",
            lines.join("\n")
        );
    };
    expect(&before, "0x0 nop ; entry, invalidation point: exit 0");
    expect(&before, "0xac nop ; linkable");
    expect(&before, "0xa4 bl rt_slow ; via trampoline");
    expect(&before, "op 3 Cached value=mut literal 0");

    trace.link(linkable, &other).expect("a link");
    trace.invalidate().expect("a point");
    slab.retarget(function, 0x4000).expect("retargetable");
    trace.set_literal(cached, 0xabcd).expect("a literal");
    let after = listing(&trace, &symbols);
    let changed: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|(_, after)| after.as_str())
        .collect();
    assert_eq!(
        changed,
        [
            "0x0 b exit 0 ; invalidated: exit 0",
            "0xa4 bl rt_slower ; via trampoline, retargeted from rt_slow",
            "0xac b trace 1 ; linked",
            "0xc0 mut literal 0 000000000000abcd",
        ]
    );

    trace.unlink(linkable).expect("a link");
    trace.revalidate().expect("a point");
    slab.retarget(function, function.address())
        .expect("retargetable");
    trace.set_literal(cached, 5).expect("a literal");
    assert_eq!(listing(&trace, &symbols), before);
}

#[test]
fn a_listing_in_a_slab_is_that_of_the_linked_trace() {
    let slab = annotated(MAPPINGS[0]);
    let mut everything = everything(far(&slab, 0), true);
    let trace = everything.builder.finish().expect("a trace");
    let room = slab
        .reserve(trace.linked_len(0).expect("a length"))
        .expect("room");
    let linked = trace.link(room.address()).expect("a linked trace");
    let installed = room.install(&linked).expect("room");
    let symbols = Symbols::new().with("rt_slow", far(&slab, 0).address());
    assert_eq!(
        installed
            .listing(&symbols)
            .expect("annotations")
            .to_string(),
        linked
            .listing(&symbols)
            .to_string()
            .replacen("trace at", "trace 0 at", 1)
    );
}

#[test]
fn without_annotations_there_is_an_error() {
    let slab = Slab::new(1 << 16).expect("a slab");
    let trace = leave(&slab, 1, None);
    let error = trace.listing(&Symbols::new()).expect_err("no annotations");
    assert!(matches!(error, SlabError::NotAnnotated));
    assert!(matches!(trace.snapshot(), Err(SlabError::NotAnnotated)));
}
