//! Copies an image to or from any NBD export on a unix socket, with a bar and an end on SIGINT: `copy import FILE URI`, `copy export URI FILE`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use oarlock_image::{Address, Destination, Format, Onlooker, Progress, Source, export, import};

struct Bar {
    bar: ProgressBar,
    is_interrupted: Arc<AtomicBool>,
}

impl Onlooker for Bar {
    fn advanced(&mut self, progress: Progress) {
        self.bar.set_length(progress.total_bytes);
        self.bar.set_position(progress.done_bytes);
    }

    fn wants_out(&self) -> bool {
        self.is_interrupted.load(Ordering::Relaxed)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&is_interrupted))?;
    let style =
        ProgressStyle::with_template("{wide_bar} {binary_bytes} of {binary_total_bytes}, {eta} left")?;
    let mut onlooker = Bar { bar: ProgressBar::no_length().with_style(style), is_interrupted };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["import", file, uri] => {
            let mut source = Source::open(Path::new(file), None)?;
            println!("{:?}", import(&mut source, &Address::of_uri(uri)?, &mut onlooker)?);
        }
        ["export", uri, file] => {
            let path = Path::new(file);
            let destination = Destination::new(path, Format::of_name(path), false)?;
            println!("{:?}", export(&Address::of_uri(uri)?, &destination, &mut onlooker)?);
        }
        _ => return Err("copy import FILE URI, or copy export URI FILE".into()),
    }
    Ok(())
}
