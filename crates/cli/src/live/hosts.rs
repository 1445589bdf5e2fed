//! Oarlock hosts that run on this machine: the events that they keep, through their API.

use oarlock::{Api, Error, Purpose, Selection};
use oarlock_host::Folders;

use super::{Gathered, View};

/// Events of one host that are read: it keeps fewer.
const EVENTS_MAX: usize = 100_000;

/// The events of every host that answers.
pub fn gather(_view: View) -> Gathered {
    let mut gathered = Gathered::default();
    let named = std::env::var_os("OARLOCK_API").is_some_and(|value| !value.is_empty());
    if named {
        match Api::find(&Selection::default(), Purpose::AnyHost) {
            Ok(api) => events(&api, &mut gathered),
            Err(error) => gathered.unread("events of the host that OARLOCK_API names", error),
        }
        return gathered;
    }
    for found in Folders::from_environment().sockets() {
        // A socket that nobody listens on was left by a host that is dead.
        match Api::connect(&found.path) {
            Ok(api) => events(&api, &mut gathered),
            Err(Error::Unreachable { reason, .. }) if reason.contains("refused") => {}
            Err(error) => gathered.unread(format!("events of the host {}", found.host), error),
        }
    }
    gathered
}

fn events(api: &Api, gathered: &mut Gathered) {
    let events = match api.events(false) {
        Ok(events) => events,
        Err(error) => return gathered.unread("events of a running host", error),
    };
    for event in events.take(EVENTS_MAX) {
        match event.map(|event| serde_json::to_string(&event)) {
            Ok(Ok(text)) => gathered.line(&text),
            Ok(Err(error)) => return gathered.unread("events of a running host", error),
            Err(error) => return gathered.unread("events of a running host", error),
        }
    }
}
