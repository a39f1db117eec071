//! What the slab's parts do together, where the public interface does not show it.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod cache;
#[cfg(target_arch = "aarch64")]
mod entry;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod fire;
#[cfg(target_os = "linux")]
mod moved;
mod trampolines;

use std::sync::atomic::Ordering;

use super::install::{TraceState, Written, sites};
use super::{InstalledTrace, Slab, SlabError};
use crate::asm::literal::HalfLoads;
use crate::link::Statistics;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::op::operand::MutLiteral;
use crate::op::operand::{Exit, Handle, OperandKind};
use crate::trace::state::MutableWord;

/// Numbers that are the same in every run (xorshift64*).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Less of what takes long, where everything does.
pub(crate) fn fewer(all: usize) -> usize {
    let slow = |name| std::env::var_os(name).is_some();
    if slow("OPSTITCH_ASAN") || slow("OPSTITCH_QEMU") {
        all / 10
    } else {
        all
    }
}

/// The handles of traces that no builder has made.
const TAG: u32 = 0xbeef;

fn exit(index: u32) -> Exit {
    Exit(Handle::new(TAG, OperandKind::Exit, index))
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn literal(index: u32) -> MutLiteral {
    MutLiteral(Handle::new(TAG, OperandKind::MutLiteral, index))
}

fn word(at: u32) -> Option<MutableWord> {
    let loads = HalfLoads::default();
    Some(MutableWord { at, loads })
}

/// Something to install that is no A64 code: a host's code, or no code at all. It goes the way of every
/// trace.
#[derive(Debug, Default)]
struct Raw {
    bytes: Vec<u8>,
    /// Words with which exits are linked, in bytes from the start.
    sites: Vec<u32>,
    /// Words with which it is invalidated, and where they lead.
    points: Vec<(u32, u32)>,
    literals: Vec<u32>,
}

impl Raw {
    /// Installs it; `finish` writes what depends on the address.
    fn install(
        &self,
        slab: &Slab,
        finish: impl FnOnce(&mut [u8], u64),
    ) -> Result<InstalledTrace, SlabError> {
        let shared = &*slab.shared;
        let len = self.bytes.len();
        let mut state = shared.lock_to_change()?;
        let block = state.take(shared, len)?;
        state.content += len;
        let start = block.start as usize * shared.granule;
        let address = (shared.region.address() + start) as u64;
        let mut writer = shared.writer(&mut state);
        writer.fill(start..start + len, |to| {
            to.copy_from_slice(&self.bytes);
            finish(to, address);
        });
        let exits: Vec<_> = (0..).zip(self.sites.iter().copied().map(Some)).collect();
        let written = Written {
            address,
            #[cfg(feature = "inspect")]
            map: None,
            state: TraceState {
                block,
                len,
                code_len: len as u32,
                island_literals: None,
                uses: Vec::new(),
                statistics: Statistics::default(),
                tag: TAG,
                sites: sites(&exits),
                exits,
                points: self.points.clone(),
                incoming: Vec::new(),
                invalidated: false,
                mutables: self.literals.iter().map(|&at| word(at)).collect(),
                literals: 0..0,
            },
        };
        match shared.commit(&mut state, writer) {
            Ok(()) => Ok(slab.enlist(&mut state, written)),
            Err(error) => {
                state.unplace(written);
                Err(error)
            }
        }
    }
}

#[cfg(all(feature = "perf", target_os = "linux", target_arch = "x86_64"))]
impl Slab {
    /// Writes a host's code over a trace that nobody runs.
    pub(crate) fn overwrite(&self, address: u64, bytes: &[u8]) {
        let shared = &*self.shared;
        let start = (address - shared.region.address() as u64) as usize;
        let mut state = shared.lock_to_change().expect("not a fork");
        let mut writer = shared.writer(&mut state);
        writer.fill(start..start + bytes.len(), |to| to.copy_from_slice(bytes));
        shared.commit(&mut state, writer).expect("memory");
    }
}

/// Once under a pin, and again only if something was published: by whatever changes what may be run.
#[test]
fn a_thread_synchronizes_when_something_was_published() {
    let slab = Slab::new(1 << 16).unwrap();
    let pin = slab.pin();
    let mut last = None;
    let mut is_new = |slab: &Slab| {
        pin.synchronize();
        let seen = pin.seen.get();
        assert_eq!(seen, Some(slab.shared.published.load(Ordering::Relaxed)));
        std::mem::replace(&mut last, seen) != seen
    };
    assert!(is_new(&slab));
    assert!(!is_new(&slab));
    let raw = Raw {
        bytes: vec![0; 64],
        ..Raw::default()
    };
    let installed = raw.install(&slab, |_, _| {}).unwrap();
    assert!(is_new(&slab));
    let room = slab.reserve(64).unwrap();
    drop(room);
    assert!(!is_new(&slab));
    drop(installed);
    assert_eq!(slab.pin().seen.get().is_none(), slab.shared.barrier);
}
