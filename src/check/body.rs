//! A micro-op's body as a graph: its instructions, what each reads and writes, and where it goes on.

use super::registers::{Register, Set};
use super::table::{self, Field};
use crate::asm::branch::{self, Field as Displacement};
use crate::asm::control::{self, Flow};
use crate::asm::literal::Load;
use crate::inspect::disassemble;
use crate::inspect::templates::{self, Line};
use crate::op::encode::Op;
use crate::op::operand::OperandKind;
use crate::op::template::{Goal, Hole, NO_CLOSING, Reference};
use crate::trace::emit::Part;

/// A way out of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// To the next micro-op, or to the label of a closing jump.
    GoesOn,
    /// To an exit.
    Exit,
    /// To a label.
    Label,
    /// Out of the trace: `ret`, `br`, or a tail call.
    Leaves,
    /// Nowhere: a trap, or an instruction that is a finding of its own.
    Nowhere,
}

/// Where an instruction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At this instruction of the body.
    To(usize),
    End(End),
}

/// An instruction of a body.
#[derive(Debug)]
pub(super) struct Instruction {
    /// Whether it is in the cold part.
    pub(super) cold: bool,
    /// Its place, in words from the start of its part.
    pub(super) at: usize,
    /// The word, with the lowest values of the operands in it.
    pub(super) word: u32,
    pub(super) text: String,
    pub(super) reads: Set,
    /// What it surely writes.
    pub(super) writes: Set,
    /// Whether a number of the micro-op's operands is in it.
    pub(super) has_number: bool,
    /// Whether what it reads and writes is known.
    pub(super) known: bool,
    pub(super) ways: Vec<Way>,
    /// Whether it calls, and goes on with the next instruction.
    pub(super) calls: bool,
    pub(super) reference: Option<Reference>,
    /// Where it leads without being a reference: in words from the start of its part.
    pub(super) local: Option<i64>,
}

impl Instruction {
    /// Whether no operand stands for one of its registers: those in its word are what they are.
    pub(super) fn has_fixed_registers(&self) -> bool {
        let mut registers = self.reads.iter().chain(self.writes.iter());
        !registers.any(|register| matches!(register, Register::Operand(_)))
    }
}

/// A body: the instructions of the hot part, then those of the cold one.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) op: Op,
    pub(super) instructions: Vec<Instruction>,
    /// The instructions that nothing leads to.
    pub(super) unreached: Vec<usize>,
}

impl Body {
    pub(super) fn new(op: Op) -> Body {
        let parts = [Part::Hot, Part::Cold].into_iter();
        let instructions = parts.flat_map(|part| {
            let lines = templates::lines(op, part).into_iter().enumerate();
            lines.map(move |(at, line)| instruction(op, part, at, line))
        });
        let instructions = instructions.collect();
        let mut body = Body {
            op,
            instructions,
            unreached: Vec::new(),
        };
        for index in 0..body.instructions.len() {
            body.instructions[index].ways = body.ways(index);
        }
        let reached = body.reached();
        let all = 0..body.instructions.len();
        body.unreached = all.filter(|&index| !reached[index]).collect();
        body
    }

    fn hot(&self) -> usize {
        Part::Hot.of(self.op).words.len()
    }

    /// What comes at the place `at` words from the start of a part; `None` outside of it.
    fn place(&self, cold: bool, at: i64) -> Option<Way> {
        let (start, end) = match cold {
            false => (0, self.hot()),
            true => (self.hot(), self.instructions.len()),
        };
        let index = usize::try_from(at).ok()?.checked_add(start)?;
        match index {
            _ if index < end => Some(Way::To(index)),
            _ if index == end && !cold => Some(Way::End(End::GoesOn)),
            _ => None,
        }
    }

    /// The places that computed branches may lead to: what `adr` takes the address of.
    pub(super) fn computed(&self) -> impl Iterator<Item = (usize, usize)> {
        let all = self.instructions.iter().enumerate();
        all.filter(|(_, i)| is_adr(i.word))
            .filter_map(|(index, i)| match self.place(i.cold, i.local?)? {
                Way::To(place) => Some((index, place)),
                Way::End(_) => None,
            })
    }

    fn ways(&self, index: usize) -> Vec<Way> {
        let this = &self.instructions[index];
        let next = self.place(this.cold, this.at as i64 + 1);
        let next = next.unwrap_or(Way::End(End::Nowhere));
        let branches = branch::branch_field(this.word).is_some();
        let target = match this.reference.map(|r| r.goal) {
            Some(Goal::Call) => Some(Way::End(End::Leaves)),
            Some(Goal::Exit) => Some(Way::End(End::Exit)),
            Some(Goal::Label) => Some(Way::End(End::Label)),
            Some(Goal::OtherPart) => {
                let argument = this.reference.map_or(0, |r| i64::from(r.argument));
                self.place(!this.cold, argument)
            }
            Some(Goal::Literal | Goal::MutLiteral) => None,
            None if branches => self.place(this.cold, this.local.unwrap_or(-1)),
            None => None,
        };
        let target = target.unwrap_or(Way::End(End::Nowhere));
        if this.calls {
            return vec![next];
        }
        match control::flow(this.word) {
            Flow::Jump => vec![target],
            Flow::Next if branches => vec![next, target],
            Flow::Next | Flow::Call => vec![next],
            Flow::Leaves if this.word & 0xfe00_0000 != 0xd600_0000 => vec![Way::End(End::Nowhere)],
            Flow::Leaves => {
                let leaves = Way::End(End::Leaves);
                if !is_br(this.word) {
                    return vec![leaves];
                }
                if let Some(place) = self.just_computed(index) {
                    return vec![Way::To(place)];
                }
                let inside = self.computed().map(|(_, place)| Way::To(place));
                inside.chain([leaves]).collect()
            }
        }
    }

    /// Where the `br` at `index` leads for sure: an `adr` in front of it has set its register, nothing in between sets it
    /// again, and nothing leads in between.
    fn just_computed(&self, index: usize) -> Option<usize> {
        let register = self.instructions[index].word >> 5 & 31;
        let before = self.instructions[..index].iter().enumerate().rev();
        for (at, instruction) in before {
            if self.is_led_to(at + 1) || instruction.cold != self.instructions[index].cold {
                return None;
            }
            if is_adr(instruction.word) && instruction.word & 31 == register {
                return match self.place(instruction.cold, instruction.local?)? {
                    Way::To(place) => Some(place),
                    Way::End(_) => None,
                };
            }
            let sets = Register::X(register as u8);
            if !instruction.known || instruction.calls || instruction.writes.contains(sets) {
                return None;
            }
        }
        None
    }

    /// Whether something else than what is in front of an instruction leads to it.
    fn is_led_to(&self, index: usize) -> bool {
        self.instructions.iter().any(|i| {
            let inside = i.local.and_then(|to| self.place(i.cold, to));
            let across = i.reference.filter(|r| r.goal == Goal::OtherPart);
            let across = across.and_then(|r| self.place(!i.cold, i64::from(r.argument)));
            [inside, across].contains(&Some(Way::To(index)))
        })
    }

    fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.instructions.len()];
        let mut open = vec![0];
        while let Some(index) = open.pop() {
            let Some(seen) = reached.get_mut(index) else {
                continue; // an empty body
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            for way in &self.instructions[index].ways {
                if let Way::To(next) = *way {
                    open.push(next);
                }
            }
        }
        reached
    }

    /// Whether the hot part ends by going on at a label, without an instruction of its own.
    pub(super) fn closes_at_label(&self) -> bool {
        self.op.template.closing != NO_CLOSING
    }
}

pub(super) fn is_adr(word: u32) -> bool {
    word & 0x9f00_0000 == 0x1000_0000
}

/// Whether `word` is `br` or one of its authenticating kin.
pub(super) fn is_br(word: u32) -> bool {
    word & 0xfe00_0000 == 0xd600_0000 && word >> 21 & 0b0111 == 0
}

fn instruction(op: Op, part: Part, at: usize, line: Line) -> Instruction {
    let holes: Vec<_> = templates::holes(op, part, at).collect();
    let reference = templates::reference(op, part, at);
    let low = line.word;
    let mut this = Instruction {
        cold: matches!(part, Part::Cold),
        at,
        word: low,
        text: match line.operands.is_empty() {
            true => line.text,
            false => {
                let names: Vec<_> = line.operands.iter().map(|&o| op.operand_name(o)).collect();
                format!("{}` with the lowest `{}", line.text, names.join("`, `"))
            }
        },
        reads: Set::EMPTY,
        writes: Set::EMPTY,
        has_number: holes.iter().any(|hole| !is_register(op, hole)),
        known: false,
        ways: Vec::new(),
        calls: branch::is_bl(low) || control::flow(low) == Flow::Call,
        reference,
        local: None,
    };
    if reference.is_none() {
        this.local = displacement(low).map(|words| words + at as i64);
    }
    let class = table::class(low).filter(|class| {
        // One class whatever the operands' values are, and an instruction that the architecture has.
        let patched = holes.iter().fold(0, |bits, hole| bits | hole_bits(hole));
        patched & class.mask == 0
            && table::class(line.highest).is_some_and(|other| std::ptr::eq(*class, other))
            && disassemble::is_instruction(low)
    });
    let Some(class) = class else {
        return this;
    };
    let set = |fields: &[Field]| {
        let mut set = Set::EMPTY;
        for &field in fields {
            let (position, registers) = registers(field, low);
            let operand = position.and_then(|bit| {
                let overlaps = |hole: &&&Hole| hole_bits(hole) & 31 << bit != 0;
                holes.iter().find(overlaps).map(|hole| hole.operand)
            });
            set = match operand {
                None => set.union(registers),
                Some(operand) if operand >= Register::OPERANDS => return None,
                // Of several registers that follow one another only the first is known by its operand.
                Some(_) if registers.iter().count() > 1 => return None,
                Some(operand) => set.with(Register::Operand(operand)),
            };
        }
        Some(set)
    };
    if let (Some(reads), Some(writes)) = (set(class.reads), set(class.writes)) {
        this.known = true;
        this.reads = reads;
        this.writes = writes;
        if this.calls {
            this.writes = writes.union(Set::CHANGED_BY_CALLS);
        }
    }
    this
}

fn is_register(op: Op, hole: &Hole) -> bool {
    let operand = op.operands().get(usize::from(hole.operand));
    operand.is_some_and(|o| matches!(o.kind, OperandKind::Reg | OperandKind::VReg))
}

fn hole_bits(hole: &Hole) -> u32 {
    let bits = (1u64 << hole.width) - 1;
    (bits << hole.target) as u32
}

/// Where a PC-relative instruction leads, in words from itself; `adrp` and bytes between words lead
/// nowhere in a body.
fn displacement(word: u32) -> Option<i64> {
    if let Some(field) = branch::branch_field(word) {
        return Some(field.displacement(word));
    }
    if Load::of(word).is_some() {
        return Some(Displacement::Imm19.displacement(word));
    }
    if word & 0x1f00_0000 == 0x1000_0000 {
        let words = Displacement::Imm19.displacement(word);
        let inside = is_adr(word) && word >> 29 & 0b11 == 0;
        return Some(if inside { words } else { i64::from(i32::MIN) });
    }
    None
}

/// The registers that a field names, and where its bits start, if it has any.
pub(super) fn registers(field: Field, word: u32) -> (Option<u8>, Set) {
    let at = |bit: u8| (word >> bit & 31) as u8;
    let vectors = |first: u8, count: u8| {
        let all = (0..count).map(|n| Register::V((first + n) % 32));
        all.collect()
    };
    match field {
        Field::X(bit) | Field::Sp(bit) => {
            let register = match (field, at(bit)) {
                (Field::Sp(_), 31) => Set::EMPTY.with(Register::Sp),
                (_, 31) => Set::EMPTY,
                (_, number) => Set::EMPTY.with(Register::X(number)),
            };
            (Some(bit), register)
        }
        Field::V(bit) => (Some(bit), vectors(at(bit), 1)),
        Field::Pair(bit) => {
            let both = [at(bit), at(bit) + 1].into_iter();
            let both = both.filter(|&number| number < 31).map(Register::X);
            (Some(bit), both.collect())
        }
        Field::Many => {
            let count = match word >> 12 & 0xf {
                0b0000 | 0b0010 => 4,
                0b0100 | 0b0110 => 3,
                0b1000 | 0b1010 => 2,
                _ => 1,
            };
            (Some(0), vectors(at(0), count))
        }
        Field::Lanes => {
            let count = 1 + (word >> 21 & 1) + 2 * (word >> 13 & 1);
            (Some(0), vectors(at(0), count as u8))
        }
        Field::Table => (Some(5), vectors(at(5), (1 + (word >> 13 & 3)) as u8)),
        Field::Element if word >> 23 & 1 == 1 => (Some(16), vectors(at(16), 1)),
        Field::Element | Field::Half => (Some(16), vectors(at(16) & 15, 1)),
        Field::Fixed(number) => (None, Set::EMPTY.with(Register::X(number))),
        Field::Stack => (None, Set::EMPTY.with(Register::Sp)),
        Field::Flags => (None, Set::EMPTY.with(Register::Flags)),
    }
}
