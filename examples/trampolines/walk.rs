//! Follows a loop through a trace's code, one round of it.

use std::error::Error;
use std::ops::Range;

/// The code of a trace, and what it has outside.
#[derive(Debug)]
pub struct Code {
    /// Where it is.
    pub address: u64,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Where trampolines of the slab may be, if there is one: `ldr x16, literal` and `br x16` each.
    pub slab: Option<Range<u64>>,
}

const BR_X16: u32 = 0xd61f_0200;
/// `ldr x16, .+8`, as the slab has it.
const LDR_X16: u32 = 0x5800_0050;

/// Whether a word is a `bl`.
pub fn is_call(word: u32) -> bool {
    word >> 26 == 0b100101
}

/// Where a `b` or `bl` leads.
fn jump(word: u32, at: u64) -> u64 {
    let words = (word << 6) as i32 >> 6;
    at.wrapping_add_signed(4 * i64::from(words))
}

impl Code {
    fn word(&self, at: u64) -> Option<u32> {
        let offset = usize::try_from(at.checked_sub(self.address)?).ok()?;
        let word = self.bytes.get(offset..offset + 4)?;
        Some(u32::from_le_bytes(word.try_into().ok()?))
    }

    /// The instructions of one round of the trace's loop, in the order in which they are executed.
    ///
    /// It is the ordinary round: no conditional branch is taken. The functions that it calls are left out.
    pub fn round(&self) -> Result<Vec<u32>, Box<dyn Error>> {
        let mut at = self.address;
        let mut seen = Vec::new();
        let mut back = None;
        // (address, word) of everything from the entry on, until an address comes twice. Trampolines do
        // come twice, so only what is outside of them counts.
        let mut walked = Vec::new();
        loop {
            if back.is_none() {
                if let Some(top) = seen.iter().position(|&(address, _)| address == at) {
                    let (_, from): (u64, usize) = seen[top];
                    return Ok(walked.split_off(from));
                }
                seen.push((at, walked.len()));
            }
            let word = self.word(at).ok_or("the loop leads out of the trace")?;
            walked.push(word);
            at = match word {
                BR_X16 => back.take().ok_or("nobody has called this trampoline")?,
                _ if word >> 26 == 0b000101 => jump(word, at),
                _ if is_call(word) => {
                    let to = jump(word, at);
                    if self.word(to).is_some() {
                        back = Some(at + 4);
                        to
                    } else {
                        if self.slab.as_ref().is_some_and(|slab| slab.contains(&to)) {
                            walked.extend([LDR_X16, BR_X16]);
                        }
                        at + 4
                    }
                }
                _ => at + 4,
            };
        }
    }
}
