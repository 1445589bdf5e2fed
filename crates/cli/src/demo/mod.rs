//! The demonstration: the main job on real processes and a real file, step by step, each with a check that can fail.

mod answers;
mod cast;
mod deaths;
mod delayed;
mod disks;
mod facts;
mod folder;
mod guest;
mod initiator;
mod news;
mod opening;
mod pace;
mod plot;
mod sharing;
mod stage;
mod story;
mod teller;
mod wire;

pub use answers::text;
pub use story::play;
