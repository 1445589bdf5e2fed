//! The ground of Oarlock: addresses, the `Device`, `Clock` and `Random` traits, and the three answers of an ATS.
//!
//! Nothing here knows an operating system, a runtime or the datastore's format.

mod address;
mod answer;
mod array_fault_spec;
mod checksum;
mod clock;
mod command;
mod cut_off;
mod device;
pub mod fault_spec;
mod faulty;
mod histogram;
mod metered;
mod random;
mod recorded;
#[cfg(test)]
mod testing;
mod zeros;

pub use address::{BlockCount, BlockSize, ByteCount, Lba};
pub use answer::{Answer, Attempted, Refusal, UnknownCause};
pub use array_fault_spec::{ArrayFaultSpec, RefusalStatus};
pub use checksum::crc32c;
pub use clock::{Clock, Instant, WallTime};
pub use command::{CommandKind, Outcome};
pub use cut_off::{CutOff, EnterError, NotCutOff, ProcessIdentity, Proof, SlotIndex, Victim};
pub use device::{Device, DeviceIdentity, Fencing, Geometry, IoError};
pub use fault_spec::{Fault, FaultSpec, FaultSpecError, GivenAnswer, Selector};
pub use faulty::{Faulty, ReadMemory, Surroundings};
pub use histogram::Histogram;
pub use metered::{Meter, Metered};
pub use random::Random;
pub use recorded::{Command, Recorded};
pub use zeros::{all_zero, first_not_zero};

/// A future of the engine's own thread: boxed, and free to borrow.
pub type LocalFuture<'a, T> = futures::future::LocalBoxFuture<'a, T>;
