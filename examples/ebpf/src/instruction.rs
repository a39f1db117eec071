//! Instructions as RFC 9669 encodes them. Names and numbers are those of the RFC.

use std::fmt;

/// One slot of eight bytes: an instruction, or the second half of a [`LDDW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Instruction {
    /// Class, operation and source.
    pub opcode: u8,
    /// The destination in the lower four bits, the source in the upper four.
    pub registers: u8,
    /// In bytes for accesses, in slots for jumps.
    pub offset: i16,
    /// The immediate.
    pub imm: i32,
}

impl Instruction {
    /// The slot in these bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Instruction {
        let [opcode, registers, o0, o1, imm @ ..] = bytes;
        Instruction {
            opcode,
            registers,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes(imm),
        }
    }

    /// The slot's bytes.
    pub fn to_bytes(self) -> [u8; 8] {
        let ([o0, o1], [i0, i1, i2, i3]) = (self.offset.to_le_bytes(), self.imm.to_le_bytes());
        [self.opcode, self.registers, o0, o1, i0, i1, i2, i3]
    }

    /// The number of the destination register.
    pub fn dst(self) -> u8 {
        self.registers & 0xf
    }

    /// The number of the source register.
    pub fn src(self) -> u8 {
        self.registers >> 4
    }

    /// Its class.
    pub fn class(self) -> u8 {
        self.opcode & 0x07
    }

    /// The operation, of arithmetic and of jumps.
    pub fn operation(self) -> u8 {
        self.opcode & 0xf0
    }

    /// Whether the second operand of arithmetic or of a jump is a register.
    pub fn uses_register(self) -> bool {
        self.opcode & X != 0
    }

    /// The mode, of accesses.
    pub fn mode(self) -> u8 {
        self.opcode & 0xe0
    }

    /// The bytes that a load, a store or an atomic operation accesses.
    pub fn size(self) -> u8 {
        match self.opcode & 0x18 {
            W => 4,
            H => 2,
            B => 1,
            _ => 8,
        }
    }

    /// Whether it is one of the two jumps without a condition.
    pub fn is_ja(self) -> bool {
        self.opcode == JMP | JA || self.opcode == JMP32 | JA
    }

    /// Whether it jumps, with or without a condition. Calls and exits do not.
    pub fn is_jump(self) -> bool {
        matches!(self.class(), JMP | JMP32) && !matches!(self.operation(), CALL | EXIT)
    }

    /// The slots that a jump skips. The 32-bit [`JA`] has them in its immediate.
    pub fn distance(self) -> i32 {
        if self.opcode == JMP32 | JA {
            self.imm
        } else {
            self.offset.into()
        }
    }

    /// Whether it calls a function of the program.
    pub fn is_local_call(self) -> bool {
        self.opcode == JMP | CALL && self.src() == LOCAL
    }

    /// Whether it accesses memory, as [`LDX`], [`ST`] and [`STX`] do.
    pub fn is_access(self) -> bool {
        matches!(self.class(), LDX | ST | STX)
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opcode, dst, src) = (self.opcode, self.dst(), self.src());
        let (offset, imm) = (self.offset, self.imm);
        write!(
            f,
            "opcode {opcode:#04x} dst={dst} src={src} offset={offset} imm={imm}"
        )
    }
}

/// Reads a program: eight bytes a slot. `None` if a slot is incomplete.
pub fn decode(bytes: &[u8]) -> Option<Vec<Instruction>> {
    let (slots, rest) = bytes.as_chunks::<8>();
    let decoded = slots.iter().map(|&slot| Instruction::from_bytes(slot));
    rest.is_empty().then(|| decoded.collect())
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $($name:ident = $value:literal),*;)*) => {
        $($(#[$doc])* $(#[allow(missing_docs)] pub const $name: u8 = $value;)*)*
    };
}

numbers! {
    /// Classes.
    LD = 0x00, LDX = 0x01, ST = 0x02, STX = 0x03, ALU = 0x04, JMP = 0x05, JMP32 = 0x06, ALU64 = 0x07;
    /// Set where the second operand is a register.
    X = 0x08;
    /// Operations of arithmetic.
    ADD = 0x00, SUB = 0x10, MUL = 0x20, DIV = 0x30, OR = 0x40, AND = 0x50, LSH = 0x60, RSH = 0x70, NEG = 0x80,
    MOD = 0x90, XOR = 0xa0, MOV = 0xb0, ARSH = 0xc0, END = 0xd0;
    /// Operations of jumps.
    JA = 0x00, JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40, JNE = 0x50, JSGT = 0x60, JSGE = 0x70,
    CALL = 0x80, EXIT = 0x90, JLT = 0xa0, JLE = 0xb0, JSLT = 0xc0, JSLE = 0xd0;
    /// The source of a call: a helper by its number, a function of the program, a helper by its BTF id.
    HELPER = 0, LOCAL = 1, BTF = 2;
    /// Sizes of accesses.
    W = 0x00, H = 0x08, B = 0x10, DW = 0x18;
    /// Modes of accesses.
    IMM = 0x00, ABS = 0x20, IND = 0x40, MEM = 0x60, MEMSX = 0x80, ATOMIC = 0xc0;
    /// A load of 64 bits from two slots.
    LDDW = 0x18;
    /// Set in the immediate of atomic operations that fetch.
    FETCH = 0x01;
    /// The immediates of the atomic operations that have no operation of arithmetic; with [`FETCH`].
    XCHG = 0xe1, CMPXCHG = 0xf1;
}
