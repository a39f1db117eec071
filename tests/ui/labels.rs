opstitch::uops! {
    op Forward { ; cbz x0, >done ; mov x0, x1 }
    op Backward { ; cbz x0, <again ; mov x0, x1 }
    op BehindIt { ; cbz x0, <done ; done: ; mov x0, x1 }
    op BeforeIt { ; again: ; cbz x0, >again ; mov x0, x1 }
    op Operand(overflow: exit) { ; b.vs >overflow }
    op NotAlone { ; again: add x0, x0, 1 ; b <again }
    op Global { ; ->here: ; ret }
    op GlobalTarget { ; b ->somewhere }
    op Dynamic(here: label) { ; =>here ; ret }
}

fn main() {}
