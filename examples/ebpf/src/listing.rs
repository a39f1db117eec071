//! The annotated listing: each eBPF instruction above the micro-ops and the A64 code that it became.

use opstitch::inspect::Symbols;

use crate::disassemble::disassemble;
use crate::helpers::Helper;
use crate::program::Program;
use crate::run::Loaded;
use crate::verify::slots;

/// The listing of a program.
pub fn listing(program: &Program, loaded: &Loaded, helpers: &[Helper]) -> String {
    let mut symbols = Symbols::new();
    for helper in helpers {
        if let Some(address) = loaded.helper_address(helper.number) {
            symbols.insert(helper.name, address);
        }
    }
    let mut origins = loaded.origins().iter().peekable();
    let mut text = String::new();
    for line in loaded.linked().listing(&symbols).to_string().lines() {
        if let Some(op) = line
            .strip_prefix("op ")
            .and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok())
        {
            while let Some(origin) = origins.next_if(|origin| origin.op <= op) {
                let next = origins.peek().map_or(program.code.len(), |next| next.pc);
                text += &instructions(program, origin.pc..next);
            }
        }
        text += line;
        text.push('\n');
    }
    text
}

/// Instructions that have become micro-ops together.
fn instructions(program: &Program, range: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    let mut pc = range.start;
    while pc < range.end {
        if let Some((_, name)) = program.symbols.iter().find(|&&(start, _)| start == pc) {
            text += &format!("\n; {name}:\n");
        }
        text += &format!("; {pc:4}  {}\n", disassemble(&program.code, pc));
        pc += slots(program.code[pc]);
    }
    text
}
