//! Namers: users who create, rename, delete and list disks on each host, all of the same few names.

use oarlock_block::{ByteCount, Clock, Random};
use oarlock_engine::{DiskError, HostState};
use oarlock_format::LayerName;

use crate::user::User;

/// Names that everybody uses: so few that most of them are somebody's, and are wanted back.
const NAMES: u64 = 3;

/// The size of every disk.
const SIZE: ByteCount = ByteCount(1 << 20);

/// Works with names of disks until the process ends; once all is settled, it only lists them.
pub async fn use_names(user: User) {
    let clock = user.life.clock();
    loop {
        let resting = user.run.world.now() >= user.run.scenario.settled();
        let pause = if resting { user.run.between(1_000, 10_000) } else { user.run.between(0, 200) };
        clock.sleep_until(clock.now().plus(pause)).await;
        let result = if resting { list(&user).await } else { act(&user).await };
        if let Err(error) = result {
            let over = matches!(user.host.status().state, HostState::Stopped(_) | HostState::Left);
            if over {
                return;
            }
            not_done(&user, &error);
        }
    }
}

fn any_name(user: &User) -> LayerName {
    match LayerName::new(&format!("d{}", user.random.below(NAMES))) {
        Ok(name) => name,
        Err(error) => panic!("a disk has no proper name: {error}"),
    }
}

/// What a user wants.
enum Wish {
    Create(LayerName),
    Delete(LayerName),
    Rename(LayerName, LayerName),
    List,
}

/// What a user wants next: mostly what has to do with the rename that happened last, whose end he may well meet: back, or a
/// disk of the old name. Otherwise what can be done as things are, and now and then whatever comes to mind.
fn wish(user: &User) -> Wish {
    let names = &user.run.names;
    if let Some((old, new)) = names.renamed().filter(|_| user.random.below(8) > 0) {
        return if user.random.below(4) == 0 { Wish::Create(old) } else { Wish::Rename(new, old) };
    }
    let (name, other) = (any_name(user), any_name(user));
    match user.random.below(16) {
        0 => Wish::List,
        1 => Wish::Create(name),
        2 => Wish::Delete(name),
        3 if name != other => Wish::Rename(name, other),
        _ => match (names.has(&name), names.has(&other)) {
            (true, false) => Wish::Rename(name, other),
            (false, true) => Wish::Rename(other, name),
            (false, false) => Wish::Create(name),
            (true, true) => Wish::Delete(name),
        },
    }
}

/// One operation, and what its user is told of it.
async fn act(user: &User) -> Result<(), DiskError> {
    let (run, host) = (&user.run, &user.host);
    let deadline = user.life.clock().now().plus(run.between(200, 10_000));
    let note = |text: String| run.world.note(Some(user.life.host()), &text);
    match wish(user) {
        Wish::Create(name) => {
            let id = host.create_disk(&name, SIZE, deadline).await?;
            note(format!("disk {name} created as {id}"));
            run.names.told_created(run, &name, id);
        }
        Wish::Delete(name) => {
            host.delete_disk(&name, deadline).await?;
            note(format!("disk {name} deleted"));
            run.names.told_deleted(run, &name);
        }
        Wish::Rename(name, new) => {
            host.rename_disk(&name, &new, deadline).await?;
            note(format!("disk {name} renamed to {new}"));
            run.names.told_renamed(run, &name, &new);
        }
        Wish::List => list(user).await?,
    }
    Ok(())
}

async fn list(user: &User) -> Result<(), DiskError> {
    let before = user.run.names.look();
    let rows = user.host.disks().await?;
    user.run.names.told_list(&user.run, &before, &rows);
    Ok(())
}

/// Refusals are part of the work; what can only come of a record that contradicts another is not.
fn not_done(user: &User, error: &DiskError) {
    user.run.world.note(Some(user.life.host()), &format!("not done: {error}"));
    let wrong = match error {
        DiskError::Exists { .. }
        | DiskError::Unknown { .. }
        | DiskError::Busy { .. }
        | DiskError::TurnTaken { .. }
        | DiskError::InUse { .. }
        | DiskError::Lock(_)
        | DiskError::Record(_)
        | DiskError::Ended(_) => false,
        DiskError::NoDisks
        | DiskError::Size { .. }
        | DiskError::UnknownSnapshot { .. }
        | DiskError::SnapshotExists { .. }
        | DiskError::HasSnapshots { .. }
        | DiskError::Shrink { .. }
        | DiskError::AttachedHere { .. }
        | DiskError::OpenHere { .. }
        | DiskError::Changed { .. }
        | DiskError::NotForMany { .. }
        | DiskError::SharedHere { .. }
        | DiskError::NoRoom { .. }
        | DiskError::Unanswered { .. }
        | DiskError::NotAttached { .. }
        | DiskError::NotAlone { .. }
        | DiskError::NoOwner { .. }
        | DiskError::Received { .. }
        | DiskError::NoReceiver { .. }
        | DiskError::ReceiverSilent { .. }
        | DiskError::ReceiverGone { .. }
        | DiskError::NotAtRest { .. }
        | DiskError::NotHandedOver { .. }
        | DiskError::Map(_)
        | DiskError::DirectoryFull { .. }
        | DiskError::DescriptorsFull { .. }
        | DiskError::NoDescriptor { .. }
        | DiskError::NoGroup { .. }
        | DiskError::Contradiction { .. }
        | DiskError::TakenAway { .. }
        | DiskError::MovedOn { .. } => true,
    };
    if wrong {
        user.run.violation("R36", &format!("{} was told: {error}", user.life.host()));
    }
}
