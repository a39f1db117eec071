opstitch::uops! {
    op ColdFallsOff { ; cbz x0, >slow ; back: } cold { ; slow: ; mov x0, x1 ; add x0, x0, 1 }
    op ColdEndsInCall(function: call) { ; cbz x0, >slow } cold { ; slow: ; bl =>function }
    op NotBitByBit(n: u12) { ; add x0, x0, n * n >> 12 }
    op Absolute(n: u8) { ; movz x0, n / 3 }
    op Alignment(n: u16 in 0..=4080) { ; add x0, x0, (n + 15) / 16 * 15 }
    op ColdEndsInAnything(w: u32) { ; cbz x0, >slow } cold { ; slow: ; .u32 w }
    op AdrAcross { ; adr x0, >slow ; ret } cold { ; slow: ; ret }
    op LiteralAcross { ; ldr x0, >word ; ret } cold { ; ret ; word: ; .u32 1, 2 ; ret }
    op Word(n: u12) { ; .u32 n * n }
}

fn main() {}
