//! Junk for the registers that a function may change.

use crate::engine::Guest;
use crate::error::Error;
use crate::registers::{NZCV, Nzcv, v_id, x_id};

/// Fills what AAPCS64 lets a function change, but for what is in `set`. As a pointer the junk is
/// not mapped, as a `double` it is not a number.
pub(crate) fn clobber(guest: &mut dyn Guest, set: &[i32]) -> Result<(), Error> {
    // x18 belongs to the platform.
    for number in 0..=17 {
        let id = x_id(number)?;
        if !set.contains(&id) {
            guest.set_register(id, 0xc10b_be4e_d000_0000 | u64::from(number))?;
        }
    }
    for number in 0..=31 {
        if set.contains(&v_id(number)?) {
            continue;
        }
        let junk = 0x7ff4_c10b_be4e_d000 | u128::from(number);
        let low = match number {
            // Of these a function has to keep the lower half, and only that.
            8..=15 => guest.vector(number)? & u128::from(u64::MAX),
            _ => junk,
        };
        guest.set_vector(number, junk << 64 | low)?;
    }
    if !set.contains(&NZCV) {
        // The opposite of what they were, so that no test passes by luck.
        let opposite = !guest.register(NZCV)? & Nzcv::ALL;
        guest.set_register(NZCV, opposite)?;
    }
    Ok(())
}
