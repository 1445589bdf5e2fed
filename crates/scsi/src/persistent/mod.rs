//! What PERSISTENT RESERVE OUT takes and PERSISTENT RESERVE IN returns (SPC-5).

mod report;
mod take;
#[cfg(test)]
mod tests;

pub use report::{FullStatus, HeldReservation, ReservationCapabilities, ReservationKeys, StatusDescriptor};
pub use take::{MoveList, PersistentReserveOutList, RegisterList};
