//! The listing of a trace that was built without annotations.

use super::ops::*;
use opstitch::{Options, Reach};

#[test]
fn without_annotations() {
    let options = Options::new().annotate(false);
    check("layout_plain", options, |b| {
        let top = b.bind_new().unwrap();
        let (word, exit) = (b.mut_literal(7), b.exit([Leave]).unwrap());
        b.push(Check {
            n: 100,
            otherwise: exit,
        })
        .unwrap();
        b.push(Cache { word }).unwrap();
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Call {
            function: target(NEAR),
        })
        .unwrap();
        b.push(Call {
            function: target(FAR),
        })
        .unwrap();
        b.push(Loop { to: top }).unwrap();
    });
}

#[test]
fn islands_without_annotations() {
    let reach = Reach::default().conditional(64).and_then(|r| r.literal(64));
    let options = Options::new().annotate(false).reach(reach.unwrap());
    check("layout_plain_islands", options, |b| {
        let exit = b.exit([Leave]).unwrap();
        b.push(GuardZero { otherwise: exit }).unwrap();
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        for n in 0..4 {
            b.push(Long { n }).unwrap();
        }
        b.push(Leave).unwrap();
    });
}

mod raw {
    opstitch::uops! {
        op Branches {
            ; .u32 0x14000000
            ; .u32 0x17ffff00
            ; .u32 0x94ffffff
            ; .u32 0xb4ffffe9
            ; .u32 0x37ffffe9
        }
        op Loads {
            ; .u32 0x58ffffe9
            ; .u32 0x5807ffe9
            ; .u32 0x58000009
            ; .u32 0x9c000040
            ; .u32 0xd8000040
        }
        op Unknown {
            ; .u32 0xffffffff
            ; .u32 0x5f005400
            ; .u32 0xd4001000
            ; .u32 0x00000000
        }
        op Leave { ; ret }
    }
}

/// Words that no author would write: what they lead to has no name, or does not exist.
#[test]
fn any_words() {
    check("layout_any_words", Options::new(), |b| {
        b.bind_new().unwrap();
        b.push(raw::Branches).unwrap();
        b.push(raw::Loads).unwrap();
        b.push(raw::Unknown).unwrap();
        b.push(raw::Leave).unwrap();
        b.push(TailCall {
            function: target(FAR),
        })
        .unwrap();
    });
}
