//! The operands that lead outside a micro-op: in every instruction that takes one, and literals at their lowest
//! and highest values, by every load.

use super::common::assert_listing;
use super::extremes::assert_extremes;
use opstitch::inspect::Symbols;
use opstitch::{MicroOp, Target, TraceBuilder};

mod literals {
    use super::*;

    opstitch::uops! {
        op LoadX(value: literal) { ; ldr x9, =>value }
        op LoadW(value: literal) { ; ldr w9, =>value }
        op LoadSigned(value: literal) { ; ldrsw x9, =>value }
        op LoadD(value: literal) { ; ldr d0, =>value }
        op LoadS(value: literal) { ; ldr s0, =>value }
        op LoadNothing(value: literal) { ; ldr xzr, =>value }
        op Prefetch(value: literal, how: u5) { ; prfm how, =>value }
        op Leave { ; ret }
    }

    #[test]
    fn literals() {
        assert_extremes("encoding_literals", Leave.set());
    }

    /// Values that one instruction makes, and those next to them that it does not.
    #[test]
    fn relaxed() {
        let mut builder = TraceBuilder::new();
        for value in [
            0,
            0xffff,
            0x1_0000,
            0x1_0001,
            0xabcd_0000_0000,
            0xffff_0000_0000_0000,
            !0xffff,
            !0xabcd_0000,
            !0x1_0001,
            0x7fff_ffff_ffff_ffff,
            0x5555_5555_5555_5555,
            0x00ff_ff00,
            0x1234_5678,
        ] {
            builder.push(LoadX { value }).unwrap();
        }
        for value in [0, 0xffff, 0x1_0000, 0xffff_fffe, 0x00ff_ff00, 0x1234_5678] {
            builder.push(LoadW { value }).unwrap();
        }
        for value in [
            0,
            0x7fff_ffff,
            -1i64 as u64,
            -0x8000_0000i64 as u64,
            0x1234_5678,
        ] {
            builder.push(LoadSigned { value }).unwrap();
        }
        builder.push(Leave).unwrap();
        let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
        assert_listing("encoding_literals_relaxed", &linked, &Symbols::new());
    }
}

mod branches {
    use super::*;

    opstitch::uops! {
        op BranchExit(to: exit) { ; cbz x8, >on ; b =>to ; on: ; mov x8, x9 }
        op ConditionExit(to: exit) { ; b.vs =>to ; b.eq =>to ; b.hi =>to }
        op CompareExit(to: exit) { ; cbz x9, =>to ; cbnz w9, =>to }
        op TestExit(to: exit, bit: u6) { ; tbz x9, bit, =>to ; tbnz x9, bit, =>to }
        op ConditionLabel(to: label) { ; b.ne =>to }
        op CompareLabel(to: label) { ; cbz w9, =>to }
        op TestLabel(to: label, bit: u5) { ; tbnz w9, bit, =>to }
        op CallLabel(to: label) { ; bl =>to }
        op BranchLabel(to: label) { ; b =>to }
        op Call(to: call) { ; bl =>to }
        op TailCall(to: call) { ; b =>to }
        op Literal(value: mut literal) { ; ldr x9, =>value ; ldr d0, =>value }
        op Leave { ; ret }
    }

    #[test]
    fn branches() {
        let mut builder = TraceBuilder::new();
        let target = Target::new(0x2_0000).unwrap();
        let to = builder.exit([Leave]).unwrap();
        let top = builder.bind_new().unwrap();
        let end = builder.label();
        let value = builder.mut_literal(u64::MAX);
        builder.push(BranchExit { to }).unwrap();
        builder.push(ConditionExit { to }).unwrap();
        builder.push(CompareExit { to }).unwrap();
        for bit in [0, 63] {
            builder.push(TestExit { to, bit }).unwrap();
        }
        for to in [top, end] {
            builder.push(ConditionLabel { to }).unwrap();
            builder.push(CompareLabel { to }).unwrap();
            for bit in [0, 31] {
                builder.push(TestLabel { to, bit }).unwrap();
            }
            builder.push(CallLabel { to }).unwrap();
        }
        builder.push(Call { to: target }).unwrap();
        builder.push(Literal { value }).unwrap();
        builder.push(BranchLabel { to: top }).unwrap();
        builder.bind(end).unwrap();
        builder.push(TailCall { to: target }).unwrap();
        let linked = builder.finish().unwrap().link(0x1_0000).unwrap();
        let symbols = Symbols::new().with("rt_push", target.address());
        assert_listing("encoding_references", &linked, &symbols);
    }
}
