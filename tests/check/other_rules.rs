//! The rules that look at one instruction, and what is not checked.

use opstitch::check::{Contract, Rule, check};

use super::assert_found;
use super::snapshots::with_snapshots;

mod uops {
    opstitch::uops! {
        pub enum Op;

        op Platform { ; .u32 0xaa0003f2 ; .u32 0x8b120149 } // mov x18, x0; add x9, x10, x18

        op NoFrameRecord { ; mov x29, x0 ; add w9, w29, w10 ; ldr x29, [x19] ; sub x29, x29, 16 }

        op PairWithX29 { ; ldp x9, x29, [x20] }

        op ByteIntoX29 { ; ldrb w29, [sp] ; stxr w29, x0, [sp] ; ldr w29, [sp] }

        op FrameRecord {
            ; stp x29, x30, [sp, -32]! ; add x29, sp, 0 ; str x29, [sp, 16] ; ldr x29, [sp, 16] ; mov x29, sp
            ; ldp x29, x30, [sp], 32
        }

        op AnyOperand(to: reg, from: reg) { ; mov X(to), X(from) }

        op ReturnsInTheMiddle { ; cbz x9, >on ; ret ; on: ; nop }

        op JumpsInTheColdPart { ; cbz x9, >cold } cold { ; cold: ; br x10 }

        op TailCallsInTheColdPart(to: call) { ; cbz x9, >cold } cold { ; cold: ; b =>to }

        op TrapsInTheMiddle { ; cbz x9, >on ; brk #1 ; on: ; nop }

        op ReturnsTwice { ; cbz x9, >on ; ret ; on: ; ret }

        op Adrp { ; .u32 0x90000009 }

        op AdrBehind { ; .u32 0x10000089 } // adr x9, 16 bytes on

        op LoadsFromNowhere { ; .u32 0x58000089 } // ldr x9, 16 bytes on

        op LoadsOwnWord { ; ldr w9, >word ; b >on ; word: ; .u32 0xd503201f ; on: ; nop }

        op Literal(value: literal) { ; ldr x9, =>value }

        op NoLandingPad { ; adr x9, >there ; br x9 ; there: ; nop }

        op WrongLandingPad { ; adr x9, >there ; br x9 ; there: ; hint 34 }

        op LandingPad { ; adr x9, >there ; br x9 ; there: ; hint 36 }

        op LandingPadForX16 { ; adr x16, >there ; br x16 ; there: ; hint 34 }

        // A `br` that something else than the `adr` may have set leaves.
        op LeavesBesideAdr { ; adr x1, >here ; br x17 ; here: ; hint 36 }

        op LeavesBehindLabel { ; adr x9, >there ; again: ; ldr x9, [x9] ; br x9 ; there: ; hint 36 ; b <again }

        op JumpsInBetween { ; cbz x0, >on ; adr x9, >there ; on: ; br x9 ; there: ; hint 36 }

        op AddressOnly { ; adr x9, >there ; there: ; nop }

        op SystemCall { ; svc #0 }

        op Undefined { ; .u32 0xc4000000 }

        op NothingLeadsThere { ; b >on ; nop ; on: ; nop }

        op AnyHint(number: u7) { ; hint number }
    }
}

const EXPECTED: [(&str, Rule, Option<u32>); 24] = [
    ("Platform", Rule::PlatformRegister, Some(0)),
    ("Platform", Rule::PlatformRegister, Some(4)),
    ("NoFrameRecord", Rule::FrameRecord, Some(0)),
    ("NoFrameRecord", Rule::FrameRecord, Some(8)),
    ("NoFrameRecord", Rule::FrameRecord, Some(12)),
    ("PairWithX29", Rule::FrameRecord, Some(0)),
    ("ByteIntoX29", Rule::FrameRecord, Some(0)),
    ("ByteIntoX29", Rule::FrameRecord, Some(4)),
    ("ByteIntoX29", Rule::FrameRecord, Some(8)),
    ("ReturnsInTheMiddle", Rule::LeavesEarly, Some(4)),
    ("JumpsInTheColdPart", Rule::LeavesEarly, Some(0)),
    ("Adrp", Rule::PcRelative, Some(0)),
    ("AdrBehind", Rule::PcRelative, Some(0)),
    ("LoadsFromNowhere", Rule::PcRelative, Some(0)),
    ("LoadsOwnWord", Rule::NotChecked, Some(8)),
    ("NoLandingPad", Rule::LandingPad, Some(0)),
    ("WrongLandingPad", Rule::LandingPad, Some(0)),
    ("LeavesBesideAdr", Rule::LeavesEarly, Some(4)),
    ("LeavesBehindLabel", Rule::LeavesEarly, Some(8)),
    ("JumpsInBetween", Rule::LeavesEarly, Some(8)),
    ("SystemCall", Rule::NotChecked, Some(0)),
    ("Undefined", Rule::NotChecked, Some(0)),
    ("NothingLeadsThere", Rule::NotChecked, Some(4)),
    ("AnyHint", Rule::NotChecked, Some(0)),
];

#[test]
fn each_rule_is_found_broken_at_its_instruction() {
    let findings = assert_found(uops::Op::micro_ops(), &Contract::new(), &EXPECTED);
    with_snapshots(|| insta::assert_snapshot!("check_other_rules", findings.to_string()));
}

fn allowing_all() -> Contract {
    let contract = EXPECTED.iter();
    contract.fold(Contract::new(), |contract, (name, rule, _)| {
        contract.allow(name, *rule)
    })
}

#[test]
fn what_the_contract_allows_is_no_finding() {
    let contract = allowing_all();
    assert_found(uops::Op::micro_ops(), &contract, &[]);
}

#[test]
fn names_that_the_set_does_not_have_are_findings() {
    let contract = allowing_all();
    let contract = contract
        .allow("Platfrom", Rule::Stack)
        .frame(0, ["Opne"])
        .given("form", []);
    let expected = ["Opne", "Platfrom", "form"].map(|name| (name, Rule::Contract, None));
    let findings = assert_found(uops::Op::micro_ops(), &contract, &expected);
    assert_eq!(
        findings.to_string().lines().next(),
        Some("Opne: no micro-op of the set has this name: correct it in the contract")
    );
}

#[test]
fn a_finding_says_where_it_is() {
    let findings = check(uops::Op::micro_ops(), &Contract::new());
    assert_eq!(
        (findings.len(), findings.is_empty()),
        (EXPECTED.len(), false)
    );
    let cold = findings.iter().find(|finding| finding.is_cold());
    assert_eq!(
        cold.and_then(|finding| finding.instruction()),
        Some("br x10")
    );
    assert_eq!(cold.and_then(|finding| finding.offset()), Some(0));
}
