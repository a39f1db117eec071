//! Pages that are built aside and moved over: changes of several pages, and a system that refuses.

use super::{Raw, exit};
use crate::slab::os::page_size;
use crate::slab::{Mapping, Slab, SlabError, SlabOptions};

fn slab(pages: usize) -> Slab {
    let options = SlabOptions::new(pages * page_size());
    options.mapping(Mapping::MovedPages).build().unwrap()
}

fn nops(len: usize, sites: &[u32], points: &[(u32, u32)]) -> Raw {
    Raw {
        bytes: crate::asm::NOP.to_le_bytes().repeat(len / 4),
        sites: sites.to_vec(),
        points: points.to_vec(),
        literals: Vec::new(),
    }
}

#[test]
fn a_change_of_many_pages_touches_these_and_no_others() {
    let (slab, page) = (slab(16), page_size());
    let size = page as u32;
    let points: Vec<_> = [0, 2, 3, 7, 9].map(|n| (n * size + 8 * n, 4)).to_vec();
    let trace = nops(12 * page, &[], &points)
        .install(&slab, |_, _| ())
        .unwrap();
    let rest = nops(3 * page, &[], &[]).install(&slab, |_, _| ()).unwrap();
    let before = (trace.bytes(), rest.bytes());
    trace.invalidate().unwrap();
    let after = trace.bytes();
    let changed: Vec<_> = (0..after.len() as u32)
        .step_by(4)
        .filter(|&at| after[at as usize..][..4] != before.0[at as usize..][..4])
        .collect();
    assert_eq!(
        changed,
        points.iter().map(|&(at, _)| at).collect::<Vec<_>>()
    );
    trace.revalidate().unwrap();
    assert_eq!((trace.bytes(), rest.bytes()), before);
}

/// A system with a higher limit is not tried.
const MOST: usize = 300_000;

/// Mappings of the process; the system has a limit for them, 65,530 if nobody has changed it.
struct Mappings(Vec<*mut libc::c_void>);

impl Mappings {
    /// Takes all that the system gives.
    fn take_all() -> Mappings {
        let page = page_size();
        let mut all = Vec::with_capacity(MOST);
        loop {
            // No neighbours with the same protection, so none of them become one.
            let protection = [libc::PROT_NONE, libc::PROT_READ][all.len() % 2];
            // SAFETY: a mapping of our own, wherever there is room.
            let start = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                libc::mmap(std::ptr::null_mut(), page, protection, flags, -1, 0)
            };
            if start == libc::MAP_FAILED || all.len() == MOST {
                return Mappings(all);
            }
            all.push(start);
        }
    }

    /// Gives one of them back.
    fn give(&mut self) -> bool {
        let start = self.0.pop();
        if let Some(start) = start {
            // SAFETY: a mapping of our own that nothing uses.
            unsafe { libc::munmap(start, page_size()) };
        }
        start.is_some()
    }
}

/// The system runs out of mappings at every moment of a change. Each time the change happens as a whole,
/// or there is an error and nothing has changed.
#[test]
fn a_change_is_made_as_a_whole_or_not_at_all() {
    // Neither QEMU nor AddressSanitizer's allocator expects to be refused a mapping of its own.
    let others = ["OPSTITCH_QEMU", "OPSTITCH_ASAN"];
    if others.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    // The limit is the process's, so another process is needed.
    // SAFETY: the child uses nothing of other threads' but the allocator, which takes care of it.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let result = std::panic::catch_unwind(|| {
            [
                run_out(Op::Link),
                run_out(Op::Invalidate),
                run_out(Op::Drop),
            ]
        });
        // SAFETY: ends the process.
        unsafe { libc::_exit(if result.is_ok() { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Op {
    Link,
    Invalidate,
    Drop,
}

fn run_out(op: Op) {
    let (slab, page) = (slab(40), page_size());
    let points: Vec<_> = (0..6).map(|n| (2 * n * page as u32 + 16, 4)).collect();
    let long = nops(12 * page, &[4], &points)
        .install(&slab, |_, _| ())
        .unwrap();
    let users: Vec<_> = (0..6)
        .map(|_| {
            nops(2 * page, &[64], &[])
                .install(&slab, |_, _| ())
                .unwrap()
        })
        .collect();
    let mut target = nops(64, &[], &[]).install(&slab, |_, _| ()).ok();
    if op == Op::Drop {
        let to = target.as_ref().unwrap();
        users
            .iter()
            .for_each(|user| user.link(exit(0), to).unwrap());
    }
    let all = || {
        (
            long.bytes(),
            users.iter().map(|user| user.bytes()).collect::<Vec<_>>(),
        )
    };
    let before = all();
    let unlinked = nops(2 * page, &[], &[]).bytes;
    let mut mappings = Mappings::take_all();
    if mappings.0.len() == MOST {
        return;
    }
    let mut refused = 0;
    loop {
        let done = match op {
            Op::Link => long.link(exit(0), target.as_ref().unwrap()),
            Op::Invalidate => long.invalidate().map(drop),
            Op::Drop => target.take().map_or_else(
                || match slab.reclaim().unwrap().traces {
                    0 => Err(SlabError::DroppedTrace),
                    _ => Ok(()),
                },
                |target| target.retire(),
            ),
        };
        match done {
            Ok(()) => break,
            Err(SlabError::System { .. } | SlabError::DroppedTrace) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if op != Op::Drop {
            assert!(all() == before, "{op:?}: half of it was done");
        }
        // What the books say is in the memory.
        for user in &users {
            let linked = user.linked_to(exit(0)).unwrap().is_some();
            assert_eq!(linked, user.bytes() != unlinked);
        }
        assert!(mappings.give(), "it is not the mappings");
    }
    assert!(refused > 0, "the system never refused");
    assert!(all() != before);
    // Now that it has worked, it works.
    while mappings.give() {}
    match op {
        Op::Link => long.unlink(exit(0)).unwrap(),
        Op::Invalidate => long.revalidate().unwrap(),
        Op::Drop => {
            slab.reclaim().unwrap();
            assert_eq!(slab.statistics().traces, 7);
            assert!(users.iter().all(|user| user.bytes() == unlinked));
            return;
        }
    }
    assert!(all() == before);
}
