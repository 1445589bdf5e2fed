//! The picture in ARCHITECTURE.md is the code's: its arrows are the manifests' dependencies, and every arrow points down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The arrows as ARCHITECTURE.md lists them.
fn drawn() -> Arrows {
    let text = read(&root().join("ARCHITECTURE.md"));
    text.lines()
        .filter_map(|line| line.split_once("->"))
        .filter(|(from, _)| !from.trim().contains(' ') && !from.trim().is_empty())
        .map(|(from, to)| (from.trim().to_owned(), to.split_whitespace().map(str::to_owned).collect()))
        .collect()
}

/// The arrows as the manifests have them.
fn built() -> Arrows {
    let crates = std::fs::read_dir(root().join("crates")).unwrap_or_else(|error| panic!("{error}"));
    crates
        .filter_map(Result::ok)
        .map(|entry| {
            let manifest = read(&entry.path().join("Cargo.toml"));
            let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]"));
            let uses = section.unwrap_or("").lines().filter_map(|line| {
                let name = line.split(['.', ' ', '=']).next()?;
                match name.strip_prefix("oarlock")? {
                    "" => Some("client".to_owned()),
                    rest => rest.strip_prefix('-').map(str::to_owned),
                }
            });
            (entry.file_name().to_string_lossy().into_owned(), uses.collect())
        })
        .collect()
}

/// The floor of each crate in the picture, from the bottom.
fn floors() -> BTreeMap<String, u32> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("floor "));
    lines
        .flat_map(|line| {
            let mut words = line.split_whitespace();
            let floor: u32 = words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
            words.map(move |name| (name.to_owned(), floor)).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_arrows_in_the_picture_are_the_manifests_dependencies() {
    assert_eq!(drawn(), built());
}

#[test]
fn every_arrow_points_to_a_lower_floor() {
    let floors = floors();
    for (from, uses) in built() {
        for to in uses {
            assert!(floors[&from] > floors[&to], "{from} uses {to}, which does not lie below it");
        }
    }
}

/// Every source file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}")).filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_doctor_s_crate_asks_no_operating_system() {
    const SYSTEM: [&str; 9] = [
        "std::fs",
        "std::os",
        "std::net::Tcp",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant::now",
        "cfg(unix)",
        "target_os",
    ];
    let mut files = Vec::new();
    sources(&root().join("crates/doctor/src"), &mut files);
    assert!(files.len() > 50, "the crate was found");
    // Its tests may open files: they stand behind this line, or in a file of their own.
    let own = files.iter().filter(|path| !path.ends_with("tests.rs"));
    for path in own {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        let used = SYSTEM.iter().find(|word| code.contains(**word));
        assert_eq!(used, None, "{}", path.display());
    }
}
