opstitch::uops! {
    const TOO_HIGH: u12 * 8 = core::mem::size_of::<[u64; 4096]>();
    const NO_MULTIPLE: u12 * 8 = core::mem::offset_of!(Vm, flag);
    const NEGATIVE: u12 = LOWEST;

    op Bad {
        ; ldr x0, [x1, TOO_HIGH]
        ; ldr x0, [x1, NO_MULTIPLE]
        ; add x0, x0, NEGATIVE
    }
}

#[repr(C)]
struct Vm {
    stack: u64,
    small: u8,
    flag: u8,
}

const LOWEST: i32 = -1;

fn main() {}
