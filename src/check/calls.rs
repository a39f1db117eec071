//! What calls change.

use super::body::{Body, End, Way};
use super::contract::Contract;
use super::finding::{Finding, Rule};
use super::registers::{Register, Set};
use crate::op::operand::OperandKind;

/// What needs a register's value behind a call.
enum Needed {
    /// This instruction reads it.
    By(usize),
    /// The rest of the trace.
    Later,
}

/// Finds values that are needed behind a call that does not keep them.
pub(super) fn check(body: &Body, contract: &Contract, findings: &mut Vec<Finding>) {
    let pinned = contract.pinned_registers();
    let calls = body.instructions.iter().enumerate();
    for (call, instruction) in calls.filter(|(_, i)| i.calls) {
        let changed = instruction.writes.without(contract.kept_registers());
        let operands = operands(body, contract);
        for register in changed.union(operands).iter() {
            let needed = needed(body, call, register, pinned, contract);
            let Some(needed) = needed else {
                continue;
            };
            let at = match needed {
                Needed::By(at) => at,
                Needed::Later => call,
            };
            let what = message(body, call, register, needed);
            findings.push(Finding::at(Rule::LiveAcrossCall, body, at, what));
        }
    }
}

/// The `reg` and `vreg` operands that may be given a register that calls change.
fn operands(body: &Body, contract: &Contract) -> Set {
    let operands = (0..).zip(body.op.operands());
    let registers = operands.filter_map(|(index, operand)| {
        let given = contract.given_to(body.op.operand_name(usize::from(index)));
        let changed = match (operand.kind, given) {
            (OperandKind::Reg | OperandKind::VReg, None) => true,
            (OperandKind::Reg | OperandKind::VReg, Some(given)) => given
                .without(contract.kept_registers())
                .meets(Set::CHANGED_BY_CALLS),
            _ => false,
        };
        (changed && index < Register::OPERANDS).then_some(Register::Operand(index))
    });
    registers.collect()
}

/// What needs, on some way from the call on, the value that `register` had before it.
fn needed(
    body: &Body,
    call: usize,
    register: Register,
    pinned: Set,
    contract: &Contract,
) -> Option<Needed> {
    let is_result = Set::RESULTS.contains(register);
    // Where nobody has saved it, x30 is the way back out of the trace.
    let is_return = register == Register::X(30) && !contract.has_frame();
    let lasts = pinned.contains(register) || is_return;
    let mut seen = vec![false; body.instructions.len()];
    let mut open = body.instructions[call].ways.clone();
    while let Some(way) = open.pop() {
        let index = match way {
            Way::End(End::GoesOn | End::Exit | End::Label) if lasts => return Some(Needed::Later),
            // A tail call's target returns to x30.
            Way::End(End::Leaves) if register == Register::X(30) => return Some(Needed::Later),
            Way::End(_) => continue,
            Way::To(index) => index,
        };
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        let instruction = &body.instructions[index];
        if instruction.reads.contains(register) && !is_result {
            return Some(Needed::By(index));
        }
        if !instruction.writes.contains(register) {
            open.extend(&instruction.ways);
        }
    }
    None
}

fn message(body: &Body, call: usize, register: Register, needed: Needed) -> String {
    let call = body.instructions[call].place();
    let name = match register {
        Register::Operand(index) => {
            format!("operand `{}`", body.op.operand_name(index.into()))
        }
        register => register.to_string(),
    };
    match (register, needed) {
        (Register::Operand(_), Needed::By(_)) => format!(
            "reads {name}, which may be a register that the call at {call} changes; let it be given only \
             x19 to x28 (or v8 to v15), and say so with `Contract::given`"
        ),
        (Register::X(30), _) => format!(
            "x30 is needed behind the call at {call}, which changes it: save it on the stack around the \
             call, or once for the trace, and say so with `Contract::frame`: `frame(0, [])` if `entry` has \
             done it"
        ),
        (Register::Flags, _) => format!(
            "reads the flags, which the call at {call} changes: compare again behind the call"
        ),
        (Register::X(16 | 17), Needed::By(_)) => format!(
            "reads {name}, which the way to the function called at {call} may change (AAPCS64 6.1.1): use a \
             register from x19 to x28, save it on the stack, or load it again"
        ),
        (_, Needed::By(_)) => format!(
            "reads {name}, which the call at {call} may change (AAPCS64 6.1): use x19 to x28 (or the lower \
             halves of v8 to v15), save it on the stack, or load it again"
        ),
        (_, Needed::Later) => format!(
            "changes {name}, which is pinned (AAPCS64 6.1): pin x19 to x28 (or v8 to v15), or save it \
             around the call"
        ),
    }
}
