//! An object file in memory that tells a debugger of one piece of code.

use std::io;

use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, LineProgram, LineString, Sections,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian, SectionId, constants};
use object::elf;
use object::endian::Endianness;
use object::write::elf::{FileHeader, SectionHeader, SinglePhaseWriter, Sym};

use super::super::files::ListingFile;
use super::super::{frame, symbol};
use crate::slab::Snapshot;

/// The index of `.text`, the first section behind the empty one.
const TEXT: u32 = 1;

/// A symbol, in bytes from the start of the code.
struct Symbol {
    name: String,
    start: u32,
    end: u32,
    info: elf::SymbolInfo,
}

/// An ELF executable for the code where it is: a symbol for the code and one for each micro-op, the description of
/// its frame, and lines of the listing if there is one.
pub(super) fn object(code: &Snapshot, listing: Option<&ListingFile>) -> io::Result<Vec<u8>> {
    let sections = debug_sections(code, listing).map_err(io::Error::other)?;
    write(code, &symbols(code), &sections).map_err(io::Error::other)
}

fn symbols(code: &Snapshot) -> Vec<Symbol> {
    let name = symbol::name(code.located());
    let mut symbols = Vec::new();
    if let Some(linked) = code.linked() {
        for run in symbol::runs(&linked) {
            let Some(op) = run.op else { continue };
            symbols.push(Symbol {
                name: format!("{name}:{}", symbol::op_name(&op)),
                start: run.start,
                end: run.end,
                info: elf::STB_LOCAL | elf::STT_NOTYPE,
            });
        }
    }
    // Local symbols come first.
    symbols.push(Symbol {
        name,
        start: 0,
        end: code.bytes().len() as u32,
        info: elf::STB_GLOBAL | elf::STT_FUNC,
    });
    symbols
}

/// The sections for the debugger that are not empty.
fn debug_sections(
    code: &Snapshot,
    listing: Option<&ListingFile>,
) -> gimli::write::Result<Vec<(SectionId, Vec<u8>)>> {
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    let len = code.bytes().len() as u32;
    if code.located().trace().is_some() {
        frame::of_trace(code.address(), len, 4).write_debug_frame(&mut sections.debug_frame)?;
        unit(code, listing).write(&mut sections)?;
    } else {
        frame::of_trampoline(code.address(), len, 4)
            .write_debug_frame(&mut sections.debug_frame)?;
    }
    let mut all = Vec::new();
    sections.for_each_mut(|id, section| {
        let bytes = section.take();
        if !bytes.is_empty() {
            all.push((id, bytes));
        }
        gimli::write::Result::Ok(())
    })?;
    Ok(all)
}

/// A compilation unit with the trace as its only function.
fn unit(code: &Snapshot, listing: Option<&ListingFile>) -> DwarfUnit {
    let encoding = Encoding {
        format: Format::Dwarf32,
        version: 4,
        address_size: 8,
    };
    let mut dwarf = DwarfUnit::new(encoding);
    let name = symbol::name(code.located());
    let low = AttributeValue::Address(Address::Constant(code.address()));
    let high = AttributeValue::Udata(code.bytes().len() as u64);
    let string = |text: &str| AttributeValue::String(text.into());
    let mut root = vec![
        (constants::DW_AT_producer, string("opstitch")),
        // What a debugger takes its expressions for while it is in the trace.
        (
            constants::DW_AT_language,
            AttributeValue::Language(constants::DW_LANG_Rust),
        ),
        (constants::DW_AT_low_pc, low.clone()),
        (constants::DW_AT_high_pc, high.clone()),
    ];
    match listing {
        Some(listing) => {
            let (directory, file) = listing
                .path
                .rsplit_once('/')
                .unwrap_or(("/", &listing.path));
            let directory = if directory.is_empty() { "/" } else { directory };
            root.push((constants::DW_AT_name, string(file)));
            root.push((constants::DW_AT_comp_dir, string(directory)));
            dwarf.unit.line_program = line_program(code, listing, directory, file, encoding);
        }
        None => root.push((constants::DW_AT_name, string(&name))),
    }
    let top = dwarf.unit.root();
    let function = dwarf.unit.add(top, constants::DW_TAG_subprogram);
    for (attribute, value) in root {
        dwarf.unit.get_mut(top).set(attribute, value);
    }
    let attributes = [
        (constants::DW_AT_name, string(&name)),
        (constants::DW_AT_external, AttributeValue::Flag(true)),
        (constants::DW_AT_low_pc, low),
        (constants::DW_AT_high_pc, high),
    ];
    for (attribute, value) in attributes {
        dwarf.unit.get_mut(function).set(attribute, value);
    }
    dwarf
}

/// A row for each micro-op.
fn line_program(
    code: &Snapshot,
    listing: &ListingFile,
    directory: &str,
    file: &str,
    encoding: Encoding,
) -> LineProgram {
    let line_encoding = LineEncoding {
        minimum_instruction_length: 4,
        ..LineEncoding::default()
    };
    let string = |text: &str| LineString::String(text.into());
    let mut program = LineProgram::new(
        encoding,
        line_encoding,
        string(directory),
        None,
        string(file),
        None,
    );
    let directory = program.default_directory();
    let file = program.add_file(string(file), directory, None);
    program.begin_sequence(Some(Address::Constant(code.address())));
    for line in &listing.lines {
        let row = program.row();
        row.address_offset = line.offset.into();
        row.file = file;
        row.line = line.number.into();
        program.generate_row();
    }
    program.end_sequence(code.bytes().len() as u64);
    program
}

fn write(
    code: &Snapshot,
    symbols: &[Symbol],
    sections: &[(SectionId, Vec<u8>)],
) -> object::write::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut header = Vec::new();
    let mut writer = SinglePhaseWriter::new_single_phase(Endianness::Little, true, &mut bytes);
    writer.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_AARCH64,
        e_entry: 0,
        e_flags: elf::FileFlags(0),
    })?;
    let mut headers = vec![SectionHeader {
        sh_name: 0,
        sh_type: elf::SHT_NOBITS,
        sh_flags: elf::SHF_ALLOC | elf::SHF_EXECINSTR,
        sh_addr: code.address(),
        sh_offset: 0,
        sh_size: code.bytes().len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 8,
        sh_entsize: 0,
    }];
    let mut names = vec![writer.add_section_name(b".text")];
    for (id, data) in sections {
        names.push(writer.add_section_name(id.name().as_bytes()));
        let offset = writer.write_align(8);
        writer.write(data);
        headers.push(SectionHeader {
            sh_name: 0,
            sh_type: elf::SHT_PROGBITS,
            sh_flags: elf::SectionFlags(0),
            sh_addr: 0,
            sh_offset: offset,
            sh_size: data.len() as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: 1,
            sh_entsize: 0,
        });
    }
    let strings: Vec<_> = symbols
        .iter()
        .map(|symbol| writer.add_string(symbol.name.as_bytes()))
        .collect();
    writer.write_strtab()?;
    writer.write_null_symbol();
    for (symbol, name) in symbols.iter().zip(strings) {
        let sym = Sym {
            section: Some(TEXT),
            st_name: writer.string_offset(Some(name)),
            st_info: symbol.info,
            st_other: elf::SymbolOther(0),
            st_shndx: elf::SHN_UNDEF,
            st_value: code.address() + u64::from(symbol.start),
            st_size: (symbol.end - symbol.start).into(),
        };
        writer.write_symbol(&sym);
    }
    writer.write_shstrtab()?;
    writer.write_null_section_header();
    for (mut header, name) in headers.into_iter().zip(names) {
        header.sh_name = writer.section_name_offset(Some(name));
        writer.write_section_header(&header);
    }
    writer.write_strtab_section_header();
    writer.write_symtab_section_header(symbols.len() as u32);
    writer.write_shstrtab_section_header();
    writer.write_file_header_to(&mut header)?;
    drop(writer);
    bytes[..header.len()].copy_from_slice(&header);
    Ok(bytes)
}
