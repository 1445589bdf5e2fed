//! Writes the dump of the frozen volume to standard output: run once per released version, and never again for it.
//!
//! `cargo run -p oarlock-format --example freeze_volume > testdata/volumes/v1/volume.txt`

#[path = "../tests/volume/mod.rs"]
mod volume;

fn main() {
    print!("{}", volume::dump(&volume::volume()));
}
