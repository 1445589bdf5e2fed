//! MODE SENSE and SELECT, LOG SENSE and SELECT, target port groups (SPC-5).

use std::sync::Arc;

use oarlock_block::{BlockSize, Lba};
use oarlock_device::Space;
use oarlock_scsi::{
    AccessState, AccessStatus, AdditionalSense, GeneralStatistics, LogSelect, LogSense, ModeMedium,
    ModePages, ModeSelect, ModeSense, ModeSettings, ProvisioningResources, ReportTargetPortGroups, Sense,
    SenseKey, SetTargetPortGroupsList, TargetPortGroup, TargetPortGroups, log_page, supported_log_pages,
    supported_log_subpages,
};

use super::{Reply, Work, failed};
use crate::course::{Outcome, Stop};
use crate::limits::PORTALS_MAX;
use crate::ranges::Hold;
use crate::session::PortalIndex;

/// What MODE SELECT may change.
const CHANGEABLE: ModeSettings = ModeSettings {
    write_cache: true,
    read_ahead_disabled: true,
    descriptor_sense: true,
    write_protected: true,
    task_aborted_status: true,
};

/// States that SET TARGET PORT GROUPS may bring a group to.
const STATES: [AccessState; 4] = [
    AccessState::ActiveOptimized,
    AccessState::ActiveNonOptimized,
    AccessState::Standby,
    AccessState::Unavailable,
];

/// THRESHOLD EXPONENT of the provisioning page: resources are counted in 2,048 blocks.
pub(super) const THRESHOLD_EXPONENT: u8 = 11;

impl Work {
    fn mode_pages(&self) -> ModePages {
        let geometry = self.unit.geometry();
        let state = self.unit.state.borrow();
        ModePages {
            current: state.settings,
            default: state.defaults,
            saved: Some(state.settings_after_reset()),
            // An owner who wants no write cache has the last word.
            changeable: ModeSettings { write_cache: state.defaults.write_cache, ..CHANGEABLE },
            medium: ModeMedium {
                blocks: geometry.blocks,
                block_size: geometry.block_size,
                read_only: self.unit.traits.is_read_only,
            },
        }
    }

    pub(super) fn mode_sense(&self, request: &ModeSense) -> Outcome<Reply> {
        Ok(Reply::bytes(self.mode_pages().sense(request)?, request.allocation_length))
    }

    /// Settings count for every nexus; the others are told (SPC-5, MODE SELECT). What a write cache held is durable before it is off.
    pub(super) async fn mode_select(&self, request: &ModeSelect) -> Outcome<Reply> {
        let list = self.receive_list(usize::from(request.parameter_list_length)).await?;
        if list.len() < usize::from(request.parameter_list_length) {
            return Err(Sense::parameter_list_length().into());
        }
        let select = || Ok(self.mode_pages().select(request, &list)?.settings);
        let flush = async { self.unit.flush(&self.array).await.map_err(|error| failed(&error, true)) };
        let hold = self.hold(Lba(0), self.unit.blocks(), Hold::Alone);
        let had_cache = self.unit.state.borrow().settings.write_cache;
        if self.unit.change_settings(select, hold, flush).await? {
            let code = AdditionalSense::MODE_PARAMETERS_CHANGED;
            self.unit.attend_others(Some(&self.task.session.nexus), code);
            self.tell_cache(had_cache);
        }
        if request.save {
            self.save_settings().await?;
        }
        Ok(Reply::good())
    }

    fn tell_cache(&self, had_cache: bool) {
        let has_cache = self.unit.state.borrow().settings.write_cache;
        if has_cache != had_cache {
            let (name, word) = (&self.task.session.nexus.initiator, if has_cache { "on" } else { "off" });
            self.array.log(&format!("unit {}: {name} turned the write cache {word}", self.unit.number));
            self.array.warn_all_of_caches();
        }
    }

    /// What is set outlives a reset, and the array.
    async fn save_settings(&self) -> Outcome<()> {
        let _saving = self.turn_to_save().await?;
        let before = {
            let mut state = self.unit.state.borrow_mut();
            let settings = state.settings;
            state.saved.replace(settings)
        };
        self.unit.save(&self.array.media).await.map_err(|reason| {
            self.unit.state.borrow_mut().saved = before;
            self.array.log(&format!("settings of unit {} cannot be saved: {reason}", self.unit.number));
            Stop::from(Sense::new(SenseKey::HardwareError, AdditionalSense::INTERNAL_TARGET_FAILURE))
        })
    }

    pub(super) async fn log_sense(&self, request: &LogSense) -> Outcome<Reply> {
        let mut pages = vec![(log_page::GENERAL_STATISTICS, 0)];
        if self.unit.traits.is_thin {
            pages.push((log_page::LOGICAL_BLOCK_PROVISIONING, 0));
        }
        if request.save {
            return Err(Sense::invalid_cdb(1, Some(0)).into());
        }
        let pointer = request.parameter_pointer;
        let data = match (request.page, request.subpage) {
            (log_page::SUPPORTED, 0) => supported_log_pages(&pages),
            (log_page::SUPPORTED, log_page::ALL_SUBPAGES) => supported_log_subpages(&pages),
            (log_page::GENERAL_STATISTICS, 0) => self.statistics().page().encode(pointer)?,
            (log_page::LOGICAL_BLOCK_PROVISIONING, 0) if self.unit.traits.is_thin => {
                self.resources().await?.page(true).encode(pointer)?
            }
            (page, _) => return Err(self.no_log_page(page).into()),
        };
        Ok(Reply::bytes(data, request.allocation_length))
    }

    /// The field that names a page which is not there, or a subpage of one that is.
    fn no_log_page(&self, page: u8) -> Sense {
        let is_there = match page {
            log_page::SUPPORTED | log_page::GENERAL_STATISTICS => true,
            log_page::LOGICAL_BLOCK_PROVISIONING => self.unit.traits.is_thin,
            _ => false,
        };
        if is_there { Sense::invalid_cdb(3, None) } else { Sense::invalid_cdb(2, Some(5)) }
    }

    fn statistics(&self) -> GeneralStatistics {
        self.unit.statistics.get()
    }

    /// What the file below has taken, and what its file system has left.
    async fn resources(&self) -> Outcome<ProvisioningResources> {
        let medium = Arc::clone(&self.unit.medium);
        let space = self.ask_file_system(move || medium.space()).await?;
        Ok(resources(space.ok(), self.unit.block_size()))
    }

    /// Which counters are put back to zero: those of one page, or of all where none is named.
    fn resets_statistics(&self, request: &LogSelect) -> Outcome<bool> {
        match (request.page, request.subpage) {
            (log_page::SUPPORTED | log_page::GENERAL_STATISTICS, 0 | log_page::ALL_SUBPAGES) => Ok(true),
            (log_page::LOGICAL_BLOCK_PROVISIONING, 0 | log_page::ALL_SUBPAGES)
                if self.unit.traits.is_thin =>
            {
                Ok(false)
            }
            (page, _) => Err(self.no_log_page(page).into()),
        }
    }

    /// Counters are put back to zero; none has a threshold (SPC-5, LOG SELECT).
    pub(super) async fn log_select(&self, request: &LogSelect) -> Outcome<Reply> {
        let list = self.receive_list(usize::from(request.parameter_list_length)).await?;
        if request.save {
            return Err(Sense::invalid_cdb(1, Some(0)).into());
        }
        if !list.is_empty() {
            return Err(Sense::invalid_parameter(0, Some(5)).into());
        }
        if request.reset && self.resets_statistics(request)? {
            self.unit.statistics.set(GeneralStatistics::default());
            self.unit.attend_others(Some(&self.task.session.nexus), AdditionalSense::LOG_PARAMETERS_CHANGED);
        }
        Ok(Reply::good())
    }

    /// Each portal is a group of its own.
    pub(super) fn report_target_port_groups(&self, report: ReportTargetPortGroups) -> Reply {
        let places = (0..self.array.config.portals.len()).filter_map(|place| u16::try_from(place).ok());
        let groups = places.map(|place| {
            let portal = PortalIndex(place);
            TargetPortGroup {
                group: portal.port(),
                preferred: false,
                state: self.unit.access(portal),
                supported: STATES.to_vec(),
                status: if self.unit.is_access_set(portal) {
                    AccessStatus::Explicit
                } else {
                    AccessStatus::None
                },
                ports: vec![portal.port()],
            }
        });
        let groups = TargetPortGroups { groups: groups.collect(), transition_seconds: 0 };
        Reply::bytes(groups.encode(report.extended), report.allocation_length)
    }

    pub(super) async fn set_target_port_groups(&self, parameter_list_length: u32) -> Outcome<Reply> {
        // A list that names each group once is the longest that says anything.
        let length = usize::try_from(parameter_list_length).unwrap_or(usize::MAX);
        if length > 4 + 4 * PORTALS_MAX {
            return Err(Sense::parameter_list_length().into());
        }
        let list = self.receive_list(length).await?;
        let asked = SetTargetPortGroupsList::decode(&list)?.groups;
        for (place, (group, state)) in asked.iter().enumerate() {
            let is_group = (1..=self.array.config.portals.len()).contains(&usize::from(*group));
            if !is_group || !STATES.contains(state) {
                return Err(Sense::invalid_parameter(4 + 4 * place, None).into());
            }
        }
        let mut is_changed = false;
        for (group, state) in asked {
            if self.unit.set_access(PortalIndex(group - 1), state) {
                is_changed = true;
                let (number, name) = (self.unit.number, &self.task.session.nexus.initiator);
                self.array.log(&format!("unit {number}: {name} made portal group {group} {state:?}"));
            }
        }
        if is_changed {
            let own = &self.task.session.nexus;
            self.unit.attend_others(Some(own), AdditionalSense::ASYMMETRIC_ACCESS_STATE_CHANGED);
        }
        Ok(Reply::good())
    }
}

fn resources(space: Option<Space>, block_size: BlockSize) -> ProvisioningResources {
    let unit = (1_u64 << THRESHOLD_EXPONENT) * u64::from(block_size.bytes());
    let count = |bytes: u64| u32::try_from(bytes / unit).unwrap_or(u32::MAX);
    ProvisioningResources {
        available: space.and_then(|space| space.free_bytes).map(count),
        used: space.map(|space| count(space.used_bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None available is an exhausted pool to an initiator, and a warning to its user.
    #[test]
    fn what_a_block_device_has_left_is_not_told_rather_than_none() {
        let space = |free_bytes| Some(Space { used_bytes: 4 << 20, free_bytes });
        let told = resources(space(Some(2 << 20)), BlockSize::B512);
        assert_eq!(told, ProvisioningResources { available: Some(2), used: Some(4) });
        let told = resources(space(None), BlockSize::B512);
        assert_eq!(told, ProvisioningResources { available: None, used: Some(4) });
    }
}
