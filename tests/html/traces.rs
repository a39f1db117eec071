//! The traces that are drawn.

use opstitch::inspect::Symbols;
use opstitch::{LinkedTrace, Options, Reach, Target, TraceBuilder};

opstitch::uops! {
    op Work(constant: literal, function: call, failed: exit) {
        ; ldr x9, =>constant
        ; cbz x9, =>failed
        ; bl =>function
        ; cbz x0, >slow
        ; back:
        ; tbz x0, 3, =>failed
    } cold {
        ; slow:
        ; bl =>function
        ; cbz x1, =>failed
        ; b <back
    }

    op Test(failed: exit) { ; tbz x0, 3, =>failed }

    op Again(top: label) { ; b =>top }

    op Leave(pc: u16) { ; movz x0, pc ; ret }
}

pub(crate) const NEAR: u64 = 0x1_0000;
pub(crate) const FAR: u64 = 0x7000_0000_0000;
pub(crate) const FUNCTION: u64 = 0x2_0000;
pub(crate) const EVIL: &str = "</text><script>alert('1')</script>&\"\u{7}";

/// A loop with two functions, an exit and a literal.
pub(crate) fn calls(address: u64) -> (LinkedTrace, Symbols) {
    let mut builder = TraceBuilder::new();
    let one = Target::new(FUNCTION).expect("4-aligned");
    let failed = builder.exit([Leave { pc: 7 }]).expect("an exit");
    let top = builder.bind_new().expect("a label");
    let constant = 0x1234_5678_9abc_def0;
    let work = Work {
        constant,
        function: one,
        failed,
    };
    builder.push(work).expect("room");
    builder.push(Again { top }).expect("room");
    let linked = builder.finish().and_then(|trace| trace.link(address));
    let symbols = Symbols::new().with("rt_work", FUNCTION);
    (linked.expect("a trace"), symbols)
}

/// A trace with islands: its exit is out of reach.
pub(crate) fn islands() -> LinkedTrace {
    let reach = Reach::default()
        .test(256)
        .and_then(|reach| reach.conditional(512));
    let options = Options::new().reach(reach.expect("a reach"));
    let mut builder = TraceBuilder::with_options(options);
    let failed = builder.exit([Leave { pc: 7 }]).expect("an exit");
    for _ in 0..100 {
        builder.push(Test { failed }).expect("room");
    }
    builder.push(Leave { pc: 8 }).expect("room");
    let linked = builder.finish().and_then(|trace| trace.link(NEAR));
    linked.expect("a trace")
}

/// A trace with islands whose calls lead to trampolines in one of them.
pub(crate) fn calls_and_islands() -> LinkedTrace {
    let reach = Reach::default().conditional(512).expect("a reach");
    let mut builder = TraceBuilder::with_options(Options::new().reach(reach));
    let function = Target::new(FUNCTION).expect("4-aligned");
    let failed = builder.exit([Leave { pc: 7 }]).expect("an exit");
    for constant in 0..20 {
        let work = Work {
            constant,
            function,
            failed,
        };
        builder.push(work).expect("room");
    }
    builder.push(Leave { pc: 8 }).expect("room");
    let linked = builder.finish().and_then(|trace| trace.link(FAR));
    linked.expect("a trace")
}

/// A trace of which is not known where its instructions come from.
fn nameless() -> LinkedTrace {
    let mut builder = TraceBuilder::with_options(Options::new().annotate(false).landing_pad(true));
    let failed = builder.exit([Leave { pc: 7 }]).expect("an exit");
    builder.push(Test { failed }).expect("room");
    builder.push(Leave { pc: 8 }).expect("room");
    let linked = builder.finish().and_then(|trace| trace.link(NEAR));
    linked.expect("a trace")
}

/// All of them, with names.
pub(crate) fn all() -> Vec<(&'static str, LinkedTrace, Symbols)> {
    let (near, names) = calls(NEAR);
    let (far, far_names) = calls(FAR);
    let evil = Symbols::new().with(EVIL, FUNCTION);
    vec![
        ("near", near.clone(), names),
        ("far", far.clone(), far_names),
        ("evil", far, evil.clone()),
        ("evil-near", near, evil),
        ("islands", islands(), Symbols::new()),
        ("calls-and-islands", calls_and_islands(), Symbols::new()),
        ("nameless", nameless(), Symbols::new()),
    ]
}
