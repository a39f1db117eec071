//! What is patched later: invalidation points and exits that can be linked.

use super::ops::*;
use opstitch::{FallThrough, Options, TraceBuilder};

/// A point at the entry, one at a fall-through, one behind a label.
fn points(b: &mut TraceBuilder) {
    let exit = |pc| [Op::from(SetPc { pc }), Leave.into()];
    let first = b.exit(exit(1)).unwrap();
    let linkable = b.linkable_exit(exit(1)).unwrap();
    b.invalidation_point(first).unwrap();
    b.push(Add { n: 1 }).unwrap();
    b.invalidation_point(linkable).unwrap();
    b.push(Add { n: 2 }).unwrap();
    let top = b.bind_new().unwrap();
    b.invalidation_point(first).unwrap();
    b.push(GuardZero {
        otherwise: linkable,
    })
    .unwrap();
    b.push(Loop { to: top }).unwrap();
}

#[test]
fn points_with_nops() {
    check("layout_points_nop", Options::new(), points);
}

#[test]
fn points_elided() {
    let elide = Options::new().fall_through(FallThrough::Elide);
    check("layout_points_elide", elide, points);
}

/// In front of the entry's NOP, where a slab with guarded pages wants it.
#[test]
fn a_landing_pad() {
    check(
        "layout_landing_pad",
        Options::new().landing_pad(true),
        points,
    );
}
