//! The frame that a trace runs in, in DWARF's terms.
//!
//! All traces are entered through one shim (see `src/slab/call.rs`), which saves the registers of its caller in
//! a frame of its own and points x29 at it. A trace and the trampolines that it calls through keep x29, so
//! wherever a thread is in them, the frame is the shim's and one description serves the whole slab: its caller is
//! the shim's caller.

use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, FrameDescriptionEntry, FrameTable,
};
use gimli::{AArch64, Encoding, Format, Register};

/// From x29 to the caller's stack pointer (the canonical frame address), in bytes.
const FRAME: i32 = 160;

/// The registers that the shim saves, in its order, from x29 on.
const SAVED: [Register; 20] = [
    AArch64::X29,
    AArch64::X30,
    AArch64::X19,
    AArch64::X20,
    AArch64::X21,
    AArch64::X22,
    AArch64::X23,
    AArch64::X24,
    AArch64::X25,
    AArch64::X26,
    AArch64::X27,
    AArch64::X28,
    AArch64::V8,
    AArch64::V9,
    AArch64::V10,
    AArch64::V11,
    AArch64::V12,
    AArch64::V13,
    AArch64::V14,
    AArch64::V15,
];

/// The description of `len` bytes of a trace, or of a slab, at `address`. `version` is 1 for `.eh_frame`, 4 for
/// `.debug_frame`.
pub(super) fn of_trace(address: u64, len: u32, version: u16) -> FrameTable {
    let mut common = common(version);
    common.add_instruction(CallFrameInstruction::Cfa(AArch64::X29, FRAME));
    for (number, register) in (0..).zip(SAVED) {
        let at = number * 8 - FRAME;
        common.add_instruction(CallFrameInstruction::Offset(register, at));
    }
    table(common, address, len)
}

/// The description of a trampoline for a debugger: its caller is the trace that has called it. (For backtraces,
/// of which none begins in a trampoline, that of a trace will do.)
#[cfg(all(feature = "gdb", target_os = "linux"))]
pub(super) fn of_trampoline(address: u64, len: u32, version: u16) -> FrameTable {
    let mut common = common(version);
    common.add_instruction(CallFrameInstruction::Cfa(AArch64::SP, 0));
    table(common, address, len)
}

fn common(version: u16) -> CommonInformationEntry {
    let encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version,
    };
    CommonInformationEntry::new(encoding, 4, -8, AArch64::X30)
}

fn table(common: CommonInformationEntry, address: u64, len: u32) -> FrameTable {
    let mut table = FrameTable::default();
    let common = table.add_cie(common);
    let entry = FrameDescriptionEntry::new(Address::Constant(address), len);
    table.add_fde(common, entry);
    table
}

#[cfg(test)]
mod tests {
    use gimli::write::{EhFrame, EndianVec};
    use gimli::{
        AArch64, BaseAddresses, CfaRule, LittleEndian, RegisterRule, UnwindContext, UnwindSection,
    };

    #[test]
    fn a_reader_finds_the_shims_caller_from_everywhere_in_the_code() {
        let (address, len) = (0x7f00_1234_0000, 0x800_0000);
        let mut section = EhFrame::from(EndianVec::new(LittleEndian));
        super::of_trace(address, len, 1)
            .write_eh_frame(&mut section)
            .unwrap();
        let read = gimli::EhFrame::new(section.slice(), LittleEndian);
        let (bases, mut context) = (BaseAddresses::default(), UnwindContext::new());
        let mut row = |at| {
            let cie = gimli::EhFrame::cie_from_offset;
            let row = read.unwind_info_for_address(&bases, &mut context, at, cie)?;
            let of = |register| row.register(register);
            assert_eq!(
                *row.cfa(),
                CfaRule::RegisterAndOffset {
                    register: AArch64::X29,
                    offset: 160
                }
            );
            // Where the shim stores them, in bytes from x29.
            assert_eq!(of(AArch64::X29), Some(RegisterRule::Offset(-160)));
            assert_eq!(of(AArch64::X30), Some(RegisterRule::Offset(8 - 160)));
            assert_eq!(of(AArch64::X19), Some(RegisterRule::Offset(16 - 160)));
            assert_eq!(of(AArch64::X28), Some(RegisterRule::Offset(88 - 160)));
            assert_eq!(of(AArch64::V8), Some(RegisterRule::Offset(96 - 160)));
            assert_eq!(of(AArch64::V15), Some(RegisterRule::Offset(152 - 160)));
            assert_eq!(of(AArch64::X18), None);
            gimli::Result::Ok(())
        };
        let end = address + u64::from(len);
        for at in [address, address + 4, end - 4] {
            row(at).unwrap();
        }
        for at in [address - 4, end] {
            row(at).unwrap_err();
        }
    }
}
