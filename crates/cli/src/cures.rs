//! The cures of what a check finds: one for each code, for people. docs/ERRORS.md is held to them by a test.

use oarlock_engine::check::Code;

const REPAIR: &str = "`oarlock check DEVICE --repair` puts it right, beside running hosts too.";
const NEWER: &str = "Use the newer version; this one leaves the record as it is.";
const NOT_YET: &str = "No repair of it comes with this version. What the record guards cannot be used; everything else can. \
    `oarlock inspect DEVICE LBA` shows it.";
const GROW_AGAIN: &str =
    "Run `oarlock grow DEVICE` once more, when every live host beats: it gives the group its clusters.";
const BY_ITSELF: &str = "Nothing: the hosts take care of it by themselves.";

/// What to do about a finding of this code.
#[must_use]
#[allow(clippy::too_many_lines)] // A table: an entry for each code, and the compiler sees that none lacks.
pub const fn cure(code: Code) -> &'static str {
    match code {
        Code::Unreadable => {
            "Look at the device and at the kernel's log: the medium lost the block. Copy what can be read, and replace the device."
        }
        Code::InFlux => "Find out who writes to the device beside Oarlock, and stop it; then check again.",
        Code::Gap => "Nothing. If such blocks become more, find out who writes to the device beside Oarlock.",
        Code::FirstSpoiled | Code::ShadowSpoiled | Code::ShadowBehind | Code::ShadowAhead => REPAIR,
        Code::ShadowDiffers => {
            "`oarlock check DEVICE --repair` writes the shadow anew from the first copy, which is the truth. Find out what wrote two: a copy may have been laid over a part of the device."
        }
        Code::ShadowNewer | Code::SlotNewer | Code::MailboxNewer | Code::LockNewer | Code::DisksNewer => {
            NEWER
        }
        Code::Overwritten => {
            "Find out who wrote there. If the device is the datastore's still, `oarlock check DEVICE --repair` restores the superblock from its shadow."
        }
        Code::BothSpoiled => {
            "Restore the device from a backup. No program can tell any more where its records stand."
        }
        Code::HalfFormatted => "It holds no data: format it again with `oarlock format DEVICE --force`.",
        Code::OtherDevice => {
            "Use the original; `oarlock resignature DEVICE` gives the copy a life of its own."
        }
        Code::Truncated => {
            "Give the device its length back: a plain file with `truncate -s SIZE`, a volume by its administrator. Then check again."
        }
        Code::Longer => "Nothing, or `oarlock grow DEVICE`: it takes the new space into use.",
        Code::SlotSpoiled | Code::SlotContradicts | Code::SlotOlder | Code::SlotFencer => {
            "`oarlock check DEVICE --repair` frees the slot once it is proved that nobody lives there. A host that does live there holds its I/O meanwhile: stop it, or let it run into its hold time, and repair again."
        }
        Code::SlotNamesake => {
            "Nothing, if it passes: of two, the one in the higher slot leaves. Else give one of the two hosts another name."
        }
        Code::SlotBurial | Code::LockLeftover | Code::LockHomeUnlisted => BY_ITSELF,
        Code::SlotForeignHand => {
            "The host stops by itself when it meets the image. Find out what wrote there, or whether a copy was laid over the device."
        }
        Code::SlotAsked => "Nothing: the host answers with its next beats. If it is dead, it is taken over.",
        Code::MailboxSpoiled => {
            "`oarlock check DEVICE --repair` empties it. It holds hints only; nothing is lost."
        }
        Code::MailboxHint => "Nothing: the host ignores the hint and empties the mailbox when it reads it.",
        Code::LockSpoiled => {
            "`oarlock check DEVICE --repair` makes the lock unknown, and asks the hosts that may hold it. Until then nobody can take it."
        }
        Code::LockNoSuchSlot | Code::LockAstray => {
            "`oarlock check DEVICE --repair` makes the lock unknown, and asks the hosts that may hold it."
        }
        Code::LockTwice => {
            "`oarlock check DEVICE --repair` keeps the one that is held. Find out whether two users had the lock at once: what it guards may need a look."
        }
        Code::BucketSpoiled | Code::BucketAstray => {
            "`oarlock check DEVICE --repair` makes it anew from the descriptors, beside running hosts too. Until then nobody finds the disks whose names lead there; what has them open goes on."
        }
        Code::DescriptorSpoiled => {
            "Stop all hosts, and run `oarlock check DEVICE --repair`: what its own bytes prove is restored, and one that nothing leads to is free again. Else what the finding names is lost, and is to be restored from a backup, under another name. Disks that stand on it still show what they did: export them (`oarlock disk export`). Its clusters stay marked as taken, for nothing tells whose they are; only a new datastore gives that space back."
        }
        Code::DescriptorNameSpoiled => {
            "`oarlock check DEVICE --repair` restores it where its bytes, or the hash in its descriptor, prove it. A disk whose name is lost is called `recovered-<descriptor>` from then on: look into it, and `oarlock disk rename` it."
        }
        Code::JournalSpoiled | Code::JournalOtherRing => {
            "`oarlock check DEVICE --repair` makes it anew once nobody lives in its slot: stop the host that does. What a dead host's journal owes a damaged header hides, and no takeover goes on without it; `oarlock inspect DEVICE journal N` shows the slot's."
        }
        Code::GroupSpoiled => {
            "Stop all hosts, and run `oarlock check DEVICE --repair`: it is free again, and of its clusters those of disks stay taken."
        }
        Code::BitmapSpoiled | Code::BitmapContradicts => {
            "`oarlock check DEVICE --repair` marks all of the group as taken, beside running hosts too, and gives back what no disk has (CHK-0806) once no other host lives and every map reads. Clusters beyond the group's end that are taken it leaves to `oarlock grow`."
        }
        Code::JournalRefused => {
            "Where a group's record stands in the way (CHK-0801), `oarlock check DEVICE --repair` makes that anew, and the host is taken over. No repair of anything else in the way comes with this version: what the host had cannot be used; everything else can. `oarlock inspect DEVICE LBA` shows it."
        }
        Code::GroupContradicts => NOT_YET,
        Code::BucketStray => REPAIR,
        Code::DescriptorUnlisted => {
            "`oarlock check DEVICE --repair` puts it right, beside running hosts too; where its bucket does not read (CHK-0501) it makes that anew, with all entries."
        }
        Code::DescriptorMisnamed => {
            "Where no name stands there at all, `oarlock check DEVICE --repair` gives the disk another, `recovered-<descriptor>`. `oarlock inspect DEVICE LBA` shows the descriptor and the name beside it. No host finds the disk; what it holds stays as it is. Of two disks that exchanged their names a backup tells which is which."
        }
        Code::DescriptorNamesake => {
            "Give one of them another name: `oarlock disk rename` takes the one that the directory leads to first."
        }
        Code::DescriptorHalfDone | Code::LayerLeftover => {
            "Nothing: the next host that comes by finishes it. `oarlock check DEVICE --repair` does so now."
        }
        Code::SnapshotOrphan => {
            "No host finds it by a name any more; what it holds stays as it is. A backup may still have its disk."
        }
        Code::ParentMissing | Code::ParentRing => {
            "Export what the disk still shows (`oarlock disk export`), compare it with a backup, and delete the disk."
        }
        Code::BitmapLeaks => {
            "`oarlock check DEVICE --repair` gives them back, once no other host lives: what a living host has in hand nobody else can tell."
        }
        Code::BitmapMisses => {
            "`oarlock check DEVICE --repair` marks them as taken, at once: until then a host may give them to another disk. Then check again: a cluster that has been given away is owned twice."
        }
        Code::MapSpoiled | Code::MapContradicts | Code::MapBeyond => {
            "Export what the disk still shows (`oarlock disk export`), restore the rest from a backup, and delete the disk. `oarlock inspect DEVICE LBA` shows the page."
        }
        Code::ClusterTwice => {
            "Stop the guests of these disks. Export each of them (`oarlock disk export`), compare the places that are named with a backup, delete the disks, import what is good, and run `oarlock check DEVICE --repair`."
        }
        Code::ClusterForeign => {
            "Stop the guests of this disk. Export it (`oarlock disk export`), compare the places that are named with a backup, delete it, and import what is good."
        }
        Code::GroupUnopened => GROW_AGAIN,
        Code::LockUnlisted => REPAIR,
        Code::LockUnknown => {
            "Nothing, while its possible holders live: they answer within a few beats. `oarlock check DEVICE --repair` asks them again."
        }
    }
}
