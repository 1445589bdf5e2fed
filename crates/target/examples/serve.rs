//! A whole array in a few lines: serves one file at 127.0.0.1:3260 until it is killed.

use std::sync::Arc;

use oarlock_block::ByteCount;
use oarlock_scsi::iscsi::Accounts;
use oarlock_target::{Target, TargetOptions, UnitOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: serve FILE [ADDRESS:PORT]...")?;
    let mut portals: Vec<_> = arguments.map(|portal| portal.parse()).collect::<Result<_, _>>()?;
    if portals.is_empty() {
        portals.push("127.0.0.1:3260".parse()?);
    }
    let unit =
        UnitOptions { size: Some(ByteCount(128 << 20)), is_thin: true, ..UnitOptions::new(0, path.into()) };
    let options = TargetOptions {
        name: "iqn.2026-11.org.oarlock:array".parse()?,
        portals,
        advertised: Vec::new(),
        accounts: Accounts::default(),
        allowed: Vec::new(),
        units: vec![unit],
    };
    let mut target = Target::start(options, Arc::new(|line: &str| eprintln!("{line}")))?;
    println!("ready");
    futures::executor::block_on(target.ended());
    Ok(())
}
