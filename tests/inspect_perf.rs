//! What perf reads: the files, parsed by other code than wrote them, and perf itself.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use linux_perf_data::jitdump::{JitDumpReader, JitDumpRecord, JitDumpRecordType};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SymbolKind};
use opstitch::inspect::Symbols;
use opstitch::inspect::perf::{JitDump, PerfMap};
use opstitch::slab::{InstalledTrace, Slab, SlabOptions, Watcher};
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
    /// Returns `code`.
    op Leave(code: u16) { ; movz x0, code ; ret }
}

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let name = format!("opstitch-perf-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn watched(watcher: Arc<dyn Watcher>) -> Slab {
    let slab = SlabOptions::new(1 << 16).annotate(true).build().unwrap();
    slab.watch(watcher).unwrap();
    slab
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
    b.push(Add { n: 1 }).unwrap();
    b.push(Slow {
        function: far(slab),
    })
    .unwrap();
    b.push(Leave { code: 4 }).unwrap();
    slab.install(&b.finish().unwrap()).unwrap()
}

/// The lines of a map: addresses, lengths, names.
fn map(path: &Path) -> Vec<(u64, u64, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let (start, len) = (number()?, number()?);
        Some((start, len, words.next()?.to_owned()))
    };
    text.lines().map(|text| line(text).unwrap()).collect()
}

#[test]
fn the_map_names_traces_and_trampolines() {
    let directory = Directory::new("map");
    let path = directory.0.join("symbols.map");
    std::fs::write(&path, "1000 20 of another JIT\n").unwrap();
    let perf = Arc::new(PerfMap::create(&path).unwrap());
    assert_eq!(perf.path(), path);
    let slab = watched(perf.clone());
    let named = install(&slab, Some("loop\nat 17"));
    let plain = install(&slab, None);
    let trampoline = slab.addresses().step_by(16).find(|&at| {
        slab.locate(at)
            .is_some_and(|located| located.target().is_some())
    });
    let len = named.len() as u64;
    assert_eq!(
        map(&path),
        [
            (0x1000, 0x20, "of another JIT".to_owned()),
            (
                trampoline.unwrap(),
                16,
                format!("trampoline_{}", far(&slab))
            ),
            (named.address(), len, "loop?at 17".to_owned()),
            (plain.address(), len, "trace_1".to_owned()),
        ]
    );
    assert!(perf.take_error().is_none());
}

#[test]
fn the_map_may_name_each_micro_op() {
    let directory = Directory::new("ops");
    let perf = PerfMap::create(directory.0.join("symbols.map")).unwrap();
    let perf = Arc::new(perf.micro_ops(true));
    let slab = watched(perf.clone());
    let trace = install(&slab, None);
    let all = map(perf.path());
    let of_trace: Vec<_> = all
        .iter()
        .filter(|(start, ..)| {
            (trace.address()..trace.address() + trace.len() as u64).contains(start)
        })
        .map(|(start, len, name)| (start - trace.address(), *len, name.as_str()))
        .collect();
    assert_eq!(
        of_trace,
        [
            (0, 4, "trace_0"),
            (4, 8, "trace_0:op_0_Add"),
            (12, 8, "trace_0:op_1_Slow"),
            (20, 8, "trace_0:op_2_Leave"),
            (28, 8, "trace_0:op_1_Slow_cold"),
        ]
    );
    assert_eq!(all.len(), of_trace.len() + 1);
}

#[test]
fn the_map_of_this_process_is_where_perf_looks() {
    let perf = PerfMap::of_this_process().unwrap();
    let path = format!("/tmp/perf-{}.map", std::process::id());
    assert_eq!(perf.path(), Path::new(&path));
    assert!(perf.path().exists());
    std::fs::remove_file(path).unwrap();
}

/// A second one would have the same name, and empty the first.
#[test]
fn a_directory_has_one_dump_at_a_time() {
    let directory = Directory::new("two");
    let create = || JitDump::create(&directory.0, Symbols::new());
    let first = Arc::new(create().unwrap());
    // One dump watches two slabs.
    let slabs = [watched(first.clone()), watched(first.clone())];
    let traces = slabs.each_ref().map(|slab| install(slab, None));
    let len = std::fs::metadata(first.path()).unwrap().len();
    let error = JitDump::create(directory.0.join("."), Symbols::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(
        error
            .to_string()
            .contains("let that one watch this slab too"),
        "{error}"
    );
    assert_eq!(std::fs::metadata(first.path()).unwrap().len(), len);
    drop((traces, slabs, first));
    drop(create().unwrap());
}

#[test]
fn the_dump_has_the_code_and_its_lines() {
    let directory = Directory::new("dump");
    let dump = Arc::new(JitDump::create(&directory.0, Symbols::new()).unwrap());
    let process = std::process::id();
    let path = directory.0.join(format!("jit-{process}.dump"));
    assert_eq!(dump.path(), path);
    let slab = watched(dump.clone());
    let traces = [install(&slab, Some("a name")), install(&slab, None)];
    assert!(dump.take_error().is_none());
    // perf finds the file by a mapping that may be executed.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = |line: &&str| line.ends_with(path.to_str().unwrap()) && line.contains(" r-x");
    assert!(maps.lines().any(|line| mapped(&line)), "{maps}");

    let listings = traces.each_ref().map(|trace| {
        let listing = trace.listing(&Symbols::new()).unwrap().to_string();
        (trace.address(), trace.bytes(), listing)
    });
    drop(traces);
    drop((slab, dump));

    let mut reader = JitDumpReader::new(File::open(&path).unwrap()).unwrap();
    let header = reader.header();
    assert_eq!((header.version, header.elf_machine_arch), (1, 183));
    assert_eq!((header.pid, header.flags), (process, 0));
    let mut before = header.timestamp;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        assert!(record.timestamp >= before);
        before = record.timestamp;
        let said = match record.parse().unwrap() {
            JitDumpRecord::CodeLoad(load) => {
                assert_eq!((load.pid, load.vma), (process, load.code_addr));
                let name = load.function_name.as_slice();
                let name = String::from_utf8_lossy(&name).into_owned();
                if let Some((_, bytes, _)) = listings.iter().find(|(at, ..)| *at == load.vma) {
                    assert_eq!(load.code_bytes.as_slice()[..], bytes[..]);
                }
                format!("{} {name}", load.code_index)
            }
            JitDumpRecord::CodeDebugInfo(info) => {
                let (_, _, listing) = listings
                    .iter()
                    .find(|(at, ..)| *at == info.code_addr)
                    .unwrap();
                let entry = |entry: &linux_perf_data::jitdump::JitCodeDebugInfoEntry<'_>| {
                    let path = String::from_utf8(entry.file_path.as_slice().to_vec()).unwrap();
                    let text = std::fs::read_to_string(path).unwrap();
                    assert_eq!(text, *listing);
                    let line = text.lines().nth(entry.line as usize - 1).unwrap();
                    let op = line.split(" function=").next().unwrap();
                    format!("{:x} {op}", entry.code_addr - info.code_addr)
                };
                let entries: Vec<_> = info.entries.iter().map(entry).collect();
                entries.join(", ")
            }
            _ if record.record_type == JitDumpRecordType::JIT_CODE_CLOSE => "close".to_owned(),
            other => panic!("{other:?}"),
        };
        records.push(said);
    }
    let lines =
        "0 hot, 28 bytes, 4 op 0 Add n=1, c op 1 Slow, 14 op 2 Leave code=4, 1c op 1 (cold) Slow";
    assert!(records[0].starts_with("0 trampoline_0x"), "{records:?}");
    let rest: Vec<_> = records[1..].iter().map(String::as_str).collect();
    assert_eq!(rest, [lines, "1 a name", lines, "2 trace_1", "close"]);
}

#[test]
fn a_dump_that_cannot_be_written_is_an_error() {
    let file = std::env::current_exe().unwrap();
    assert!(JitDump::create(&file, Symbols::new()).is_err());
    assert!(PerfMap::create(file.join("map")).is_err());
    let full = Arc::new(PerfMap::create("/dev/full").unwrap());
    let slab = watched(full.clone());
    let _trace = install(&slab, None);
    let error = full.take_error().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(full.take_error().is_none());
}

/// What the test below lets perf record, with the directory for the dump.
const RECORDED: &str = "OPSTITCH_TEST_RECORDED";

#[test]
#[ignore = "the other test starts it"]
fn recorded() {
    let directory = std::env::var_os(RECORDED).expect("a directory for the dump");
    let dump = Arc::new(JitDump::create(directory, Symbols::new()).unwrap());
    let slab = watched(dump.clone());
    let _traces = [install(&slab, Some("hot_loop")), install(&slab, None)];
    assert!(dump.take_error().is_none());
}

/// Runs perf; its output, or nothing if it fails.
fn perf(arguments: &[&str], directory: &Directory) -> Option<String> {
    let mut command = Command::new("perf");
    command.args(arguments).env(RECORDED, &directory.0);
    // perf keeps copies of what it has seen there.
    command
        .env("HOME", &directory.0)
        .env("JITDUMPDIR", &directory.0);
    let output = command.current_dir(&directory.0).output().ok()?;
    let told = String::from_utf8_lossy(&output.stderr);
    writeln!(std::io::stdout(), "perf {arguments:?}: {told}").ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned() + &told)
}

#[test]
fn perf_takes_the_code_from_the_dump() {
    let directory = Directory::new("inject");
    let this = std::env::current_exe().unwrap();
    let record = [
        "record",
        "-k",
        "mono",
        "-e",
        "cpu-clock:u",
        "-o",
        "perf.data",
        "--",
        this.to_str().unwrap(),
        "--exact",
        "recorded",
        "--ignored",
    ];
    // Under QEMU it is QEMU that perf would record.
    let emulated = std::env::var_os("OPSTITCH_QEMU").is_some();
    if emulated || perf(&record, &directory).is_none() {
        // Past the harness, which keeps what tests print.
        let why = if emulated {
            "emulated"
        } else {
            "perf does not record here"
        };
        let skipped = format!("SKIPPED: perf_takes_the_code_from_the_dump ({why})\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    }
    let inject = ["inject", "--jit", "-i", "perf.data", "-o", "jit.data"];
    perf(&inject, &directory).expect("perf reads the dump");

    // It makes an object of each piece of code, and mappings of these in the record.
    let events = perf(
        &["script", "-i", "jit.data", "--show-mmap-events"],
        &directory,
    )
    .unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(&directory.0).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("jitted-") {
            continue;
        }
        assert!(events.contains(&name), "{name} is not in {events}");
        let bytes = std::fs::read(&path).unwrap();
        let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).unwrap();
        let symbol = file
            .symbols()
            .find(|symbol| symbol.kind() == SymbolKind::Text);
        let symbol = symbol.unwrap().name().unwrap().to_owned();
        let lines = file.section_by_name(".debug_line");
        let lines = lines.map_or(&[][..], |lines| lines.data().unwrap());
        let has_lines = lines.windows(4).any(|four| four == b".lst");
        assert_eq!(has_lines, !symbol.starts_with("trampoline_"), "{symbol}");
        names.push(symbol.split("_0x").next().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["hot_loop", "trace_1", "trampoline"]);
}
