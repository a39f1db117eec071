//! The rules that need no way through the body.

use super::body::{Body, End, Instruction, Way, is_adr, is_br};
use super::contract::Contract;
use super::finding::{Finding, Rule};
use super::registers::Register;
use crate::op::encode::Op;
use crate::op::template::{MicroOpSet, Properties};

/// Finds names in the contract that the set does not have.
pub(super) fn names(set: &'static MicroOpSet, contract: &Contract) -> Vec<Finding> {
    let ops = || (0..set.len()).filter_map(|index| Op::new(set, index));
    let micro_ops = contract.named_micro_ops();
    let micro_ops = micro_ops.filter(|name| ops().all(|op| op.name() != *name));
    let operands = contract.named_operands().filter(|name| {
        let has = |op: Op| (0..op.operand_count()).any(|index| op.operand_name(index) == *name);
        !ops().any(has)
    });
    let micro_ops = micro_ops.map(|name| (name, "no micro-op"));
    let operands = operands.map(|name| (name, "no operand"));
    let unknown = micro_ops.chain(operands).map(|(name, what)| {
        let message = format!("{what} of the set has this name: correct it in the contract");
        Finding::of(Rule::Contract, name, message)
    });
    unknown.collect()
}

/// Looks at each instruction by itself.
pub(super) fn instructions(body: &Body, findings: &mut Vec<Finding>) {
    let ends_trace = body.op.template.properties.contains(Properties::ENDS_TRACE);
    for (index, instruction) in body.instructions.iter().enumerate() {
        let mut found = |rule, message: &str| {
            findings.push(Finding::at(rule, body, index, message));
        };
        if !instruction.known {
            found(
                Rule::NotChecked,
                "what this reads and writes is not known here, so it is not checked: see that it keeps the \
                 rules, then accept it with `Contract::allow`",
            );
        } else if body.unreached.contains(&index) {
            found(
                Rule::NotChecked,
                "nothing leads here, so it is not checked: remove it, or accept it with `Contract::allow`",
            );
        }
        let x18 = Register::X(18);
        if instruction.reads.contains(x18) || instruction.writes.contains(x18) {
            found(
                Rule::PlatformRegister,
                "x18 belongs to the platform (AAPCS64 6.1.1): use another register",
            );
        }
        if instruction.writes.contains(Register::X(29)) && !may_set_x29(instruction.word) {
            found(
                Rule::FrameRecord,
                "x29 points to a frame record all the time (AAPCS64 6.4.6): use another register, or set it by \
                 `mov x29, sp` once the record is there, and load it from there again",
            );
        }
        let is_tail_call = instruction.reference.is_some();
        if instruction.ways.contains(&Way::End(End::Leaves)) && !is_tail_call && !ends_trace {
            found(
                Rule::LeavesEarly,
                "leaves the trace from the middle of a micro-op whose hot part goes on: branch to an `exit` \
                 operand, or accept it with `Contract::allow`",
            );
        }
        if instruction.reference.is_none() && leaves_its_part(body, instruction) {
            found(
                Rule::PcRelative,
                "depends on where the code is, and the code is copied elsewhere: name what it leads to by an \
                 operand (`=>name`), or hand the address over in a `literal`",
            );
        }
    }
}

/// Whether what an instruction writes to x29 may be the address of a frame record: `add x29, sp, #n`, which `mov x29, sp`
/// is (Arm ARM C4.1, "Add/subtract (immediate)"), or a load of 64 bits from the stack ("Loads and stores").
fn may_set_x29(word: u32) -> bool {
    let is_on_stack = word >> 5 & 31 == 31;
    let is_sum = word & 0xff80_001f == 0x9100_001d;
    is_on_stack && (is_sum || loads_64_bits(word))
}

/// Whether `word` is `ldp x, x`, with any way to index, or `ldr x` or `ldur x` with an immediate.
fn loads_64_bits(word: u32) -> bool {
    let pair = word & 0xfe40_0000 == 0xa840_0000;
    let scaled = word & 0xffc0_0000 == 0xf940_0000;
    let unscaled =
        word & 0xffe0_0000 == 0xf840_0000 && matches!(word >> 10 & 3, 0b00 | 0b01 | 0b11);
    pair || scaled || unscaled
}

/// Whether a PC-relative instruction that is no reference leads out of its part.
fn leaves_its_part(body: &Body, instruction: &Instruction) -> bool {
    let Some(to) = instruction.local else {
        return false;
    };
    let part = body.instructions.iter();
    let len = part.filter(|i| i.cold == instruction.cold).count() as i64;
    // Behind the hot part is what comes next; there a load would find no data.
    let branches = crate::asm::branch::branch_field(instruction.word).is_some();
    let behind = branches && !instruction.cold && to == len;
    !(0..len).contains(&to) && !behind
}

/// Finds computed branches that do not land on `bti`.
pub(super) fn landing_pads(body: &Body, findings: &mut Vec<Finding>) {
    // `br` through any register but x16 and x17 needs `j` or `jc` (Arm ARM D8.4.6, PSTATE.BTYPE).
    let needs_j = body.instructions.iter().any(|instruction| {
        is_br(instruction.word) && !matches!(instruction.word >> 5 & 31, 16 | 17)
    });
    let branches = body.instructions.iter().any(|instruction| {
        is_br(instruction.word)
            || crate::asm::control::flow(instruction.word) == crate::asm::control::Flow::Call
    });
    if !branches {
        return;
    }
    for (from, place) in body.computed() {
        debug_assert!(is_adr(body.instructions[from].word));
        let target = &body.instructions[place];
        let lands = match target.word {
            0xd503_249f | 0xd503_24df => true, // bti j, bti jc
            0xd503_245f => !needs_j,           // bti c
            _ => false,
        };
        if !lands {
            let what = if needs_j {
                "bti j` (`hint 36`)"
            } else {
                "bti c` (`hint 34`)"
            };
            let message = format!(
                "a computed branch may lead to {}, `{}`, which is no landing pad: let `{what} stand there \
                 (Arm ARM D8.4.6)",
                target.place(),
                target.text
            );
            findings.push(Finding::at(Rule::LandingPad, body, from, message));
        }
    }
}
