//! Lock managers and cluster stacks on Linux: sanlock, wdmd, lvmlockd, corosync, pacemaker.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::ClusterStep::{
    BadRecord, Busy, Fenced, Healthy, LeaseLost, MemberLost, RenewalLate, Watchdog,
};

pub const BOOK: PhraseBook = PhraseBook { name: "lock managers and cluster stacks", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // sanlock
    beside("renewal error", &["delta_length"], Means::Cluster(RenewalLate)),
    phrase("delta_renew read rv", Means::Cluster(RenewalLate)),
    phrase("delta_renew long write", Means::Cluster(RenewalLate)),
    phrase("delta_renew timeout", Means::Cluster(RenewalLate)),
    phrase("renewed lv", Means::Cluster(Healthy)),
    beside("check_our_lease", &["warning"], Means::Cluster(RenewalLate)),
    beside("check_our_lease", &["failed"], Means::Cluster(LeaseLost)),
    phrase("all pids clear", Means::Cluster(LeaseLost)),
    phrase("killing pid", Means::Cluster(LeaseLost)),
    beside("kill ", &["sig 15", "count"], Means::Cluster(LeaseLost)),
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
    phrase("verify_leader", Means::Cluster(BadRecord)),
    phrase("leader wrong magic", Means::Cluster(BadRecord)),
    phrase("wrong checksum", Means::Cluster(BadRecord)),
    // wdmd
    phrase("test failed rem", Means::Cluster(Watchdog)),
    phrase("watchdog closed unclean", Means::Cluster(Watchdog)),
    beside("wdmd", &["close unclean"], Means::Cluster(Watchdog)),
    // lvmlockd
    beside("lvmlockd", &["sanlock", "renewal"], Means::Cluster(RenewalLate)),
    beside("lvmlockd", &["lockspace", "lost"], Means::Cluster(LeaseLost)),
    // corosync and pacemaker
    phrase("A processor failed, forming new configuration", Means::Cluster(MemberLost)),
    phrase("Process pause detected", Means::Cluster(RenewalLate)),
    phrase("was not scheduled for", Means::Cluster(RenewalLate)),
    beside("Operation", &["fencing", "succeeded"], Means::Cluster(Fenced)),
    beside("Operation '", &[" targeting ", "OK"], Means::Cluster(Fenced)),
    beside("Operation '", &[" targeting ", "returned 0"], Means::Cluster(Fenced)),
    phrase("will be fenced", Means::Cluster(Fenced)),
    phrase("Scheduling Node", Means::Cluster(Fenced)),
    beside("Requesting fencing", &["node"], Means::Cluster(Fenced)),
    phrase("was fenced by", Means::Cluster(Fenced)),
    beside("sbd", &["Servant", "outdated"], Means::Cluster(RenewalLate)),
    beside("sbd", &["Latency:", "exceeded"], Means::Cluster(RenewalLate)),
];
