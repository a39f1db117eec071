//! System calls, counted: a filter lets the kernel send a signal for every one of them, whose handler notes it
//! and makes it. (It also sees what no look at the memory map from outside could miss: whether memory ever is
//! to be written and run at once.)
// native: skip (QEMU's user emulation has no seccomp filters, and the handler is for x86-64)
// asan: skip (its allocator keeps freed memory for a while, so it makes system calls of its own)
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "slab/seccomp.rs"]
mod seccomp;
#[path = "slab/support.rs"]
mod support;

use std::arch::global_asm;
use std::collections::BTreeMap;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use libc::{c_int, c_long, c_void};
use opstitch::Target;
use opstitch::slab::{InstalledTrace, Mapping, Slab, SlabOptions};

use seccomp::{end, load, unless_equal};
use support::*;

// The one place from which system calls are let through.
global_asm!(
    ".globl opstitch_test_call",
    "opstitch_test_call:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    "syscall",
    ".globl opstitch_test_call_made",
    "opstitch_test_call_made:",
    "ret",
);

unsafe extern "C" {
    fn opstitch_test_call(number: i64, a: i64, b: i64, c: i64, d: i64, e: i64, f: i64) -> i64;
    fn opstitch_test_call_made();
}

/// How often each system call was made, by its number.
static MADE: [AtomicUsize; 512] = [const { AtomicUsize::new(0) }; 512];
/// How often memory was asked for that may be written and run.
static BOTH: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands over a context that may be changed; the call is the one that the interrupted
    // code wanted to make, with its arguments.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let of = |register: c_int| registers[register as usize];
        let number = of(libc::REG_RAX);
        MADE[number as usize % MADE.len()].fetch_add(1, Relaxed);
        let both = i64::from(libc::PROT_WRITE | libc::PROT_EXEC);
        let protects = number == libc::SYS_mmap || number == libc::SYS_mprotect;
        if protects && of(libc::REG_RDX) & both == both {
            BOTH.fetch_add(1, Relaxed);
        }
        let result = opstitch_test_call(
            number,
            of(libc::REG_RDI),
            of(libc::REG_RSI),
            of(libc::REG_RDX),
            of(libc::REG_R10),
            of(libc::REG_R8),
            of(libc::REG_R9),
        );
        registers[libc::REG_RAX as usize] = result;
    }
}

/// From now on, all system calls of this thread are noted.
fn start_noting() {
    // SAFETY: the handler does nothing that a signal handler may not do, and keeps `errno` alone, since
    // its calls go to the kernel directly.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(
            libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()),
            0
        );
    }
    let made = opstitch_test_call_made as *const () as u64;
    let pointer = offset_of!(libc::seccomp_data, instruction_pointer);
    seccomp::install(&mut [
        load(pointer),
        unless_equal(made as u32, 3),
        load(pointer + 4),
        unless_equal((made >> 32) as u32, 1),
        end(libc::SECCOMP_RET_ALLOW),
        load(offset_of!(libc::seccomp_data, nr)),
        unless_equal(libc::SYS_rt_sigreturn as u32, 1),
        end(libc::SECCOMP_RET_ALLOW),
        end(libc::SECCOMP_RET_TRAP),
    ]);
}

/// What `f` calls, and how often.
fn calls_of(f: impl FnOnce()) -> BTreeMap<c_long, usize> {
    let all = || MADE.iter().map(|count| count.load(Relaxed));
    // No collection whose growing would be counted.
    let mut before = [0; 512];
    before
        .iter_mut()
        .zip(all())
        .for_each(|(to, count)| *to = count);
    f();
    let mut after = [0; 512];
    after
        .iter_mut()
        .zip(all())
        .for_each(|(to, count)| *to = count);
    let counts = (0..).zip(before.iter().zip(after));
    counts
        .filter(|(_, (before, after))| after != *before)
        .map(|(number, (before, after))| (number, after - before))
        .collect()
}

/// A slab in use, and all that can be done with it.
struct Use {
    slab: Slab,
    long: Built<()>,
    short: Built<(opstitch::Exit, opstitch::MutLiteral)>,
    target: Target,
    traces: Vec<InstalledTrace>,
}

impl Use {
    fn new(options: SlabOptions) -> Use {
        let slab = options.build().unwrap();
        let target = Target::retargetable(far(&slab, 0).address()).unwrap();
        let far_too = far(&slab, 1);
        let short = build(|b| {
            let exit = b.linkable_exit([Leave { code: 5 }])?;
            b.invalidation_point(exit)?;
            b.push(Guard { exit })?;
            b.push(Call { function: target })?;
            b.push(Call { function: far_too })?;
            let value = b.mut_literal(1);
            b.push(Cached { value })?;
            b.push(Constant { value: big(3) })?;
            b.push(Leave { code: 0 })?;
            Ok((exit, value))
        });
        let mut used = Use {
            slab,
            long: plain(1000, 0),
            short,
            target,
            traces: Vec::with_capacity(100),
        };
        let _ = (used.long.trace(), used.short.trace());
        used
    }

    fn install(&mut self) {
        let (long, short) = (self.long.trace(), self.short.trace());
        self.traces.push(self.slab.install(&long).unwrap());
        for _ in 0..10 {
            self.traces.push(self.slab.install(&short).unwrap());
        }
    }

    fn patch(&self) {
        let (exit, value) = self.short.known;
        let shorts = &self.traces[1..11];
        for (from, to) in shorts.iter().zip(shorts.iter().cycle().skip(3)) {
            from.link(exit, to).unwrap();
            from.link(exit, &self.traces[0]).unwrap();
            from.invalidate().unwrap();
            from.set_literal(value, 7).unwrap();
            from.update_literals(|value| value + 1).unwrap();
            from.revalidate().unwrap();
            from.unlink(exit).unwrap();
            from.link(exit, to).unwrap();
        }
        self.slab.retarget(self.target, 64).unwrap();
        self.slab.retarget(self.target, 128).unwrap();
        drop(self.slab.pin());
        self.slab.statistics();
    }

    fn round(&mut self) {
        self.install();
        self.patch();
        self.traces.clear();
        self.slab.reclaim().unwrap();
    }
}

/// The promise: after the first rounds, nothing but reclaiming calls the system, and that once.
#[test]
fn installing_and_patching_two_views_calls_nothing() {
    in_child(|| {
        let options = SlabOptions::new(1 << 20).mapping(Mapping::TwoViews);
        let mut used = Use::new(options);
        start_noting();
        assert_eq!(
            calls_of(|| assert!(std::process::id() > 0)),
            [(libc::SYS_getpid, 1)].into()
        );
        for _ in 0..20 {
            used.round();
        }
        let none = BTreeMap::new();
        for round in 0..20 {
            assert_eq!(calls_of(|| used.install()), none, "install, {round}");
            assert_eq!(calls_of(|| used.patch()), none, "patch, {round}");
            // Into space that is new, and into space that was reclaimed before.
            assert_eq!(calls_of(|| used.install()), none, "install more, {round}");
            assert_eq!(calls_of(|| used.traces.clear()), none, "drop, {round}");
            let made = calls_of(|| assert_eq!(used.slab.reclaim().unwrap().traces, 22));
            assert_eq!(made, [(libc::SYS_membarrier, 1)].into(), "reclaim, {round}");
            let nothing = calls_of(|| assert_eq!(used.slab.reclaim().unwrap().traces, 0));
            assert_eq!(nothing, none, "reclaim nothing, {round}");
        }
        // A batch, and what is linked elsewhere.
        let (slab, mut short) = (used.slab.clone(), used.short);
        let trace = short.trace();
        let publish = |count: usize| {
            let mut batch = slab.batch();
            (0..count).for_each(|_| assert!(batch.add(&trace).is_ok()));
            batch.publish().unwrap().len()
        };
        let mut built = plain(50, 0);
        let plain = built.trace();
        let reserve = || {
            let room = slab.reserve(1000).unwrap();
            let linked = plain.link(room.address()).unwrap();
            room.install(&linked).unwrap().len()
        };
        (0..20).for_each(|_| {
            publish(20);
            reserve();
            slab.reclaim().unwrap();
        });
        let made = calls_of(|| assert_eq!((publish(20), reserve() > 0), (20, true)));
        assert_eq!(made, none);
    });
}

/// Every page that changes costs a few.
#[test]
fn installing_and_patching_moved_pages_calls_little() {
    in_child(|| {
        let options = SlabOptions::new(1 << 20).mapping(Mapping::MovedPages);
        let mut used = Use::new(options);
        start_noting();
        for _ in 0..20 {
            used.round();
        }
        let three = [
            (libc::SYS_mmap, 1),
            (libc::SYS_mprotect, 1),
            (libc::SYS_mremap, 1),
        ];
        let trace = used.long.trace();
        let mut long = None;
        let made = calls_of(|| long = used.slab.install(&trace).ok());
        assert_eq!(made, three.into());
        used.install();
        let short = &used.traces[5];
        let made = calls_of(|| short.link(used.short.known.0, &used.traces[0]).unwrap());
        assert_eq!(made, three.into());
        // A change of several places of a trace moves once.
        let made = calls_of(|| assert!(short.invalidate().is_ok()));
        assert_eq!(made, three.into());
    });
}

/// No step asks for memory that may be written and run at once.
#[test]
fn nothing_is_ever_to_be_written_and_run() {
    for &mapping in MAPPINGS {
        in_child(|| {
            start_noting();
            let mut used = Use::new(SlabOptions::new(1 << 20).mapping(mapping));
            for _ in 0..3 {
                used.round();
            }
            drop(used);
            let made = MADE[libc::SYS_mmap as usize].load(Relaxed);
            assert!(made > 1, "{made} mappings were seen");
            assert_eq!(BOTH.load(Relaxed), 0);
        });
    }
}
