//! What drivers say of an adapter that fails: whether they gave it up, or found its firmware stopped, which they reset then.

use crate::text::has;

/// Whether a driver gave its adapter up, with all that it had: firmware that faulted is reset, and a driver that does not start may lack memory of its host's.
#[must_use]
pub fn died(text: &str) -> bool {
    ["non-operational", "illing adapter", "never cleared", "lockup detected", "offline"]
        .iter()
        .any(|word| has(text, word))
}

/// Whether a driver found its adapter's firmware stopped.
#[must_use]
pub fn stopped(text: &str) -> bool {
    ["FW in FAULT", "in FAULT state", "fault_state("].iter().any(|word| has(text, word))
}
