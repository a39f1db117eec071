//! Cold parts.

use super::ops::*;
use opstitch::{FallThrough, Options, TraceBuilder};

fn parts(b: &mut TraceBuilder) {
    let top = b.bind_new().unwrap();
    let exit = b.exit([Leave]).unwrap();
    b.push(Check {
        n: 100,
        otherwise: exit,
    })
    .unwrap();
    b.push(Drop { free: target(NEAR) }).unwrap();
    b.push(Drop { free: target(FAR) }).unwrap();
    b.push(Check {
        n: 0,
        otherwise: exit,
    })
    .unwrap();
    b.push(Loop { to: top }).unwrap();
}

#[test]
fn cold_parts_come_behind() {
    check("layout_cold", Options::new(), parts);
}

#[test]
fn cold_parts_without_slots() {
    let elide = Options::new().fall_through(FallThrough::Elide);
    check("layout_cold_elide", elide, parts);
}
