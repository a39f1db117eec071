//! Statistics add up, and little is lost.

use opstitch::Target;
use opstitch::slab::{Granule, InstalledTrace, SlabOptions};

use crate::support::*;

/// 10,000 traces of mixed sizes, 1 KiB on the average: less than 2 % of the used bytes is padding.
#[test]
fn padding_is_little() {
    let mut random = Random(0xfade);
    // Most are short, a few long; every length in words occurs.
    let mut kinds: Vec<_> = (0..200)
        .map(|_| {
            let ops = match random.below(100) {
                0..70 => 8 + random.below(75),
                70..95 => 75 + random.below(200),
                _ => 250 + random.below(1125),
            };
            build(|b| {
                let mut exits = Vec::new();
                for op in 0..ops {
                    match random.below(20) {
                        0 if exits.len() < 4 => {
                            let exit = b.linkable_exit([Leave { code: op }])?;
                            b.push(Guard { exit })?;
                            exits.push(exit);
                        }
                        1 => b.push(Constant {
                            value: big(random.below(5)),
                        })?,
                        _ => b.push(Add { n: op })?,
                    }
                }
                b.push(Leave { code: 0 })
            })
        })
        .collect();
    for granule in [Granule::Bytes16, Granule::Bytes32] {
        let options = SlabOptions::new(16 << 20).granule(granule);
        let slab = options.build().unwrap();
        let (mut traces, mut length) = (Vec::new(), 0);
        for number in 0..10_000 {
            let built = &mut kinds[number % 200];
            traces.push(slab.install(&built.trace()).unwrap());
            length += traces[number].len();
        }
        let all = checked_statistics(&slab);
        let mean = length / traces.len();
        assert!((900..1150).contains(&mean), "{mean} bytes on the average");
        assert_eq!((all.traces, all.padding), (10_000, all.used - length));
        let lost = all.padding as f64 / all.used as f64;
        println!(
            "{granule:?}: {mean} bytes each, {:.2} % padding",
            100.0 * lost
        );
        assert!(lost < 0.02, "{lost}");
        drop(traces);
        assert_empty(&slab);
    }
}

fn users(traces: &[(InstalledTrace, Vec<Target>)], target: &Target) -> usize {
    let all = traces.iter();
    all.filter(|(_, targets)| targets.contains(target)).count()
}

/// Random calls; the statistics are what a model says after each of them.
#[test]
fn statistics_add_up_at_every_step() {
    for (number, slab) in slabs(1 << 16).enumerate() {
        let mut random = Random(0xacc0 + number as u64);
        let targets: Vec<_> = (0..6).map(|number| far(&slab, number)).collect();
        // One of them is direct.
        let near = Target::new(slab.addresses().start - 64).unwrap();
        let granule = 16 << (number % 2);
        let round = |len: usize| len.next_multiple_of(granule);
        let mut traces: Vec<(InstalledTrace, Vec<Target>)> = Vec::new();
        let (mut retired, mut retired_traces) = (0, 0);
        let (mut made, mut saved) = (0, 0);
        for _ in 0..600 {
            match random.below(5) {
                0..=2 => {
                    let own: Vec<_> = targets
                        .iter()
                        .copied()
                        .filter(|_| random.below(3) == 0)
                        .collect();
                    let mut built = build(|b| {
                        b.push(Call { function: near })?;
                        for &function in &own {
                            b.push(Call { function })?;
                            b.push(Call { function })?;
                        }
                        (0..random.below(300)).try_for_each(|_| b.push(Add { n: 1 }))?;
                        b.push(Leave { code: 0 })
                    });
                    let before = slab.statistics();
                    match slab.install(&built.trace()) {
                        Ok(trace) => {
                            let there = own.iter().filter(|t| users(&traces, t) > 0).count();
                            made += (own.len() - there) as u64;
                            saved += there as u64;
                            traces.push((trace, own));
                        }
                        Err(_) => assert_eq!(slab.statistics(), before),
                    }
                }
                3 if !traces.is_empty() => {
                    let which = random.below(traces.len() as u64) as usize;
                    let (trace, own) = traces.swap_remove(which);
                    let last = own.iter().filter(|t| users(&traces, t) == 0).count();
                    retired += round(trace.len()) + last * granule;
                    retired_traces += 1;
                }
                _ => {
                    let reclaimed = slab.reclaim().unwrap();
                    assert_eq!(
                        (reclaimed.traces, reclaimed.bytes),
                        (retired_traces, retired)
                    );
                    (retired, retired_traces) = (0, 0);
                }
            }
            let trampolines = targets.iter().filter(|t| users(&traces, t) > 0).count();
            let lengths = traces.iter().map(|(trace, _)| trace.len());
            let blocks = lengths.clone().map(round).sum::<usize>() + trampolines * granule;
            let content = lengths.sum::<usize>() + trampolines * 16;
            let calls = traces.iter().map(|(_, own)| own.len() * 2).sum();
            let all = checked_statistics(&slab);
            assert_eq!((all.used, all.retired), (blocks, retired));
            assert_eq!(all.padding, blocks - content);
            assert_eq!((all.traces, all.trampolines), (traces.len(), trampolines));
            assert_eq!((all.direct_calls, all.far_calls), (traces.len(), calls));
            assert_eq!((all.trampolines_made, all.trampolines_saved), (made, saved));
        }
        drop(traces);
        assert_empty(&slab);
    }
}

/// A slab that is 90 % full for long still has room for a page of code. (The heap itself is tested with a
/// million of these.)
#[test]
fn a_slab_in_use_for_long_has_room() {
    let rounds = fewer(40_000);
    let mut random = Random(0x90);
    let slab = SlabOptions::new(4 << 20).build().unwrap();
    let mut kinds: Vec<_> = (0..100u64)
        .map(|n| plain(5 + (n * n * n / 900) as usize, n))
        .collect();
    let mut page = plain(510, 0);
    assert_eq!(page.trace().linked_len(0).unwrap(), 4092);
    let (mut traces, mut tried, mut failed) = (Vec::new(), 0, 0);
    for round in 0..rounds {
        let all = slab.statistics();
        if all.used * 10 < all.size * 9 {
            let kind = random.below(100) as usize;
            if let Ok(trace) = slab.install(&kinds[kind].trace()) {
                traces.push(trace);
            }
        } else {
            for _ in 0..random.below(20) {
                traces.swap_remove(random.below(traces.len() as u64) as usize);
            }
            slab.reclaim().unwrap();
        }
        if round > rounds / 2 && round % 10 == 0 {
            tried += 1;
            failed += usize::from(slab.install(&page.trace()).is_err());
            slab.reclaim().unwrap();
        }
    }
    let all = checked_statistics(&slab);
    println!("{all:?}, {failed} of {tried} failed");
    assert!(all.used * 10 > all.size * 8, "not 90 % full");
    assert!(failed * 100 <= tried, "{failed} of {tried} failed");
}
