//! The literal pool at the end.

use super::ops::*;
use opstitch::Options;

/// A constant has one word, however often and however it is loaded; one that an instruction makes has
/// none.
#[test]
fn constants_are_shared() {
    check("layout_pool", Options::new(), |b| {
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Double {
            value: 1.5f64.to_bits(),
        })
        .unwrap();
        b.push(Constant {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Double {
            value: 0x1234_5678_9abc,
        })
        .unwrap();
        b.push(Constant {
            value: 1.5f64.to_bits(),
        })
        .unwrap();
        b.push(Constant { value: 0xffff_0000 }).unwrap();
        b.push(Constant {
            value: !0xffff_0000,
        })
        .unwrap();
        b.push(Constant {
            value: 0x0f0f_0f0f_0f0f_0f0f,
        })
        .unwrap();
        b.push(Leave).unwrap();
    });
}

/// Changeable literals keep their own words, though they hold the same value as each other, as a constant
/// and as a target; one that is never loaded has none.
#[test]
fn changeable_literals_are_not() {
    check("layout_mut_literals", Options::new(), |b| {
        let (one, other, unused) = (b.mut_literal(FAR), b.mut_literal(FAR), b.mut_literal(1));
        let small = b.mut_literal(1);
        assert_ne!(one, unused);
        b.push(Cache { word: one }).unwrap();
        b.push(Cache { word: small }).unwrap();
        b.push(Constant { value: FAR }).unwrap();
        b.push(Cache { word: other }).unwrap();
        b.push(Call {
            function: target(FAR),
        })
        .unwrap();
        b.push(Cache { word: one }).unwrap();
        b.push(Leave).unwrap();
    });
}

#[test]
fn the_pool_is_aligned() {
    for (name, count) in [("layout_padding_none", 1), ("layout_padding_one", 2)] {
        check(name, Options::new(), |b| {
            for _ in 0..count {
                b.push(Leave).unwrap();
            }
            b.push(TailCall {
                function: target(FAR),
            })
            .unwrap();
        });
    }
}
