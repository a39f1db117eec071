//! The pages in headless Chromium, driven by `browser.py`.

use std::env;
use std::path::Path;
use std::process::Command;

use super::traces;

#[allow(dead_code)]
#[path = "../../examples/cpython_loop/main.rs"]
pub mod cpython_loop;

/// Whether a program can be started.
fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// What `browser.py` checks: no message in the console, no request, arrows that begin and end at their
/// tiles, tiles beside each other with their text inside, what is shown on pointing, and the dark colours.
#[test]
fn a_browser_shows_the_pages_without_a_complaint() {
    let there = starts("python3") && starts("chromedriver");
    let required = env::var_os("OPSTITCH_REQUIRE_BROWSER").is_some_and(|value| value == "1");
    assert!(
        there || !required,
        "no python3 and chromedriver, and OPSTITCH_REQUIRE_BROWSER=1; `make test-html` installs them"
    );
    // The browser is the host's, not one for the processor that QEMU plays.
    let emulated = env::var_os("OPSTITCH_QEMU").is_some();
    if !there || emulated {
        eprintln!("SKIPPED: no python3 and chromedriver");
        return;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html");
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut pages = Vec::new();
    for (name, linked, symbols) in traces::all() {
        pages.push(directory.join(format!("{name}.html")));
        std::fs::write(pages.last().expect("one"), linked.to_html(&symbols)).expect("a file");
    }
    pages.push(directory.join("cpython_loop.html"));
    let file = pages.last().and_then(|page| page.to_str()).expect("a name");
    let arguments = ["--n", "1", "--html", file].map(str::to_owned);
    cpython_loop::run(&arguments, &mut Vec::new()).expect("the example");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/html/browser.py");
    let output = Command::new("python3").arg(script).args(&pages).output();
    let output = output.expect("python3");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().count(), pages.len(), "{said}");
}
