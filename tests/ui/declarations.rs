opstitch::uops! {
    registers { platform: x18, none: x31, flags: nzcv }
    registers { stack: x20, stack: x21, stack_w: x22, x1: x23, lsl: x24, again: w20 }
    registers { value: d8, scratch: x8, wide: v8 }
    const SIZE = 8;
    const SIZE = 16;
    const X = 8;
    const stack = 8;
    const LATER = UNKNOWN * 2;
    const OUTSIDE: u4 = 16;
    const NO_MULTIPLE: u4 * 8 = 12;
    const NO_STEP: u4 * 0 = 0;

    op Bad { ; ldr w0, [platform, SIZE] ; str flags, [none] ; add x0, x0, LATER + OUTSIDE }
    op Bad { ; ret }
    op Op { ; ret }
}

fn main() {}
