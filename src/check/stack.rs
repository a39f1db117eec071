//! The stack pointer, on every way through a body.

use super::body::{Body, End, Instruction, Way};
use super::contract::Contract;
use super::finding::{Finding, Rule};
use super::registers::Register;

/// Where the stack pointer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pointer {
    /// So many bytes from where it was at the start.
    At(i64),
    /// Not known since this instruction.
    Lost(usize),
    /// Not known, and a finding says so.
    Reported,
}

/// Where the stack pointer and copies of it point, in bytes from where it pointed at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    sp: Pointer,
    copies: [Option<i64>; 31],
}

/// Checks that each way out of the body finds the stack pointer where it belongs.
pub(super) fn check(body: &Body, contract: &Contract, findings: &mut Vec<Finding>) {
    let mut states: Vec<Option<State>> = vec![None; body.instructions.len()];
    let start = State {
        sp: Pointer::At(0),
        copies: [None; 31],
    };
    let first = match body.instructions.is_empty() {
        true => Way::End(End::GoesOn),
        false => Way::To(0),
    };
    let mut open = vec![(first, start, 0)];
    let mut ended = Vec::new();
    while let Some((way, state, from)) = open.pop() {
        let index = match way {
            Way::To(index) => index,
            Way::End(end) => {
                if !ended.contains(&(end, from, state.sp)) {
                    ended.push((end, from, state.sp));
                }
                continue;
            }
        };
        let merged = match states[index] {
            None => state,
            Some(known) => {
                let mut met = met(known, state);
                if let (Pointer::At(one), Pointer::At(other)) = (known.sp, state.sp)
                    && one != other
                {
                    let what = format!(
                        "ways with different stack pointers meet here, {one} and {other} bytes from the \
                         start's: take back on each way what it took"
                    );
                    findings.push(Finding::at(Rule::Stack, body, index, what));
                    met.sp = Pointer::Reported;
                }
                met
            }
        };
        if states[index] == Some(merged) {
            continue;
        }
        let is_new = states[index].replace(merged).is_none();
        let instruction = &body.instructions[index];
        let after = after(merged, index, instruction);
        if is_new {
            check_alignment(body, index, after, findings);
        }
        open.extend(instruction.ways.iter().map(|&way| (way, after, index)));
    }
    for (end, from, sp) in ended {
        check_end(body, contract, (end, from, sp), findings);
    }
}

/// What is known where two ways meet.
fn met(one: State, other: State) -> State {
    let same = |one: Option<i64>, other| one.filter(|_| one == other);
    let mut copies = one.copies;
    for (copy, other) in copies.iter_mut().zip(other.copies) {
        *copy = same(*copy, other);
    }
    let sp = match (one.sp, other.sp) {
        (one, other) if one == other => one,
        (Pointer::At(_), lost) => lost,
        (lost, _) => lost,
    };
    State { sp, copies }
}

/// The state behind an instruction.
fn after(state: State, index: usize, instruction: &Instruction) -> State {
    let word = instruction.word;
    let value = |number: u32| match number {
        31 => match state.sp {
            Pointer::At(place) => Some(place),
            Pointer::Lost(_) | Pointer::Reported => None,
        },
        number => state.copies[number as usize],
    };
    let mut after = state;
    for register in instruction.writes.iter() {
        match register {
            Register::X(number) => after.copies[usize::from(number)] = None,
            Register::Sp if matches!(after.sp, Pointer::At(_)) => after.sp = Pointer::Lost(index),
            // Which register an operand names is not known.
            Register::Operand(_) => after.copies = [None; 31],
            _ => {}
        }
    }
    if !instruction.known {
        after.copies = [None; 31];
    }
    let (to, base) = (word & 31, word >> 5 & 31);
    // Which registers operands name is not known: in the word it is x0, and never `sp`.
    let fixed = instruction.has_fixed_registers();
    let is_fixed = |number: u32| fixed || number == 31;
    let known = |&(register, _): &(u32, _)| is_fixed(register) && is_fixed(base);
    let moved = match moved_by(word).filter(known) {
        Some((_, amount)) if instruction.has_number && amount.is_some() => None,
        Some((register, amount)) if instruction.known => {
            amount.and_then(|amount| Some((register, value(base)?.checked_add(amount)?)))
        }
        _ => None,
    };
    if let Some((register, place)) = moved {
        match register {
            31 => after.sp = Pointer::At(place),
            register => after.copies[register as usize] = Some(place),
        }
    }
    // mov x, x
    if word & 0xffe0_ffe0 == 0xaa00_03e0 && to != 31 && word >> 16 & 31 != 31 {
        let from = (word >> 16 & 31) as usize;
        after.copies[to as usize] = state.copies[from].filter(|_| fixed);
    }
    after
}

/// The register that an instruction sets to its base register and an amount of bytes.
fn moved_by(word: u32) -> Option<(u32, Option<i64>)> {
    let (to, base) = (word & 31, word >> 5 & 31);
    if word & 0xbf80_0000 == 0x9100_0000 {
        // add, sub (immediate)
        let amount = i64::from((word >> 10 & 0xfff) << (12 * (word >> 22 & 1)));
        let amount = if word >> 30 & 1 == 1 { -amount } else { amount };
        return Some((to, Some(amount)));
    }
    let amount = written_back(word)?;
    Some((base, Some(amount)))
}

/// What a load or store adds to its base register, pre-index or post-index, if it does.
pub(super) fn written_back(word: u32) -> Option<i64> {
    if word & 0x3a80_0000 == 0x2880_0000 {
        // Pairs.
        let scale = match (word >> 26 & 1, word >> 30) {
            (1, opc) => 4i64 << opc,
            (_, 0b10) => 8,
            _ => 4,
        };
        return Some(signed(word >> 15 & 0x7f, 7) * scale);
    }
    // Single registers.
    let is_single = word & 0x3b20_0400 == 0x3800_0400;
    is_single.then(|| signed(word >> 12 & 0x1ff, 9))
}

fn signed(value: u32, bits: u32) -> i64 {
    i64::from((value << (32 - bits)) as i32 >> (32 - bits))
}

/// Checks that a change of the stack pointer leaves it where loads and stores can use it.
fn check_alignment(body: &Body, index: usize, after: State, findings: &mut Vec<Finding>) {
    let changes = body.instructions[index].writes.contains(Register::Sp);
    if let Pointer::At(sp) = after.sp
        && changes
        && sp % 16 != 0
    {
        let what = format!(
            "leaves the stack pointer {} bytes from where it was, and it has to be a multiple of 16 (AAPCS64 \
             6.4.5.1): take 16 bytes at a time",
            sp.abs()
        );
        findings.push(Finding::at(Rule::Stack, body, index, what));
    }
}

/// Checks where the stack pointer is at a way out.
fn check_end(
    body: &Body,
    contract: &Contract,
    (end, from, sp): (End, usize, Pointer),
    findings: &mut Vec<Finding>,
) {
    if end == End::Nowhere {
        return;
    }
    let sp = match sp {
        Pointer::At(sp) => sp,
        Pointer::Lost(at) => {
            let what = "changes the stack pointer by an amount that is not known here, so whether every way \
                        out takes it back is not checked: change it by a number, or accept this with \
                        `Contract::allow`";
            let finding = Finding::at(Rule::NotChecked, body, at, what);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
            return;
        }
        Pointer::Reported => return,
    };
    let name = body.op.name();
    let frame = i64::from(contract.frame_size());
    let opens = contract.opens_frame(name);
    let expected = match (end == End::Leaves, opens) {
        (true, true) | (false, false) => 0,
        (true, false) => frame,
        (false, true) => -frame,
    };
    let way = match end {
        End::GoesOn if body.closes_at_label() => "goes to a label",
        End::GoesOn => "goes on",
        End::Exit => "goes to an exit",
        End::Label => "goes to a label",
        End::Leaves | End::Nowhere => "leaves the trace",
    };
    if sp == expected {
        return;
    }
    let is = match sp {
        0 => "where it was".to_owned(),
        sp if sp < 0 => format!("{} bytes lower than it was", -sp),
        sp => format!("{sp} bytes higher than it was"),
    };
    let should = match expected {
        0 => "belongs where it was".to_owned(),
        bytes if bytes < 0 => format!("belongs {} bytes lower, below the frame", -bytes),
        bytes => format!("belongs {bytes} bytes higher, behind the frame"),
    };
    let advice = match frame {
        0 => {
            "take back what the micro-op took; if the trace keeps a frame, declare it with `Contract::frame`"
        }
        _ => {
            "take back what the micro-op took; if it opens the frame, name it in `Contract::frame`"
        }
    };
    let what = format!("{way} with the stack pointer {is}; it {should}: {advice}");
    findings.push(match body.instructions.is_empty() {
        true => Finding::of(Rule::Stack, name, what),
        false => Finding::at(Rule::Stack, body, from, what),
    });
}
