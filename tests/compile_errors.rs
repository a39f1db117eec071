// asan: skip (starts compilers of its own)
// native: skip (starts compilers of its own)

//! What `uops!` refuses, and where it says so: at the author's own token.
//!
//! The expected messages stand beside the cases, in `tests/ui`. After a change of wording,
//! `TRYBUILD=overwrite cargo test --test compile_errors` writes them anew; read each before it is
//! committed.

#[test]
fn errors_point_at_the_authors_token() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    if cfg!(not(target_arch = "aarch64")) {
        cases.compile_fail("tests/ui/elsewhere/*.rs");
    }
}
