//! Calls: direct where `bl` reaches, through one shared trampoline for each target elsewhere.

use opstitch::Target;
use opstitch::slab::{Distance, Slab, SlabError, SlabOptions};

use crate::support::*;

#[test]
fn a_target_in_reach_is_called_directly() {
    for &mapping in MAPPINGS {
        let options = SlabOptions::new(1 << 16).mapping(mapping);
        let slab = options.build().unwrap();
        let near = slab.addresses().start - 4096;
        let targets = [0, 4, 4].map(|n| Target::new(near + n).unwrap());
        let trace = slab.install(&calling(&targets).trace()).unwrap();
        assert_eq!(calls(&trace), targets.map(Target::address));
        let all = checked_statistics(&slab);
        assert_eq!((all.direct_calls, all.far_calls), (3, 0));
        assert_eq!((all.trampolines, all.trampolines_made), (0, 0));
    }
}

/// From the last word of the reach to the first beyond it.
#[test]
fn the_reach_is_that_of_bl() {
    let slab = Slab::new(1 << 16).unwrap();
    const REACH: u64 = 128 << 20;
    let mut built = plain(1, 0);
    let here = slab.install(&built.trace()).unwrap().address();
    slab.reclaim().unwrap();
    // The first call is at word 1 of the trace, behind the entry's NOP; the whole trace has to reach.
    for (target, direct) in [
        (here + REACH - 4, true),
        (here + REACH, false),
        (here - REACH + 64, true),
        (here - REACH, false),
    ] {
        let target = Target::new(target).unwrap();
        let trace = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(trace.address(), here);
        let destination = calls(&trace)[0];
        assert_eq!(destination == target.address(), direct, "{target}");
        if !direct {
            assert_eq!(trampoline(&slab, destination), target.address());
        }
        drop(trace);
        assert_empty(&slab);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_slab_is_near_the_program() {
    for &mapping in MAPPINGS {
        let of = |size| {
            let slab = SlabOptions::new(size).mapping(mapping).build().unwrap();
            slab.distance()
        };
        assert_eq!(of(1 << 20), Distance::Direct);
        assert_eq!(of(64 << 20), Distance::Direct);
        assert_eq!(of(128 << 20), Distance::Within4GiB);
        // A call of this program's own code.
        let slab = SlabOptions::new(1 << 20).mapping(mapping).build().unwrap();
        let own = Target::new(main as *const () as u64 & !3).unwrap();
        let trace = slab.install(&calling(&[own]).trace()).unwrap();
        assert_eq!(calls(&trace), [own.address()]);
    }
    fn main() {}
}

/// Whatever the address is to be, there is a slab.
#[test]
fn an_address_that_nothing_can_be_near_to_is_no_error() {
    for &mapping in MAPPINGS {
        for near in [0, 1, 4096, 1 << 20, 1 << 47, u64::MAX - 4095, u64::MAX] {
            let options = SlabOptions::new(1 << 16).mapping(mapping).near(near);
            let slab = options.build().unwrap();
            let trace = slab.install(&plain(1, 0).trace()).unwrap();
            let distance = near.abs_diff(trace.address());
            match slab.distance() {
                Distance::Direct => assert!(distance < 128 << 20),
                Distance::Within4GiB => assert!(distance < 4 << 30),
                _ => {}
            }
        }
    }
    let near = SlabOptions::new(1 << 16).build().unwrap();
    let there = near.addresses().start ^ 1 << 44;
    let options = SlabOptions::new(1 << 16).near(there);
    assert_eq!(options.build().unwrap().distance(), Distance::Direct);
}

#[test]
fn a_far_target_has_one_trampoline_however_many_call_it() {
    for slab in slabs(1 << 16) {
        let (a, b) = (far(&slab, 0), far(&slab, 1));
        let first = slab.install(&calling(&[a, b, a]).trace()).unwrap();
        let through = calls(&first);
        assert_eq!(through[0], through[2]);
        assert_eq!(trampoline(&slab, through[0]), a.address());
        assert_eq!(trampoline(&slab, through[1]), b.address());
        let all = checked_statistics(&slab);
        assert_eq!((all.trampolines, all.far_calls), (2, 3));
        assert_eq!((all.trampolines_made, all.trampolines_saved), (2, 0));

        let second = slab.install(&calling(&[b]).trace()).unwrap();
        assert_eq!(calls(&second), through[1..2]);
        let all = checked_statistics(&slab);
        assert_eq!((all.trampolines_made, all.trampolines_saved), (2, 1));

        // The last user takes the trampoline along, and not the first.
        drop(first);
        assert_eq!(checked_statistics(&slab).trampolines, 1);
        slab.reclaim().unwrap();
        assert_eq!(trampoline(&slab, calls(&second)[0]), b.address());
        drop(second);
        // It stays in place while threads may be in it.
        assert_eq!(trampoline(&slab, through[1]), b.address());
        assert_eq!(checked_statistics(&slab).trampolines, 0);
        assert_empty(&slab);
    }
}

#[test]
fn a_retargetable_target_is_always_behind_a_trampoline() {
    for slab in slabs(1 << 16) {
        let near = slab.addresses().start - 4096;
        let plain = Target::new(near).unwrap();
        let target = Target::retargetable(near).unwrap();
        let trace = slab.install(&calling(&[plain, target]).trace()).unwrap();
        let before = words(&trace);
        let &[direct, through] = calls(&trace).as_slice() else {
            panic!("two calls");
        };
        assert_eq!(direct, near);
        assert_eq!(trampoline(&slab, through), near);

        slab.retarget(target, 0x4444).unwrap();
        assert_eq!(trampoline(&slab, through), 0x4444);
        assert_eq!(words(&trace), before, "the trace itself is as it was");
        // Those to come go there too.
        let second = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(calls(&second), [through]);
        assert_eq!(checked_statistics(&slab).trampolines, 1);

        // And when the trampoline has been away.
        drop((trace, second));
        assert_empty(&slab);
        let third = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(trampoline(&slab, calls(&third)[0]), 0x4444);
        slab.retarget(target, near).unwrap();
        assert_eq!(trampoline(&slab, calls(&third)[0]), near);
        drop(third);
        slab.retarget(target, 0x8888).unwrap();
        let fourth = slab.install(&calling(&[target]).trace()).unwrap();
        assert_eq!(trampoline(&slab, calls(&fourth)[0]), 0x8888);

        assert!(matches!(
            slab.retarget(plain, 16),
            Err(SlabError::NotRetargetable { address }) if address == near
        ));
        assert!(matches!(
            slab.retarget(target, 18),
            Err(SlabError::Trace(opstitch::Error::MisalignedTarget {
                address: 18
            }))
        ));
        assert_eq!(trampoline(&slab, calls(&fourth)[0]), 0x8888);
    }
}
