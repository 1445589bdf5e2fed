//! The exports of a running host: disks that its engine holds, each behind a door; and the list of them for the next life.
//!
//! ```text
//!   attach:   Changing --> door, engine's attach, export, offer --> Exported --> list
//!   detach:   list --> Changing --> withdrawn, drained, engine's detach --> gone     (or Stranded: the engine has it still)
//!   handoff:  see handoff.rs
//!   restart:  Awaited --> Returning --> Exported        again and again, unless the disk is gone or another host's
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use oarlock_causes::Action;
use oarlock_engine::DiskError;
use oarlock_format::{DiskTarget, LayerName};

use super::doors::Doors;
use super::handoff::may_come;
use super::list::{ExportList, Wanted};
use super::request::{Coming, HeldDisk, Share};
use crate::api::{AttachDiskRequest, AttachedDisk};
use crate::error::HostError;
use crate::export::{Export, ExportOptions, Place};
use crate::request::Engine;

/// Exports of one host, those of its last life that are awaited included: each has a thread, a ring and its memory.
pub(super) const EXPORTS_MAX: usize = 1024;

/// A detach lets clients have their answers for so long; then it cuts them off.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// A verb waits so long for another of the same disk, and looks so often whether that has ended.
const TURN_LIMIT: Duration = Duration::from_secs(5);
const TURN_LOOK: Duration = Duration::from_millis(20);

/// All exports of one host. Clones mean the same ones.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: Engine,
    /// The host's own socket: exports without a place of their own stand beside it.
    api: PathBuf,
    pub(super) list: ExportList,
    /// One writes the list at a time.
    writing: tokio::sync::Mutex<()>,
    pub(super) doors: Doors,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) disks: BTreeMap<String, Disk>,
    /// The host is leaving, or has ended.
    pub(super) is_over: bool,
}

pub(super) struct Disk {
    /// What the next life is to export; `None` where somebody has taken that back.
    pub(super) wanted: Option<Wanted>,
    pub(super) standing: Standing,
}

pub(super) enum Standing {
    /// The last life exported it, and this one does not yet.
    Awaited,
    /// It is being tried.
    Returning,
    /// Somebody asked for it to be attached or detached.
    Changing,
    Exported(Exported),
    /// It has no export any more, but the engine could not give it up.
    Stranded(HeldDisk),
}

/// An export, and what it stands on.
pub(super) struct Exported {
    pub(super) export: Export,
    pub(super) disk: HeldDisk,
    pub(super) door: String,
    uri: String,
}

/// Who is at work on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Awaiting,
    Returning,
    Asked,
}

impl Claim {
    fn coming(self) -> Coming {
        match self {
            Claim::Awaiting | Claim::Returning => Coming::Back,
            Claim::Asked => Coming::New,
        }
    }

    /// Whether the disk stands as he left it.
    pub(super) fn is_on(self, standing: &Standing) -> bool {
        match self {
            Claim::Awaiting => matches!(standing, Standing::Awaited),
            Claim::Returning => matches!(standing, Standing::Returning),
            Claim::Asked => matches!(standing, Standing::Changing),
        }
    }
}

impl Exports {
    pub(crate) fn new(engine: Engine, api: &Path, list: ExportList) -> Exports {
        let inner = Inner {
            engine,
            api: api.to_owned(),
            list,
            writing: tokio::sync::Mutex::default(),
            doors: Doors::default(),
            state: Mutex::default(),
        };
        Exports { inner: Arc::new(inner) }
    }

    /// Attaches a disk or snapshot, and exports it. It is seen through even where the future is dropped.
    pub(crate) async fn attach(
        &self,
        target: DiskTarget,
        request: AttachDiskRequest,
    ) -> Result<AttachedDisk, HostError> {
        let is_incoming = request.incoming;
        let wanted = self.wanted(&target, request)?;
        if is_incoming {
            may_come(&target, &wanted)?;
        }
        let this = self.clone();
        see_through(async move {
            this.in_turn(|| this.reserve(&wanted.name)).await?;
            let name = wanted.name.clone();
            let attached = this.bring_up(&target, wanted, (Claim::Asked, is_incoming)).await;
            if attached.is_err() {
                this.state().disks.remove(&name);
            }
            match (attached, this.keep_list().await) {
                (Ok(_), Err(error)) => {
                    // The next life would not serve it, and whoever asked for it would find that out then.
                    let _ = this.detach_now(&target).await;
                    Err(error)
                }
                (attached, _) => attached,
            }
        })
        .await
    }

    /// Ends an export, and gives the disk up. It is seen through even where the future is dropped.
    pub(crate) async fn detach(&self, target: DiskTarget) -> Result<(), HostError> {
        let this = self.clone();
        see_through(async move { this.detach_now(&target).await }).await
    }

    /// Where disks and snapshots are served: their names, with the URI of each.
    pub(crate) fn uris(&self) -> Vec<(String, String)> {
        let state = self.state();
        let exported = |(name, disk): (&String, &Disk)| match &disk.standing {
            Standing::Exported(exported) => Some((name.clone(), exported.uri.clone())),
            _ => None,
        };
        state.disks.iter().filter_map(exported).collect()
    }

    /// Ends all exports before the host leaves, and gives their disks up, `within` that time; the list stays as it is.
    pub(crate) async fn leave(&self, within: Duration) {
        let exported = self.take_all();
        self.inner.doors.close_all().await;
        // Half of the time is for the answers of the exports, half for bringing the disks home.
        let drain = (within / 2).min(DRAIN_LIMIT);
        let ends = exported.into_iter().map(async |(disk, export)| {
            if let Some(export) = export {
                let _ = aside(move || export.stop(drain)).await;
            }
            // Where it fails the host leaves late, and says why.
            let _ = disk.detach().await;
        });
        let _ = tokio::time::timeout(within, join_all(ends)).await;
    }

    /// The host has ended: all clients are cut off.
    pub(crate) async fn end(&self) {
        drop(self.take_all());
        self.inner.doors.close_all().await;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self) -> Vec<(HeldDisk, Option<Export>)> {
        let mut state = self.state();
        state.is_over = true;
        let taken = state.disks.values_mut().map(|disk| {
            match std::mem::replace(&mut disk.standing, Standing::Changing) {
                Standing::Exported(Exported { export, disk, .. }) => Some((disk, Some(export))),
                Standing::Stranded(disk) => Some((disk, None)),
                Standing::Awaited | Standing::Returning | Standing::Changing => None,
            }
        });
        taken.flatten().collect()
    }

    fn wanted(&self, target: &DiskTarget, request: AttachDiskRequest) -> Result<Wanted, HostError> {
        let AttachDiskRequest { nbd, read_only, shared, tls, incoming: _ } = request;
        if read_only && shared {
            let reason = "a disk is attached to be read, or to be written by several: not both".to_owned();
            return Err(HostError::BadRequest { reason });
        }
        let place = match nbd {
            Some(text) => text.parse()?,
            None => Place::Unix(beside(&self.inner.api, tls.is_some())),
        };
        let tls = tls.map(PathBuf::from);
        let socket = match &place {
            Place::Unix(path) => Some(path),
            Place::Tcp(_) => None,
        };
        // The host has another current folder than whoever asks it.
        if let Some(path) = socket.into_iter().chain(&tls).find(|path| path.is_relative()) {
            let reason = format!("{} is no absolute path", path.display());
            return Err(HostError::BadRequest { reason });
        }
        Ok(Wanted { name: target.to_string(), layer: None, place: place.to_string(), read_only, shared, tls })
    }

    /// Takes a disk as soon as nobody else is at work on it, the bringing back of what the last life exported among them.
    async fn in_turn<T>(&self, take: impl Fn() -> Result<T, HostError>) -> Result<T, HostError> {
        let until = Instant::now() + TURN_LIMIT;
        loop {
            match take() {
                Err(HostError::Disk(DiskError::TurnTaken { .. })) if Instant::now() < until => {
                    tokio::time::sleep(TURN_LOOK).await;
                }
                taken => return taken,
            }
        }
    }

    /// Keeps everybody else from the name, until it is exported or taken out again.
    fn reserve(&self, name: &str) -> Result<(), HostError> {
        let mut state = self.state();
        if state.is_over {
            return Err(self.inner.engine.gone());
        }
        let is_awaited = match state.disks.get(name).map(|disk| &disk.standing) {
            None => false,
            // Whoever asks for it now knows better than the last life.
            Some(Standing::Awaited) => true,
            Some(Standing::Returning | Standing::Changing) => {
                return Err(DiskError::TurnTaken { name: layer_name(name)? }.into());
            }
            Some(Standing::Exported(_) | Standing::Stranded(_)) => {
                return Err(DiskError::AttachedHere { name: name.to_owned() }.into());
            }
        };
        if !is_awaited && state.disks.len() >= EXPORTS_MAX {
            return Err(HostError::TooMany { what: "exports", limit: EXPORTS_MAX });
        }
        state.disks.insert(name.to_owned(), Disk { wanted: None, standing: Standing::Changing });
        Ok(())
    }

    /// Opens the door, attaches the disk and exports it; its name is claimed.
    pub(super) async fn bring_up(
        &self,
        target: &DiskTarget,
        wanted: Wanted,
        (claim, is_incoming): (Claim, bool),
    ) -> Result<AttachedDisk, HostError> {
        let doors = &self.inner.doors;
        let place: Place = wanted.place.parse()?;
        // First, for it costs nothing where it fails.
        let door = doors.enter(&place, wanted.tls.as_deref()).await?;
        let exported = async {
            let engine = &self.inner.engine;
            let (disk, arrival) = match is_incoming {
                false => (engine.attach_disk(target.clone(), share_of(&wanted), claim.coming()).await?, None),
                true => {
                    let (disk, arrival) = engine.receive_disk(target.disk.clone()).await?;
                    (disk, Some(arrival))
                }
            };
            if wanted.layer.is_some_and(|layer| layer != number_of(&disk)) {
                let _ = disk.detach().await;
                return Err(DiskError::Unknown { name: target.disk.clone() }.into());
            }
            match self.export(&wanted.name, &door, &disk).await {
                Ok((export, uri)) => Ok((export, disk, uri, arrival)),
                Err(error) => {
                    let _ = disk.detach().await;
                    Err(error)
                }
            }
        };
        let (export, disk, uri, arrival) = match exported.await {
            Ok(exported) => exported,
            Err(error) => {
                doors.leave(&door).await;
                return Err(error);
            }
        };
        // The port that was got is the one to come back at.
        let wanted = Wanted { place: door.clone(), layer: Some(number_of(&disk)), ..wanted };
        let attached = AttachedDisk { name: wanted.name.clone(), uri: uri.clone() };
        let exported = Exported { export, disk, door, uri };
        // One that is to come is on the list, too: this host may be killed in the moment in which it came. Where it did not, its record
        // says so to whoever comes back to it.
        match self.stand(&wanted, exported, claim) {
            Ok(()) => {
                if let Some(arrival) = arrival {
                    tokio::spawn(self.clone().await_arrival(target.clone(), arrival));
                }
                Ok(attached)
            }
            Err(exported) => {
                let Exported { export, disk, door, .. } = *exported;
                doors.withdraw(&door, export.name()).await;
                drop(export);
                let _ = disk.detach().await;
                doors.leave(&door).await;
                Err(HostError::NotAttached { name: target.to_string() })
            }
        }
    }

    async fn export(&self, name: &str, door: &str, disk: &HeldDisk) -> Result<(Export, String), HostError> {
        let options = ExportOptions {
            name: name.to_owned(),
            description: String::new(),
            read_only: disk.is_read_only,
            path: Arc::clone(&disk.path),
            device: disk.device.clone(),
            clock: disk.clock.clone(),
            hold: disk.hold,
        };
        let export = aside(|| Export::start(options)).await??;
        let uri = self.inner.doors.offer(door, &export).await?;
        Ok((export, uri))
    }

    /// It is exported from now on; given back where the host is leaving, or nobody wants it any more.
    fn stand(&self, wanted: &Wanted, exported: Exported, claim: Claim) -> Result<(), Box<Exported>> {
        let mut state = self.state();
        let is_over = state.is_over;
        let disk = state.disks.get_mut(&wanted.name);
        match disk.filter(|disk| !is_over && claim.is_on(&disk.standing)) {
            Some(disk) => {
                *disk = Disk { wanted: Some(wanted.clone()), standing: Standing::Exported(exported) };
                Ok(())
            }
            None => Err(Box::new(exported)),
        }
    }

    async fn detach_now(&self, target: &DiskTarget) -> Result<(), HostError> {
        let name = target.to_string();
        let Some(standing) = self.in_turn(|| self.take_for_detach(&name)).await? else {
            return self.keep_list().await;
        };
        // Whatever happens from here on, nobody wants it exported any more. Where that cannot be written down it is detached all the same.
        let kept = self.keep_list().await;
        let disk = match standing {
            Standing::Exported(Exported { export, disk, door, .. }) => {
                self.inner.doors.withdraw(&door, &name).await;
                if disk.is_awaited() {
                    // What its clients asked waits for the disk, which does not come.
                    let _ = disk.detach().await;
                }
                let _ = aside(move || export.stop(DRAIN_LIMIT)).await;
                self.inner.doors.leave(&door).await;
                disk
            }
            Standing::Stranded(disk) => disk,
            Standing::Awaited | Standing::Returning | Standing::Changing => return Ok(()),
        };
        let detached = disk.detach().await;
        let mut state = self.state();
        match detached {
            Ok(()) => drop(state.disks.remove(&name)),
            Err(_) => {
                state.disks.insert(name, Disk { wanted: None, standing: Standing::Stranded(disk) });
            }
        }
        detached.and(kept)
    }

    /// What is to be detached; nothing where it was only awaited, and is not any more.
    fn take_for_detach(&self, name: &str) -> Result<Option<Standing>, HostError> {
        let mut state = self.state();
        let not_attached = || HostError::NotAttached { name: name.to_owned() };
        let disk = state.disks.get_mut(name).ok_or_else(not_attached)?;
        match disk.standing {
            Standing::Changing => Err(DiskError::TurnTaken { name: layer_name(name)? }.into()),
            // Whoever is trying it finds that nobody wants it any more.
            Standing::Awaited | Standing::Returning => {
                state.disks.remove(name);
                Ok(None)
            }
            Standing::Exported(_) | Standing::Stranded(_) => {
                disk.wanted = None;
                Ok(Some(std::mem::replace(&mut disk.standing, Standing::Changing)))
            }
        }
    }

    /// Writes the list as it is now. Where it cannot be written, the next life exports something else: that is told.
    /// Writes the list for the next life.
    pub(super) async fn keep_list(&self) -> Result<(), HostError> {
        let _turn = self.inner.writing.lock().await;
        let wanted: Vec<Wanted> =
            self.state().disks.values().filter_map(|disk| disk.wanted.clone()).collect();
        let list = self.inner.list.clone();
        let written = aside(move || list.write(&wanted.iter().collect::<Vec<_>>())).await;
        let written = written.and_then(|written| written);
        if let Err(error) = &written {
            let detail = format!("a restart would export what was exported before: {error}");
            self.inner.engine.note(Action::Lost, detail);
        }
        written
    }
}

/// The place of exports that have none of their own: `HOST.nbd` beside `HOST.sock`; with TLS, `HOST.nbds`.
fn beside(api: &Path, is_secured: bool) -> PathBuf {
    let ending = if is_secured { ".nbds" } else { ".nbd" };
    let text = api.as_os_str().to_string_lossy();
    match text.strip_suffix(".sock") {
        Some(stem) => PathBuf::from(format!("{stem}{ending}")),
        None => {
            let mut path = api.as_os_str().to_owned();
            path.push(ending);
            path.into()
        }
    }
}

/// Who else may have the disk.
fn share_of(wanted: &Wanted) -> Share {
    match (wanted.read_only, wanted.shared) {
        (true, _) => Share::Readers,
        (false, true) => Share::Writers,
        (false, false) => Share::Nobody,
    }
}

/// Which disk it is, as the list has it.
pub(super) fn number_of(disk: &HeldDisk) -> (u32, u64) {
    (disk.id.descriptor.0, disk.id.uid.0)
}

/// The disk's part of a name, as errors have it.
fn layer_name(name: &str) -> Result<LayerName, HostError> {
    let target = DiskTarget::new(name);
    target.map(|target| target.disk).map_err(|reason| HostError::Name { text: name.to_owned(), reason })
}

/// Works on although whoever asked goes away.
pub(super) async fn see_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, HostError>> + Send + 'static,
) -> Result<T, HostError> {
    tokio::spawn(work).await.unwrap_or(Err(HostError::EngineGone))
}

/// Does on a thread of its own what may wait for others.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HostError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_without_a_place_stand_beside_the_host_s_socket() {
        let at = |api: &str, is_secured| beside(Path::new(api), is_secured);
        assert_eq!(at("/run/oarlock/store/a.sock", false), Path::new("/run/oarlock/store/a.nbd"));
        assert_eq!(at("/run/oarlock/store/a.sock", true), Path::new("/run/oarlock/store/a.nbds"));
        assert_eq!(at("/tmp/api", false), Path::new("/tmp/api.nbd"));
    }
}
