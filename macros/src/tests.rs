//! The macro as a whole, without a compiler around it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

const SAMPLE: &str = r#"
    /// Micro-ops.
    pub(crate) enum Op;
    registers { vm: x19, stack: x20, acc: d8 }
    const SIZE: u12 = 8;
    const FIELD: u12 * 8 in 0..=100 = core::mem::offset_of!(Vm, field);
    /// An op.
    op One(/** A slot. */ slot: u12 in 1..=4000, r: reg, v: vreg in 0..=15) {
        ; ldr X(r), [stack, slot * SIZE + 16]!
        ; mul v0.h8, v1.h8, V(v).h[3]
        ; again: ; add x1, x2, -slot, lsl #12
        ; ldr x3, [vm, FIELD]
        ; tbz x1, 3, >far
        ; .u32 0x91000000 | r << 5, 7
    } cold { ; far: ; ld1 {V(v).b16 * 2}, [sp], X(r) ; b <again }
    op Two(f: call, e: exit, l: label, k: literal, m: mut literal, b: logical64, x: fp8) {
        ; and x1, x2, #b ; fmov acc, x ; ldr w0, =>k ; ldr x1, =>m ; cbz x1, =>e ; bl =>f
        ; b.eq =>l ; b =>l
    }
"#;

fn expand(tokens: TokenStream) -> TokenStream {
    match syn::parse2(tokens) {
        Ok(block) => crate::expand::expand(block),
        Err(error) => error.to_compile_error(),
    }
}

fn size(tokens: &TokenStream) -> usize {
    let each = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Group(group) => 1 + size(&group.stream()),
        _ => 1,
    });
    each.sum()
}

/// Changes the token of that number, counted through all groups: leaves it out, doubles it, or puts
/// another in its place.
fn mutate(tokens: TokenStream, at: &mut i64, how: u64, other: &TokenTree) -> TokenStream {
    let mut out = Vec::new();
    for token in tokens {
        *at -= 1;
        let here = *at == -1;
        let token = match token {
            TokenTree::Group(group) => {
                let delimiter = match (here, how) {
                    (true, 3) => Delimiter::Bracket,
                    _ => group.delimiter(),
                };
                let inner = mutate(group.stream(), at, how, other);
                Group::new(delimiter, inner).into()
            }
            token => token,
        };
        match (here, how) {
            (true, 0) => {}
            (true, 1) => out.extend([token.clone(), token]),
            (true, 2) => out.push(other.clone()),
            _ => out.push(token),
        }
    }
    out.into_iter().collect()
}

fn pick(tokens: &TokenStream, mut at: usize) -> Option<TokenTree> {
    for token in tokens.clone() {
        if at == 0 {
            return Some(token);
        }
        at -= 1;
        if let TokenTree::Group(group) = &token {
            let inner = size(&group.stream());
            if at < inner {
                return pick(&group.stream(), at);
            }
            at -= inner;
        }
    }
    None
}

#[test]
fn the_sample_is_right() {
    let text = expand(SAMPLE.parse().unwrap()).to_string();
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn whatever_is_wrong_is_an_error_and_no_panic() {
    let sample: TokenStream = SAMPLE.parse().unwrap();
    let count = size(&sample);
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0xb);
        (random >> 33) as usize % below
    };
    for at in 0..count {
        for how in [at as u64 % 4, 0] {
            let other = pick(&sample, next(count)).unwrap();
            expand(mutate(sample.clone(), &mut (at as i64), how, &other));
        }
    }
    for _ in 0..200 {
        let mut tokens = sample.clone();
        for _ in 0..3 {
            let other = pick(&sample, next(count)).unwrap();
            let (at, how) = (next(count), next(4));
            tokens = mutate(tokens, &mut (at as i64), how as u64, &other);
        }
        expand(tokens);
    }
}

#[test]
fn odd_names_and_numbers_are_no_panic() {
    for block in [
        "registers { r#type: x19 } op A { ; mov x0, r#type }",
        "registers { \u{e9}1: x19 } op A(\u{e9}: u8) { ; mov x0, \u{e9} }",
        "op A(n: u64) { ; movz x0, n }",
        "op A(n: i64) { ; movz x0, n & 0xffff }",
        "op A(n: u64) { ; add x0, x0, n << 126 }",
        "op A { ; add x0, x0, 340282366920938463463374607431768211455 }",
        "op A { ; add x0, x0, 170141183460469231731687303715884105727 + 1 }",
        "op A { ; .u32 0 - 1 }",
        "op A { ; .u32 }",
        "op A { ; . }",
        "op A { ; }",
        "op A {}",
        "op A {} cold {}",
        "op A { ; b > }",
        "op A { ; b => }",
        "op A { ; ldr x0, [] }",
        "op A { ; ld1 {}, [x0] }",
        "op A { ; add x0,, x1 }",
        "op A { ; mov x0, X() }",
        "op A { ; lsl }",
        "op A { ; add x0, x1, lsl }",
        "const A: u12 * 0 = f(); op B { ; add x0, x0, A }",
        "const A: u12 in 5..=1 = f(); op B { ; add x0, x0, A }",
        "const A: u0 = 1; op B { ; ret }",
        "op A(n: u12 in ..=5) { ; add x0, x0, n }",
        "op A(n: u12 in 1..) { ; add x0, x0, n }",
        "op A(n: u12 in 0..5) { ; add x0, x0, n }",
        "",
    ] {
        expand(block.parse().unwrap());
    }
}
