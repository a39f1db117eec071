//! The rules that need no way through the body.

use super::body::{Body, End, Instruction, Way, is_adr, is_br};
use super::contract::Contract;
use super::finding::{Finding, Rule};
use super::registers::Register;
use super::stack::written_back;
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
        if instruction.has_fixed_registers()
            && let Some(message) = unpredictable(instruction.word)
        {
            found(Rule::Unpredictable, message);
        }
        if is_below_sp(instruction.word) {
            found(
                Rule::Stack,
                "reaches below the stack pointer, where signal handlers write at any time (AAPCS64 6.4.5.1): take room \
                 first, `str x0, [sp, #-16]!`",
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

/// Whether behind a micro-op x30 is what a call of it has left there.
pub(super) fn changes_x30(body: &Body) -> bool {
    calls(body) && !sets_x30(body)
}

fn calls(body: &Body) -> bool {
    body.instructions
        .iter()
        .any(|instruction| instruction.calls)
}

/// Whether something else than a call sets x30.
fn sets_x30(body: &Body) -> bool {
    let others = body.instructions.iter().filter(|it| !it.calls);
    let mut writes = others.flat_map(|instruction| instruction.writes.iter());
    writes.any(|register| register == Register::X(30))
}

/// Finds what returns by x30, or lets a function return for it, where the call of a micro-op of the set, `changed_by`, may
/// have been before. (Those that call themselves are looked at [elsewhere](super::calls).)
pub(super) fn return_addresses(body: &Body, changed_by: Option<&str>, findings: &mut Vec<Finding>) {
    let Some(changed_by) = changed_by.filter(|_| !calls(body) && !sets_x30(body)) else {
        return;
    };
    for (index, instruction) in body.instructions.iter().enumerate() {
        let leaves = instruction.ways.contains(&Way::End(End::Leaves));
        let by_x30 = instruction.reads.contains(Register::X(30)) || instruction.reference.is_some();
        if leaves && by_x30 && !body.unreached.contains(&index) {
            let message = format!(
                "returns to what is in x30, which the call in `{changed_by}` has changed: load it again first, \
                 `ldr x30, [sp]` where the trace has no frame of its own, or accept it with `Contract::allow` if no \
                 trace has both"
            );
            findings.push(Finding::at(Rule::ReturnAddress, body, index, message));
        }
    }
}

/// What is wrong with an instruction that the architecture says nothing certain of (Arm ARM C6.2 and C7.2, the operations of
/// the loads and stores).
fn unpredictable(word: u32) -> Option<&'static str> {
    let [t, n, t2, status] = [0, 5, 10, 16].map(|bit| word >> bit & 31);
    let bit = |bit: u32| word >> bit & 1 == 1;
    let (is_vector, loads) = (bit(26), bit(22));
    let is_pair = word & 0x3a00_0000 == 0x2800_0000;
    // `stgp` stores a tag beside.
    let is_stgp = is_pair && !is_vector && !loads && word >> 30 == 0b01;
    let is_exclusive = word & 0x3f80_0000 == 0x0800_0000;
    let is_exclusive_pair = is_exclusive && bit(21);
    if is_exclusive_pair && !bit(31) {
        return None; // casp
    }
    if (is_pair || is_exclusive_pair) && loads && t == t2 {
        return Some(
            "loads two values into one register, and which one it has then is not defined: use two",
        );
    }
    let moves_base = written_back(word).is_some() && n != 31 && !is_vector && !is_stgp;
    if moves_base && (t == n || (is_pair && t2 == n)) {
        return Some(
            "moves the base register, which it loads or stores too, and what comes of it is not defined: use another \
             register for one of them",
        );
    }
    let is_status = status == t || (status == n && n != 31) || (bit(21) && status == t2);
    if is_exclusive && !loads && is_status {
        return Some(
            "writes whether it has stored to a register that it uses as well, and what comes of it is not defined: use \
             another one for that",
        );
    }
    None
}

/// Whether an instruction reads or writes below the stack pointer, which it leaves where it is: `ldur`, `stur`, `ldtr`,
/// `sttr` and their kin, pairs with an offset.
fn is_below_sp(word: u32) -> bool {
    let single = matches!(word & 0x3b20_0c00, 0x3800_0000 | 0x3800_0800) && word >> 20 & 1 == 1;
    let pair = word & 0x3a80_0000 == 0x2800_0000 && word >> 21 & 1 == 1;
    word >> 5 & 31 == 31 && (single || pair)
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
