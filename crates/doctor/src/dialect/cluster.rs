//! Lock managers and cluster stacks on Linux: sanlock, wdmd, lvmlockd, corosync, pacemaker.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::ClusterStep::{
    BadRecord, Busy, Fenced, Healthy, HeldElsewhere, LeaseLost, MemberLost, OtherOwner, OtherRecord, Paused,
    RenewalFailed, RenewalLate, StrangeRecord, Watchdog,
};
use crate::fact::Notice::{HostIdTaken, NoLockspace};

pub const BOOK: PhraseBook = PhraseBook { name: "lock managers and cluster stacks", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // sanlock
    // -202 is a time-out (sanlock, src/sanlock_rv.h: SANLK_AIO_TIMEOUT); any other is an error, as -5: EIO.
    beside("renewal error -202 ", &["delta_length"], Means::Cluster(RenewalLate)),
    beside("renewal error", &["delta_length"], Means::Cluster(RenewalFailed)),
    phrase("delta_renew read rv -202 ", Means::Cluster(RenewalLate)),
    phrase("delta_renew read rv", Means::Cluster(RenewalFailed)),
    phrase("delta_renew read timeout", Means::Cluster(RenewalLate)),
    // Another host stands in this host's record; or what was written is not what is read: the lease is gone either way.
    phrase("delta_renew not owner", Means::Cluster(OtherOwner)),
    phrase("delta_renew reread mismatch", Means::Cluster(LeaseLost)),
    phrase("delta_renew long write", Means::Cluster(RenewalLate)),
    phrase("delta_renew timeout", Means::Cluster(RenewalLate)),
    // A read of a lease on the disk that had no answer within sanlock's own time (src/diskio.c, src/paxos_lease.c).
    beside(" aio timeout ", &["ioto", "to_count"], Means::Cluster(RenewalLate)),
    beside("dblock read", &["error -202"], Means::Cluster(RenewalLate)),
    phrase("renewed lv", Means::Cluster(Healthy)),
    beside(" renewed ", &["delta_length"], Means::Cluster(Healthy)),
    beside("wdmd", &["/dev/watchdog", "reopen"], Means::Cluster(Healthy)),
    beside("check_our_lease", &["warning"], Means::Cluster(RenewalLate)),
    beside("check_our_lease", &["failed"], Means::Cluster(LeaseLost)),
    phrase("all pids clear", Means::Cluster(LeaseLost)),
    phrase("killing pid", Means::Cluster(LeaseLost)),
    beside("kill ", &["sig 15", "count"], Means::Cluster(LeaseLost)),
    // Who watches its own record and sees another renew it has a number that two hosts have (src/delta_lease.c; SANLK_HOSTID_BUSY is -262).
    beside("delta_acquire host_id", &[" busy"], Means::Notice(HostIdTaken)),
    phrase("add_lockspace fail result -262", Means::Notice(HostIdTaken)),
    phrase("paxos_acquire", Means::Cluster(Healthy)),
    phrase("acquire_disk rv 1", Means::Cluster(Healthy)),
    beside(" ballot ", &["phase"], Means::Cluster(Healthy)),
    beside(" ballot ", &["abort"], Means::Cluster(Busy)),
    phrase("commit self owner", Means::Cluster(Healthy)),
    beside("cmd_acquire", &["-243"], Means::Cluster(Busy)),
    phrase("cmd_acquire", Means::Cluster(Healthy)),
    phrase("cmd_inquire", Means::Cluster(Healthy)),
    phrase("cmd_register", Means::Cluster(Healthy)),
    phrase("cmd_restrict", Means::Cluster(Healthy)),
    // What a host finds where its own record was, between two renewals, was put there by somebody (sanlock, src/lockspace.c:
    // corrupt_result).
    phrase("check_our_lease corrupt", Means::Cluster(BadRecord)),
    phrase("delta_renew verify_leader error", Means::Cluster(BadRecord)),
    // Otherwise a record with one of sanlock's own numbers (src/leader.h, src/rindex_disk.h), with none, or with another name, version,
    // size of sector or number of hosts is whole, and asked for wrongly.
    phrase("wrong magic 0 ", Means::Cluster(OtherRecord)),
    phrase("wrong magic 6152010 ", Means::Cluster(OtherRecord)),
    phrase("wrong magic 11282016 ", Means::Cluster(OtherRecord)),
    phrase("wrong magic 12212010 ", Means::Cluster(OtherRecord)),
    phrase("wrong magic 8292011 ", Means::Cluster(OtherRecord)),
    phrase("wrong magic 1042018 ", Means::Cluster(OtherRecord)),
    beside("verify_leader", &["wrong magic"], Means::Cluster(StrangeRecord)),
    phrase("leader wrong magic", Means::Cluster(StrangeRecord)),
    beside("verify_leader", &["wrong checksum"], Means::Cluster(BadRecord)),
    phrase("verify_leader", Means::Cluster(OtherRecord)),
    phrase("verify_dblock wrong checksum", Means::Cluster(BadRecord)),
    beside("wrong checksum", &["sanlock"], Means::Cluster(BadRecord)),
    // The cluster of OCFS2 (fs/ocfs2/cluster/heartbeat.c, quorum.c)
    phrase("Heartbeat write timeout to device", Means::Cluster(RenewalLate)),
    phrase("very sorry to be fencing this system", Means::Cluster(Watchdog)),
    beside("fencing this node because", &["o2quo"], Means::Cluster(Watchdog)),
    // A processor that corrects its memory's errors all the time runs nothing else.
    beside("MCA: ", &["Memory Controller"], Means::Cluster(Paused)),
    // pacemaker's controller, of its own host.
    phrase("allegedly just fenced", Means::Cluster(Fenced)),
    phrase("o2dlm has evicted", Means::Cluster(MemberLost)),
    // cman's fence daemon (fence/fenced/recover.c), and DRBD's question to the cluster (drbd_nl.c)
    beside(" fenced[", &["fence ", " failed"], Means::FenceFailed),
    beside(" fenced[", &["fence ", " success"], Means::Fence),
    beside(" fenced[", &["fencing node "], Means::FencePlanned),
    phrase(" fenced[", Means::Nothing),
    phrase("fence-peer helper broken", Means::FenceFailed),
    // wdmd
    // So many seconds are left until the watchdog fires; it may still be renewed.
    phrase("test failed rem 0 ", Means::Cluster(Watchdog)),
    phrase("test failed rem", Means::Cluster(RenewalLate)),
    // Every daemon that feeds a watchdog of its own says so of it when it stops.
    beside("watchdog closed unclean", &["wdmd"], Means::Cluster(Watchdog)),
    beside("wdmd", &["close unclean"], Means::Cluster(Watchdog)),
    // lvmlockd
    beside("lvmlockd", &["sanlock", "renewal"], Means::Cluster(RenewalLate)),
    beside("lvmlockd", &["lockspace", "lost"], Means::Cluster(LeaseLost)),
    // ENOLS, 210: no such lock space (lvm2, lib/locking/lvmlockd.h).
    phrase("lock failed: error -210", Means::Notice(NoLockspace)),
    // LVM's commands, by lvmlockd's answers (lib/locking/lvmlockd.c)
    beside("for sanlock leases", &["lock"], Means::Cluster(RenewalFailed)),
    beside("lock failed: ", &["held by other host"], Means::Cluster(HeldElsewhere)),
    beside("lock skipped: ", &["held by other host"], Means::Cluster(HeldElsewhere)),
    phrase("Immediately deactivate LVs in VG", Means::Cluster(LeaseLost)),
    phrase("Lost access to sanlock lease storage", Means::Cluster(RenewalFailed)),
    phrase("LV locked by other host", Means::Cluster(HeldElsewhere)),
    phrase("lock failed: held by other host", Means::Cluster(HeldElsewhere)),
    // corosync and pacemaker
    phrase("A processor failed, forming new configuration", Means::Cluster(MemberLost)),
    phrase("Process pause detected", Means::Cluster(Paused)),
    phrase("was not scheduled for", Means::Cluster(Paused)),
    // To let a host in (`on`) and to ask how it is are no fences (pacemaker, daemons/fenced/fenced_remote.c).
    phrase("Operation 'on'", Means::Nothing),
    phrase("Operation on of ", Means::Nothing),
    phrase("Operation 'monitor'", Means::Nothing),
    phrase("Operation 'status'", Means::Nothing),
    phrase("Operation 'list'", Means::Nothing),
    phrase("Operation 'metadata'", Means::Nothing),
    phrase("Requesting fencing (on)", Means::Nothing),
    phrase("Requesting peer fencing (on)", Means::Nothing),
    // A person says that the host is down, by `stonith_admin --confirm` or `pcs stonith confirm`: no machine saw it.
    beside("Operation '", &["by a human"], Means::FencePlanned),
    beside("Operation reboot of ", &["by a human"], Means::FencePlanned),
    beside("Operation off of ", &["by a human"], Means::FencePlanned),
    beside("was terminated (", &["by a human"], Means::FencePlanned),
    phrase("eceived manual confirmation that", Means::FencePlanned),
    beside("Operation", &["fencing", "succeeded"], Means::Fence),
    // Managers of virtual machines write of operations too; the cluster's own says who fences, or who asked: `for stonith-api.1@ha-1.0f2c: OK`.
    beside("Operation '", &[" targeting ", "OK", "fenc"], Means::Fence),
    beside("Operation '", &[" targeting ", "OK", "stonith"], Means::Fence),
    beside("Operation '", &[" targeting ", " for ", "@", "OK"], Means::Fence),
    beside("Operation '", &[" targeting ", "returned 0", "fenc"], Means::Fence),
    beside("Operation '", &[" targeting ", "returned 0", "stonith"], Means::Fence),
    beside("Operation reboot of ", &[": OK"], Means::Fence),
    beside("Operation off of ", &[": OK"], Means::Fence),
    beside("Operation '", &["for host '", "returned: 0"], Means::Fence),
    // The result of the whole operation ends with its client, and then what became of it; of one device's attempt it does not.
    beside("Operation '", &[" targeting ", " for ", "@"], Means::FenceFailed),
    beside("Operation reboot of ", &[" for ", "@"], Means::FenceFailed),
    beside("Operation off of ", &[" for ", "@"], Means::FenceFailed),
    beside("Operation '", &["for host '", "returned: -"], Means::FenceFailed),
    beside("tonith operation ", &[" failed ("], Means::FenceFailed),
    // Without a quorum nobody is fenced: whoever is gone may still write.
    phrase("Cannot fence unclean nodes until", Means::FenceFailed),
    phrase("Couldn't find anyone to fence", Means::FenceFailed),
    beside("was not terminated (", &["eer "], Means::FenceFailed),
    phrase("will be fenced", Means::FencePlanned),
    beside("Scheduling node ", &["fencing"], Means::FencePlanned),
    beside("Scheduling Node ", &["STONITH"], Means::FencePlanned),
    phrase("Requesting fencing (", Means::FencePlanned),
    phrase("Requesting peer fencing (", Means::FencePlanned),
    phrase("was fenced (reboot)", Means::Fence),
    phrase("was fenced (off)", Means::Fence),
    // Areas are fenced, and sessions terminated, in other programs.
    beside("was fenced by", &["Node "], Means::Fence),
    beside("was fenced by", &["Host "], Means::Fence),
    beside("was fenced by", &["eer "], Means::Fence),
    beside("was terminated (reboot)", &["eer ", " by "], Means::Fence),
    beside("was terminated (off)", &["eer ", " by "], Means::Fence),
    // CloudStack's agent writes a heartbeat into a file of each storage pool, and restarts the host where it cannot (kvmheartbeat.sh).
    beside("KVMHAMonitor", &["not reboot"], Means::Cluster(RenewalFailed)),
    beside("KVMHAMonitor", &["eboot the host"], Means::Cluster(Watchdog)),
    beside("KVMHAMonitor", &["rite heartbeat", "ailed", "imeout"], Means::Cluster(RenewalLate)),
    beside("KVMHAMonitor", &["rite heartbeat", "ailed"], Means::Cluster(RenewalFailed)),
    beside("kvmheartbeat.sh", &["unable to write the heartbeat"], Means::Cluster(Watchdog)),
    beside("kvmheartbeat.sh", &["encountered the error"], Means::Cluster(RenewalFailed)),
    // Proxmox's manager of high availability: its watchdog, its local manager, its cluster's.
    beside("client watchdog expired", &["watchdog-mux"], Means::Cluster(Watchdog)),
    beside("loop take too long", &["pve-ha-"], Means::Nothing),
    beside("lost lock '", &["pve-ha-lrm"], Means::Cluster(LeaseLost)),
    beside("=> 'fence'", &["pve-ha-crm"], Means::FencePlanned),
    beside("fencing: acknowledged", &["pve-ha-crm"], Means::Fence),
    // An order in the host's slot on the shared disk, written by another: these three end the host, the others do nothing to it (src/sbd-md.c).
    beside("sbd", &["Received command reset from"], Means::Fence),
    beside("sbd", &["Received command off from"], Means::Fence),
    beside("sbd", &["Received command crashdump from"], Means::Fence),
    beside("sbd", &["Received command "], Means::Nothing),
    // Servants of a cluster and of its resource manager watch no disk.
    beside("sbd", &["Servant cluster", "outdated"], Means::Cluster(MemberLost)),
    beside("sbd", &["Servant pcmk", "outdated"], Means::Cluster(MemberLost)),
    beside("sbd", &["Servant", "outdated"], Means::Cluster(RenewalLate)),
    // The inquisitor over all servants names none: which one is silent, and whether a disk is behind it, another line says.
    beside("sbd", &["Latency: No liveness for"], Means::Cluster(MemberLost)),
    // sbd 1.3 wrote `exceeded threshold`, later ones `exceeds watchdog warning timeout` (src/sbd-inquisitor.c).
    beside("sbd", &["Latency:", "exceed"], Means::Cluster(RenewalLate)),
    beside("sbd", &["Unable to read header"], Means::Cluster(RenewalFailed)),
    beside("sbd", &["Rebooting system"], Means::Cluster(Watchdog)),
];
