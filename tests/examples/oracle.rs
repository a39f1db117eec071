//! Every instruction of the examples, encoded a second time: by LLVM, from the text of the example.
//!
//! What that proves. The text of each micro-op, with registers, constants and numbers written in place
//! of their names, is an AArch64 instruction that LLVM reads too. From the same text, dynasm-rs (through
//! `uops!`) and LLVM make the same words: the templates' words, with every number at 0; and the words of
//! a trace, with every number at its lowest and at its highest. So whatever is wrong would have to be wrong
//! in both assemblers, in the same way. Neither a disassembler takes part in it, which could
//! read a wrong word as what it is, nor anything else of opstitch that could agree with itself.
//!
//! What it does not. Displacements that lead out of a part are 0 in a template, and are not compared in
//! the trace. The examples' outputs are there for those: a branch that leads elsewhere changes them.

use opstitch::{MicroOpInfo, MicroOpSet};

use super::llvm_mc::LlvmMc;
use super::micro_ops::{All, End, all, number};
use super::source::{self, Line, Source};
use super::trampolines::orders;
use super::{cpython_loop, quickstart};

/// A line, and the word that it must become.
struct Comparison {
    place: String,
    text: String,
    word: u32,
}

/// The lines of all templates, beside their words.
fn templates(source: &Source, set: &'static MicroOpSet, into: &mut Vec<Comparison>) {
    for (op, text) in set.iter().zip(&source.ops) {
        let [hot, cold] = source.lines(text, &|_| 0);
        for (part, lines, words) in [
            ("hot", hot, op.hot_words()),
            ("cold", cold, op.cold_words()),
        ] {
            assert_eq!(lines.len(), words.len(), "{} {part}", op.name());
            for (line, &word) in lines.into_iter().zip(words) {
                let place = format!("{} ({part})", op.name());
                let text = line.text;
                into.push(Comparison { place, text, word });
            }
        }
    }
}

/// The lines that name nothing outside, with every number at one end, beside the words of a trace.
fn extremes(source: &Source, set: &'static MicroOpSet, end: End, into: &mut Vec<Comparison>) {
    let All { linked, starts } = all(set);
    for (index, (op, text)) in set.iter().zip(&source.ops).enumerate() {
        let [hot, cold] = source.lines(text, &|operand| number(op, operand, end));
        for (lines, is_cold) in [(hot, false), (cold, true)] {
            for (at, line) in lines.into_iter().enumerate() {
                // A micro-op without numbers is there once.
                if let Some(start) = starts.get(&(index, end, is_cold)) {
                    into.extend(compared(op, line, &linked.bytes()[start + 4 * at..], end));
                }
            }
        }
    }
}

fn compared(op: MicroOpInfo, line: Line, bytes: &[u8], end: End) -> Option<Comparison> {
    let Line { text, refers } = line;
    let word = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let place = format!("{} at its {end:?}", op.name());
    (!refers).then_some(Comparison { place, text, word })
}

/// What LLVM makes otherwise of the text than `uops!` does. `None` if there is no LLVM.
fn differences(file: &str, set: &'static MicroOpSet) -> Option<Vec<String>> {
    let source = source::read(file);
    let written: Vec<_> = source.ops.iter().map(|op| op.name.as_str()).collect();
    let known: Vec<_> = set.iter().map(|op| op.name()).collect();
    assert_eq!(written, known);

    let mut all = Vec::new();
    templates(&source, set, &mut all);
    for end in [End::Lowest, End::Highest] {
        extremes(&source, set, end, &mut all);
    }
    let texts: Vec<_> = all.iter().map(|one| &one.text).collect();
    let words = LlvmMc::find()?.assemble(&texts);
    let differing = all
        .iter()
        .zip(words)
        .filter(|(one, word)| one.word != *word);
    let messages = differing.map(
        |(
            Comparison {
                place,
                text,
                word: ours,
            },
            theirs,
        )| { format!("{place}: `{text}` is {ours:08x} here, and {theirs:08x} to LLVM") },
    );
    Some(messages.collect())
}

fn assert_same(file: &str, set: &'static MicroOpSet) {
    let differences = differences(file, set).unwrap_or_default();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

const QUICKSTART: &str = include_str!("../../examples/quickstart.rs");
const ORDERS: &str = include_str!("../../examples/trampolines/orders/uops.rs");
const CPYTHON_LOOP: &str = include_str!("../../examples/cpython_loop/uops.rs");

#[test]
fn quickstart_is_what_llvm_makes_of_it() {
    assert_same(QUICKSTART, quickstart::uop::Op::micro_ops());
}

#[test]
fn orders_is_what_llvm_makes_of_it() {
    assert_same(ORDERS, orders::uops::Op::micro_ops());
}

#[test]
fn cpython_loop_is_what_llvm_makes_of_it() {
    assert_same(CPYTHON_LOOP, cpython_loop::uops::Op::micro_ops());
}

/// The oracle tested: with another text for the same words, it speaks up. Each text is there once.
#[test]
fn a_text_that_is_not_what_was_assembled_is_noticed() {
    for (text, other, micro_op) in [
        ("sub x11, x11, #1", "sub x11, x11, #2", "_ITER_NEXT_RANGE"),
        (
            "cmp x9, cache2, asr #2",
            "cmp x9, cache2, lsr #2",
            "_ITER_NEXT_RANGE",
        ),
        ("thread: x23", "thread: x27", "_START_EXECUTOR"),
        (
            "const RANGE_LEN = 32;",
            "const RANGE_LEN = 40;",
            "_GUARD_NOT_EXHAUSTED_RANGE",
        ),
        (
            "b.le =>exhausted",
            "b.lt =>exhausted",
            "_GUARD_NOT_EXHAUSTED_RANGE",
        ),
        ("bl =>exact_dealloc", "b =>exact_dealloc", "_POP_TOP_INT"),
        ("cached * 8", "cached * 16", "_ERROR_POP_N"),
    ] {
        assert_eq!(CPYTHON_LOOP.matches(text).count(), 1, "{text}");
        let changed = CPYTHON_LOOP.replace(text, other);
        let Some(differences) = differences(&changed, cpython_loop::uops::Op::micro_ops()) else {
            return;
        };
        let first = differences
            .first()
            .unwrap_or_else(|| panic!("{other} passes for {text}"));
        assert!(first.starts_with(micro_op), "{first}");
    }
}
