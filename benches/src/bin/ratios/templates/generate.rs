//! The generated sources: so many micro-ops by `uops!`, and the same bodies as functions with plain `dynasm!` calls.

use std::fmt::Write;
use std::path::Path;

/// How many micro-ops there are.
pub(crate) const COUNT: usize = 300;

/// Operands and bodies. Registers a, b and c, and the number k, are different in each micro-op.
const BODIES: [(&str, &str); 12] = [
    (
        "slot: u12, out: exit",
        "; ldr x{a}, [x21, slot * 8] ; ldur x{b}, [x20, #-8] ; adds x{a}, x{a}, x{b} ; b.vs =>out \
         ; stur x{a}, [x20, #-8] ; mov x{c}, x{a}",
    ),
    (
        "tag: u12, out: exit",
        "; ldur x{a}, [x20, #-8] ; and x{b}, x{a}, x23 ; ldr w{c}, [x{b}, #4] ; cmp w{c}, tag ; b.ne =>out",
    ),
    (
        "slot: u12, function: call",
        "; mov x0, x19 ; ldr x1, [x21, slot * 8] ; bl =>function ; str x0, [x20], #8 ; str x20, [x19, #{k}]",
    ),
    (
        "number: u16, function: call",
        "; mov x0, x19 ; ldr x1, [x20, #{k}] ; movz x2, number ; bl =>function ; ldr x{a}, [x19, #8]",
    ),
    (
        "slot: u12, to: label",
        "; ldr x{a}, [x21, slot * 8] ; ldr x{b}, [x19, #{k}] ; add x{b}, x{b}, #1 ; str x{b}, [x19, #{k}] \
         ; cbz x{a}, =>to",
    ),
    (
        "limit: u12, to: label",
        "; ldr x{a}, [x20, #-8]! ; cmp x{a}, limit ; b.lt =>to ; ldr x{b}, [x19, #{k}] ; str x{b}, [x21, #{k}]",
    ),
    (
        "a: u12, b: u12",
        "; ldr x{a}, [x21, a * 8] ; ldr x{b}, [x21, b * 8] ; add x{a}, x{a}, x{b} ; eor x{c}, x{a}, x{b} \
         ; str x{a}, [x20, #8] ; add x20, x20, #8",
    ),
    (
        "object: u12, field: u12",
        "; ldr x{a}, [x21, object * 8] ; and x{a}, x{a}, x23 ; ldr x{b}, [x{a}, field * 8] ; str x{b}, [x20], #8",
    ),
    (
        "dst: reg, src: reg",
        "; add X(dst), X(dst), X(src) ; mov x{c}, X(dst) ; str x{c}, [x19, #{k}]",
    ),
    (
        "dst: reg, value: u32",
        "; movz W(dst), value & 0xffff ; movk W(dst), value >> 16, lsl #16 ; mov x{c}, X(dst)",
    ),
    (
        "offset: i9, slot: u12",
        "; ldr x{a}, [x21, slot * 8] ; ldur x{b}, [x{a}, offset] ; str x{b}, [x20], #8 ; add x{c}, x{b}, #1",
    ),
    (
        "",
        "; ldp x{a}, x{b}, [x20, #-16] ; mul x{a}, x{a}, x{b} ; stp x{a}, x{b}, [x20, #-16] ; ldr x{c}, [x19, #{k}]",
    ),
];

pub(crate) const WORKSPACE: &str = r#"[workspace]
members = ["uops", "one", "plain", "with", "few", "without"]
resolver = "3"
"#;

pub(crate) fn manifest(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}"
    )
}

/// Name, dependencies, and the name and text of the source file.
pub(crate) fn packages(opstitch: &Path) -> [(&'static str, String, (&'static str, String)); 6] {
    let opstitch = format!(
        "opstitch = {{ path = {:?} }}\n",
        opstitch.display().to_string()
    );
    let with =
        |set: &str| format!("{opstitch}uops = {{ path = \"../{set}\", package = \"{set}\" }}\n");
    let plain = "dynasm = \"5.1\"\ndynasmrt = \"5.1\"\n".to_owned();
    [
        ("uops", opstitch.clone(), ("lib", micro_ops(COUNT))),
        ("one", opstitch.clone(), ("lib", micro_ops(BODIES.len()))),
        ("plain", plain, ("lib", functions(COUNT))),
        ("with", with("uops"), ("main", program(true))),
        ("few", with("one"), ("main", program(true))),
        ("without", opstitch.clone(), ("main", program(false))),
    ]
}

/// Operands and body of a micro-op.
fn op(number: usize) -> (&'static str, String) {
    let (operands, body) = BODIES[number % BODIES.len()];
    let variant = number / BODIES.len();
    let mut body = body.to_owned();
    let fillers = [
        ("{a}", 3 + variant % 5),
        ("{b}", 8 + variant % 4),
        ("{c}", 12 + variant % 3),
        ("{k}", 8 * (1 + variant)),
    ];
    for (filler, value) in fillers {
        body = body.replace(filler, &value.to_string());
    }
    (operands, body)
}

fn micro_ops(count: usize) -> String {
    let mut text = String::from("opstitch::uops! {\n    pub enum Op;\n");
    for number in 0..count {
        let (operands, body) = op(number);
        let operands = match operands {
            "" => String::new(),
            operands => format!("({operands})"),
        };
        writeln!(text, "    op Op{number}{operands} {{ {body} }}").expect("memory");
    }
    text + "}\n"
}

fn functions(count: usize) -> String {
    let mut text = String::from(
        "use dynasm::dynasm;\nuse dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler};\n\
         use dynasmrt::aarch64::Aarch64Relocation;\n",
    );
    for number in 0..count {
        let (operands, body) = op(number);
        let operands = operands.split_terminator(", ").map(|operand| {
            let (name, kind) = operand.split_once(": ").expect("a name and a kind");
            let kind = match kind {
                "exit" | "label" | "call" => "DynamicLabel",
                "reg" => "u8",
                "i9" => "i32",
                _ => "u32",
            };
            format!(", {name}: {kind}")
        });
        let operands: String = operands.collect();
        writeln!(
            text,
            "pub fn op{number}(ops: &mut VecAssembler<Aarch64Relocation>{operands}) \
             {{ dynasm!(ops ; .arch aarch64 {body}) }}"
        )
        .expect("memory");
    }
    text
}

/// A program that pushes any of the micro-ops, and prints the bytes of their code and the number of their operands; or
/// does so with one of its own.
fn program(with: bool) -> String {
    let set = match with {
        true => "use uops::*;",
        false => "opstitch::uops! { pub enum Op; op Op11 { ; ret } }",
    };
    format!(
        "{set}
fn main() {{
    let mut builder = opstitch::TraceBuilder::new();
    let op: Op = std::hint::black_box(Op11.into());
    builder.push(op).unwrap();
    let (mut code, mut operands) = (0, 0);
    for op in Op::micro_ops().iter() {{
        code += 4 * op.hot_words().len();
        operands += op.operands().len();
    }}
    println!(\"{{code}} {{operands}}\");
}}
"
    )
}
