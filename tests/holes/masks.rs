//! Masks of logical instructions.

use crate::sweep::Sweep;

opstitch::uops! {
    op AndX(n: logical64) { ; and x1, x2, n }
    op OrrX(n: logical64) { ; orr x1, x2, #n }
    op EorX(n: logical64) { ; eor sp, x2, n }
    op AndsX(n: logical64) { ; ands x1, x2, n }
    op TstX(n: logical64) { ; tst x1, n }
    op MovX(n: logical64) { ; mov.logical x1, n }
    op AndW(n: logical32) { ; and w1, w2, n }
    op OrrW(n: logical32) { ; orr w1, w2, n }
    op EorW(n: logical32) { ; eor w1, w2, n }
    op AndsW(n: logical32) { ; ands w1, w2, n }
    op TstW(n: logical32) { ; tst w1, n }
    op MovW(n: logical32) { ; mov.logical w1, n }
}

/// A rotated run of ones in elements of `size` bits, repeated over `width` bits.
fn mask(width: u32, size: u32, ones: u32, rotation: u32) -> u64 {
    let run = u64::MAX >> (64 - ones);
    let element = (0..size).fold(0u64, |element, bit| {
        element | (run >> bit & 1) << ((bit + rotation) % size)
    });
    (0..width / size).fold(0, |mask, copy| mask | element << (copy * size))
}

#[test]
fn masks_become_fields() {
    let mut s = Sweep::new();
    for width in [32, 64] {
        let mut all = Vec::new();
        for size in [2, 4, 8, 16, 32, 64] {
            for ones in 1..size.min(width) {
                for rotation in 0..size {
                    if size <= width {
                        all.push(mask(width, size, ones, rotation));
                    }
                }
            }
        }
        // Arm ARM, `DecodeBitMasks`: so many there are.
        assert_eq!(all.len(), if width == 64 { 5334 } else { 1302 });
        for (index, n) in all.into_iter().enumerate() {
            if width == 64 {
                s.add(AndX { n }, &format!("and x1, x2, #{n}"));
                match index % 5 {
                    0 => s.add(OrrX { n }, &format!("orr x1, x2, #{n}")),
                    1 => s.add(EorX { n }, &format!("eor sp, x2, #{n}")),
                    2 => s.add(AndsX { n }, &format!("ands x1, x2, #{n}")),
                    3 => s.add(TstX { n }, &format!("tst x1, #{n}")),
                    _ => s.add(MovX { n }, &format!("orr x1, xzr, #{n}")),
                }
            } else {
                let n = n as u32;
                s.add(AndW { n }, &format!("and w1, w2, #{n}"));
                match index % 5 {
                    0 => s.add(OrrW { n }, &format!("orr w1, w2, #{n}")),
                    1 => s.add(EorW { n }, &format!("eor w1, w2, #{n}")),
                    2 => s.add(AndsW { n }, &format!("ands w1, w2, #{n}")),
                    3 => s.add(TstW { n }, &format!("tst w1, #{n}")),
                    _ => s.add(MovW { n }, &format!("orr w1, wzr, #{n}")),
                }
            }
        }
    }
    // What is no mask is refused.
    for _ in 0..1000 {
        let n = s.random();
        if n.count_ones() > 40 {
            assert!(s.builder.push(AndX { n }).is_err(), "{n:#x}");
        }
    }
    for n in [0, u64::MAX] {
        assert!(s.builder.push(AndX { n }).is_err());
        assert!(s.builder.push(AndW { n: n as u32 }).is_err());
    }
    s.check();
}
