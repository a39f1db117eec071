//! The table of registers read and written, against Capstone's.
//!
//! Capstone 5 says for each operand whether it is read or written, but not for all instructions, and not
//! always rightly. So two things are compared. The registers that it writes in an instruction's text have to
//! be those of the table, always. And what it says of reading and writing has to be what the table says,
//! unless it leaves registers of the text out, or the class is among its known [`FAULTS`].

use std::collections::BTreeMap;

use capstone::prelude::*;
use capstone::{Insn, RegId};

use super::{says, set, words};
use crate::check::registers::{Register, Set};
use crate::check::table::{CLASSES, Class, Field};

/// Classes of which Capstone 5.0.6 says something else, what, and so is not asked; each was looked up in the
/// Arm ARM.
const FAULTS: &[(&str, &[&str])] = &[
    (
        "comparisons are said to write their first operand, as if that were the destination",
        &[
            "adds, subs (extended register)",
            "adds, subs (immediate)",
            "adds, subs (shifted register)",
            "ands (immediate)",
            "ands, bics (shifted register)",
        ],
    ),
    ("cbz and cbnz are said to read the flags", &["cbz, cbnz"]),
    (
        "x16, the modifier, is said to be written",
        &["pacia1716, pacib1716, autia1716, autib1716"],
    ),
    (
        "a destination that is only written is said to be read too",
        &[
            "add, mul, cmeq, fadd and so on",
            "aesmc, aesimc",
            "fmov (immediate)",
            "ld1 to ld4",
            "ld1 to ld4 (post-index)",
            "ld1r to ld4r",
            "ld1r to ld4r (post-index)",
            "movi, mvni, fmov (immediate)",
            "pacga",
            "rev64, cls, not, abs, fsqrt, fcvtn and so on",
            "saddl, smull, pmull, addhn and so on",
            "sbfm, ubfm",
            "sshr, shl, sqshrn and so on (immediate, scalar)",
            "sshr, shl, sshll, scvtf and so on (immediate)",
            "tbl",
        ],
    ),
    (
        "a destination of which a part stays is said to be only written",
        &[
            "addhn2, raddhn2, subhn2, rsubhn2",
            "fcvtn2, fcvtxn2",
            "fmov v.d[1], x",
            "orr, bic (16-bit immediate)",
            "orr, bic (32-bit immediate)",
            "shrn2, rshrn2, sqshrn2 and so on",
            "sqxtn2, uqxtn2",
            "ssra, usra, srsra, ursra",
            "ssra, usra, srsra, ursra (scalar)",
            "xtn2, sqxtun2",
        ],
    ),
    (
        "of several registers that follow one another, some are said to be something else",
        &[
            "ld1 to ld4 (lane)",
            "ld1 to ld4 (lane, post-index)",
            "st1 to st4",
            "st1 to st4 (lane)",
            "st1 to st4 (lane, post-index)",
            "st1 to st4 (post-index)",
        ],
    ),
    (
        "registers are left out, which is seen only where the same register stands twice",
        &[
            "cas",
            "ldadd, ldclr, ldeor, ldset, ldsmax, ldumin and so on",
            "ldar, ldlar",
            "ldraa, ldrab",
            "ldraa, ldrab (pre-index)",
            "swp",
        ],
    ),
];

/// The registers of the table that have bits in the word.
fn named(class: &Class, word: u32) -> Set {
    let fields = class.reads.iter().chain(class.writes);
    let named =
        fields.filter(|field| !matches!(field, Field::Fixed(_) | Field::Stack | Field::Flags));
    let named: Vec<_> = named.copied().collect();
    set(&named, word)
}

/// The register of that name; `None` for the zero register, and what is not looked at.
fn register(name: &str) -> Option<Register> {
    match name {
        "nzcv" => return Some(Register::Flags),
        "sp" | "wsp" => return Some(Register::Sp),
        "fp" => return Some(Register::X(29)),
        "lr" => return Some(Register::X(30)),
        _ => {}
    }
    let (kind, number) = name.split_at_checked(1)?;
    let number = number.parse().ok()?;
    match kind {
        "x" | "w" => Some(Register::X(number)),
        "b" | "h" | "s" | "d" | "q" | "v" => Some(Register::V(number)),
        _ => None,
    }
}

/// What Capstone says an instruction reads and writes.
fn theirs(cs: &Capstone, instruction: &Insn<'_>) -> (Set, Set) {
    let detail = cs.insn_detail(instruction).expect("details were asked for");
    let set = |ids: &[RegId]| {
        let names = ids.iter().filter_map(|&id| cs.reg_name(id));
        names.filter_map(|name| register(&name)).collect()
    };
    (set(detail.regs_read()), set(detail.regs_write()))
}

/// The registers in an instruction's text.
fn written(instruction: &Insn<'_>) -> Set {
    let text = instruction.op_str().unwrap_or_default();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter_map(register)
        .filter(|&r| r != Register::Flags)
        .collect()
}

fn shown((reads, writes): (Set, Set)) -> String {
    let names = |set: Set| {
        set.iter()
            .map(|r| r.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!("[{}] -> [{}]", names(reads), names(writes))
}

#[test]
fn the_table_says_what_capstone_says() {
    let mode = arch::arm64::ArchMode::Arm;
    let cs = Capstone::new().arm64().mode(mode).detail(true).build();
    let cs = cs.expect("Capstone with AArch64");
    let mut differences = BTreeMap::new();
    let mut compared = 0;
    for class in CLASSES {
        let mut valid = 0;
        for word in words(class) {
            let bytes = word.to_le_bytes();
            let decoded = cs.disasm_count(&bytes, 0, 1).expect("a decoder");
            let Some(instruction) = decoded.iter().next() else {
                continue;
            };
            valid += 1;
            let (named, written) = (named(class, word), written(instruction));
            // System registers have names of the same shape; `ret` and some `tlbi` leave theirs out.
            let is_named = !matches!(class.name, "msr" | "mrs" | "ret" | "sys: dc, ic, at, tlbi");
            if is_named && named != written {
                let what = format!(
                    "{word:08x} {instruction}: {} in the word",
                    shown((named, Set::EMPTY))
                );
                differences.insert(
                    (
                        class.name,
                        "text",
                        instruction.mnemonic().map(str::to_owned),
                    ),
                    what,
                );
            }
            let (ours, theirs) = (says(class, word), theirs(&cs, instruction));
            let (all_ours, all_theirs) = (ours.0.union(ours.1), theirs.0.union(theirs.1));
            let says_less = all_theirs != all_ours && all_theirs.without(all_ours) == Set::EMPTY;
            if says_less {
                continue;
            }
            compared += 1;
            let is_fault = FAULTS.iter().any(|(_, names)| names.contains(&class.name));
            if ours != theirs && !is_fault {
                let what = format!(
                    "{word:08x} {instruction}: {}, and Capstone {}",
                    shown(ours),
                    shown(theirs)
                );
                differences.insert(
                    (
                        class.name,
                        "access",
                        instruction.mnemonic().map(str::to_owned),
                    ),
                    what,
                );
            }
        }
        assert!(valid > 0, "no instruction of {}", class.name);
    }
    let lines: Vec<_> = differences
        .iter()
        .map(|(at, what)| format!("{at:?}: {what}"))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert!(
        compared > 100_000,
        "only {compared} instructions were compared"
    );
}
