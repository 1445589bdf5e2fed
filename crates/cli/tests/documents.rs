//! Documents that are held to the project: the table of dependencies.

use std::collections::BTreeSet;

const MANIFEST: &str = include_str!("../../../Cargo.toml");
const DEPENDENCIES: &str = include_str!("../../../docs/decisions/0050-dependencies.md");

#[test]
fn every_dependency_has_its_reason_and_every_reason_its_dependency() {
    let section = MANIFEST.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let used: BTreeSet<&str> = lines
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .filter(|name| !name.starts_with("oarlock"))
        .collect();
    let rows = DEPENDENCIES.lines().filter_map(|line| line.strip_prefix("| "));
    let told: BTreeSet<&str> = rows
        .filter_map(|row| row.split_once(" |").map(|(name, _)| name))
        .filter(|name| !["crate", "---"].contains(name))
        .collect();
    assert!(used.len() > 20, "the manifest was not understood: {used:?}");
    assert_eq!(used, told, "(Cargo.toml, docs/decisions/0050-dependencies.md)");
}
