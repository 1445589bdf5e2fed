//! `oarlock bench`: what a device can do, in bare test and set, in locks, in beats.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::{Args, Subcommand};
use oarlock_block::{Clock, Device, Lba, Metered};
use oarlock_engine::{Host, Want};
use oarlock_format::LockName;
use oarlock_host::HostError;

use crate::bench::{
    Figures, Images, Joined, Operation, Place, Swap, bench_name, measure, metered, own_blocks,
};
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::stop::Stop;
use crate::values::ValueError;
use crate::{report, values};

/// One acquire or release of a bench is given this long.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// Operations in flight at most.
const DEPTH_MAX: u16 = 64;

/// What `oarlock bench` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum What {
    /// Bare ATS: one swap of one scratch block
    Ats(Run),
    /// One acquire and release of a lock of its own
    Lock(Run),
    /// What a beat costs: a slot record made and swapped, on the lane of beats, in a scratch block
    Beat(Run),
}

/// How it is measured.
#[derive(Args, Debug)]
struct Run {
    /// A datastore, which is joined as a host; or, for `ats` and `beat`, a path where nothing is: a file is made there and removed again
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// How long
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = values::measurement)]
    length: Duration,
    /// Operations in flight at once, each on a block or lock of its own
    #[arg(long, default_value_t = 1, value_parser = depth)]
    depth: u64,
    /// Print JSON: `{operations_per_second, p50_us, p99_us, max_us, ios_per_operation}`
    #[arg(long)]
    json: bool,
}

fn depth(text: &str) -> Result<u64, ValueError> {
    values::count(text, 1, DEPTH_MAX).map(u64::from)
}

/// Measures, and prints the figures.
///
/// # Errors
/// Why it could not.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (What::Ats(run) | What::Lock(run) | What::Beat(run)) = &arguments.what;
    let mut stop = Stop::catch()?;
    let (place, mut ground) = match (&arguments.what, run.device.exists()) {
        (What::Lock(_), false) => {
            let what =
                format!("{}: locks are benched in a datastore, and nothing is there", run.device.display());
            return Err(Failure::new(Code::Bench, what));
        }
        _ => Place::open(&run.device)?,
    };
    let figures = match &place {
        Place::Own { .. } => in_own_file(&mut ground, &mut stop, &arguments.what, run),
        Place::Datastore => in_datastore(&mut ground, &mut stop, &arguments.what, run),
    };
    let figures = figures.map_err(|failure| failure.on(&run.device))?;
    if run.json {
        report::print_json(&figures)?
    } else {
        report::print(&figures.text())?
    }
    Ok(0)
}

fn in_own_file(ground: &mut Ground, stop: &mut Stop, what: &What, run: &Run) -> Result<Figures, Failure> {
    report::say(&format!(
        "{}: made for this bench and removed after it; {} blocks of it are written",
        run.device.display(),
        run.depth
    ));
    let format_id = oarlock_format::FormatId(ground.world.random.nonce());
    let (device, images) = lane(ground, what, format_id)?;
    let bench = Bench { clock: Rc::clone(&ground.world.clock), device, length: run.length };
    let random = Rc::clone(&ground.world.random);
    let blocks = own_blocks(run.depth, bench.device.geometry().block_size);
    ground::run(&mut ground.executor, stop, async { bench.swaps(&random, &blocks, &images).await })
}

fn in_datastore(ground: &mut Ground, stop: &mut Stop, what: &What, run: &Run) -> Result<Figures, Failure> {
    let spawner = ground.executor.spawner();
    let (world, metered) = metered(ground);
    let joined = ground::run(&mut ground.executor, stop, Joined::join(&world, &spawner))?;
    let clock = Rc::clone(&ground.world.clock);
    let result = measure_joined(ground, stop, &joined, what, run, metered);
    // Whatever came of it, the host leaves as hosts do, and its slot is free again.
    ground.executor.block_on(joined.leave(&*clock));
    result
}

fn measure_joined(
    ground: &mut Ground,
    stop: &mut Stop,
    joined: &Joined,
    what: &What,
    run: &Run,
    metered: Rc<Metered>,
) -> Result<Figures, Failure> {
    let clock = Rc::clone(&ground.world.clock);
    if matches!(what, What::Lock(_)) {
        let names: Vec<LockName> = (0..run.depth).map(lock_name).collect::<Result<_, _>>()?;
        report::say(&format!(
            "joined as {}; takes and releases locks: {}, the first is\n    {}",
            joined.host.status().name,
            run.depth,
            names[0]
        ));
        let mut locks: Vec<Pair> = names
            .into_iter()
            .map(|name| Pair { host: joined.host.clone(), name, clock: Rc::clone(&clock) })
            .collect();
        return ground::run(&mut ground.executor, stop, async {
            measure(&*clock, &metered, &mut locks, run.length).await
        });
    }
    let blocks = joined.scratch(run.depth)?;
    let numbers: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    report::say(&format!(
        "joined as {}; writes the scratch blocks {}",
        joined.host.status().name,
        numbers.join(", ")
    ));
    let (device, images) = lane(ground, what, joined.format_id())?;
    let bench = Bench { clock, device, length: run.length };
    let random = Rc::clone(&ground.world.random);
    let ended = joined.host.ended();
    ground::run(&mut ground.executor, stop, async {
        let swaps = bench.swaps(&random, &blocks, &images);
        futures::pin_mut!(swaps, ended);
        match futures::future::select(swaps, ended).await {
            futures::future::Either::Left((figures, _)) => figures,
            futures::future::Either::Right((ended, _)) => Err(ended.into()),
        }
    })
}

/// The counted device and the images of a bench of swaps.
fn lane(
    ground: &Ground,
    what: &What,
    format_id: oarlock_format::FormatId,
) -> Result<(Rc<Metered>, Images), Failure> {
    let clock = Rc::clone(&ground.world.clock);
    Ok(match what {
        What::Beat(_) => {
            let images = Images::Beat(format_id, bench_name()?);
            (Rc::new(Metered::new(Rc::clone(&ground.world.beat_device), clock)), images)
        }
        What::Ats(_) | What::Lock(_) => (Rc::new(Metered::new(ground.work(), clock)), Images::Bare),
    })
}

fn lock_name(index: u64) -> Result<LockName, Failure> {
    let text = format!("oarlock-bench/{}/{index}", std::process::id());
    LockName::new(&text).map_err(|reason| HostError::Name { text, reason }.into())
}

/// A bench of swaps.
struct Bench {
    clock: Rc<dyn Clock>,
    device: Rc<Metered>,
    length: Duration,
}

impl Bench {
    async fn swaps(
        &self,
        random: &Rc<dyn oarlock_block::Random>,
        blocks: &[Lba],
        images: &Images,
    ) -> Result<Figures, Failure> {
        let mut swaps = Vec::new();
        for lba in blocks {
            let device = Rc::clone(&self.device) as Rc<dyn Device>;
            swaps.push(Swap::new(device, Rc::clone(random), *lba, images.clone()).await?);
        }
        measure(&*self.clock, &self.device, &mut swaps, self.length).await
    }
}

impl Operation for Swap {
    async fn once(&mut self) -> Result<(), Failure> {
        Swap::once(self).await
    }
}

/// One lock, taken and released.
struct Pair {
    host: Host,
    name: LockName,
    clock: Rc<dyn Clock>,
}

impl Operation for Pair {
    async fn once(&mut self) -> Result<(), Failure> {
        let deadline = self.clock.now().plus(LOCK_LIMIT);
        let guard = self.host.lock(&self.name, Want::Exclusive, deadline).await?;
        guard.release().await;
        Ok(())
    }
}
