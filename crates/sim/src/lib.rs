//! The seeded world in which the protocol is proved: executor, clocks, disk, cut-off and faults; no thread, no real time.
//!
//! One seed, one run: every decision of chance goes through [`Choices`], and two runs with the same choices are the same
//! event for event ([`Handle::fingerprint`]). A workload makes a [`World`], adds hosts, starts a life on each, and gives
//! the engine the parts of that [`HostLife`]:
//!
//! ```
//! use std::time::Duration;
//! use oarlock_block::{Answer, Clock, Device, Lba};
//! use oarlock_sim::{FaultKind, FaultPlan, HostSetup, Lane, TrueTime, World, WorldOptions};
//!
//! let faults = FaultPlan::draw(7, FaultKind::ORDINARY);
//! let world = World::seeded(WorldOptions::calm(7).with_faults(faults));
//! let overseer = world.start_life(world.add_host(HostSetup::OVERSEER));
//! let member = world.add_host(HostSetup::MEMBER);
//! let handle = world.handle();
//! overseer.spawn(async move {
//!     // Starts the member again, whenever it died.
//!     loop {
//!         let life = handle.start_life(member);
//!         let (device, clock) = (life.device(Lane::Beat), life.clock());
//!         life.spawn(async move {
//!             let mut answer = device.compare_and_write(Lba(3), &[0; 512], &[1; 512]).await;
//!             while answer.outcome != Ok(Answer::Swapped) {
//!                 clock.sleep_until(clock.now().plus(Duration::from_secs(2))).await;
//!                 answer = device.compare_and_write(Lba(3), &[1; 512], &[1; 512]).await;
//!             }
//!         });
//!         life.ended().await;
//!         handle.sleep_until(handle.now().plus(Duration::from_secs(1))).await;
//!     }
//! });
//! world.run_until(TrueTime::from_start(Duration::from_secs(600)));
//! println!("{}", world.trace(&|_, bytes| format!("{:02x}", bytes[0])));
//! ```
//!
//! What an engine must know of it:
//! - A command is sent when its future is first polled, and stays out whatever becomes of that future or its host.
//! - A process that is stopped at a submission sends the command when it goes on, be it minutes later.
//! - When a life ends, its tasks are dropped while the world is at rest: destructors may call the world.
//! - A host's clock drifts, and in a frozen machine stands still; only checkers see [`TrueTime`].
//!
//! Checkers are [`Observer`]s; a small world is run in every order by an [`Explorer`] with [`Scheduling::Interleaved`].

mod census;
mod checkers;
mod choices;
mod command;
mod cut_off;
mod datastore;
mod device;
mod disk;
pub mod disks;
mod events;
mod execution;
mod executor;
pub mod exhaustive;
mod explorer;
mod faults;
mod growth;
mod handle;
mod history;
mod host;
mod local_clock;
mod member;
mod mender;
mod namer;
mod observer;
mod path;
mod quiet;
mod random;
mod scenario;
mod seed_run;
mod slab;
mod state;
mod steps;
mod themes;
mod time;
mod timer;
mod trace;
mod user;
mod weather;
mod world;

pub use census::{Census, Grant, GrantKey, LifeKey, Member};
pub use choices::{ChoiceKind, Choices, Made, PerMillion, RECORDED_CHOICES_MAX, Span};
pub use command::Verb;
pub use cut_off::{CutOffRules, SimCutOff};
pub use datastore::{Ground, Template, parts};
pub use device::{Lane, SimDevice};
pub use explorer::{Exploration, Explorer, Found, Limits};
pub use faults::{Fault, FaultKind, FaultPlan, Latency, Length};
pub use handle::{Handle, HostLife};
pub use host::{EndCause, HOSTS_MAX, HostIndex, HostSetup, Life};
pub use local_clock::{DRIFT_PPM_MAX, LocalClock};
pub use member::Run;
pub use observer::{
    Change, CommandIdentity, CommandNumber, Effect, Execution, FaultEvent, Image, LifeChange, Observer,
    Outcome, Reply, Submission,
};
pub use random::SimRandom;
pub use scenario::{Power, Scenario, Theme, fast_timing};
pub use seed_run::{Found as SeedFound, SeedReport, run_scenario, run_seed};
pub use steps::Steps;
pub use time::TrueTime;
pub use timer::SimClock;
pub use trace::{Describe, TRACE_ENTRIES, TRACE_WHOLE};
pub use world::{Ended, STEPS_PER_INSTANT_MAX, Scheduling, Statistics, Violation, World, WorldOptions};
