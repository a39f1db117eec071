//! Constants of a block: those that the macro computes, and those that only the compiler can, which
//! are patched into the templates while the crate compiles.

use std::mem::{offset_of, size_of};

use opstitch::MicroOpInfo;

/// The machine whose fields micro-ops reach.
#[repr(C)]
struct Vm {
    flags: u8,
    depth: u8,
    kind: u16,
    count: u32,
    stack: u64,
    wide: [u128; 4],
    last: u64,
}

const BELOW: i64 = -24;
const SHIFT: u32 = Vm::SHIFT + 1;

impl Vm {
    const SHIFT: u32 = 4;
}

/// Constants that only the compiler can evaluate.
mod patched {
    use super::{BELOW, SHIFT, Vm};
    use core::mem::{offset_of, size_of};

    opstitch::uops! {
        pub(crate) enum Op;
        registers { vm: x19 }

        const FLAGS: u12 = offset_of!(Vm, flags);
        const DEPTH: u12 = offset_of!(Vm, depth);
        const KIND: u12 * 2 = offset_of!(Vm, kind);
        const COUNT: u12 * 4 in 0..=100 = offset_of!(Vm, count);
        const STACK: u12 * 8 in 0..=4094 = offset_of!(Vm, stack);
        const WIDE: u12 * 16 = offset_of!(Vm, wide);
        const LAST: i7 * 8 = offset_of!(Vm, last);
        const SIZE: u11 = size_of::<Vm>();
        const LOW: i9 = BELOW;
        const BITS: u6 in 1..=31 = SHIFT;
        const PLAIN: usize = 8 * 3;
        const TAG: u16 in 0..=65534 = b'x' as u16 * 256 + 1;
        const REGISTER: u5 = 7 + SHIFT - SHIFT;

        op Loads {
            ; ldrb w0, [vm, FLAGS]
            ; ldrb w1, [vm, DEPTH]
            ; ldrh w2, [vm, KIND]
            ; ldr w3, [vm, COUNT]
            ; ldr x4, [vm, STACK]
            ; ldr q5, [vm, #WIDE]
            ; ldp x6, x7, [vm, LAST]
            ; ldur x8, [vm, LOW]
            ; ldr x9, [vm, STACK + 8]
        }
        op Numbers {
            ; add x0, x0, SIZE
            ; sub x0, x0, SIZE + PLAIN
            ; add x1, x1, SIZE * 2
            ; movz x2, TAG
            ; movk x2, TAG, lsl 16
            ; movz x3, TAG + 1
            ; ccmp x4, BITS, BITS / 2, ne
        }
        op Shifts {
            ; lsl x0, x0, BITS
            ; lsr x1, x1, 63 - BITS
            ; ubfx x2, x2, BITS, 3
            ; add x3, x3, x4, lsl BITS
            ; ubfx x5, x5, 2, BITS
            ; bfi x6, x6, BITS, 8
        }
        op Words { ; .u32 0x9100_0000 | SIZE << 10 | REGISTER, 0xd65f_03c0 }
        op Mixed(slot: u12, to: reg, far: exit) {
            ; ldr X(to), [vm, slot * 8]
            ; add X(to), X(to), SIZE
            ; cbz X(to), =>far
            ; tbz X(to), BITS, >slow
        } cold {
            ; slow: ; lsl X(to), X(to), BITS
            ; b =>far
        }
        op Unused(n: u12) { ; add x0, x0, n }
    }
}

/// The same with numbers.
mod written {
    opstitch::uops! {
        pub(crate) enum Op;
        registers { vm: x19 }

        op Loads {
            ; ldrb w0, [vm, 0]
            ; ldrb w1, [vm, 1]
            ; ldrh w2, [vm, 2]
            ; ldr w3, [vm, 4]
            ; ldr x4, [vm, 8]
            ; ldr q5, [vm, 16]
            ; ldp x6, x7, [vm, 80]
            ; ldur x8, [vm, -24]
            ; ldr x9, [vm, 16]
        }
        op Numbers {
            ; add x0, x0, 96
            ; sub x0, x0, 120
            ; add x1, x1, 192
            ; movz x2, 0x7801
            ; movk x2, 0x7801, lsl 16
            ; movz x3, 0x7802
            ; ccmp x4, 5, 2, ne
        }
        op Shifts {
            ; lsl x0, x0, 5
            ; lsr x1, x1, 58
            ; ubfx x2, x2, 5, 3
            ; add x3, x3, x4, lsl 5
            ; ubfx x5, x5, 2, 5
            ; bfi x6, x6, 5, 8
        }
        op Words { ; add x7, x0, 96 ; ret }
        op Mixed(slot: u12, to: reg, far: exit) {
            ; ldr X(to), [vm, slot * 8]
            ; add X(to), X(to), 96
            ; cbz X(to), =>far
            ; tbz X(to), 5, >slow
        } cold {
            ; slow: ; lsl X(to), X(to), 5
            ; b =>far
        }
        op Unused(n: u12) { ; add x0, x0, n }
    }
}

#[test]
fn what_the_compiler_evaluates_is_patched_in() {
    assert_eq!((offset_of!(Vm, last), size_of::<Vm>()), (80, 96));
    let (patched, written) = (patched::Op::micro_ops(), written::Op::micro_ops());
    assert_eq!(patched.len(), written.len());
    let code = |op: &MicroOpInfo| (op.name(), op.hot_words(), op.cold_words(), op.properties());
    for (patched, written) in patched.iter().zip(written.iter()) {
        assert_eq!(code(&patched), code(&written));
        let names = |op: &MicroOpInfo| op.operands().map(|o| o.name()).collect::<Vec<_>>();
        assert_eq!(names(&patched), names(&written));
    }
}

#[test]
fn a_micro_op_with_patched_constants_takes_its_operands() {
    use opstitch::{Reg, TraceBuilder};
    let linked = |first: fn(&mut TraceBuilder) -> Result<(), opstitch::Error>| {
        let mut builder = TraceBuilder::new();
        first(&mut builder).unwrap();
        builder
            .finish()
            .unwrap()
            .link(0x1000)
            .unwrap()
            .bytes()
            .to_vec()
    };
    let patched = linked(|builder| {
        let far = builder.exit([written::Words])?;
        let to = Reg(9);
        builder.push(patched::Mixed { slot: 77, to, far })?;
        let top = builder.bind_new()?;
        builder.push(patched::Unused { n: 5 })?;
        builder.jump(top)
    });
    let written = linked(|builder| {
        let far = builder.exit([written::Words])?;
        let to = Reg(9);
        builder.push(written::Mixed { slot: 77, to, far })?;
        let top = builder.bind_new()?;
        builder.push(written::Unused { n: 5 })?;
        builder.jump(top)
    });
    assert_eq!(patched, written);
}
