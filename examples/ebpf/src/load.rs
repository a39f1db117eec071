//! ELF objects, as clang and zig write them for the target `bpf`.
//!
//! A program is a function of the object, and what it needs: the functions that it calls, in whatever section
//! they are, and the data that it refers to. Calls of undefined functions are calls of the helper of that name.

use std::collections::HashMap;

use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget,
    SectionIndex, SectionKind, SymbolIndex,
};
use thiserror::Error;

use crate::helpers::Helper;
use crate::instruction::{CALL, HELPER, Instruction, JMP, LDDW, LOCAL, decode};
use crate::program::{Data, Program, Relocation};

/// How many bytes of data a program may have. (A `.bss` says how long it is, and brings nothing along.)
const MAX_DATA: usize = 16 << 20;

type Elf<'e> = ElfFile64<'e, LittleEndian>;

/// Why an object is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum LoadError {
    #[error("this is no little-endian ELF object for BPF: {0}; compile with `-target bpfel`")]
    NotBpf(String),
    #[error("the object has no function")]
    NoFunction,
    #[error("there is no function and no section of functions `{name}`; there are: {known}")]
    NotFound { name: String, known: String },
    #[error("the object has several programs; choose one of: {known}")]
    Ambiguous { known: String },
    #[error("{function}+{offset:#x}: {what}")]
    Unsupported {
        function: String,
        offset: u64,
        what: String,
    },
    #[error("section {section}: {what}")]
    Section { section: String, what: &'static str },
}

/// A function of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    name: String,
    section: SectionIndex,
    /// Its bytes in the section.
    start: u64,
    end: u64,
    is_global: bool,
}

/// Whether bytes look like an ELF object rather than raw bytecode.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Loads a function by its name, the first one of a section by the section's name, or without a name the only
/// global function of an object.
///
/// # Errors
/// [`LoadError`].
pub fn object(bytes: &[u8], name: Option<&str>, helpers: &[Helper]) -> Result<Program, LoadError> {
    let not_bpf = |why: &dyn std::fmt::Display| LoadError::NotBpf(why.to_string());
    let elf = Elf::parse(bytes).map_err(|error| not_bpf(&error))?;
    if elf.architecture() != object::Architecture::Bpf {
        return Err(not_bpf(&format_args!("it is for {:?}", elf.architecture())));
    }
    let functions = functions(&elf)?;
    let entry = choose(&elf, &functions, name)?;
    let mut linker = Linker {
        elf: &elf,
        functions: &functions,
        helpers,
        program: Program::default(),
        placed: Vec::new(),
        calls: Vec::new(),
        data: HashMap::new(),
    };
    linker.place(entry)?;
    let mut next = 0;
    while let Some(&(function, start)) = linker.placed.get(next) {
        linker.relocate(function, start)?;
        next += 1;
    }
    Ok(linker.finish())
}

/// The functions of an object. A section of code without symbols is one.
fn functions(elf: &Elf<'_>) -> Result<Vec<Function>, LoadError> {
    let mut functions = Vec::new();
    for section in elf
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
    {
        let name = section.name().unwrap_or_default().to_owned();
        let size = section.size();
        let symbols = elf.symbols().filter(|symbol| {
            symbol.section_index() == Some(section.index())
                && symbol.kind() == object::SymbolKind::Text
                && symbol.size() > 0
        });
        let before = functions.len();
        for symbol in symbols {
            let (start, end) = (
                symbol.address(),
                symbol.address().saturating_add(symbol.size()),
            );
            if end > size || start % 8 != 0 || end % 8 != 0 {
                let what = "a function does not lie in it, in slots of 8 bytes";
                return Err(LoadError::Section {
                    section: name,
                    what,
                });
            }
            functions.push(Function {
                name: symbol.name().unwrap_or_default().to_owned(),
                section: section.index(),
                start,
                end,
                is_global: symbol.is_global(),
            });
        }
        if functions.len() == before && size > 0 && size % 8 == 0 {
            functions.push(Function {
                name,
                section: section.index(),
                start: 0,
                end: size,
                is_global: true,
            });
        }
    }
    Ok(functions)
}

fn choose(elf: &Elf<'_>, functions: &[Function], name: Option<&str>) -> Result<usize, LoadError> {
    let section_name = |function: &Function| {
        let section = elf.section_by_index(function.section).ok()?;
        section.name().ok().map(str::to_owned)
    };
    let globals: Vec<usize> = (0..functions.len())
        .filter(|&n| functions[n].is_global)
        .collect();
    let known = || {
        let names = globals.iter().map(|&n| {
            let section = section_name(&functions[n]).unwrap_or_default();
            format!("{} (section {section})", functions[n].name)
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let Some(name) = name else {
        return match *globals {
            [only] => Ok(only),
            [] => Err(LoadError::NoFunction),
            _ => Err(LoadError::Ambiguous { known: known() }),
        };
    };
    let by_name = functions.iter().position(|function| function.name == name);
    let by_section = || {
        globals
            .iter()
            .copied()
            .find(|&n| section_name(&functions[n]).as_deref() == Some(name))
    };
    let not_found = || LoadError::NotFound {
        name: name.to_owned(),
        known: known(),
    };
    by_name.or_else(by_section).ok_or_else(not_found)
}

/// Puts functions one behind the other.
struct Linker<'e> {
    elf: &'e Elf<'e>,
    functions: &'e [Function],
    helpers: &'e [Helper],
    program: Program,
    /// Functions, and their first slots in the program.
    placed: Vec<(usize, usize)>,
    /// Calls of functions: the slot, and the function.
    calls: Vec<(usize, usize)>,
    /// Sections of data, by what they have become.
    data: HashMap<SectionIndex, usize>,
}

impl Linker<'_> {
    fn place(&mut self, number: usize) -> Result<(), LoadError> {
        if self.placed.iter().any(|&(placed, _)| placed == number) {
            return Ok(());
        }
        let function = &self.functions[number];
        let section = self.elf.section_by_index(function.section);
        let bytes = section
            .and_then(|section| section.data_range(function.start, function.end - function.start));
        let code = bytes.ok().flatten().and_then(decode);
        let code = code.ok_or_else(|| LoadError::Section {
            section: function.name.clone(),
            what: "its code is not in the object",
        })?;
        let start = self.program.code.len();
        self.placed.push((number, start));
        self.program.symbols.push((start, function.name.clone()));
        self.program.code.extend(code);
        Ok(())
    }

    /// Follows what a function refers to.
    fn relocate(&mut self, number: usize, start: usize) -> Result<(), LoadError> {
        let function = &self.functions[number];
        let section = self.elf.section_by_index(function.section);
        let relocations = section.iter().flat_map(|section| section.relocations());
        let mut relocated = HashMap::new();
        for (offset, relocation) in relocations {
            if (function.start..function.end).contains(&offset) {
                relocated.insert(offset, relocation);
            }
        }
        let mut offset = function.start;
        while offset < function.end {
            let pc = start + ((offset - function.start) / 8) as usize;
            let instruction = self.program.code[pc];
            match relocated.get(&offset) {
                Some(relocation) => {
                    let RelocationFlags::Elf { r_type } = relocation.flags() else {
                        return Err(self.unsupported(number, offset, "unknown relocation"));
                    };
                    let RelocationTarget::Symbol(symbol) = relocation.target() else {
                        return Err(self.unsupported(
                            number,
                            offset,
                            "a relocation without a symbol",
                        ));
                    };
                    match (r_type, instruction.opcode) {
                        (R_BPF_64_64, LDDW) => self.load_address(number, offset, pc, symbol)?,
                        (R_BPF_64_32, opcode) if opcode == JMP | CALL => {
                            self.call_symbol(number, offset, pc, symbol)?
                        }
                        _ => {
                            let what = format!("a relocation of type {r_type} at {instruction}");
                            return Err(self.unsupported(number, offset, &what));
                        }
                    }
                }
                None if instruction.is_local_call() => {
                    let slots = (offset / 8) as i64 + 1 + i64::from(instruction.imm);
                    self.call(number, offset, pc, function.section, slots * 8)?;
                }
                None => {}
            }
            offset += if instruction.opcode == LDDW { 16 } else { 8 };
        }
        Ok(())
    }

    fn unsupported(&self, number: usize, offset: u64, what: &str) -> LoadError {
        let function = &self.functions[number];
        LoadError::Unsupported {
            function: function.name.clone(),
            offset: offset - function.start,
            what: what.to_owned(),
        }
    }

    /// A lddw of the address of data.
    fn load_address(
        &mut self,
        number: usize,
        offset: u64,
        pc: usize,
        symbol: SymbolIndex,
    ) -> Result<(), LoadError> {
        let no_data = |what: &str| self.unsupported(number, offset, what);
        let symbol = self
            .elf
            .symbol_by_index(symbol)
            .map_err(|_| no_data("a symbol that is not there"))?;
        let section = symbol
            .section_index()
            .and_then(|index| self.elf.section_by_index(index).ok());
        let name = symbol.name().unwrap_or_default();
        let section = section
            .ok_or_else(|| no_data(&format!("the data of `{name}` is not in the object")))?;
        let section_name = section.name().unwrap_or_default().to_owned();
        if section_name == ".maps" || section_name == "maps" {
            return Err(no_data(&format!(
                "`{name}` is a map, and there are no maps here"
            )));
        }
        if section.kind() == SectionKind::Text {
            return Err(no_data(&format!("the address of the function `{name}`")));
        }
        if section.relocations().next().is_some() {
            let what = "data that holds addresses is not supported";
            return Err(LoadError::Section {
                section: section_name,
                what,
            });
        }
        let code = &self.program.code;
        let addend = [0, 1].map(|n| code.get(pc + n).map_or(0, |half| half.imm as u32));
        let addend = u64::from(addend[1]) << 32 | u64::from(addend[0]);
        let data = match self.data.get(&section.index()) {
            Some(&known) => known,
            None => {
                let bytes = self.bytes(&section, &section_name)?;
                let name = section_name;
                self.program.data.push(Data { name, bytes });
                let number = self.program.data.len() - 1;
                self.data.insert(section.index(), number);
                number
            }
        };
        let offset = symbol.address().wrapping_add(addend);
        self.program
            .relocations
            .push(Relocation { pc, data, offset });
        Ok(())
    }

    /// The bytes of a section of data. What an object says of their number may be anything.
    fn bytes<'d>(
        &self,
        section: &impl ObjectSection<'d>,
        name: &str,
    ) -> Result<Vec<u8>, LoadError> {
        let known: usize = self.program.data.iter().map(|data| data.bytes.len()).sum();
        if section.size() > (MAX_DATA - known) as u64 {
            return Err(LoadError::Section {
                section: name.to_owned(),
                what: "a program has 16 MiB of data at the most, and with this there are more",
            });
        }
        Ok(match section.kind() {
            SectionKind::UninitializedData => vec![0; section.size() as usize],
            _ => section.data().unwrap_or_default().to_vec(),
        })
    }

    /// A call of a function, or of a helper by its name.
    fn call_symbol(
        &mut self,
        number: usize,
        offset: u64,
        pc: usize,
        symbol: SymbolIndex,
    ) -> Result<(), LoadError> {
        let symbol = self.elf.symbol_by_index(symbol);
        let symbol =
            symbol.map_err(|_| self.unsupported(number, offset, "a symbol that is not there"))?;
        let imm = self.program.code[pc].imm;
        if let Some(section) = symbol.section_index() {
            // One that is nowhere is refused there.
            let to = (symbol.address() as i64).wrapping_add((i64::from(imm) + 1) * 8);
            return self.call(number, offset, pc, section, to);
        }
        let name = symbol.name().unwrap_or_default();
        let Some(helper) = self.helpers.iter().find(|helper| helper.name == name) else {
            let what = format!("there is no function and no helper `{name}`");
            return Err(self.unsupported(number, offset, &what));
        };
        self.program.code[pc] = Instruction {
            opcode: JMP | CALL,
            registers: HELPER << 4,
            imm: helper.number,
            ..Instruction::default()
        };
        Ok(())
    }

    fn call(
        &mut self,
        number: usize,
        offset: u64,
        pc: usize,
        section: SectionIndex,
        to: i64,
    ) -> Result<(), LoadError> {
        let mut functions = self.functions.iter();
        let callee =
            functions.position(|f| f.section == section && i64::try_from(f.start) == Ok(to));
        let Some(callee) = callee else {
            let what = format!("a call of {to:#x} of its section, where no function begins");
            return Err(self.unsupported(number, offset, &what));
        };
        self.calls.push((pc, callee));
        self.place(callee)
    }

    /// Lets the calls lead to where the functions are.
    fn finish(mut self) -> Program {
        for (pc, callee) in self.calls {
            let placed = self.placed.iter().find(|&&(placed, _)| placed == callee);
            if let Some(&(_, start)) = placed {
                let call = &mut self.program.code[pc];
                call.registers = LOCAL << 4;
                call.imm = (start as i64 - pc as i64 - 1) as i32;
            }
        }
        self.program
    }
}
