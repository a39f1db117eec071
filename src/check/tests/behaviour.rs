//! The table of registers read and written, against what an emulator's instructions do.
//!
//! An instruction is run on random values, then again with one register changed. If anything but that register
//! comes out otherwise, the instruction reads it; and so it does if the register itself is changed and comes out
//! otherwise. That is what the table has to say, at least: reading more than is seen here is no fault, for
//! some values have no effect. What the table says is written without being read has to come out
//! changed, whatever it was.

use unicorn_engine::{Arch, Arm64CpuModel, Mode, Permission, RegisterARM64, Unicorn};

use super::words;
use crate::asm::branch;
use crate::check::registers::{Register, Set};
use crate::check::table::{CLASSES, Class};

/// Where the instruction is.
const CODE: u64 = 0x4000_0000;
/// Where what loads and stores the vector registers is.
const HELPERS: u64 = CODE + 0x1000;
/// Where the values of the vector registers are between runs.
const VECTORS: u64 = CODE + 0x2000;
/// Data is mapped from 0 to here. General registers hold numbers from `DATA.start` on, so that sums and small
/// multiples of them are addresses of data too.
const DATA: std::ops::Range<u64> = 0x40_0000..0x800_0000;
/// The data that is not zero, and whose changes are seen.
const SEEN: u64 = 0x2000;

/// Classes that are not run, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("udf", "traps"),
    ("brk", "traps"),
    ("hlt", "traps"),
    (
        "nop, yield, wfe, wfi, sev, sevl, dgh",
        "may wait for an event",
    ),
    ("sys: dc, ic, at, tlbi", "changes what cannot be seen here"),
    ("msr", "changes what cannot be seen here"),
    ("b", "goes to where nothing is"),
    ("bl", "goes to where nothing is"),
    ("br", "goes to where nothing is"),
    ("blr", "goes to where nothing is"),
    ("ret", "goes to where nothing is"),
    ("retaa, retab", "goes to where nothing is"),
    ("braaz, brabz", "goes to where nothing is"),
    ("blraaz, blrabz", "goes to where nothing is"),
    ("braa, brab", "goes to where nothing is"),
    ("blraa, blrab", "goes to where nothing is"),
    ("pacga", "the core has no key"),
    ("mrs", "reads what cannot be changed here"),
];

/// Registers before and after: x0 to x30, sp, the flags; v0 to v31; and for the outcome the program counter and
/// the data.
#[derive(Clone, PartialEq)]
struct State {
    general: [u64; 33],
    vectors: [u128; 32],
    pc: u64,
    data: Vec<u8>,
}

impl State {
    fn get(&self, register: Register) -> u128 {
        match register {
            Register::X(number) => self.general[usize::from(number)].into(),
            Register::Sp => self.general[31].into(),
            Register::Flags => self.general[32].into(),
            Register::V(number) => self.vectors[usize::from(number)],
            Register::Operand(_) => 0,
        }
    }

    fn set(&mut self, register: Register, value: u128) {
        match register {
            Register::X(number) => self.general[usize::from(number)] = value as u64,
            Register::Sp => self.general[31] = value as u64,
            Register::Flags => self.general[32] = value as u64,
            Register::V(number) => self.vectors[usize::from(number)] = value,
            Register::Operand(_) => {}
        }
    }
}

fn all_registers() -> impl Iterator<Item = Register> {
    let general = (0..31)
        .map(Register::X)
        .chain([Register::Sp, Register::Flags]);
    general.chain((0..32).map(Register::V))
}

struct Machine {
    engine: Unicorn<'static, ()>,
    random: u64,
    data: Vec<u8>,
    /// Whether the instruction may go on elsewhere.
    branches: bool,
}

impl Machine {
    fn new() -> Machine {
        let mut engine = Unicorn::new(Arch::ARM64, Mode::LITTLE_ENDIAN).expect("a core");
        let model = Arm64CpuModel::UC_CPU_ARM64_MAX.into();
        engine.ctl_set_cpu_model(model).expect("its model");
        let (read, write) = (Permission::READ, Permission::WRITE);
        engine
            .mem_map(0, DATA.end as usize, read | write)
            .expect("data");
        // With as much around it as a literal load reaches.
        let (start, len) = (CODE - 0x10_0000, 0x20_0000);
        engine.mem_map(start, len, Permission::ALL).expect("code");
        // ldp q0, q1, [x0]; and so on up to q30, q31; then the same for stp.
        let mut helpers = Vec::new();
        for base in [0xad40_0000u32, 0xad00_0000] {
            for pair in 0..16u32 {
                let (one, other) = (2 * pair, 2 * pair + 1);
                let word = base | one << 15 | other << 10 | one;
                helpers.extend(word.to_le_bytes());
            }
        }
        engine.mem_write(HELPERS, &helpers).expect("helpers");
        let mut machine = Machine {
            engine,
            random: 1,
            data: Vec::new(),
            branches: false,
        };
        machine.data = (0..SEEN).map(|_| machine.next() as u8).collect();
        machine
    }

    fn next(&mut self) -> u64 {
        // Knuth's MMIX generator.
        self.random = self
            .random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        self.random >> 24
    }

    /// A value that the register can have.
    fn value(&mut self, register: Register) -> u128 {
        match register {
            Register::Flags => u128::from(self.next() % 16) << 28,
            Register::V(_) => {
                // Small numbers as halves, words and floating-point numbers alike, so that nothing overflows.
                let lanes = (0..8).map(|_| 0x3c00 + u128::from(self.next() % 0x400));
                lanes.fold(0, |value, lane| value << 16 | lane)
            }
            _ => u128::from(DATA.start + SEEN / 4 + self.next() % (SEEN / 2) / 16 * 16),
        }
    }

    fn helper(&mut self, number: u64) {
        self.engine
            .reg_write(RegisterARM64::X0, VECTORS)
            .expect("a register");
        let start = HELPERS + number * 64;
        self.engine
            .emu_start(start, start + 64, 0, 0)
            .expect("a helper");
    }

    /// What the instruction makes of a state; `None` if it cannot be run.
    fn run(&mut self, before: &State) -> Option<State> {
        let bytes: Vec<_> = before
            .vectors
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        self.engine.mem_write(VECTORS, &bytes).ok()?;
        self.engine.mem_write(DATA.start, &before.data).ok()?;
        self.helper(0);
        for (id, &value) in ids().zip(&before.general) {
            self.engine.reg_write(id, value).ok()?;
        }
        // Counting is slow, but where a branch leads there is nothing to stop at.
        let count = usize::from(self.branches);
        self.engine.emu_start(CODE, CODE + 4, 0, count).ok()?;
        let mut after = before.clone();
        after.pc = self.engine.reg_read(RegisterARM64::PC).ok()?;
        for (id, value) in ids().zip(&mut after.general) {
            *value = self.engine.reg_read(id).ok()?;
        }
        after.general[32] &= 0xf000_0000;
        self.helper(1);
        let mut bytes = vec![0; 512];
        self.engine.mem_read(VECTORS, &mut bytes).ok()?;
        for (value, bytes) in after.vectors.iter_mut().zip(bytes.chunks_exact(16)) {
            *value = u128::from_le_bytes(bytes.try_into().ok()?);
        }
        self.engine.mem_read(DATA.start, &mut after.data).ok()?;
        Some(after)
    }

    fn random_state(&mut self) -> State {
        let mut state = State {
            general: [0; 33],
            vectors: [0; 32],
            pc: 0,
            data: self.data.clone(),
        };
        for register in all_registers() {
            let value = self.value(register);
            state.set(register, value);
        }
        state
    }

    /// What a word was seen to read, to write, and which registers came out as they went in, twice.
    fn observe(&mut self, word: u32) -> Option<(Set, Set, Set)> {
        self.engine.mem_write(CODE, &word.to_le_bytes()).ok()?;
        self.engine.ctl_remove_cache(CODE, CODE + 4).ok()?;
        self.branches = branch::branch_field(word).is_some();
        let before = self.random_state();
        let after = self.run(&before)?;
        let (mut reads, mut writes, mut kept) = (Set::EMPTY, Set::EMPTY, Set::EMPTY);
        for register in all_registers() {
            if after.get(register) != before.get(register) {
                writes = writes.with(register);
            }
            let mut other_before = before.clone();
            let mut value = self.value(register);
            while value == before.get(register) {
                value = self.value(register);
            }
            other_before.set(register, value);
            let Some(other) = self.run(&other_before) else {
                reads = reads.with(register); // it is an address
                continue;
            };
            let (one, two) = (after.get(register), other.get(register));
            let stays = one == before.get(register) && two == value;
            if stays {
                kept = kept.with(register);
            }
            let mut same = other;
            same.set(register, one);
            if same != after || !stays && one != two {
                reads = reads.with(register);
            }
        }
        Some((reads, writes, kept))
    }
}

fn ids() -> impl Iterator<Item = i32> {
    let x = |number| RegisterARM64::X0 as i32 + number;
    let low = (0..29).map(x);
    let rest = [
        RegisterARM64::X29,
        RegisterARM64::X30,
        RegisterARM64::SP,
        RegisterARM64::NZCV,
    ];
    low.chain(rest.map(|id| id as i32))
}

fn names(set: Set) -> String {
    let names: Vec<_> = set.iter().map(|register| register.to_string()).collect();
    names.join(" ")
}

#[test]
fn the_table_says_what_instructions_do() {
    let mut machine = Machine::new();
    let most = if std::env::var_os("OPSTITCH_ASAN").is_some() {
        1
    } else {
        3
    };
    let mut faults = Vec::new();
    let mut never = Vec::new();
    for class in CLASSES {
        if LEFT_OUT.iter().any(|(name, _)| *name == class.name) {
            continue;
        }
        let mut run = 0;
        for word in words(class).take(40) {
            if run < most
                && let Some(seen) = machine.observe(word)
            {
                run += 1;
                faults.extend(fault(class, word, seen));
            }
        }
        if run == 0 {
            never.push(class.name);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(never.is_empty(), "no instruction could be run of {never:?}");
}

fn fault(class: &Class, word: u32, (reads, writes, kept): (Set, Set, Set)) -> Option<String> {
    let (says_reads, says_writes) = super::says(class, word);
    // A load's base may be its destination, and so on: what is both read and written may well stay.
    let unread = reads.without(says_reads);
    let unwritten = writes.without(says_writes);
    let stays = kept
        .iter()
        .filter(|&r| says_writes.contains(r) && !says_reads.contains(r));
    let stays: Set = stays.collect();
    let all_right = [unread, unwritten, stays]
        .iter()
        .all(|&set| set == Set::EMPTY);
    (!all_right).then(|| {
        let text = crate::inspect::disassemble::instruction(word, 0);
        format!(
            "{}: {word:08x} {text}: reads [{}] and writes [{}] against the table, and leaves [{}] as it is",
            class.name,
            names(unread),
            names(unwritten),
            names(stays),
        )
    })
}
