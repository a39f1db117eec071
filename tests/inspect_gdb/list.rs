//! The list of objects, read as GDB's manual says that a debugger does, by other code than wrote it.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use gimli::{Dwarf, EndianSlice, LittleEndian, UnwindContext, UnwindSection};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SymbolKind};
use opstitch::inspect::{Gdb, Symbols};
use opstitch::slab::{InstalledTrace, Slab, SlabOptions};
use opstitch::{Target, TraceBuilder};

opstitch::uops! {
    /// Adds.
    op Add(n: u12) { ; add x0, x0, n }
    /// Calls if `x0` is not 0.
    op Slow(function: call) {
        ; cbnz x0, >slow
        ; back:
    } cold {
        ; slow:
        ; bl =>function
        ; b <back
    }
    /// Leaves if `x0` is 0.
    op Guard(exit: exit) { ; cbz x0, =>exit }
    /// Returns `code`.
    op Leave(code: u16) { ; movz x0, code ; ret }
}

#[repr(C)]
struct Entry {
    next: *const Entry,
    previous: *const Entry,
    object: *const u8,
    len: u64,
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *const Entry,
    first: *const Entry,
}

unsafe extern "C" {
    static __jit_debug_descriptor: Descriptor;
    fn __jit_debug_register_code();
}

/// The list is the process's: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let guard = ONE.lock().unwrap_or_else(|poison| poison.into_inner());
    assert!(objects().is_empty());
    guard
}

/// The objects that a debugger would find.
fn objects() -> Vec<Vec<u8>> {
    let mut objects = Vec::new();
    // SAFETY: the list is whole, and no other thread changes it now.
    unsafe {
        let descriptor = (&raw const __jit_debug_descriptor).read_volatile();
        assert_eq!((descriptor.version, descriptor.action), (1, 0));
        assert!(descriptor.relevant.is_null());
        let (mut at, mut before) = (descriptor.first, std::ptr::null());
        while !at.is_null() {
            let entry = at.read_volatile();
            assert_eq!(entry.previous, before);
            objects.push(std::slice::from_raw_parts(entry.object, entry.len as usize).to_vec());
            (at, before) = (entry.next, at);
        }
        __jit_debug_register_code();
    }
    objects
}

fn watched(gdb: Gdb) -> (Slab, Arc<Gdb>) {
    let slab = SlabOptions::new(1 << 16).annotate(true).build().unwrap();
    let gdb = Arc::new(gdb);
    slab.watch(gdb.clone()).unwrap();
    (slab, gdb)
}

/// A target out of reach.
fn far(slab: &Slab) -> Target {
    Target::new(slab.addresses().start ^ 1 << 40).unwrap()
}

fn install(slab: &Slab, name: Option<&str>) -> InstalledTrace {
    let mut b = TraceBuilder::new();
    if let Some(name) = name {
        b.set_name(name);
    }
    let exit = b.exit([Leave { code: 3 }]).unwrap();
    b.push(Add { n: 1 }).unwrap();
    b.push(Slow {
        function: far(slab),
    })
    .unwrap();
    b.push(Guard { exit }).unwrap();
    b.push(Leave { code: 4 }).unwrap();
    slab.install(&b.finish().unwrap()).unwrap()
}

fn read(bytes: &[u8]) -> ElfFile<'_, FileHeader64<Endianness>> {
    let file = ElfFile::parse(bytes).unwrap();
    assert_eq!(file.architecture(), object::Architecture::Aarch64);
    file
}

/// Names, addresses and kinds.
fn symbols(bytes: &[u8]) -> Vec<(String, Range<u64>, SymbolKind)> {
    let file = read(bytes);
    let symbols = file.symbols();
    symbols
        .map(|symbol| {
            let range = symbol.address()..symbol.address() + symbol.size();
            (symbol.name().unwrap().to_owned(), range, symbol.kind())
        })
        .collect()
}

fn section<'b>(bytes: &'b [u8], name: &str) -> EndianSlice<'b, LittleEndian> {
    let file = read(bytes);
    let section = file.section_by_name(name);
    let data = section.map_or(&[][..], |section| section.data().unwrap());
    EndianSlice::new(data, LittleEndian)
}

/// The function of the only unit, and the rows of its lines: offsets from the function's address, and lines.
fn debug_info(bytes: &[u8]) -> (String, Range<u64>, String, Vec<(u64, u64)>) {
    let dwarf = Dwarf::load(|id| gimli::Result::Ok(section(bytes, id.name()))).unwrap();
    let header = dwarf.units().next().unwrap().unwrap();
    let unit = dwarf.unit(header).unwrap();
    let mut entries = unit.entries();
    let mut function = None;
    while let Some(entry) = entries.next_dfs().unwrap() {
        if entry.tag() != gimli::DW_TAG_subprogram {
            continue;
        }
        let name = entry.attr_value(gimli::DW_AT_name).unwrap();
        let name = dwarf.attr_string(&unit, name).unwrap();
        let mut ranges = dwarf.die_ranges(&unit, entry).unwrap();
        let range = ranges.next().unwrap().unwrap();
        function = Some((name.to_string().unwrap().to_owned(), range.begin..range.end));
    }
    let (name, range) = function.unwrap();
    let (mut rows, mut file) = (Vec::new(), String::new());
    if let Some(program) = unit.line_program.clone() {
        let mut all = program.rows();
        while let Some((header, row)) = all.next_row().unwrap() {
            let path = dwarf.attr_string(&unit, row.file(header).unwrap().path_name());
            let directory = unit.comp_dir.unwrap();
            file = format!(
                "{}/{}",
                directory.to_string().unwrap(),
                path.unwrap().to_string().unwrap()
            );
            let line = row.line().map_or(0, |line| line.get());
            if row.end_sequence() {
                assert_eq!(row.address(), range.end);
            } else {
                rows.push((row.address() - range.start, line));
            }
        }
    }
    (name, range, file, rows)
}

#[test]
fn a_trace_is_an_object_with_symbols_where_it_lies() {
    let _alone = alone();
    let (slab, gdb) = watched(Gdb::new());
    let trace = install(&slab, Some("hot loop"));
    let objects = objects();
    let [object, trampoline] = &objects[..] else {
        panic!("{} objects", objects.len());
    };
    let (start, end) = (trace.address(), trace.address() + trace.len() as u64);
    let text = read(object)
        .section_by_name(".text")
        .map(|text| (text.address(), text.size()));
    assert_eq!(text, Some((start, trace.len() as u64)));
    let symbols_of = symbols(object);
    let all: Vec<_> = symbols_of
        .iter()
        .map(|(name, range, _)| (name.as_str(), range.start - start, range.end - start))
        .collect();
    assert_eq!(
        all,
        [
            ("hot loop:op_0_Add", 4, 12),
            ("hot loop:op_1_Slow", 12, 20),
            ("hot loop:op_2_Guard", 20, 28),
            ("hot loop:op_3_Leave", 28, 36),
            ("hot loop:op_1_Slow_cold", 36, 44),
            ("hot loop:exit_0_Leave", 44, 52),
            ("hot loop", 0, trace.len() as u64),
        ]
    );
    assert_eq!(
        symbols_of.last().map(|(.., kind)| *kind),
        Some(SymbolKind::Text)
    );
    // The micro-ops are where the slab says that they are.
    for (name, range, _) in &symbols_of[..6] {
        let located = slab.locate(range.start).unwrap();
        let op = located.op().unwrap();
        assert!(name.contains(op.name()));
        assert_eq!(u64::from(op.offset()), range.start - start);
    }
    assert_eq!(
        debug_info(object),
        ("hot loop".into(), start..end, String::new(), vec![])
    );

    let far = far(&slab);
    let [(name, range, kind)] = &symbols(trampoline)[..] else {
        panic!("one symbol");
    };
    assert_eq!(
        (name, kind),
        (&format!("trampoline_{far}"), &SymbolKind::Text)
    );
    let located = slab.locate(range.start).unwrap();
    assert_eq!((located.target(), located.offset()), (Some(far), 0));
    assert_eq!(range.end - range.start, 16);
    assert!(gdb.take_error().is_none());
}

#[test]
fn every_object_describes_the_frame() {
    let _alone = alone();
    let (slab, _gdb) = watched(Gdb::new());
    let _trace = install(&slab, None);
    for object in objects() {
        let frames = gimli::DebugFrame::from(section(&object, ".debug_frame"));
        let (_, range, _) = symbols(&object).pop().unwrap();
        let mut context = UnwindContext::new();
        for at in [range.start, range.end - 4] {
            let row = frames
                .unwind_info_for_address(
                    &gimli::BaseAddresses::default(),
                    &mut context,
                    at,
                    gimli::DebugFrame::cie_from_offset,
                )
                .unwrap();
            // A trampoline has no frame.
            let (register, offset) = match range.end - range.start {
                16 => (gimli::AArch64::SP, 0),
                _ => (gimli::AArch64::X29, 160),
            };
            let expected = gimli::CfaRule::RegisterAndOffset { register, offset };
            assert_eq!(*row.cfa(), expected);
        }
    }
}

#[test]
fn lines_are_those_of_the_listing() {
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("opstitch gdb {}", std::process::id()));
    let (slab, gdb) = watched(Gdb::with_listings(&directory, Symbols::new()).unwrap());
    let trace = install(&slab, None);
    let object = objects().swap_remove(0);
    let (name, range, file, rows) = debug_info(&object);
    assert_eq!((name.as_str(), range.start), ("trace_0", trace.address()));
    let listing = std::fs::read_to_string(&file).unwrap();
    assert_eq!(listing, trace.listing(&Symbols::new()).unwrap().to_string());
    let line = |number: u64| listing.lines().nth(number as usize - 1).unwrap();
    let lines: Vec<_> = rows
        .iter()
        .map(|&(at, number)| (at, line(number)))
        .collect();
    let function = far(&slab);
    let slow = format!("op 1 Slow function={function}");
    let slow_cold = format!("op 1 (cold) Slow function={function}");
    assert_eq!(
        lines,
        [
            (0, "hot, 36 bytes"),
            (4, "op 0 Add n=1"),
            (12, slow.as_str()),
            (20, "op 2 Guard exit=exit 0"),
            (28, "op 3 Leave code=4"),
            (36, slow_cold.as_str()),
            (44, "exit 0 Leave code=3"),
        ]
    );
    // The file goes with the trace.
    drop(trace);
    assert!(Path::new(&file).exists());
    slab.reclaim().unwrap();
    assert!(!Path::new(&file).exists());
    assert!(gdb.take_error().is_none());
    std::fs::remove_dir(&directory).unwrap();
}

#[test]
fn objects_go_when_the_space_is_reclaimed() {
    let _alone = alone();
    let (slab, _gdb) = watched(Gdb::new());
    let traces: Vec<_> = (0..5).map(|_| install(&slab, None)).collect();
    let addresses: Vec<_> = traces.iter().map(InstalledTrace::address).collect();
    assert_eq!(objects().len(), 6);
    // From the middle, from both ends, then all.
    let mut left: Vec<_> = traces.into_iter().map(Some).collect();
    for number in [2, 0, 4, 1] {
        left[number] = None;
        slab.reclaim().unwrap();
        let mut known: Vec<u64> = objects()
            .iter()
            .map(|object| symbols(object).pop().unwrap().1.start)
            .filter(|start| addresses.contains(start))
            .collect();
        known.sort_unstable();
        let mut expected: Vec<_> = left.iter().flatten().map(InstalledTrace::address).collect();
        expected.sort_unstable();
        assert_eq!(known, expected);
    }
    drop(slab);
    assert_eq!(objects().len(), 2);
    drop(left);
    assert!(objects().is_empty());
}

#[test]
fn threads_keep_the_list_whole() {
    let _alone = alone();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (slab, _gdb) = watched(Gdb::new());
                for _ in 0..20 {
                    let traces = [install(&slab, None), install(&slab, None)];
                    drop(traces);
                    slab.reclaim().unwrap();
                }
            });
        }
    });
    assert!(objects().is_empty());
}

#[test]
fn a_listing_that_cannot_be_written_is_an_error_and_the_trace_is_known_without() {
    let _alone = alone();
    let directory = std::env::temp_dir().join(format!("opstitch-gone-{}", std::process::id()));
    let (slab, gdb) = watched(Gdb::with_listings(&directory, Symbols::new()).unwrap());
    std::fs::remove_dir(&directory).unwrap();
    let _trace = install(&slab, None);
    let error = gdb.take_error().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(gdb.take_error().is_none());
    assert_eq!(objects().len(), 2);
    let file = std::env::current_exe().unwrap();
    assert!(Gdb::with_listings(file, Symbols::new()).is_err());
}
