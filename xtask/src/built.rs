//! The program, built in release, and folders beside it in which chores run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout that this chore was built from.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The program, built in release.
///
/// # Errors
/// Where it cannot be built.
pub fn program() -> Result<PathBuf, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", "oarlock-cli"]);
    let status = cargo.current_dir(root()).status().map_err(|error| format!("cargo: {error}"))?;
    let program = target()?.join("release/oarlock");
    (status.success() && program.exists())
        .then_some(program)
        .ok_or_else(|| "oarlock could not be built".to_owned())
}

/// Where cargo puts what it builds; absolute, for chores start programs in other folders.
fn target() -> Result<PathBuf, String> {
    let path = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    std::path::absolute(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A new folder beside what was built: on a disk, where file locks hold.
///
/// # Errors
/// Where it cannot be made.
pub fn folder(chore: &str) -> Result<PathBuf, String> {
    let folder = target()?.join(format!("{chore}-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}
