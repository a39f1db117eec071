//! The micro-ops of the examples keep their contract.

use opstitch::Reg;
use opstitch::check::{Contract, check};

#[allow(dead_code)]
#[path = "../../examples/quickstart.rs"]
pub mod quickstart;

#[allow(dead_code)]
#[path = "../../examples/trampolines/main.rs"]
pub mod trampolines;

#[test]
fn those_of_cpython_loop() {
    let contract = Contract::new()
        .pinned((20..=26).map(Reg))
        .frame(16, ["_START_EXECUTOR"]);
    let findings = check(trampolines::cpython_loop::uops::Op::micro_ops(), &contract);
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn those_of_trampolines() {
    let contract = Contract::new()
        .pinned((20..=25).map(Reg))
        .frame(16, ["Enter"]);
    let findings = check(trampolines::orders::uops::Op::micro_ops(), &contract);
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn those_of_quickstart() {
    let contract = Contract::new().pinned([Reg(19), Reg(20)]);
    let findings = check(quickstart::uop::Op::micro_ops(), &contract);
    assert!(findings.is_empty(), "{findings}");
}
