//! What micro-ops cost the program that declares them: read-only data, work at its start, and time to compile.
//!
//! Programs and libraries are generated into a directory of their own and built there, in a workspace of their own.

mod generate;

use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection};

use crate::report::{Goal, Report};

/// Where all of it is: beside this program, so that what does not change is built once.
struct Workspace(PathBuf);

/// Generates and builds everything.
pub(crate) fn prepare() {
    let workspace = Workspace::new();
    workspace.cargo(&["build", "-p", "uops", "-p", "plain"]);
    workspace.cargo(&[
        "build",
        "--release",
        "-p",
        "with",
        "-p",
        "few",
        "-p",
        "without",
    ]);
}

pub(crate) fn measure(report: &mut Report) {
    let workspace = Workspace::new();
    let [with, few, without] = ["with", "few", "without"].map(|name| workspace.program(name));
    let (code, operands) = workspace.described();
    let added = with.read_only - without.read_only;
    println!(
        "# {} micro-ops: {code} bytes of code, {operands} operands, {added} bytes of read-only data",
        generate::COUNT
    );
    let allowed = 2 * code + 32 * operands;
    report.line(
        "templates/data/to-allowed",
        added as f64 / allowed as f64,
        Goal::AtMost(1.0),
    );
    // A set of a few has as many relocations as one of hundreds.
    let relocations = with.relocations as f64 - few.relocations as f64;
    report.line(
        "templates/relocations-added",
        relocations,
        Goal::AtMost(0.0),
    );
    let initializers = with.initializers as f64 - without.initializers as f64;
    report.line(
        "templates/initializers-added",
        initializers,
        Goal::AtMost(0.0),
    );
    let [uops, plain] = ["uops", "plain"].map(|name| workspace.compile_time(name));
    println!(
        "# {uops:.2} s of CPU to compile them, {plain:.2} s for the same bodies in plain dynasm!"
    );
    report.line(
        "templates/compile-time/to-dynasm",
        uops / plain,
        Goal::AtMost(15.0),
    );
}

/// Sizes of a program's sections, in bytes.
struct Program {
    read_only: u64,
    relocations: u64,
    initializers: u64,
}

impl Workspace {
    fn new() -> Workspace {
        let this = std::env::current_exe().expect("the path of this program");
        let workspace = Workspace(this.with_file_name("templates"));
        let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
        workspace.file("Cargo.toml", generate::WORKSPACE);
        let lock = std::fs::read_to_string(benches.join("Cargo.lock")).expect("Cargo.lock");
        if !workspace.0.join("Cargo.lock").exists() {
            workspace.file("Cargo.lock", &lock);
        }
        for (name, dependencies, source) in generate::packages(&benches.join("..")) {
            let manifest = generate::manifest(name, &dependencies);
            workspace.file(&format!("{name}/Cargo.toml"), &manifest);
            workspace.file(&format!("{name}/src/{}.rs", source.0), &source.1);
        }
        workspace
    }

    /// Writes a file, unless it is there: what is not newer is not built again.
    fn file(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    fn cargo(&self, arguments: &[&str]) {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", "target")
            .output()
            .expect("cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}:\n{errors}");
    }

    fn path_of(&self, program: &str) -> PathBuf {
        self.0.join("target/release").join(program)
    }

    fn program(&self, name: &str) -> Program {
        let bytes = std::fs::read(self.path_of(name)).expect("a program");
        let file = object::File::parse(&*bytes).expect("a program");
        let size = |names: &[&str]| -> u64 {
            let of_name = |section: &object::Section<'_, '_>| {
                section.name().is_ok_and(|name| names.contains(&name))
            };
            file.sections()
                .filter(of_name)
                .map(|section| section.size())
                .sum()
        };
        Program {
            read_only: size(&[".rodata", ".data.rel.ro", "__const", "__cstring"]),
            relocations: size(&[".rela.dyn", ".relr.dyn"]),
            initializers: size(&[".init_array", "__mod_init_func", "__init_offsets"]),
        }
    }

    /// The bytes of code of the set, and how many operands it has.
    fn described(&self) -> (u64, u64) {
        let output = Command::new(self.path_of("with"))
            .output()
            .expect("a program");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text
            .split_whitespace()
            .map(|number| number.parse().expect("a number"));
        (
            numbers.next().expect("the code"),
            numbers.next().expect("the operands"),
        )
    }

    /// The time that compiling a library takes in a debug build, in seconds of CPU: the faster of two.
    fn compile_time(&self, name: &str) -> f64 {
        let source = self.0.join(name).join("src/lib.rs");
        let times = [(); 2].map(|()| {
            let now = std::time::SystemTime::now();
            let file = std::fs::File::options()
                .append(true)
                .open(&source)
                .expect("the source");
            file.set_modified(now).expect("a new date");
            let before = time_of_children();
            self.cargo(&["build", "-p", name]);
            time_of_children() - before
        });
        times[0].min(times[1])
    }
}

/// The CPU time of all programs that this one has started, in seconds.
fn time_of_children() -> f64 {
    // SAFETY: a plain structure of numbers, which the call fills.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
