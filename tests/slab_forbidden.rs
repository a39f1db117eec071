//! Slabs where the system forbids something: another mapping is taken, or there is a typed error, and what was
//! there before can be used further.
// native: skip (QEMU's user emulation has no seccomp filters)
// asan: skip (what is forbidden here, its allocator needs)
#![cfg(target_os = "linux")]

#[path = "slab/seccomp.rs"]
mod seccomp;
#[path = "slab/support.rs"]
mod support;

use std::io::ErrorKind;

use opstitch::slab::{Mapping, Slab, SlabError, SlabOptions};

use seccomp::{Forbidden, forbidding};
use support::*;

const EXEC: u32 = libc::PROT_EXEC as u32;
const SHARED: u32 = libc::MAP_SHARED as u32;

/// A slab in which everything works.
fn assert_works(slab: &Slab) {
    let mut built = leaving(&[5]);
    let exit = built.known[0];
    let from = slab.install(&built.trace()).unwrap();
    let before = words(&from);
    let to = slab.install(&calling(&[far(slab, 0)]).trace()).unwrap();
    from.link(exit, &to).unwrap();
    assert_eq!(changes(&from, &before).len(), 1);
    drop(to);
    assert_eq!(words(&from), before);
    drop(from);
    assert_empty(slab);
}

fn assert_refused(options: SlabOptions, expected: Mapping) {
    match options.build() {
        Err(SlabError::Map { mapping, source }) => {
            assert_eq!(mapping, expected);
            assert_eq!(source.kind(), ErrorKind::PermissionDenied);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_memory_objects_pages_are_moved() {
    forbidding(&[Forbidden::always(libc::SYS_memfd_create)], || {
        let slab = Slab::new(1 << 16).unwrap();
        assert_eq!(slab.mapping(), Mapping::MovedPages);
        assert_works(&slab);
        let options = SlabOptions::new(1 << 16).mapping(Mapping::TwoViews);
        assert_refused(options, Mapping::TwoViews);
    });
    let slab = Slab::new(1 << 16).unwrap();
    assert_eq!(slab.mapping(), Mapping::TwoViews);
}

#[test]
fn without_executable_memory_objects_pages_are_moved() {
    let shared_code = Forbidden::with(libc::SYS_mmap, &[(2, EXEC), (3, SHARED)]);
    forbidding(&[shared_code], || {
        let slab = Slab::new(1 << 16).unwrap();
        assert_eq!(slab.mapping(), Mapping::MovedPages);
        assert_works(&slab);
    });
}

/// The page that tells a child from its parent cannot be had: memory that is shared with it is no choice then.
#[test]
fn without_a_guard_against_forks_pages_are_moved() {
    // MADV_WIPEONFORK is 18; one of its bits is enough to tell it from what the allocator says.
    forbidding(
        &[Forbidden::with(libc::SYS_madvise, &[(2, 16), (2, 2)])],
        || {
            let slab = Slab::new(1 << 16).unwrap();
            assert_eq!(slab.mapping(), Mapping::MovedPages);
            assert_works(&slab);
        },
    );
}

#[test]
fn where_pages_never_become_executable_two_views_are_left() {
    forbidding(&[Forbidden::with(libc::SYS_mprotect, &[(2, EXEC)])], || {
        let slab = Slab::new(1 << 16).unwrap();
        assert_eq!(slab.mapping(), Mapping::TwoViews);
        assert_works(&slab);
        let options = SlabOptions::new(1 << 16).mapping(Mapping::MovedPages);
        assert_refused(options, Mapping::MovedPages);
    });
}

#[test]
fn where_no_memory_is_executable_there_is_no_slab() {
    let code = || Forbidden::with(libc::SYS_mmap, &[(2, EXEC)]);
    forbidding(&[code()], || {
        assert_refused(SlabOptions::new(1 << 16), Mapping::MovedPages);
        for &mapping in MAPPINGS {
            assert_refused(SlabOptions::new(1 << 16).mapping(mapping), mapping);
        }
    });
    let later = || Forbidden::with(libc::SYS_mprotect, &[(2, EXEC)]);
    let objects = Forbidden::always(libc::SYS_memfd_create);
    forbidding(&[objects, later()], || {
        assert_refused(SlabOptions::new(1 << 16), Mapping::MovedPages);
    });
    // Nothing is left behind that would be in the way.
    assert_works(&Slab::new(128 << 20).unwrap());
}

/// Without membarrier, threads synchronize their cores themselves when they pin the slab.
#[test]
fn without_membarrier_space_is_reclaimed_all_the_same() {
    let barrier = Forbidden::always(libc::SYS_membarrier);
    let made = forbidding(&[barrier], || {
        for slab in slabs(1 << 16) {
            assert_works(&slab);
            let pin = slab.pin();
            drop(slab.install(&plain(1, 0).trace()).unwrap());
            assert_eq!(slab.reclaim().unwrap().waiting, 1);
            drop(pin);
            assert_empty(&slab);
        }
        Slab::new(1 << 16).unwrap()
    });
    assert_works(&made);
}

#[test]
fn space_waits_when_cores_cannot_be_synchronized() {
    for slab in slabs(1 << 16) {
        let trace = slab.install(&plain(1, 0).trace()).unwrap();
        let address = trace.address();
        drop(trace);
        let before = checked_statistics(&slab);
        forbidding(&[Forbidden::always(libc::SYS_membarrier)], || {
            for _ in 0..3 {
                let result = slab.reclaim();
                assert!(matches!(result, Err(SlabError::System { .. })));
                assert_eq!(checked_statistics(&slab), before);
            }
            let other = slab.install(&plain(1, 0).trace()).unwrap();
            assert_ne!(other.address(), address);
        });
        assert_empty(&slab);
        assert_works(&slab);
    }
}

/// A slab whose pages cannot be moved any more: nothing happens, and later everything does.
#[test]
fn what_the_system_refuses_has_not_happened() {
    let options = SlabOptions::new(1 << 16).mapping(Mapping::MovedPages);
    for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap] {
        let slab = options.build().unwrap();
        let target = opstitch::Target::retargetable(far(&slab, 1).address()).unwrap();
        let mut built = build(|b| {
            let exit = b.linkable_exit([Leave { code: 5 }])?;
            b.invalidation_point(exit)?;
            b.push(Guard { exit })?;
            b.push(Call { function: target })?;
            let value = b.mut_literal(1);
            b.push(Cached { value })?;
            b.push(Leave { code: 0 })?;
            Ok((exit, value))
        });
        let (exit, value) = built.known;
        let trace = slab.install(&built.trace()).unwrap();
        let mut other = Some(slab.install(&plain(3, 1).trace()).unwrap());
        let third = slab.install(&plain(3, 2).trace()).unwrap();
        let gone = other.as_ref().unwrap().id();
        trace.link(exit, other.as_ref().unwrap()).unwrap();
        let (before, bytes) = (checked_statistics(&slab), trace.bytes());
        let mut more = calling(&[far(&slab, 7), target]);
        let mut pending = calling(&[far(&slab, 8), target]);
        let through = calls(&trace)[0];

        let only_code: &[(usize, u32)] = match call {
            libc::SYS_mmap => &[(3, libc::MAP_ANONYMOUS as u32)],
            libc::SYS_mprotect => &[(2, EXEC)],
            _ => &[(3, libc::MREMAP_FIXED as u32)],
        };
        forbidding(&[Forbidden::with(call, only_code)], || {
            let refused = |result: Result<(), SlabError>| {
                assert!(
                    matches!(result, Err(SlabError::System { .. })),
                    "{result:?}"
                );
                assert_eq!(checked_statistics(&slab), before);
                assert_eq!(trace.bytes(), bytes);
                assert_eq!(trampoline(&slab, through), target.address());
            };
            refused(slab.install(&more.trace()).map(drop));
            let mut batch = slab.batch();
            batch.add(&pending.trace()).unwrap();
            refused(batch.publish().map(drop));
            let room = slab.reserve(more.trace().linked_len(0).unwrap()).unwrap();
            let linked = plain(1, 0).trace().link(room.address()).unwrap();
            refused(room.install(&linked).map(drop));
            refused(trace.unlink(exit));
            refused(trace.link(exit, &third));
            assert_eq!(trace.linked_to(exit).unwrap(), Some(gone));
            refused(trace.invalidate().map(drop));
            refused(trace.set_literal(value, 2));
            refused(trace.update_literals(|value| value + 1));
            refused(slab.retarget(target, 64));
            // It keeps its place, and its links.
            refused(other.take().unwrap().retire());
            assert_eq!(trace.linked_to(exit).unwrap(), Some(gone));
            assert_eq!(slab.reclaim().unwrap().waiting, 1);
        });
        // Retargeting has not been noted for later either.
        let later = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(trampoline(&slab, calls(&later)[0]), target.address());
        trace.set_literal(value, 3).unwrap();
        assert_eq!(trace.literal(value).unwrap(), 3);
        trace.invalidate().unwrap();
        // Now the one that was dropped can be unlinked.
        assert_eq!(slab.reclaim().unwrap().traces, 1);
        assert_eq!(trace.linked_to(exit).unwrap(), None);
        assert!(trace.link_id(exit, gone).is_err());
        drop((trace, third, later));
        assert_empty(&slab);
        assert_works(&slab);
    }
}
