//! This machine: lines in which a gatherer states what it read of disks, ports and paths (see `machine_line.rs`).

use super::{Dialect, Reading};
use crate::fact::{Component, FabricEvent, Kind, Part, PathEvent, Queue, Setting};
use crate::ledger::{Draft, Ledger};
use crate::machine_line::{self, MARK};
use crate::record::Record;

/// So many new errors of a link in the moment between two looks are no old story.
const ERRORS_MIN: f64 = 4.0;
/// States of a SCSI device or a path in which it takes no commands.
const GONE: [&str; 8] =
    ["offline", "transport-offline", "blocked", "failed", "faulty", "down", "timeout", "deleted"];

/// The lines of a gatherer.
#[derive(Debug)]
pub struct Machine;

impl Dialect for Machine {
    fn name(&self) -> &'static str {
        "this machine"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![MARK]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let Some(setting) = machine_line::read(record.line) else { return Reading::Stranger };
        let about = |kind: Kind| {
            let name = Some(&*setting.name);
            let hctl = setting.text("hctl");
            match setting.part {
                Part::Disk | Part::Load | Part::Path | Part::Map => {
                    Draft { device: name, path: hctl, ..Draft::of(kind) }
                }
                Part::Port | Part::Nvme => Draft { path: name, ..Draft::of(kind) },
                Part::Driver => Draft::of(kind),
            }
        };
        for kind in meanings(&setting) {
            ledger.note(record, about(kind));
        }
        ledger.note(record, about(Kind::Setting(Box::new(setting.clone()))));
        Reading::UNDERSTOOD
    }
}

/// Whether a state of a device or a path says that it takes no commands.
pub fn is_gone(state: &str) -> bool {
    GONE.contains(&state)
}

/// What the rules make use of.
fn meanings(setting: &Setting) -> Vec<Kind> {
    let gone = |key: &str| setting.text(key).is_some_and(is_gone);
    match setting.part {
        Part::Disk => {
            let mut kinds: Vec<Kind> = product(setting).map(Kind::Version).into_iter().collect();
            if gone("state") {
                kinds.push(Kind::Path(PathEvent::Failed));
            }
            kinds
        }
        Part::Load => sample(setting).map(|queue| Kind::Queue(Box::new(queue))).into_iter().collect(),
        Part::Port => port(setting),
        Part::Path if gone("dm") || gone("checker") || gone("state") => vec![Kind::Path(PathEvent::Failed)],
        Part::Map if setting.number("active") == Some(0.0) => vec![Kind::Path(PathEvent::AllDown)],
        Part::Nvme | Part::Driver => {
            let version = setting.text("version").map(|version| (setting.name.to_string(), version));
            let firmware = setting.text("firmware").zip(setting.text("model"));
            let named = version.or_else(|| {
                firmware.map(|(firmware, model)| (format!("{} firmware", model.to_lowercase()), firmware))
            });
            named.map(|(name, version)| Kind::Version(component(&name, version))).into_iter().collect()
        }
        Part::Path | Part::Map => Vec::new(),
    }
}

fn component(name: &str, version: &str) -> Component {
    // `0:14.2.0.13`: what stands before the colon counts new beginnings, and is no part of the version.
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    Component { name: name.into(), version: version.trim_start_matches(['v', 'V']).into() }
}

fn product(setting: &Setting) -> Option<Component> {
    let name = format!("{} {}", setting.text("vendor")?, setting.text("model")?).to_lowercase();
    Some(Component { name: name.into(), version: setting.text("revision").unwrap_or("").into() })
}

/// What a disk did between two looks. The kernel counts a request from when it was made, so that its time holds the wait
/// for a place in the device's queue; with more under way than the queue has places, Little's law tells the two apart.
fn sample(setting: &Setting) -> Option<Queue> {
    let await_ms = setting.number("await_ms")?;
    let under_way = setting.number("under_way")?;
    let depth = setting.number("queue_depth").filter(|depth| *depth >= 1.0);
    let inside = depth.map_or(1.0, |depth| if under_way > depth { depth / under_way } else { 1.0 });
    Some(Queue {
        device_ms: Some(await_ms * inside),
        kernel_ms: depth.map(|_| await_ms * (1.0 - inside)),
        active: Some(under_way * inside),
        queued: depth.map(|depth| (under_way - depth).max(0.0)),
        length: depth,
        ..Queue::default()
    })
}

/// A port's firmware, and what it counted between two looks.
fn port(setting: &Setting) -> Vec<Kind> {
    let grew = |names: &[&str]| -> f64 {
        let of = |name: &&str| setting.number(&format!("{name}_grew")).unwrap_or(0.0).max(0.0);
        names.iter().map(of).sum()
    };
    let mut kinds = Vec::new();
    if let (Some(driver), Some(firmware)) = (setting.text("driver"), setting.text("firmware")) {
        kinds.push(Kind::Version(component(&format!("{driver} firmware"), firmware)));
    }
    if grew(&CONGESTION) > 0.0 {
        kinds.push(Kind::Fabric(FabricEvent::Congestion));
    }
    if grew(&LINK_ERRORS) >= ERRORS_MIN {
        kinds.push(Kind::Fabric(FabricEvent::LinkIntegrity));
    }
    kinds
}

/// Counters of a port by which a link makes errors: the adapter's own, and the fabric's notices (FPIN).
pub const LINK_ERRORS: [&str; 8] = [
    "link_failure_count",
    "loss_of_sync_count",
    "loss_of_signal_count",
    "invalid_crc_count",
    "invalid_tx_word_count",
    "error_frames",
    "fpin_li",
    "fpin_dn",
];
/// Counters of a port by which the fabric is congested.
pub const CONGESTION: [&str; 3] = ["fpin_cn", "cn_sig_warn", "cn_sig_alarm"];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<Kind> {
        meanings(&machine_line::read(line).unwrap())
    }

    #[test]
    fn a_full_queue_s_time_is_told_apart_from_the_device_s() {
        let kinds = of("this-machine load sdc await_ms=8 under_way=64 queue_depth=16");
        let Some(Kind::Queue(queue)) = kinds.first() else { panic!("{kinds:?}") };
        assert_eq!((queue.device_ms, queue.kernel_ms), (Some(2.0), Some(6.0)));
        assert_eq!((queue.active, queue.queued, queue.length), (Some(16.0), Some(48.0), Some(16.0)));
        let kinds = of("this-machine load sdc await_ms=8 under_way=3 queue_depth=16");
        let Some(Kind::Queue(queue)) = kinds.first() else { panic!("{kinds:?}") };
        assert_eq!((queue.device_ms, queue.kernel_ms, queue.queued), (Some(8.0), Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_driver_s_version_begins_behind_its_epoch() {
        let kinds = of("this-machine driver lpfc version=0:14.2.0.13");
        assert_eq!(kinds, [Kind::Version(Component { name: "lpfc".into(), version: "14.2.0.13".into() })]);
    }

    #[test]
    fn only_what_a_port_counts_now_is_an_event() {
        assert_eq!(of("this-machine port host3 invalid_crc_count=900 fpin_cn=7"), []);
        let kinds =
            of("this-machine port host3 invalid_crc_count=904 invalid_crc_count_grew=4 fpin_cn_grew=1");
        assert_eq!(kinds, [Kind::Fabric(FabricEvent::Congestion), Kind::Fabric(FabricEvent::LinkIntegrity)]);
    }

    #[test]
    fn a_map_without_paths_is_down_and_a_standby_path_is_not() {
        assert_eq!(of("this-machine map mpatha paths=2 active=0"), [Kind::Path(PathEvent::AllDown)]);
        assert_eq!(of("this-machine path sdc map=mpatha dm=active checker=ghost"), []);
        assert_eq!(
            of("this-machine path sdc map=mpatha dm=failed checker=faulty"),
            [Kind::Path(PathEvent::Failed)]
        );
    }
}
