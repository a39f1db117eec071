//! The guest's registers, by number.

use unicorn_engine::{RegisterARM64, Unicorn, ffi, uc_error};

use crate::error::Error;

/// The condition flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nzcv {
    /// Negative.
    pub n: bool,
    /// Zero.
    pub z: bool,
    /// Carry.
    pub c: bool,
    /// Overflow.
    pub v: bool,
}

/// Unicorn's numbers.
pub(crate) const SP: i32 = RegisterARM64::SP as i32;
pub(crate) const NZCV: i32 = RegisterARM64::NZCV as i32;

impl Nzcv {
    /// The bits of all four.
    pub(crate) const ALL: u64 = 0xf000_0000;

    pub(crate) fn from_bits(bits: u64) -> Nzcv {
        let bit = |n: u32| bits >> n & 1 != 0;
        Nzcv {
            n: bit(31),
            z: bit(30),
            c: bit(29),
            v: bit(28),
        }
    }

    pub(crate) fn bits(self) -> u64 {
        u64::from(self.n) << 31
            | u64::from(self.z) << 30
            | u64::from(self.c) << 29
            | u64::from(self.v) << 28
    }
}

/// The number by which Unicorn knows `x0` to `x30`; they are not in one row there.
pub(crate) fn x_id(number: u8) -> Result<i32, Error> {
    let id = match number {
        0..=28 => RegisterARM64::X0 as i32 + i32::from(number),
        29 => RegisterARM64::X29 as i32,
        30 => RegisterARM64::X30 as i32,
        _ => return Err(Error::NoSuchRegister { bank: 'x', number }),
    };
    Ok(id)
}

/// The number by which Unicorn knows `v0` to `v31`.
pub(crate) fn v_id(number: u8) -> Result<i32, Error> {
    match number {
        0..=31 => Ok(RegisterARM64::Q0 as i32 + i32::from(number)),
        _ => Err(Error::NoSuchRegister { bank: 'v', number }),
    }
}

/// Reads a vector register whole. Unicorn's binding has a safe way to it (`reg_read_long`), but only
/// when it is built with the 32-bit Arm core too, which doubles the time it takes to build.
#[allow(unsafe_code)]
pub(crate) fn read_v<D>(engine: &Unicorn<'_, D>, number: u8) -> Result<u128, Error> {
    let id = v_id(number)?;
    let mut halves = [0u64; 2];
    // SAFETY: the handle is that of a live engine, and for Q0 to Q31, the only ids that `v_id` makes,
    // Unicorn writes 16 bytes, which is what `halves` has room for.
    let code = unsafe { ffi::uc_reg_read(engine.get_handle(), id, halves.as_mut_ptr().cast()) };
    match code {
        uc_error::OK => Ok(u128::from(halves[0]) | u128::from(halves[1]) << 64),
        code => Err(Error::unicorn("read a vector register")(code)),
    }
}

/// Access to registers and memory, for a type with a field `engine` that is a `Guest`.
macro_rules! accessors {
    () => {
        /// The general register `x0` to `x30`, by its number.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 31 on.
        pub fn x(&self, number: u8) -> Result<u64, Error> {
            self.engine.register($crate::registers::x_id(number)?)
        }

        /// Sets `x0` to `x30`.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 31 on.
        pub fn set_x(&mut self, number: u8, value: u64) -> Result<(), Error> {
            self.engine
                .set_register($crate::registers::x_id(number)?, value)
        }

        /// The vector register `v0` to `v31`, by its number, all 128 bits of it.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 32 on.
        pub fn v(&self, number: u8) -> Result<u128, Error> {
            self.engine.vector(number)
        }

        /// Sets all 128 bits of `v0` to `v31`.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 32 on.
        pub fn set_v(&mut self, number: u8, value: u128) -> Result<(), Error> {
            self.engine.set_vector(number, value)
        }

        /// The double-precision number in `d0` to `d31`, which is the lower half of the vector
        /// register.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 32 on.
        pub fn d(&self, number: u8) -> Result<f64, Error> {
            Ok(f64::from_bits(self.v(number)? as u64))
        }

        /// Sets `d0` to `d31` and, as an instruction would, the upper half of the vector register
        /// to zero.
        ///
        /// # Errors
        /// [`Error::NoSuchRegister`](crate::Error::NoSuchRegister) from 32 on.
        pub fn set_d(&mut self, number: u8, value: f64) -> Result<(), Error> {
            self.set_v(number, value.to_bits().into())
        }

        /// The stack pointer.
        ///
        /// # Errors
        /// [`Error::Unicorn`](crate::Error::Unicorn) if Unicorn does not tell it.
        pub fn sp(&self) -> Result<u64, Error> {
            self.engine.register($crate::registers::SP)
        }

        /// The condition flags.
        ///
        /// # Errors
        /// [`Error::Unicorn`](crate::Error::Unicorn) if Unicorn does not tell them.
        pub fn nzcv(&self) -> Result<$crate::Nzcv, Error> {
            let bits = self.engine.register($crate::registers::NZCV)?;
            Ok($crate::Nzcv::from_bits(bits))
        }

        /// Sets the condition flags.
        ///
        /// # Errors
        /// [`Error::Unicorn`](crate::Error::Unicorn) if Unicorn does not take them.
        pub fn set_nzcv(&mut self, flags: $crate::Nzcv) -> Result<(), Error> {
            self.engine
                .set_register($crate::registers::NZCV, flags.bits())
        }

        /// `len` bytes of guest memory.
        ///
        /// # Errors
        /// [`Error::NotMapped`](crate::Error::NotMapped) if a byte is not mapped.
        pub fn read(&self, address: u64, len: usize) -> Result<Vec<u8>, Error> {
            self.engine.check(address, len)?;
            let mut bytes = vec![0; len];
            self.engine.read_into(address, &mut bytes)?;
            Ok(bytes)
        }

        /// Changes guest memory, code included: the new instructions are what runs next. Where a
        /// byte is not mapped, none is written.
        ///
        /// # Errors
        /// [`Error::NotMapped`](crate::Error::NotMapped) if a byte is not mapped.
        pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
            self.engine.write_from(address, bytes)
        }

        /// Eight bytes of guest memory, as a little-endian number.
        ///
        /// # Errors
        /// [`Error::NotMapped`](crate::Error::NotMapped) if a byte is not mapped.
        pub fn read_u64(&self, address: u64) -> Result<u64, Error> {
            let mut bytes = [0; 8];
            self.engine.read_into(address, &mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        }

        /// Changes eight bytes of guest memory.
        ///
        /// # Errors
        /// [`Error::NotMapped`](crate::Error::NotMapped) if a byte is not mapped.
        pub fn write_u64(&mut self, address: u64, value: u64) -> Result<(), Error> {
            self.engine.write_from(address, &value.to_le_bytes())
        }
    };
}

pub(crate) use accessors;
