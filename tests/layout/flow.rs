//! The straight line, and labels.

use super::ops::*;
use opstitch::{FallThrough, Options, TraceBuilder};

/// A loop with a way around one micro-op, two labels at one place, and a way out.
fn branches(b: &mut TraceBuilder) {
    let top = b.bind_new().unwrap();
    let (skip, end) = (b.label(), b.label());
    let also_skip = b.label();
    b.push(Add { n: 1 }).unwrap();
    b.push(IfZero { to: skip }).unwrap();
    b.push(IfNegative { to: also_skip }).unwrap();
    b.push(Add { n: 2 }).unwrap();
    b.bind(skip).unwrap();
    b.bind(also_skip).unwrap();
    b.push(IfEqual { to: end }).unwrap();
    b.push(Loop { to: top }).unwrap();
    b.bind(end).unwrap();
    b.push(Leave).unwrap();
}

#[test]
fn labels_with_nops() {
    check("layout_labels_nop", Options::new(), branches);
}

#[test]
fn labels_elided() {
    let elide = Options::new().fall_through(FallThrough::Elide);
    check("layout_labels_elide", elide, branches);
}

/// Jumps to what follows, by a closing `b` and by `jump`, and jumps elsewhere, by both.
fn jumps(b: &mut TraceBuilder) {
    let (next, after, far) = (b.label(), b.label(), b.label());
    b.push(Loop { to: next }).unwrap();
    b.bind(next).unwrap();
    b.push(Jump { to: after }).unwrap();
    b.bind(after).unwrap();
    b.push(Add { n: 1 }).unwrap();
    let here = b.label();
    b.jump(here).unwrap();
    b.bind(here).unwrap();
    b.push(Add { n: 2 }).unwrap();
    b.jump(far).unwrap();
    b.push(Leave).unwrap();
    b.push(Loop { to: next }).unwrap();
    b.bind(far).unwrap();
    b.push(Add { n: 3 }).unwrap();
    b.jump(after).unwrap();
}

#[test]
fn jumps_with_nops() {
    check("layout_jumps_nop", Options::new(), jumps);
}

#[test]
fn jumps_elided() {
    let elide = Options::new().fall_through(FallThrough::Elide);
    check("layout_jumps_elide", elide, jumps);
}

#[test]
fn an_endless_loop_of_one() {
    check("layout_loop_of_one", Options::new(), |b| {
        let top = b.bind_new().unwrap();
        b.push(Jump { to: top }).unwrap();
    });
}
