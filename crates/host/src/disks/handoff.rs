//! Disks on their way from host to host (R28): the engine's thread, and what becomes of the exports.
//!
//! ```text
//!   source:    Exported -- handed over --> withdrawn, clients sent away --> gone, and off the list
//!   receiver:  Exported and on the list, nothing answered yet -- taken up --> answered
//!                                                           -- it will not come --> gone
//! ```

use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::stream::StreamExt;
use oarlock_causes::Action;
use oarlock_format::{DiskTarget, HostName, LayerName};

use super::exports::{Exports, Standing, aside, see_through};
use super::list::Wanted;
use super::request::{Arrival, HeldDisk};
use crate::api::HandedOffDisk;
use crate::error::HostError;
use crate::record::own_event;
use crate::request::Reply;
use crate::serve::Keeper;

/// Clients of a disk that went to another host have so long to read that it did; then they are cut off.
const FAREWELL: Duration = Duration::from_secs(1);

impl Keeper {
    /// Hands a disk over; how long its clients could begin nothing.
    pub(super) async fn hand_off(
        &self,
        name: &LayerName,
        to: &HostName,
        wait: Duration,
    ) -> Result<Duration, HostError> {
        self.may_change()?;
        match self.host.hand_off_disk(name, to, self.clock.now().plus(wait)).await {
            Ok(handed) => {
                let pause = handed.pause.as_secs_f64() * 1e3;
                let detail = format!("{name} went to host {to}; its clients waited for {pause:.1} ms");
                self.tell_handoff(Action::Adopted, detail);
                Ok(handed.pause)
            }
            Err(error) => {
                self.tell_handoff(Action::Refused, format!("{name} did not go to host {to}: {error}"));
                Err(error.into())
            }
        }
    }

    /// Stands by for a disk, and holds it from the handoff on until it is to be detached.
    pub(super) async fn receive(&self, name: &LayerName, reply: Reply<(HeldDisk, Arrival)>) {
        let received = match self.may_change() {
            Ok(()) => self.patiently(async |deadline| self.host.receive_disk(name, deadline).await).await,
            Err(refusal) => Err(refusal),
        };
        let incoming = match received {
            Ok(incoming) => incoming,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (detach, mut orders) = mpsc::unbounded();
        let (arrive, arrival) = oneshot::channel();
        let held = self.held((incoming.id(), false), incoming.path(), detach);
        // Where nobody listens any more, the orders end with the answer, and it is not waited for.
        drop(reply.send(Ok((held, arrival))));
        let outcome = match select(Box::pin(incoming.take_up()), orders.next()).await {
            Either::Left((taken, _)) => Either::Left(taken),
            Either::Right((order, _)) => Either::Right(order),
        };
        match outcome {
            Either::Left(Ok(attachment)) => {
                self.tell_handoff(Action::Adopted, format!("{name} came from another host"));
                let _ = arrive.send(Ok(()));
                self.hold_disk(attachment, orders).await;
            }
            Either::Left(Err(error)) => {
                incoming.withdraw().await;
                self.tell_handoff(Action::Refused, format!("{name} does not come: {error}"));
                let _ = arrive.send(Err(error.into()));
            }
            Either::Right(order) => {
                incoming.withdraw().await;
                if let Some(order) = order {
                    let _ = order.send(Ok(()));
                }
            }
        }
    }

    fn tell_handoff(&self, action: Action, detail: String) {
        self.tell(own_event("handoff", action, detail));
    }
}

impl Exports {
    /// Hands a disk that is exported here over to another host. It is seen through even where the future is dropped.
    pub(crate) async fn hand_off(
        &self,
        name: LayerName,
        to: HostName,
        wait: Duration,
    ) -> Result<HandedOffDisk, HostError> {
        let this = self.clone();
        see_through(async move {
            let pause = this.inner.engine.hand_off_disk(name.clone(), to.clone(), wait).await?;
            this.gave_away(name.as_str()).await;
            let pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
            Ok(HandedOffDisk { name: name.as_str().to_owned(), to: to.as_str().to_owned(), pause_us })
        })
        .await
    }

    /// The disk is another host's: its clients are sent away, and the next life of this host does not export it.
    async fn gave_away(&self, name: &str) {
        let exported = {
            let mut state = self.state();
            let is_exported = |disk: &super::exports::Disk| matches!(disk.standing, Standing::Exported(_));
            // Whoever is about to detach it sees to the rest.
            match state.disks.get(name).is_some_and(is_exported) {
                true => state.disks.remove(name),
                false => None,
            }
        };
        let Some(Standing::Exported(exported)) = exported.map(|disk| disk.standing) else { return };
        let this = self.clone();
        let name = name.to_owned();
        tokio::spawn(async move {
            let super::exports::Exported { export, disk, door, .. } = exported;
            this.inner.doors.withdraw(&door, &name).await;
            let _ = aside(move || export.stop(FAREWELL)).await;
            this.inner.doors.leave(&door).await;
            drop(disk);
        });
        // Where it is not written the next life finds in the record that the disk is another host's.
        let _ = self.keep_list().await;
    }

    /// Takes a disk that was to come out where it will not come.
    pub(super) async fn await_arrival(self, target: DiskTarget, arrival: Arrival) {
        // The engine has told why. Nothing is to be done where it came, was detached, or the host has ended.
        if let Ok(Err(_)) = arrival.await {
            let _ = self.detach(target).await;
        }
    }
}

/// An export that is to come is of a disk, and is to be written by this host alone: what several hosts have, each attaches by itself.
pub(super) fn may_come(target: &DiskTarget, wanted: &Wanted) -> Result<(), HostError> {
    if target.snapshot.is_none() && !wanted.read_only && !wanted.shared {
        return Ok(());
    }
    let reason = "a disk that comes from another host is attached to be written by this one alone; what is read or shared needs no handoff";
    Err(HostError::BadRequest { reason: reason.to_owned() })
}
