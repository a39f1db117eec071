//! What the README says of features and dependencies is what the manifest says.
//!
// asan: skip (starts cargo)
// native: skip (starts cargo)

use std::process::Command;

const README: &str = include_str!("../README.md");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// The lines of the manifest's table of that name.
fn table(name: &str) -> impl Iterator<Item = &'static str> {
    let heading = format!("[{name}]");
    let lines = MANIFEST.lines().skip_while(move |line| *line != heading);
    lines.skip(1).take_while(|line| !line.starts_with('['))
}

#[test]
fn the_table_of_features_is_that_of_the_manifest() {
    let features = table("features").filter_map(|line| line.split_once(" = "));
    let mut features: Vec<_> = features.map(|(name, _)| name.trim()).collect();
    let rows = README
        .lines()
        .skip_while(|line| !line.starts_with("| feature "));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let mut rows: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    features.sort_unstable();
    rows.sort_unstable();
    assert_eq!(
        rows, features,
        "the README's table of features, and the manifest's"
    );
}

#[test]
fn nothing_is_on_by_default() {
    assert!(table("features").all(|line| !line.starts_with("default")));
    let dependencies = table("dependencies").filter(|line| line.contains("default-features"));
    assert!(
        dependencies
            .into_iter()
            .all(|line| line.contains("optional = true"))
    );
}

#[test]
fn the_tree_of_dependencies_is_that_of_cargo() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "opstitch"])
        .args(["--edges", "normal", "--target", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    // Versions and paths differ from one day and machine to the next.
    let lines = tree.lines().map(|line| {
        let mut words = line.split(' ').filter(|word| !word.starts_with('('));
        let is_version =
            |word: &&str| word.starts_with('v') && word[1..].starts_with(char::is_numeric);
        let name: Vec<_> = words
            .by_ref()
            .take_while(|word| !is_version(word))
            .collect();
        let again = if line.ends_with("(*)") { " (*)" } else { "" };
        name.join(" ") + again
    });
    let tree: Vec<_> = lines.collect();
    let block = README
        .split("```text\nopstitch\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let block = block.expect("a block that begins with `opstitch`");
    let shown = format!("opstitch\n{block}");
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        tree,
        "the tree in the README, and cargo's"
    );
}
