//! The guest's address space.
//!
//! Unicorn's TLB is filled from here, so the guest's pages need not lie in Unicorn's memory in any
//! order: one block of it serves all of them, mapping a page costs an entry in a table, and a page
//! can lie at any 64-bit address.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, Occupant};

/// The size of a guest page.
pub(crate) const PAGE: u64 = 4096;

/// Unicorn is asked for memory in pieces of this size, and gives it back when it is dropped.
const CHUNK: u64 = 16 << 20;

/// More than any test wants, and less than would make the host swap.
const MOST: u64 = 4 << 30;

/// `allocate` begins here, the stack ends at `STACK_TOP`, and a trace returns to `RETURN_ADDRESS`:
/// far from each other and from where traces, targets and a process's own memory tend to lie, and
/// low enough for tagged pointers.
const ARENA: u64 = 0x2a00_0000_0000;
pub(crate) const STACK_TOP: u64 = 0x2b00_0000_0000;
/// Where the stack pointer is when a trace begins. As where opstitch itself enters a trace, the address
/// to return to is there, and a frame record above it.
pub(crate) const ENTRY_SP: u64 = FRAME_RECORD - 16;
pub(crate) const FRAME_RECORD: u64 = STACK_TOP - 16;
pub(crate) const STACK_LEN: u64 = 64 << 10;
pub(crate) const RETURN_ADDRESS: u64 = 0x2c00_0000_0000;
/// Unicorn wants an address to stop at, in a page that it can look up: one that nobody goes to.
pub(crate) const NOWHERE: u64 = RETURN_ADDRESS + 0x100;

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// `chosen`: the caller chose the address.
    Memory {
        chosen: bool,
    },
    Stack,
    Return,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Where the page lies in Unicorn's memory.
    pub(crate) frame: u64,
    pub(crate) kind: Kind,
}

/// Room for a page.
pub(crate) struct Frame {
    pub(crate) address: u64,
    /// The memory that Unicorn has to be asked for first.
    pub(crate) chunk: Option<Range<u64>>,
    /// It may hold bytes of a page that is no more.
    pub(crate) used: bool,
}

/// The page table.
#[derive(Debug)]
pub(crate) struct Pages {
    pages: HashMap<u64, Page>,
    free: Vec<u64>,
    next_frame: u64,
    next_address: u64,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages {
            pages: HashMap::new(),
            free: Vec::new(),
            next_frame: 0,
            next_address: ARENA,
        }
    }
}

impl Pages {
    pub(crate) fn get(&self, page: u64) -> Option<Page> {
        self.pages.get(&page).copied()
    }

    /// Where the byte at `address` lies in Unicorn's memory, how many of the `len` from there on
    /// lie in one piece, and whether they are code.
    pub(crate) fn piece(&self, address: u64, len: usize) -> Result<(u64, usize, bool), Error> {
        let within = address % PAGE;
        let page = self
            .get(address - within)
            .ok_or(Error::NotMapped { address })?;
        let len = len.min((PAGE - within) as usize);
        Ok((page.frame + within, len, page.kind == Kind::Code))
    }

    /// Are all the bytes of a range mapped?
    pub(crate) fn check(&self, address: u64, len: usize) -> Result<(), Error> {
        let mut done = 0;
        while done < len {
            let at = address.checked_add(done as u64).ok_or(Error::TooLong {
                address,
                len: len as u64,
            })?;
            done += self.piece(at, len - done)?.1;
        }
        Ok(())
    }

    /// The pages of a range that are still to be mapped as `kind`. Pages of code, and pages at
    /// addresses that the caller chose, are shared among those that lie on them.
    pub(crate) fn missing(&self, address: u64, len: u64, kind: Kind) -> Result<Vec<u64>, Error> {
        let mut missing = Vec::new();
        for page in pages(address, len)? {
            match self.get(page).map(|page| page.kind) {
                None => missing.push(page),
                Some(Kind::Code) if kind == Kind::Code => {}
                Some(Kind::Memory { chosen: true }) if kind == (Kind::Memory { chosen: true }) => {}
                Some(there) => {
                    let occupant = match there {
                        Kind::Code => Occupant::Code,
                        Kind::Memory { .. } => Occupant::Memory,
                        Kind::Stack | Kind::Return => Occupant::Emulator,
                    };
                    return Err(Error::Overlap {
                        address,
                        len,
                        occupant,
                    });
                }
            }
        }
        let room = (MOST - self.next_frame) / PAGE + self.free.len() as u64;
        if missing.len() as u64 > room {
            return Err(Error::OutOfMemory { len, most: MOST });
        }
        Ok(missing)
    }

    /// There is one if `missing` was asked before.
    pub(crate) fn take_frame(&mut self) -> Frame {
        if let Some(address) = self.free.pop() {
            return Frame {
                address,
                chunk: None,
                used: true,
            };
        }
        let address = self.next_frame;
        self.next_frame += PAGE;
        Frame {
            address,
            chunk: address
                .is_multiple_of(CHUNK)
                .then(|| address..address + CHUNK),
            used: false,
        }
    }

    pub(crate) fn insert(&mut self, page: u64, frame: u64, kind: Kind) {
        self.pages.insert(page, Page { frame, kind });
    }

    /// Takes back the pages that `keep` does not want.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, Kind) -> bool) {
        let free = &mut self.free;
        self.pages.retain(|&address, page| {
            let kept = keep(address, page.kind);
            if !kept {
                free.push(page.frame);
            }
            kept
        });
    }

    /// `allocate` may use its addresses again.
    pub(crate) fn rewind(&mut self) {
        self.next_address = ARENA;
    }

    /// An address for `len` bytes: they end where their last page ends (but for what 16-alignment
    /// costs), and the pages around are not mapped, so that running past the end is a fault.
    pub(crate) fn choose_address(&mut self, len: u64) -> Result<u64, Error> {
        let rounded = len.checked_next_multiple_of(16).filter(|&len| len <= MOST);
        let rounded = rounded.ok_or(Error::OutOfMemory { len, most: MOST })?;
        let span = rounded.next_multiple_of(PAGE);
        loop {
            let start = self.next_address;
            let end = start + span;
            let taken = (start..end + PAGE)
                .step_by(PAGE as usize)
                .filter(|page| self.pages.contains_key(page))
                .last();
            match taken {
                Some(page) => self.next_address = page + 2 * PAGE,
                None => {
                    self.next_address = end + PAGE;
                    return Ok(end - rounded);
                }
            }
        }
    }
}

/// The pages that hold a range.
pub(crate) fn pages(address: u64, len: u64) -> Result<impl Iterator<Item = u64>, Error> {
    let too_long = Error::TooLong { address, len };
    if len > MOST {
        return Err(Error::OutOfMemory { len, most: MOST });
    }
    // The last page of the address space is left out: the address behind it is 0.
    let end = address
        .checked_add(len)
        .filter(|&end| end <= u64::MAX - PAGE)
        .ok_or(too_long)?;
    let first = address / PAGE * PAGE;
    Ok((first..end).step_by(PAGE as usize))
}
