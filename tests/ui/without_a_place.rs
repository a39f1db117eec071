// What dynasm-rs finds at the end of an instruction has no place of its own: it is shown at the micro-op.
opstitch::uops! {
    registers { acc: v8 }

    op Fine { ; ret }
    op Bare { ; fadd acc_d, acc_d, acc }
    op Trailing { ; mov x0, x1, }
}

fn main() {}
