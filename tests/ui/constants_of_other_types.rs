opstitch::uops! {
    const TEXT: u12 = NAME;
    const NOTHING: u12 = core::mem::offset_of!(Vm, queue);

    op Bad { ; add x0, x0, TEXT ; add x0, x0, NOTHING }
}

struct Vm {
    stack: u64,
}

const NAME: &str = "8";

fn main() {}
