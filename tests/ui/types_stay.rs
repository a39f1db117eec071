//! An error in one body takes no type away from those who use it.

opstitch::uops! {
    op Good(slot: u12) { ; ldr x0, [x1, slot * 8] }
    op Bad(slot: u12, out: exit) { ; ldr x0, [x1, slt * 8] ; cbz x0, =>out }
    op Unknown(slot: nibble) { ; ldr x0, [x1, slot * 8] }
}

fn trace(out: opstitch::Exit) -> Vec<Op> {
    let bad = Bad { slot: 1, out };
    println!("{bad} {}", Op::micro_ops().len());
    vec![Good { slot: 0 }.into(), bad.into(), Unknown { slot: 1 }.into()]
}

fn main() {
    let _ = trace;
}
