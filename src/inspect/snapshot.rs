//! Snapshots of machine code, for the tests of whoever writes micro-ops.

/// Asserts that a linked trace is encoded as its [insta](https://insta.rs) snapshot says: a listing, with
/// the bytes of each instruction beside its disassembly, by micro-op.
///
/// It takes the place of `insta::assert_snapshot!`, which it calls, so `insta` is to be among your own
/// dev-dependencies, in a version of your choice (from 1.0 on), and everything it offers works: settings,
/// `cargo insta review`, `INSTA_UPDATE`.
///
/// A change to such a snapshot is a change to machine code that somebody runs: read it instruction by
/// instruction before you accept it.
///
/// ```no_run
/// opstitch::uops! {
///     op Add { ; add x0, x0, x1 }
///     op Return { ; ret }
/// }
///
/// # fn main() -> Result<(), opstitch::Error> {
/// use opstitch::{assert_trace_snapshot, inspect::Symbols};
///
/// let mut builder = opstitch::TraceBuilder::new();
/// builder.push(Add)?;
/// builder.push(Return)?;
/// let linked = builder.finish()?.link(0x1_0000)?;
///
/// assert_trace_snapshot!(linked); // named after the test
/// assert_trace_snapshot!("add", linked);
///
/// let symbols = Symbols::new().with("rt_push", 0x2_0000);
/// assert_trace_snapshot!("add_with_names", linked, symbols = symbols);
/// # Ok(()) }
/// ```
///
/// Link to a fixed address, and take addresses of functions that do not differ from run to run. See
/// [`assert_micro_op_snapshot!`](crate::assert_micro_op_snapshot) for micro-ops without a trace.
#[macro_export]
macro_rules! assert_trace_snapshot {
    ($linked:expr, symbols = $symbols:expr $(,)?) => {
        ::insta::assert_snapshot!(($linked).listing(&$symbols).to_string())
    };
    ($name:expr, $linked:expr, symbols = $symbols:expr $(,)?) => {
        ::insta::assert_snapshot!(
            $name,
            ($linked).listing(&$symbols).to_string(),
            ::core::stringify!($linked)
        )
    };
    ($linked:expr $(,)?) => {
        $crate::assert_trace_snapshot!($linked, symbols = $crate::inspect::Symbols::new())
    };
    ($name:expr, $linked:expr $(,)?) => {
        $crate::assert_trace_snapshot!($name, $linked, symbols = $crate::inspect::Symbols::new())
    };
}

/// Asserts that micro-ops are encoded as their [insta](https://insta.rs) snapshot says: for each its
/// operands, then the words of its hot and cold part beside their disassembly.
///
/// The argument is a whole set, as `micro_ops()` of the enum that [`uops!`](crate::uops) makes returns it,
/// or one micro-op of it. See [`assert_trace_snapshot!`](crate::assert_trace_snapshot) for what is asked of
/// your crate.
///
/// ```no_run
/// opstitch::uops! {
///     pub enum Op;
///     op Load(slot: u12) { ; ldr x9, [x20, slot * 8] }
///     op Return { ; ret }
/// }
///
/// # fn main() {
/// use opstitch::assert_micro_op_snapshot;
///
/// assert_micro_op_snapshot!(Op::micro_ops()); // named after the test
/// for op in Op::micro_ops().iter() {
///     assert_micro_op_snapshot!(op.name(), op);
/// }
/// # }
/// ```
#[macro_export]
macro_rules! assert_micro_op_snapshot {
    ($micro_ops:expr $(,)?) => {
        ::insta::assert_snapshot!(($micro_ops).listing().to_string())
    };
    ($name:expr, $micro_ops:expr $(,)?) => {
        ::insta::assert_snapshot!(
            $name,
            ($micro_ops).listing().to_string(),
            ::core::stringify!($micro_ops)
        )
    };
}
