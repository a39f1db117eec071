//! Immediates of system instructions.

use super::extremes::assert_extremes;
use opstitch::MicroOp;

opstitch::uops! {
    op Hint(n: u7) { ; hint n }
    op Supervisor(n: u16) { ; svc n }
    op DataBarrier(kind: u4) { ; dmb #kind }
    op DataSynchronization(kind: u4) { ; dsb #kind }
    op InstructionBarrier(kind: u4) { ; isb #kind }
    op ClearExclusive(n: u4) { ; clrex n }
    op Breakpoint(n: u16) { ; cbz x9, >on ; brk n ; on: ; mov x9, xzr }
    op Halt(n: u16) { ; cbz x9, >on ; hlt n ; on: ; mov x9, xzr }
    op Landing { ; .u32 0xd503245f }
    op Leave { ; ret }
}

#[test]
fn system() {
    assert_extremes("encoding_system", Leave.set());
}
