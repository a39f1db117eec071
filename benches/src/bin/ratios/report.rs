//! The lines that are printed, and what must hold of them.

use std::fmt::Write;
use std::path::Path;

/// What must hold of a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// It is only told.
    None,
    /// It is not more.
    AtMost(f64),
    /// It is not less.
    AtLeast(f64),
}

/// All lines of a run.
#[derive(Debug, Default)]
pub struct Report(Vec<(String, f64, Goal)>);

impl Report {
    /// Prints a line, and keeps it.
    pub fn line(&mut self, name: impl Into<String>, ratio: f64, goal: Goal) {
        let name = name.into();
        println!("{name} {}{}", digits(ratio), verdict(ratio, goal));
        self.0.push((name, ratio, goal));
    }

    /// Prints what does not hold.
    pub fn print_missed(&self) {
        for (name, ratio, goal) in &self.0 {
            if !holds(*ratio, *goal) {
                println!(
                    "# missed: {name} {}{}",
                    digits(*ratio),
                    verdict(*ratio, *goal)
                );
            }
        }
    }

    /// Writes the lines into `docs/performance.md`, between two marks.
    pub fn write_table(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let text = std::fs::read_to_string(&path).expect("docs/performance.md");
        let (begin, end) = ("<!-- ratios: begin -->\n", "<!-- ratios: end -->");
        let (head, rest) = text.split_once(begin).expect("the mark of the beginning");
        let (_, tail) = rest.split_once(end).expect("the mark of the end");
        let mut table = String::from("\n| what | ratio | must be | holds |\n|---|---:|---|---|\n");
        for (name, ratio, goal) in &self.0 {
            let (must, does) = match goal {
                Goal::None => (String::new(), ""),
                Goal::AtMost(most) => (format!("at most {most}"), "yes"),
                Goal::AtLeast(least) => (format!("at least {least}"), "yes"),
            };
            let does = if holds(*ratio, *goal) { does } else { "**no**" };
            let ratio = digits(*ratio);
            writeln!(table, "| `{name}` | {ratio} | {must} | {does} |").expect("memory");
        }
        std::fs::write(&path, format!("{head}{begin}{table}\n{end}{tail}"))
            .expect("docs/performance.md");
        println!("# written: docs/performance.md");
    }
}

fn holds(ratio: f64, goal: Goal) -> bool {
    match goal {
        Goal::None => true,
        Goal::AtMost(most) => ratio <= most,
        Goal::AtLeast(least) => ratio >= least,
    }
}

fn verdict(ratio: f64, goal: Goal) -> String {
    let does = if holds(ratio, goal) {
        "holds"
    } else {
        "MISSED"
    };
    match goal {
        Goal::None => String::new(),
        Goal::AtMost(most) => format!(" (at most {most}: {does})"),
        Goal::AtLeast(least) => format!(" (at least {least}: {does})"),
    }
}

/// Three digits at the least.
fn digits(ratio: f64) -> String {
    let places = match ratio {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{ratio:.places$}")
}
