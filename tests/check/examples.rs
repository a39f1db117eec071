//! The micro-ops of the examples keep their contract.

use opstitch::Reg;
use opstitch::check::{Contract, check};

#[allow(dead_code)]
#[path = "../../examples/cpython_loop/uops.rs"]
mod cpython;

#[allow(dead_code)]
#[path = "../../examples/quickstart.rs"]
pub mod quickstart;

#[test]
fn those_of_cpython_loop() {
    let contract = Contract::new()
        .pinned((20..=26).map(Reg))
        .frame(16, ["_START_EXECUTOR"]);
    let findings = check(cpython::Op::micro_ops(), &contract);
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn those_of_quickstart() {
    let contract = Contract::new().pinned([Reg(19), Reg(20)]);
    let findings = check(quickstart::uop::Op::micro_ops(), &contract);
    assert!(findings.is_empty(), "{findings}");
}
