//! A nightly job that runs on one host at a time: `cargo run -p oarlock --example nightly -- FILE HOST`. Where there is no
//! FILE, a datastore is made of it.

use std::path::Path;
use std::time::Duration;

use oarlock::{Datastore, Error, FormatOptions};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "pool.img".to_owned());
    let host = arguments.next().unwrap_or_else(|| "a".to_owned());
    if !Path::new(&file).exists() {
        Datastore::format(&file, &FormatOptions { size: Some(256 << 20), ..FormatOptions::new("store") })?;
    }

    let datastore = Datastore::open(&file, &host)?;
    let guard = datastore.lock("nightly").exclusive().wait(Duration::from_secs(30))?;
    for step in 1..=3 {
        if let Some(reason) = guard.lost(Duration::ZERO) {
            println!("stopped before step {step}: {reason}");
            break;
        }
        println!("step {step} under the token {}", guard.token());
    }
    guard.release();
    Ok(())
}
