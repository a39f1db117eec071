//! Prints how much memory building a trace of so many typical micro-ops needs at its peak, the destination excluded, as a
//! ratio to the final bytes and 16 more for each micro-op and each reference.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use opstitch_benches::mix::typical::Typical;
use opstitch_benches::peer::Stitch;
use opstitch_benches::{Order, Script};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands on to `System` whatever it is asked for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Small blocks are copied; the pages of large ones are moved (`mremap`), not held twice.
        let common = match layout.size() {
            0x2_0000.. => layout.size().min(size),
            _ => 0,
        };
        let now = NOW.fetch_add(size - common, Relaxed) + size - common;
        PEAK.fetch_max(now, Relaxed);
        NOW.fetch_sub(layout.size() - common, Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let rounds: usize = std::env::args()
        .nth(1)
        .map_or(Ok(2000), |n| n.parse())
        .unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let script = Script::new::<Typical>(Order::Shuffled, 500, false, &mut random);
    let mut stitch = Stitch::<Typical>::default();
    stitch.prepare_long(&script);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let (ops, len) = stitch.build_long(&script, rounds);
    let peak = PEAK.load(Relaxed) - before;
    // Every micro-op has one reference.
    println!("{:.3}", peak as f64 / (len + 16 * 2 * ops) as f64);
}
