//! Names that mean something to the assembler.

/// A register name: `x19`, `wzr`, `d8`, `v0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Register {
    /// `x`, `w`, `b`, `h`, `s`, `d`, `q` or `v`.
    pub(crate) width: char,
    /// 0 to 31; the stack pointer and the zero register are 31.
    pub(crate) number: u8,
    /// Whether 31 is the stack pointer.
    pub(crate) is_sp: bool,
}

impl Register {
    pub(crate) const X0: Register = Register {
        width: 'x',
        number: 0,
        is_sp: false,
    };

    pub(crate) fn parse(name: &str) -> Option<Register> {
        let (width, number) = match name {
            "sp" | "xzr" => ('x', 31),
            "wsp" | "wzr" => ('w', 31),
            _ => {
                let width = name.chars().next()?;
                let digits = name.get(1..)?;
                let number: u8 = digits.parse().ok()?;
                let highest = match width {
                    'x' | 'w' => 30,
                    'b' | 'h' | 's' | 'd' | 'q' | 'v' => 31,
                    _ => return None,
                };
                if number > highest || number.to_string() != digits {
                    return None;
                }
                (width, number)
            }
        };
        Some(Register {
            width,
            number,
            is_sp: name.ends_with("sp"),
        })
    }

    /// Its name in assembly.
    pub(crate) fn name(self) -> String {
        match (self.width, self.number, self.is_sp) {
            ('x', 31, true) => "sp".to_owned(),
            ('x', 31, false) => "xzr".to_owned(),
            ('w', 31, true) => "wsp".to_owned(),
            ('w', 31, false) => "wzr".to_owned(),
            (width, number, _) => format!("{width}{number}"),
        }
    }

    pub(crate) fn is_general(self) -> bool {
        matches!(self.width, 'x' | 'w')
    }

    /// Whether it is the same register, by whatever width. What has the number 31 has no names of other widths.
    pub(crate) fn is_same(self, other: Register) -> bool {
        let has_widths = !self.widths().is_empty();
        (self.is_general(), self.number, self.is_sp)
            == (other.is_general(), other.number, other.is_sp)
            && (has_widths || self.width == other.width)
    }

    /// Whether it is x18.
    pub(crate) fn is_platforms(self) -> bool {
        self.is_general() && self.number == 18
    }

    /// The widths that the register has names of its own in, but for those of number 31.
    pub(crate) fn widths(self) -> &'static [char] {
        match (self.is_general(), self.number) {
            (true, 31) => &[],
            (true, _) => &['x', 'w'],
            (false, _) => &['v', 'b', 'h', 's', 'd', 'q'],
        }
    }
}

/// Why x18 is refused.
pub(crate) const PLATFORM: &str =
    "x18 belongs to the platform (AAPCS64 6.1.1); choose another register";

/// What to write instead of a name that looks like a register's and is none.
pub(crate) fn no_register(name: &str) -> Option<&'static str> {
    let number = name.get(1..)?.parse::<u32>().is_ok();
    match name.chars().next()? {
        'x' if number => {
            Some("there are x0 to x30; number 31 is `xzr` or `sp`, whichever is meant")
        }
        'w' if number => {
            Some("there are w0 to w30; number 31 is `wzr` or `wsp`, whichever is meant")
        }
        'v' | 'b' | 'h' | 's' | 'd' | 'q' if number => {
            Some("vector registers are numbered from 0 to 31")
        }
        _ => None,
    }
}

/// `X(..)` and the like: the width, and whether 31 is the stack pointer.
pub(crate) fn family(name: &str) -> Option<char> {
    Some(match name {
        "X" | "XSP" => 'x',
        "W" | "WSP" => 'w',
        "B" => 'b',
        "H" => 'h',
        "S" => 's',
        "D" => 'd',
        "Q" => 'q',
        "V" => 'v',
        _ => return None,
    })
}

const MODIFIERS: &[&str] = &[
    "lsl", "lsr", "asr", "ror", "sxtx", "sxtw", "sxth", "sxtb", "uxtx", "uxtw", "uxth", "uxtb",
    "msl",
];

const CONDITIONS: &[&str] = &[
    "eq", "ne", "cs", "hs", "cc", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
    "al", "nv",
];

const CONDITIONAL: &[&str] = &[
    "csel", "csinc", "csinv", "csneg", "cset", "csetm", "cinc", "cinv", "cneg", "ccmp", "ccmn",
    "fcsel", "fccmp", "fccmpe",
];

const BARRIERS: &[&str] = &[
    "sy", "st", "ld", "ish", "ishst", "ishld", "nsh", "nshst", "nshld", "osh", "oshst", "oshld",
];

/// Instructions whose arguments are names of the system, and those that dynasm-rs knows where they are few.
const SYSTEM: &[(&str, Option<&[&str]>)] = &[
    ("at", None),
    ("cfp", Some(&["rctx"])),
    ("cpp", Some(&["rctx"])),
    ("dc", None),
    ("dmb", Some(BARRIERS)),
    ("dsb", Some(BARRIERS)),
    ("dvp", Some(&["rctx"])),
    ("ic", None),
    ("isb", Some(&["sy"])),
    (
        "msr",
        Some(&["spsel", "daifset", "daifclr", "uao", "pan", "dit"]),
    ),
    ("psb", Some(&["csync"])),
    ("sys", None),
    ("sysl", None),
    ("tlbi", None),
    ("tsb", Some(&["csync"])),
];

pub(crate) fn is_modifier(name: &str) -> bool {
    MODIFIERS.contains(&name.to_ascii_lowercase().as_str())
}

pub(crate) fn is_condition(name: &str) -> bool {
    CONDITIONS.contains(&name)
}

/// Whether `name` alone is an argument of `mnemonic` that the assembler knows.
pub(crate) fn is_argument_of(name: &str, mnemonic: &str) -> bool {
    let of_system = SYSTEM.iter().find(|(system, _)| *system == mnemonic);
    of_system.is_some_and(|(_, known)| known.is_none_or(|known| known.contains(&name)))
        || (CONDITIONAL.contains(&mnemonic) && is_condition(name))
}

/// Whether the condition always holds.
pub(crate) fn is_always(condition: &str) -> bool {
    matches!(condition, "al" | "nv")
}

/// Whether a user may not give `name` to an operand, an alias or a constant.
pub(crate) fn is_reserved(name: &str) -> bool {
    Register::parse(name).is_some()
        || family(name).is_some()
        || is_modifier(name)
        || is_condition(name)
}

/// How many letters have to be changed, left out or added to make one name of the other.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_told_from_other_names() {
        for name in ["x0", "x19", "w30", "sp", "wsp", "xzr", "wzr", "q31", "v7"] {
            let register = Register::parse(name).unwrap();
            assert_eq!(register.name(), name);
            assert!(name.starts_with(register.width) || register.number == 31);
        }
        let is_same = |a, b| {
            let [a, b] = [a, b].map(|name| Register::parse(name).unwrap());
            a.is_same(b) && b.is_same(a)
        };
        assert!(is_same("x9", "w9") && is_same("v8", "d8") && is_same("sp", "sp"));
        for (a, b) in [("x9", "d9"), ("sp", "xzr"), ("xzr", "wzr"), ("sp", "wsp")] {
            assert!(!is_same(a, b), "{a} {b}");
        }
        for name in ["x31", "x07", "w", "xs", "v32", "", "\u{e9}1", "x+1"] {
            assert_eq!(Register::parse(name), None, "{name}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("slot", "slot"), 0);
        assert_eq!(distance("slot", "slto"), 2);
        assert_eq!(distance("locals", "locls"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
