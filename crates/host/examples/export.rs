//! An export over a file, with a map in memory: what `benches/exports.sh` measures, and a server to point clients at.
//!
//! `export FILE SIZE PLACE full|empty`: serves FILE at PLACE (`unix:PATH` or `tcp:ADDRESS`) as the export `disk`, until standard input
//! ends. `full`: each byte is where FILE has it. Prints the URI once it can be used.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use oarlock_host::export::{Door, Export, ExportOptions, Place};

#[allow(
    dead_code,
    clippy::expect_used,
    reason = "the tests use more of it, and a failure of theirs is a panic"
)]
#[path = "../tests/export/memory.rs"]
mod memory;

use memory::{Beginning, CLUSTER, MemoryDisk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, size, place, beginning] = arguments.as_slice() else {
        return Err("usage: export FILE SIZE PLACE full|empty".into());
    };
    let beginning = match beginning.as_str() {
        "full" => Beginning::Full,
        "empty" => Beginning::Empty,
        other => return Err(format!("{other:?} is neither full nor empty").into()),
    };
    let size: u64 = size.parse()?;
    let disk = MemoryDisk::open(Path::new(file), size, beginning, size.div_ceil(CLUSTER) + 64);
    let export = Export::start(ExportOptions {
        name: "disk".to_owned(),
        description: String::new(),
        read_only: false,
        path: disk.path,
        device: disk.device,
        clock: disk.clock,
        hold: memory::LEASE,
    })?;
    let door = Door::open(&place.parse::<Place>()?, None)?;
    door.offer(&export)?;
    println!("{}", door.uri("disk"));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(door);
    let status = export.status();
    eprintln!("{:?} after {} requests", export.stop(Duration::from_secs(5)), status.served);
    Ok(())
}
