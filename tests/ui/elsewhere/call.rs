//! Calling a trace where traces do not run.

use opstitch::slab::Slab;
use opstitch::TraceBuilder;

opstitch::uops! { op Leave { ; ret } }

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let slab = Slab::new(1 << 16)?;
    let mut builder = TraceBuilder::new();
    builder.push(Leave)?;
    let trace = slab.install(&builder.finish()?)?;
    let entry = trace.entry::<extern "C" fn(u64) -> u64>();
    // SAFETY: it returns its argument.
    let same = unsafe { entry.call(&slab.pin(), 1) };
    assert_eq!(same, 1);
    Ok(())
}
