//! From verified bytecode to micro-ops: one pass, an instruction at a time.
//!
//! Each eBPF instruction becomes the micro-op with its name. What is chosen here is the form: an
//! immediate where it fits, a shorter branch for a comparison with zero, and one micro-op for a few
//! pairs that compilers write often (`alu.rs`). `checks.rs` puts its micro-ops in
//! front of accesses, backward jumps and calls.

mod alu;
mod checks;
mod jumps;
mod memory;

use opstitch::{Error, Exit, Label, MicroOp, Options, Reg, Trace, TraceBuilder};

use crate::instruction::*;
use crate::uops::frame::*;
use crate::uops::{CONSTANT, REGISTERS, alu as uops};
use crate::verify::{Function, Verified, slots};
use checks::Checks;

/// Translates programs, one after the other, with the same memory.
#[derive(Debug)]
pub struct Translator {
    builder: TraceBuilder,
    checked: bool,
    labels: Vec<Option<Label>>,
    functions: Vec<Label>,
    origins: Vec<Origin>,
}

/// The first micro-op of an instruction, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The micro-op, by its number in the trace.
    pub op: usize,
    /// The instruction.
    pub pc: usize,
}

/// A program as a trace.
#[derive(Debug)]
pub struct Translation<'t> {
    /// The trace.
    pub trace: Trace<'t>,
    /// Where its micro-ops come from, in order; empty without annotations.
    pub origins: &'t [Origin],
}

impl Translator {
    /// A translator with these options, which leaves the checks out unless `checked`.
    pub fn new(options: Options, checked: bool) -> Translator {
        Translator {
            builder: TraceBuilder::with_options(options),
            checked,
            labels: Vec::new(),
            functions: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Translates a program.
    ///
    /// # Errors
    /// [`Error::TraceTooLong`] for one that is beyond what `b` reaches.
    pub fn translate(&mut self, program: &Verified<'_>) -> Result<Translation<'_>, Error> {
        self.builder.clear();
        self.origins.clear();
        self.labels.clear();
        self.labels.resize(program.code().len(), None);
        self.functions.clear();
        for _ in program.functions() {
            self.functions.push(self.builder.label());
        }
        let leave = self.builder.label();
        let checks = match self.checked {
            true => Some(Checks::new(&mut self.builder, leave)?),
            false => None,
        };
        let mut stitch = Stitch {
            builder: &mut self.builder,
            labels: &mut self.labels,
            functions: &self.functions,
            origins: &mut self.origins,
            program,
            code: program.code(),
            checks,
            epilogue: leave,
            leave,
            ended: None,
        };
        stitch.program()?;
        Ok(Translation {
            trace: self.builder.finish()?,
            origins: &self.origins,
        })
    }
}

/// A program that is being translated.
struct Stitch<'t, 'p> {
    builder: &'t mut TraceBuilder,
    /// For each slot that a jump leads to.
    labels: &'t mut [Option<Label>],
    functions: &'t [Label],
    origins: &'t mut Vec<Origin>,
    program: &'t Verified<'p>,
    code: &'p [Instruction],
    checks: Option<Checks>,
    /// Where the exits of the function lead.
    epilogue: Label,
    /// Where the program is left, with x0 and x1 set.
    leave: Label,
    /// The exit of helpers that end the program.
    ended: Option<Exit>,
}

impl Stitch<'_, '_> {
    fn program(&mut self) -> Result<(), Error> {
        for (number, function) in self.program.functions().iter().enumerate() {
            self.builder.bind(self.functions[number])?;
            self.epilogue = self.builder.label();
            if number == 0 {
                self.enter(function)?;
                self.body(function)?;
                self.leave()?;
            } else {
                self.begin(function)?;
                self.body(function)?;
                self.end(function)?;
            }
        }
        match &self.checks {
            Some(checks) => checks.finish(self.builder),
            None => Ok(()),
        }
    }

    fn body(&mut self, function: &Function) -> Result<(), Error> {
        let annotate = self.builder.options().is_annotated();
        self.forget_frame_pointers();
        let mut pc = function.start;
        while pc < function.end {
            if self.program.is_target(pc) {
                let label = self.label(pc);
                self.builder.bind(label)?;
                self.forget_frame_pointers();
            }
            if annotate {
                let op = self.builder.len();
                self.origins.push(Origin { op, pc });
            }
            pc = self.instruction(pc)?;
        }
        self.builder.bind(self.epilogue)
    }

    /// Translates an instruction, and those behind it that go with it. Returns the next one.
    fn instruction(&mut self, pc: usize) -> Result<usize, Error> {
        let instruction = self.code[pc];
        match instruction.class() {
            ALU | ALU64 => return self.arithmetic(pc),
            JMP | JMP32 => self.jump(pc)?,
            LD => {
                let high = (self.code[pc + 1].imm as u32 as u64) << 32;
                let value = high | instruction.imm as u32 as u64;
                self.constant(register(instruction.dst()), value)?;
                self.track(instruction);
            }
            _ => {
                self.access(pc)?;
                self.track(instruction);
            }
        }
        Ok(pc + slots(instruction))
    }

    /// The program's entry. What a program without calls and checks does not need is left out.
    fn enter(&mut self, function: &Function) -> Result<(), Error> {
        if self.has_host_frame() {
            self.push(Enter)?;
        }
        if self.checks.is_some() {
            self.push(crate::uops::guard::LoadGuards)?;
        }
        if function.uses_frame {
            self.push(EnterFrame)?;
        }
        if self.program.uses().functions {
            self.push(ClearResult)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.push(Ended)?;
        self.builder.bind(self.leave)?;
        match self.has_host_frame() {
            true => self.push(Leave),
            false => self.push(Return),
        }
    }

    fn has_host_frame(&self) -> bool {
        let uses = self.program.uses();
        self.checks.is_some() || uses.helpers || uses.functions
    }

    fn begin(&mut self, function: &Function) -> Result<(), Error> {
        for pair in self.saved(function).chunks(2) {
            match *pair {
                [a, b] => self.push(SavePair { a, b })?,
                _ => self.push(SaveOne { a: pair[0] })?,
            }
        }
        if function.uses_frame {
            self.push(PushFrame)?;
        }
        Ok(())
    }

    fn end(&mut self, function: &Function) -> Result<(), Error> {
        if function.uses_frame {
            self.push(PopFrame)?;
        }
        for pair in self.saved(function).chunks(2).rev() {
            match *pair {
                [a, b] => self.push(RestorePair { a, b })?,
                _ => self.push(RestoreOne { a: pair[0] })?,
            }
        }
        self.push(Return)
    }

    /// What a function keeps on the host's stack: where it returns to, if it calls anything (as
    /// checks do), and those of r6 to r9 that it writes.
    fn saved(&self, function: &Function) -> Vec<Reg> {
        let calls = function.calls || self.checks.is_some();
        let link = calls.then_some(Reg(30));
        let written = (6..10).filter(|number| function.saves >> number & 1 != 0);
        link.into_iter().chain(written.map(register)).collect()
    }

    fn push<M: MicroOp>(&mut self, op: M) -> Result<(), Error> {
        self.builder.push(op)
    }

    /// The label of an instruction that jumps lead to.
    fn label(&mut self, pc: usize) -> Label {
        *self.labels[pc].get_or_insert_with(|| self.builder.label())
    }

    /// The instruction behind the one at `pc`, if it is only ever reached from there.
    fn next(&self, pc: usize) -> Option<Instruction> {
        let next = *self.code.get(pc + 1)?;
        (!self.program.is_target(pc + 1)).then_some(next)
    }

    /// Sets a register. One instruction if one can do it, else two if they can, else a literal.
    fn constant(&mut self, dst: Reg, value: u64) -> Result<(), Error> {
        let [low, high] = [value & 0xffff, value >> 16 & 0xffff];
        match (value, !value) {
            (value @ 0..=0xffff, _) => self.push(uops::ConstantLow { dst, value }),
            (_, not_value @ 0..=0xffff) => self.push(uops::ConstantNot { dst, not_value }),
            _ if opstitch::immediate::is_one_move(value) => {
                self.push(uops::Constant { dst, value })
            }
            (0..=0xffff_ffff, _) => self.push(uops::ConstantPair { dst, low, high }),
            (_, not @ 0..=0xffff_ffff) => {
                let not_low = not & 0xffff;
                self.push(uops::NegativePair { dst, not_low, high })
            }
            _ => self.push(uops::Constant { dst, value }),
        }
    }

    /// The second operand in a register: the source, or the immediate in a scratch register.
    fn operand(&mut self, instruction: Instruction) -> Result<Reg, Error> {
        if instruction.uses_register() {
            return Ok(register(instruction.src()));
        }
        self.constant(CONSTANT, immediate(instruction))?;
        Ok(CONSTANT)
    }
}

/// Where an eBPF register is.
fn register(number: u8) -> Reg {
    REGISTERS[usize::from(number)]
}

/// The immediate as the operation's width sees it: 64-bit operations extend its sign.
fn immediate(instruction: Instruction) -> u64 {
    match instruction.class() {
        ALU | JMP32 => instruction.imm as u32 as u64,
        _ => instruction.imm as i64 as u64,
    }
}

/// Which of two kinds of micro-op an instruction needs. Both have the same operands.
macro_rules! by_width {
    ($self:ident, $wide:expr, $op:ident / $op32:ident $fields:tt) => {
        if $wide {
            $self.push(uops::$op $fields)
        } else {
            $self.push(uops::$op32 $fields)
        }
    };
}
pub(crate) use by_width;
