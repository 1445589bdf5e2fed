//! Ports of Fibre Channel adapters: their state, their firmware, and counters that are looked at twice.

use std::collections::BTreeMap;

use oarlock_doctor::{MachineLine, Part};

use super::{Gathered, View};

const FOLDER: &str = "sys/class/fc_host";
/// Counters that matter: errors of the link, commands given up, and the fabric's own notices (FPIN).
const COUNTERS: [&str; 13] = [
    "link_failure_count",
    "loss_of_sync_count",
    "loss_of_signal_count",
    "invalid_tx_word_count",
    "invalid_crc_count",
    "error_frames",
    "fcp_packet_aborts",
    "fcp_frame_alloc_failures",
    "fpin_dn",
    "fpin_li",
    "fpin_cn",
    "cn_sig_warn",
    "cn_sig_alarm",
];

/// What each port has counted, by port and counter.
pub type Counts = BTreeMap<(String, &'static str), u64>;

/// What each port has counted so far.
pub fn counters(view: &View) -> Counts {
    let mut counts = Counts::new();
    for port in view.names(FOLDER) {
        for counter in COUNTERS {
            // All ones: the driver does not count this.
            let count = view
                .number(&format!("{FOLDER}/{port}/statistics/{counter}"))
                .filter(|&count| count != u64::MAX);
            if let Some(count) = count {
                counts.insert((port.clone(), counter), count);
            }
        }
    }
    counts
}

/// Every port, with what it counted since `before`.
pub fn gather(view: &View, before: &Counts) -> Gathered {
    let mut gathered = Gathered::default();
    let (host, now) = (view.host(), View::now_us());
    let after = counters(view);
    for port in view.names(FOLDER) {
        let value = |attribute: &str| view.value(&format!("{FOLDER}/{port}/{attribute}"));
        let mut line = MachineLine::new(now, &host, Part::Port, &port)
            .with_known("state", value("port_state"))
            .with_known("speed", value("speed"))
            .with_known("driver", view.value(&format!("sys/class/scsi_host/{port}/proc_name")))
            .with_known("firmware", value("symbolic_name").as_deref().and_then(firmware))
            .with_known("device_loss_s", value("dev_loss_tmo"));
        for counter in COUNTERS {
            let Some(&count) = after.get(&(port.clone(), counter)) else { continue };
            line = line.with(counter, count);
            // A counter that was reset meanwhile has not grown.
            let grew = before.get(&(port.clone(), counter)).map_or(0, |&before| count.saturating_sub(before));
            if grew > 0 {
                line = line.with(&format!("{counter}_grew"), grew);
            }
        }
        gathered.line(&line);
    }
    gathered
}

/// `Emulex LPe32002-M2 FV14.0.505.12 DV14.2.0.13 ...`, `QLE2742 FW:v9.08.02 DVR:v10.02`.
fn firmware(name: &str) -> Option<&str> {
    let mut words = name.split_whitespace();
    words
        .find_map(|word| word.strip_prefix("FW:").or_else(|| word.strip_prefix("FV")))
        .filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_is_found_in_what_a_port_calls_itself() {
        assert_eq!(
            firmware("Emulex LPe32002-M2 FV14.0.505.12 DV14.2.0.13 HN:h OS:Linux"),
            Some("14.0.505.12")
        );
        assert_eq!(firmware("QLE2742 FW:v9.08.02 DVR:v10.02.08.200-k"), Some("v9.08.02"));
        assert_eq!(firmware("a port"), None);
    }
}
