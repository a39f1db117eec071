//! A slab that many threads change at once: nothing is lost, and nothing is where something else is.

use std::sync::atomic::{AtomicBool, Ordering};

use opstitch::slab::{Mapping, Slab, SlabOptions};

use crate::support::*;

#[test]
fn threads_share_a_slab() {
    for &mapping in MAPPINGS {
        let slab = SlabOptions::new(1 << 18).mapping(mapping).build().unwrap();
        let rounds = match slab.mapping() {
            Mapping::MovedPages => 150,
            _ => 1500,
        };
        let rounds = fewer(rounds);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (1..=4)
                .map(|seed| {
                    scope.spawn({
                        let slab = slab.clone();
                        move || work(&slab, seed, rounds)
                    })
                })
                .collect();
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    slab.reclaim().unwrap();
                    checked_statistics(&slab);
                    let _pin = slab.pin();
                    std::thread::yield_now();
                }
            });
            let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
            done.store(true, Ordering::Relaxed);
            results.into_iter().for_each(|result| result.unwrap());
        });
        assert_empty(&slab);
        assert_empty(&slab);
    }
}

/// Installs, links, drops, in batches and alone, and looks at its own traces all the time.
fn work(slab: &Slab, seed: u64, rounds: usize) {
    let mut random = Random(seed << 32 | 1);
    let mut built = build(|b| {
        let exit = b.linkable_exit([Leave { code: seed }])?;
        b.push(Guard { exit })?;
        b.push(Call {
            function: far(slab, 0),
        })?;
        b.push(Call {
            function: far(slab, seed),
        })?;
        (0..random.below(60)).try_for_each(|_| b.push(Add { n: seed }))?;
        b.push(Leave { code: 100 + seed })?;
        Ok(exit)
    });
    let exit = built.known;
    let trace = built.trace();
    let mut own: Vec<_> = (0..4).map(|_| slab.install(&trace).unwrap()).collect();
    for _ in 0..rounds {
        let any = |random: &mut Random, len: usize| random.below(len as u64) as usize;
        let (from, to) = (any(&mut random, own.len()), any(&mut random, own.len()));
        match random.below(6) {
            0 => own.extend(slab.install(&trace)),
            1 => {
                let mut batch = slab.batch();
                let _ = (batch.add(&trace), batch.add(&trace));
                if random.below(2) == 0 {
                    own.extend(batch.publish().unwrap());
                }
            }
            2 | 3 if own.len() > 4 => drop(own.swap_remove(from)),
            4 => own[from].unlink(exit).unwrap(),
            _ => {
                own[from].link(exit, &own[to]).unwrap();
                assert_eq!(own[from].linked_to(exit).unwrap(), Some(own[to].id()));
            }
        }
        for trace in &own {
            let [first, second] = calls(trace)[..] else {
                panic!("two calls");
            };
            assert_eq!(trampoline(slab, first), far(slab, 0).address());
            assert_eq!(trampoline(slab, second), far(slab, seed).address());
            let words = words(trace);
            assert_eq!(words.iter().filter(|&&w| w == 0xd65f_03c0).count(), 2);
        }
    }
}
