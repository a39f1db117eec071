opstitch::uops! {
    op WithoutSemicolon { ; mov x0, x1 bl =>there }
    op WithoutComma { ; ldr x9 [x1, 8] }
    op Rust { ; ;let x = 1 ; ret }
    op NoSemicolon { ret }
    op Align { ; .align 8 ; ret }
    op Arch { ; .arch x64 ; ret }
    op Alias { ; .alias stack, x20 ; ret }
    op Bytes { ; .bytes [1, 2, 3, 4] ; ret }
    op NoMnemonic { ; 42 }
    op EmptyCold { ; ret } cold { ; only_a_label: }
    op NothingLeadsThere { ; cbz x0, >on ; on: } cold { ; slow: ; cbz x1, <slow ; ret }
    op Inverted { ; mov.inverted x0, 0xffff }
    op Bti { ; bti c }
}

fn main() {}
