//! Random programs that the verifier accepts.
//!
//! A program is a few functions of groups of instructions. Jumps lead to the start of a group of the same
//! function; within a group, what is read is written before or holds a value from the function's start on.

use std::ops::RangeInclusive;

use ebpf::error::Invalid;
use ebpf::helpers::HelperCall;
use ebpf::instruction::*;
use ebpf::program::{Data, Program, Relocation};
use ebpf::verify::Verified;
use opstitch::Target;

use super::*;

/// A group, and the group that the jump which it ends with leads to.
struct Group {
    code: Vec<Instruction>,
    jump_to: Option<usize>,
    /// Calls: the place in the group, and the function.
    calls: Vec<(usize, usize)>,
    /// Loads of the address of the data: the place in the group.
    data: Option<usize>,
}

pub(crate) struct Generator {
    rng: fastrand::Rng,
    functions: usize,
    /// The most groups of a function.
    pub(crate) groups: usize,
}

const SIZES: [u8; 4] = [B, H, W, DW];
const OPERATIONS: [u8; 12] = [ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR, MOV, ARSH];
const CONDITIONS: [u8; 11] = [JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, JLT, JLE, JSLT, JSLE];

/// Where the functions keep r1, the input's address: below r10.
const SAVED: i16 = -8;

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator {
            rng: fastrand::Rng::with_seed(seed),
            functions: 1,
            groups: 30,
        }
    }

    /// The length of the input for the program.
    pub(crate) fn input(&mut self) -> Vec<u8> {
        let len = self.rng.usize(0..40);
        std::iter::repeat_with(|| self.rng.u8(..))
            .take(len)
            .collect()
    }

    pub(crate) fn budget(&mut self) -> u64 {
        *self.rng.choice([0, 30, 300, 3000].iter()).unwrap_or(&0)
    }

    /// A program that the verifier accepts. Now and then one has no way to an exit, and another one is made.
    pub(crate) fn program(&mut self) -> Program {
        let target = Target::new(0).unwrap();
        let helpers = [1, 3, 5].map(|number| HelperCall {
            number,
            target,
            ends: number == 5,
        });
        loop {
            let program = self.attempt();
            match Verified::new(&program.code, &helpers) {
                Err(Invalid::NoExit) => continue,
                Err(error) => panic!("the generator made an invalid program: {error}"),
                Ok(_) => return program,
            }
        }
    }

    fn attempt(&mut self) -> Program {
        self.functions = 1 + [0, 0, 1, 2, 4][self.rng.usize(0..5)];
        let mut program = Program::default();
        let bytes = std::iter::repeat_with(|| self.rng.u8(..))
            .take(24)
            .collect();
        program.data.push(Data {
            name: ".data".to_owned(),
            bytes,
        });
        let mut starts = Vec::new();
        let mut calls = Vec::new();
        for number in 0..self.functions {
            starts.push(program.code.len());
            self.function(number, &mut program, &mut calls);
        }
        for (pc, function) in calls {
            program.code[pc].imm = (starts[function] as i64 - pc as i64 - 1) as i32;
        }
        program
    }

    fn function(&mut self, number: usize, program: &mut Program, calls: &mut Vec<(usize, usize)>) {
        let mut groups = vec![self.start()];
        let len = self.rng.usize(self.groups / 2..self.groups);
        for at in 0..len {
            let mut group = Group {
                code: Vec::new(),
                jump_to: None,
                calls: Vec::new(),
                data: None,
            };
            // Jumps of 16 bits reach that far.
            let near = (at + 1).saturating_sub(1500).max(1)..=(at + 1500).min(len + 1);
            self.group(number, near, &mut group);
            groups.push(group);
        }
        let mut places = Vec::new();
        let mut jumps = Vec::new();
        for group in groups {
            let at = program.code.len();
            places.push(at);
            let data = group.data.map(|place| Relocation {
                pc: at + place,
                data: 0,
                offset: 0,
            });
            program.relocations.extend(data);
            calls.extend(
                group
                    .calls
                    .iter()
                    .map(|&(place, function)| (at + place, function)),
            );
            program.code.extend(group.code);
            jumps.extend(group.jump_to.map(|to| (program.code.len() - 1, to)));
        }
        places.push(program.code.len());
        for (pc, to) in jumps {
            let distance = places[to] as i64 - pc as i64 - 1;
            let jump = &mut program.code[pc];
            match jump.opcode {
                opcode if opcode == JMP32 | JA => jump.imm = distance as i32,
                _ => jump.offset = distance as i16,
            }
        }
        program.code.push(exit());
    }

    /// Writes every register.
    fn start(&mut self) -> Group {
        let mut code = vec![store(DW, 10, 1, SAVED)];
        for register in [0, 3, 4, 5, 6, 7, 8, 9] {
            code.extend(lddw(register, self.value()));
        }
        Group {
            code,
            jump_to: None,
            calls: Vec::new(),
            data: None,
        }
    }

    fn group(&mut self, function: usize, near: RangeInclusive<usize>, group: &mut Group) {
        let (a, b) = (self.register(), self.register());
        let code = &mut group.code;
        match self.rng.u32(0..100) {
            0..40 => code.push(self.arithmetic(a, b)),
            40..46 => {
                // Pairs that are fused.
                code.push(copy(a, b));
                code.push(self.arithmetic(a, b));
            }
            46..50 => {
                let back = *self.rng.choice([RSH, ARSH].iter()).unwrap_or(&RSH);
                code.push(slot(ALU64 | LSH, a, 0, 0, 32));
                code.push(slot(ALU64 | back, a, 0, 0, self.rng.i32(30..40)));
            }
            50..68 => self.memory(a, b, group),
            68..80 => {
                let class = [JMP, JMP32][self.rng.usize(0..2)];
                let condition = CONDITIONS[self.rng.usize(0..CONDITIONS.len())];
                code.push(match self.rng.u32(0..10) {
                    0 => slot(class | JA, 0, 0, 0, 0),
                    1..5 => slot(class | condition | X, a, b, 0, 0),
                    _ => slot(class | condition, a, 0, 0, self.immediate()),
                });
                group.jump_to = Some(self.rng.usize(near));
            }
            80..84 => code.extend(lddw(a, self.value())),
            84..88 => {
                let helper = [1, 3, 5][self.rng.usize(0..3)];
                code.push(call_helper(helper));
                self.after_call(code);
            }
            88..92 if function + 1 < self.functions => {
                // Functions call those behind them only, so nothing recurses.
                let callee = self.rng.usize(function + 1..self.functions);
                code.push(load(DW, 1, 10, SAVED));
                group.calls.push((code.len(), callee));
                code.push(call(0));
                self.after_call(code);
            }
            92..95 => {
                let bits = [16, 32, 64][self.rng.usize(0..3)];
                let opcode = [ALU | END, ALU | END | X, ALU64 | END][self.rng.usize(0..3)];
                code.push(slot(opcode, a, 0, 0, bits));
            }
            _ => {
                let (class, offset) = [(ALU, 8), (ALU, 16), (ALU64, 8), (ALU64, 16), (ALU64, 32)]
                    [self.rng.usize(0..5)];
                code.push(slot(class | MOV | X, a, b, offset, 0));
            }
        }
    }

    fn arithmetic(&mut self, dst: u8, src: u8) -> Instruction {
        let class = [ALU, ALU64][self.rng.usize(0..2)];
        let operation = OPERATIONS[self.rng.usize(0..OPERATIONS.len())];
        let offset = match operation {
            DIV | MOD => self.rng.i16(0..2),
            _ => 0,
        };
        match self.rng.u32(0..9) {
            0 => slot(class | NEG, dst, 0, 0, 0),
            1..5 => slot(class | operation | X, dst, src, offset, 0),
            _ => slot(class | operation, dst, 0, offset, self.immediate()),
        }
    }

    /// An access of the stack, the input, the data, or of whatever a register holds.
    fn memory(&mut self, a: u8, b: u8, group: &mut Group) {
        let code = &mut group.code;
        let size = SIZES[self.rng.usize(0..4)];
        let (base, offset) = match self.rng.u32(0..20) {
            0..5 => {
                // The place of the input's address is left alone, mostly.
                let lowest = if self.rng.u32(0..20) == 0 { -8 } else { -16 };
                (10, self.rng.i16(-40..=lowest))
            }
            5..8 => {
                code.push(copy(a, 10));
                code.push(add(a, self.rng.i32(-520..8)));
                if self.rng.u32(0..4) == 0 {
                    // What was known of the register is known no more.
                    code.push(self.arithmetic(a, b));
                }
                (a, self.rng.i16(-8..1))
            }
            8..16 => {
                code.push(load(DW, a, 10, SAVED));
                code.push(add(a, self.rng.i32(-2..30)));
                (
                    a,
                    *self
                        .rng
                        .choice([0, 0, 1, 2, 3, 4, 8, -4, -8, 300, -300, 5000].iter())
                        .unwrap_or(&0),
                )
            }
            16..19 => {
                group.data = Some(code.len());
                code.extend(lddw(a, 0));
                (a, self.rng.i16(-1..26))
            }
            _ => (b, self.rng.i16(..)),
        };
        let atomics = [
            ADD,
            OR,
            AND,
            XOR,
            ADD | FETCH,
            OR | FETCH,
            AND | FETCH,
            XOR | FETCH,
            XCHG,
            CMPXCHG,
        ];
        code.push(match self.rng.u32(0..10) {
            0..4 => load(size, b, base, offset),
            4 if size != DW => slot(LDX | MEMSX | size, b, base, offset, 0),
            5..7 => slot(ST | MEM | size, base, 0, offset, self.immediate()),
            7 => {
                // Mostly where it may be.
                let size = [W, DW][self.rng.usize(0..2)];
                let aligned = if self.rng.u32(0..8) == 0 {
                    offset
                } else {
                    offset & !7
                };
                let operation = atomics[self.rng.usize(0..atomics.len())];
                slot(STX | ATOMIC | size, base, b, aligned, operation.into())
            }
            _ => store(size, base, b, offset),
        });
    }

    /// What a call leaves undefined is written again.
    fn after_call(&mut self, code: &mut Vec<Instruction>) {
        for register in 1..=5 {
            code.push(mov(register, self.immediate()));
        }
        if self.rng.bool() {
            code.push(load(DW, 1, 10, SAVED));
        }
    }

    fn register(&mut self) -> u8 {
        self.rng.u8(0..10)
    }

    fn immediate(&mut self) -> i32 {
        match self.rng.bool() {
            true => IMMEDIATES[self.rng.usize(0..IMMEDIATES.len())],
            false => self.rng.i32(..) >> self.rng.u32(0..32),
        }
    }

    fn value(&mut self) -> u64 {
        match self.rng.bool() {
            true => BOUNDARIES[self.rng.usize(0..BOUNDARIES.len())],
            false => self.rng.u64(..) >> self.rng.u32(0..64),
        }
    }
}
