//! What systemd hears of a host: ready, stopping, its state, and that its engine still answers.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::request::Engine;

/// Tells systemd; where there is none, nothing happens.
pub(crate) fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// Feeds systemd's watchdog, if it has one, for as long as the engine answers.
pub(crate) async fn feed_watchdog(engine: Engine) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else { return };
    let pause = (limit / 3).max(Duration::from_millis(1));
    loop {
        if engine.answers().await {
            tell(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(pause).await;
    }
}
