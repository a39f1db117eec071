//! Unicorn, with what its hooks need to know.

use std::collections::HashMap;

use unicorn_engine::{
    Arch, Arm64CpuModel, MemType, Mode, Permission, RegisterARM64, TlbEntry, TlbType, Unicorn,
};

use crate::cpu::Callback;
use crate::error::Error;
use crate::memory::{Kind, PAGE, Pages};
use crate::registers;
use crate::run::{self, Run};
use crate::trace::Traces;

pub(crate) type Engine<'a> = Unicorn<'a, State<'a>>;

/// What the hooks share with the emulator.
pub(crate) struct State<'a> {
    pub(crate) pages: Pages,
    pub(crate) traces: Traces,
    /// A closure is taken out while it runs.
    pub(crate) calls: HashMap<u64, Option<Callback<'a>>>,
    pub(crate) clobber: bool,
    pub(crate) run: Run,
}

/// Access to registers and memory; the engine itself, or one that takes notes.
pub(crate) trait Guest {
    fn register(&self, id: i32) -> Result<u64, Error>;
    fn set_register(&mut self, id: i32, value: u64) -> Result<(), Error>;
    fn vector(&self, number: u8) -> Result<u128, Error>;
    fn set_vector(&mut self, number: u8, value: u128) -> Result<(), Error>;
    /// Are all the bytes of a range mapped?
    fn check(&self, address: u64, len: usize) -> Result<(), Error>;
    fn read_into(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error>;
    /// Writes all of it or, where a byte is not mapped, nothing.
    fn write_from(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error>;
}

/// A core with nothing in its memory.
pub(crate) fn new<'a>() -> Result<Engine<'a>, Error> {
    let state = State {
        pages: Pages::default(),
        traces: Traces::default(),
        calls: HashMap::new(),
        clobber: true,
        run: Run::default(),
    };
    let mut engine = Unicorn::new_with_data(Arch::ARM64, Mode::LITTLE_ENDIAN, state)
        .map_err(Error::unicorn("create an AArch64 core"))?;
    engine
        .ctl_set_cpu_model(Arm64CpuModel::UC_CPU_ARM64_MAX.into())
        .map_err(Error::unicorn("choose the core MAX"))?;
    engine
        .ctl_set_page_size(PAGE as u32)
        .map_err(Error::unicorn("choose the page size"))?;

    // Unicorn's own way to see a fault carries on to the end of the block after a bad store, and
    // does not know the program counter. A miss in a TLB that is filled here leaves at once, with
    // every register as it was before the instruction.
    engine
        .ctl_tlb_type(TlbType::VIRTUAL)
        .map_err(Error::unicorn("take over its TLB"))?;
    engine
        .add_tlb_hook(1, 0, |engine, page, access| {
            fill_tlb(engine.get_data_mut(), page, access)
        })
        .map_err(Error::unicorn("hook its TLB"))?;
    engine
        .add_block_hook(1, 0, run::enter_block)
        .map_err(Error::unicorn("hook its blocks"))?;
    engine
        .add_intr_hook(run::interrupt)
        .map_err(Error::unicorn("hook its exceptions"))?;
    Ok(engine)
}

fn fill_tlb(state: &mut State<'_>, page: u64, access: MemType) -> Option<TlbEntry> {
    let (needed, entry) = match state.pages.get(page) {
        Some(found) => {
            let perms = match found.kind {
                Kind::Code => Permission::READ | Permission::EXEC,
                Kind::Memory { .. } => Permission::READ | Permission::WRITE,
                Kind::Stack => Permission::READ | Permission::WRITE,
                Kind::Return => Permission::EXEC,
            };
            let entry = TlbEntry {
                paddr: found.frame,
                perms,
            };
            let needed = match access {
                MemType::FETCH => Permission::EXEC,
                MemType::WRITE => Permission::WRITE,
                _ => Permission::READ,
            };
            (needed, Some(entry))
        }
        None => (Permission::NONE, None),
    };
    let entry = entry.filter(|entry| entry.perms.contains(needed));
    if entry.is_none() {
        state.run.missed = Some((access, page));
    }
    entry
}

impl Guest for Unicorn<'_, State<'_>> {
    fn register(&self, id: i32) -> Result<u64, Error> {
        self.reg_read(id).map_err(Error::unicorn("read a register"))
    }

    fn set_register(&mut self, id: i32, value: u64) -> Result<(), Error> {
        self.reg_write(id, value)
            .map_err(Error::unicorn("set a register"))
    }

    fn vector(&self, number: u8) -> Result<u128, Error> {
        registers::read_v(self, number)
    }

    fn set_vector(&mut self, number: u8, value: u128) -> Result<(), Error> {
        // Unicorn reads two doubles from the address it is given.
        #[repr(align(16))]
        struct Aligned([u8; 16]);
        let bytes = Aligned(value.to_le_bytes());
        self.reg_write_long(registers::v_id(number)?, &bytes.0)
            .map_err(Error::unicorn("set a vector register"))
    }

    fn check(&self, address: u64, len: usize) -> Result<(), Error> {
        self.get_data().pages.check(address, len)
    }

    fn read_into(&self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.check(address, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let at = address + done as u64;
            let (frame, len, _) = self.get_data().pages.piece(at, bytes.len() - done)?;
            self.mem_read(frame, &mut bytes[done..done + len])
                .map_err(Error::unicorn("read its memory"))?;
            done += len;
        }
        Ok(())
    }

    fn write_from(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        self.check(address, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let at = address + done as u64;
            let (frame, len, code) = self.get_data().pages.piece(at, bytes.len() - done)?;
            self.mem_write(frame, &bytes[done..done + len])
                .map_err(Error::unicorn("write its memory"))?;
            if code {
                // Unicorn would go on running what it translated before, be it for this page or
                // for one that is no more and had the same address and frame.
                self.ctl_remove_cache(at, at + len as u64)
                    .map_err(Error::unicorn("forget translated code"))?;
            }
            done += len;
        }
        Ok(())
    }
}

/// Maps the pages that hold the `len` bytes at `address`, those that are mapped as `kind` already
/// excepted.
pub(crate) fn map(
    engine: &mut Engine<'_>,
    address: u64,
    len: u64,
    kind: Kind,
) -> Result<(), Error> {
    let missing = engine.get_data().pages.missing(address, len, kind)?;
    for page in missing {
        let frame = engine.get_data_mut().pages.take_frame();
        if let Some(chunk) = frame.chunk {
            engine
                .mem_map(
                    chunk.start,
                    (chunk.end - chunk.start) as usize,
                    Permission::ALL,
                )
                .map_err(Error::unicorn("map more memory"))?;
        }
        if frame.used {
            engine
                .mem_write(frame.address, &[0; PAGE as usize])
                .map_err(Error::unicorn("clear its memory"))?;
        }
        engine
            .get_data_mut()
            .pages
            .insert(page, frame.address, kind);
    }
    Ok(())
}

/// The program counter.
pub(crate) fn pc(engine: &Engine<'_>) -> Result<u64, Error> {
    engine.register(RegisterARM64::PC.into())
}
