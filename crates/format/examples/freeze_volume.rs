//! Writes the dump of a frozen volume to standard output: run once per released version, and never again for it.
//!
//! `cargo run -p oarlock-format --example freeze_volume > testdata/volumes/v1/volume.txt`, and with `-- disks` for
//! `testdata/volumes/v1-disks/volume.txt`

#[path = "../tests/volume/mod.rs"]
mod volume;

fn main() {
    let with_disks = std::env::args().nth(1).is_some_and(|word| word == "disks");
    let volume = if with_disks { volume::disks::volume_with_disks() } else { volume::volume() };
    print!("{}", volume::dump(&volume));
}
