//! Loads, stores and atomic operations.

use opstitch::{Error, Reg};

use super::{Stitch, by_width, register};
use crate::instruction::*;
use crate::uops::guard::FarAddress;
use crate::uops::{ADDRESS, CONSTANT, alu, atomics as uops, memory};

/// An access whose address has been checked, if it is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) base: Reg,
    pub(super) offset: i16,
    /// Whether the address is known to be a multiple of 8 but for the offset.
    pub(super) is_frame: bool,
}

impl Place {
    /// The offset in units of the access, if an access can have it so.
    fn scaled(self, size: u8) -> Option<u64> {
        let (offset, size) = (u64::try_from(self.offset).ok()?, u64::from(size));
        (offset % size == 0 && offset / size < 4096).then_some(offset / size)
    }
}

/// Pushes an access in the form that its offset allows.
macro_rules! access {
    ($self:ident, $place:ident, $size:literal, $scaled:ident / $near:ident { $($field:ident),* }) => {
        match ($place, $place.scaled($size)) {
            (Place { base, .. }, Some(scaled)) => {
                $self.push(memory::$scaled { $($field,)* base, scaled })
            }
            (Place { base, offset, .. }, None) => {
                $self.push(memory::$near { $($field,)* base, offset: offset.into() })
            }
        }
    };
}

impl Stitch<'_, '_> {
    pub(super) fn access(&mut self, pc: usize) -> Result<(), Error> {
        let instruction = self.code[pc];
        let (dst, src) = (register(instruction.dst()), register(instruction.src()));
        if instruction.mode() == ATOMIC {
            let place = self.place(pc, dst)?;
            return self.atomic(pc, place, src);
        }
        let base = if instruction.class() == LDX { src } else { dst };
        let at = self.place(pc, base)?;
        let at = self.in_reach(at, instruction.size())?;
        match (
            instruction.class(),
            instruction.mode() == MEMSX,
            instruction.size(),
        ) {
            (LDX, true, 1) => access!(self, at, 1, LoadSignedByte / LoadSignedByteNear { dst }),
            (LDX, true, 2) => access!(self, at, 2, LoadSignedHalf / LoadSignedHalfNear { dst }),
            (LDX, true, _) => access!(self, at, 4, LoadSignedWord / LoadSignedWordNear { dst }),
            (LDX, _, 1) => access!(self, at, 1, LoadByte / LoadByteNear { dst }),
            (LDX, _, 2) => access!(self, at, 2, LoadHalf / LoadHalfNear { dst }),
            (LDX, _, 4) => access!(self, at, 4, LoadWord / LoadWordNear { dst }),
            (LDX, _, _) => access!(self, at, 8, LoadDouble / LoadDoubleNear { dst }),
            (ST, _, size) => self.store_immediate(instruction.imm, at, size),
            (_, _, size) => self.store(src, at, size),
        }
    }

    fn store(&mut self, src: Reg, at: Place, size: u8) -> Result<(), Error> {
        match size {
            1 => access!(self, at, 1, StoreByte / StoreByteNear { src }),
            2 => access!(self, at, 2, StoreHalf / StoreHalfNear { src }),
            4 => access!(self, at, 4, StoreWord / StoreWordNear { src }),
            _ => access!(self, at, 8, StoreDouble / StoreDoubleNear { src }),
        }
    }

    fn store_immediate(&mut self, imm: i32, at: Place, size: u8) -> Result<(), Error> {
        // Only the bits that are stored count.
        let value = match size {
            1 => u64::from(imm as u8),
            2 => u64::from(imm as u16),
            4 => u64::from(imm as u32),
            _ => imm as i64 as u64,
        };
        match (value, size) {
            (0, 1) => access!(self, at, 1, ClearByte / ClearByteNear {}),
            (0, 2) => access!(self, at, 2, ClearHalf / ClearHalfNear {}),
            (0, 4) => access!(self, at, 4, ClearWord / ClearWordNear {}),
            (0, _) => access!(self, at, 8, ClearDouble / ClearDoubleNear {}),
            _ => {
                self.constant(CONSTANT, value)?;
                self.store(CONSTANT, at, size)
            }
        }
    }

    fn atomic(&mut self, pc: usize, place: Place, src: Reg) -> Result<(), Error> {
        let instruction = self.code[pc];
        let wide = instruction.size() == 8;
        let address = self.exact(place)?;
        self.check_aligned(pc, place, address)?;
        let imm = instruction.imm as u8;
        match (imm & !FETCH, imm & FETCH != 0) {
            (ADD, false) => by_width!(self, wide, AtomicAdd / AtomicAdd32 { src, address }),
            (OR, false) => by_width!(self, wide, AtomicOr / AtomicOr32 { src, address }),
            (XOR, false) => by_width!(self, wide, AtomicXor / AtomicXor32 { src, address }),
            (AND, false) => by_width!(self, wide, AtomicAnd / AtomicAnd32 { src, address }),
            (ADD, true) => by_width!(self, wide, FetchAdd / FetchAdd32 { src, address }),
            (OR, true) => by_width!(self, wide, FetchOr / FetchOr32 { src, address }),
            (XOR, true) => by_width!(self, wide, FetchXor / FetchXor32 { src, address }),
            (AND, true) => by_width!(self, wide, FetchAnd / FetchAnd32 { src, address }),
            _ if imm == XCHG => by_width!(self, wide, Exchange / Exchange32 { src, address }),
            _ => by_width!(
                self,
                wide,
                CompareExchange / CompareExchange32 { src, address }
            ),
        }
    }

    /// The place with an offset that an access can have.
    fn in_reach(&mut self, place: Place, size: u8) -> Result<Place, Error> {
        if place.scaled(size).is_some() || (-256..256).contains(&place.offset) {
            return Ok(place);
        }
        Ok(Place {
            base: self.exact(place)?,
            offset: 0,
            is_frame: false,
        })
    }

    /// A register with the address itself.
    fn exact(&mut self, place: Place) -> Result<Reg, Error> {
        let Place {
            base: left, offset, ..
        } = place;
        let (dst, right) = (ADDRESS, u64::from(offset.unsigned_abs()));
        match offset {
            0 => return Ok(left),
            1..4096 => self.push(alu::AddImmediate { dst, left, right })?,
            -4095..0 => self.push(alu::SubImmediate { dst, left, right })?,
            _ => {
                let offset = offset as i64 as u64;
                self.push(FarAddress { base: left, offset })?;
            }
        }
        Ok(dst)
    }
}
