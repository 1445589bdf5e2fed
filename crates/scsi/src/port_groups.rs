//! Target port groups: REPORT TARGET PORT GROUPS parameter data and the parameter list of SET TARGET PORT GROUPS (SPC-5).

use crate::bytes::{View, flag, length_u8, length_u32};
use crate::sense::Sense;

/// ASYMMETRIC ACCESS STATE: what a target port lets through to a unit (SPC-5, "Target port asymmetric access states").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AccessState {
    /// 0h: everything, as fast as it gets.
    ActiveOptimized = 0x0,
    /// 1h: everything, a longer way.
    ActiveNonOptimized = 0x1,
    /// 2h: what manages the unit, and no blocks.
    Standby = 0x2,
    /// 3h: almost nothing.
    Unavailable = 0x3,
    /// 4h: by block address.
    LbaDependent = 0x4,
    /// Eh: nothing, nor does the group take part.
    Offline = 0xe,
    /// Fh: on its way from one state to another.
    Transitioning = 0xf,
}

impl AccessState {
    /// Every state.
    pub const ALL: [AccessState; 7] = [
        AccessState::ActiveOptimized,
        AccessState::ActiveNonOptimized,
        AccessState::Standby,
        AccessState::Unavailable,
        AccessState::LbaDependent,
        AccessState::Offline,
        AccessState::Transitioning,
    ];

    /// The state of the low four bits, where SPC-5 defines one.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<AccessState> {
        AccessState::ALL.into_iter().find(|state| *state as u8 == bits & 0x0f)
    }

    /// Its bit in the byte of supported states.
    const fn support_bit(self) -> u8 {
        match self {
            AccessState::ActiveOptimized => 0x01,
            AccessState::ActiveNonOptimized => 0x02,
            AccessState::Standby => 0x04,
            AccessState::Unavailable => 0x08,
            AccessState::LbaDependent => 0x10,
            AccessState::Offline => 0x40,
            AccessState::Transitioning => 0x80,
        }
    }
}

/// STATUS CODE: why a group is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AccessStatus {
    /// 00h: not told.
    None = 0,
    /// 01h: by SET TARGET PORT GROUPS.
    Explicit = 1,
    /// 02h: by the target itself.
    Implicit = 2,
}

/// A target port group descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPortGroup {
    /// TARGET PORT GROUP.
    pub group: u16,
    /// PREF: the group to prefer.
    pub preferred: bool,
    /// ASYMMETRIC ACCESS STATE.
    pub state: AccessState,
    /// States that the group can be in.
    pub supported: Vec<AccessState>,
    /// STATUS CODE.
    pub status: AccessStatus,
    /// RELATIVE TARGET PORT IDENTIFIERs, at most 255.
    pub ports: Vec<u16>,
}

/// The parameter data of REPORT TARGET PORT GROUPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPortGroups {
    /// Every group through which the unit can be reached.
    pub groups: Vec<TargetPortGroup>,
    /// IMPLICIT TRANSITION TIME, in seconds; 0 where nothing is told. Of the extended header alone.
    pub transition_seconds: u8,
}

impl TargetPortGroups {
    /// The parameter data with the length-only or the extended header.
    #[must_use]
    pub fn encode(&self, extended: bool) -> Vec<u8> {
        const EXTENDED: u8 = 0x10;
        let mut data = vec![0; 4];
        if extended {
            data.extend([EXTENDED, self.transition_seconds, 0, 0]);
        }
        self.groups.iter().for_each(|group| data.extend(group.encode()));
        let length = length_u32(data.len() - 4);
        data[..4].copy_from_slice(&length.to_be_bytes());
        data
    }

    /// Reads the parameter data with either header, up to a descriptor that is cut short or in a state that SPC-5 does not define.
    #[must_use]
    pub fn decode(data: &[u8], extended: bool) -> Option<TargetPortGroups> {
        let view = View(data);
        let length = view.u32(0)? as usize;
        let list = data.get(4..)?;
        let mut rest = list.get(..length).unwrap_or(list);
        let mut transition_seconds = 0;
        if extended {
            transition_seconds = view.u8(5)?;
            rest = rest.get(4..)?;
        }
        let mut groups = Vec::new();
        while let Some((group, behind)) = TargetPortGroup::decode(rest) {
            groups.push(group);
            rest = behind;
        }
        Some(TargetPortGroups { groups, transition_seconds })
    }
}

impl TargetPortGroup {
    fn encode(&self) -> Vec<u8> {
        let supported = self.supported.iter().fold(0, |bits, state| bits | state.support_bit());
        let mut bytes = vec![flag(self.preferred, 7) | self.state as u8, supported];
        bytes.extend(self.group.to_be_bytes());
        bytes.extend([0, self.status as u8, 0, length_u8(self.ports.len())]);
        for port in &self.ports {
            bytes.extend([0, 0]);
            bytes.extend(port.to_be_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(TargetPortGroup, &[u8])> {
        let view = View(bytes);
        let (supported, ports) = (view.u8(1)?, usize::from(view.u8(7)?));
        let list = view.bytes(8, ports * 4)?;
        let group = TargetPortGroup {
            group: view.u16(2)?,
            preferred: view.bit(0, 7),
            state: AccessState::from_bits(view.u8(0)?)?,
            supported: AccessState::ALL
                .into_iter()
                .filter(|state| supported & state.support_bit() != 0)
                .collect(),
            status: match view.u8(5)? {
                1 => AccessStatus::Explicit,
                2 => AccessStatus::Implicit,
                _ => AccessStatus::None,
            },
            ports: list.chunks_exact(4).filter_map(|port| View(port).u16(2)).collect(),
        };
        Some((group, &bytes[8 + list.len()..]))
    }
}

/// The parameter list of SET TARGET PORT GROUPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetTargetPortGroupsList {
    /// TARGET PORT GROUP, and the state that it is to have.
    pub groups: Vec<(u16, AccessState)>,
}

impl SetTargetPortGroupsList {
    /// Reads the list. Whether a group exists, and supports the state, is for the target to say.
    ///
    /// # Errors
    /// PARAMETER LIST LENGTH ERROR where it ends within its header or a descriptor; INVALID FIELD IN PARAMETER LIST where a state cannot be set.
    pub fn decode(list: &[u8]) -> Result<SetTargetPortGroupsList, Sense> {
        if list.is_empty() {
            return Ok(SetTargetPortGroupsList { groups: Vec::new() });
        }
        let descriptors =
            list.get(4..).filter(|list| list.len() % 4 == 0).ok_or(Sense::parameter_list_length())?;
        let mut groups = Vec::new();
        for (index, descriptor) in descriptors.chunks_exact(4).enumerate() {
            let state = AccessState::from_bits(descriptor[0])
                .filter(|state| !matches!(state, AccessState::LbaDependent | AccessState::Transitioning))
                .ok_or(Sense::invalid_parameter(4 + index * 4, Some(3)))?;
            groups.push((u16::from_be_bytes([descriptor[2], descriptor[3]]), state));
        }
        Ok(SetTargetPortGroupsList { groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> TargetPortGroups {
        let group = |group, state, ports: &[u16]| TargetPortGroup {
            group,
            preferred: group == 1,
            state,
            supported: vec![AccessState::ActiveOptimized, AccessState::Standby, AccessState::Transitioning],
            status: AccessStatus::Implicit,
            ports: ports.to_vec(),
        };
        let groups =
            vec![group(1, AccessState::ActiveOptimized, &[1, 2]), group(0x102, AccessState::Standby, &[3])];
        TargetPortGroups { groups, transition_seconds: 9 }
    }

    #[test]
    fn groups_stand_as_the_standard_lays_them_out_under_both_headers() {
        let data = report().encode(false);
        assert_eq!(data[..4], [0, 0, 0, 28]);
        assert_eq!(data[4..20], [0x80, 0x85, 0, 1, 0, 2, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(data[20..], [0x02, 0x85, 1, 2, 0, 2, 0, 1, 0, 0, 0, 3]);
        let extended = report().encode(true);
        assert_eq!(extended[..8], [0, 0, 0, 32, 0x10, 9, 0, 0]);
        assert_eq!(extended[8..], data[4..]);
    }

    #[test]
    fn groups_read_back_and_a_cut_one_is_left_out() {
        assert_eq!(TargetPortGroups::decode(&report().encode(true), true), Some(report()));
        let data = report().encode(false);
        let read = TargetPortGroups::decode(&data[..data.len() - 1], false).unwrap();
        assert_eq!(read.groups, report().groups[..1]);
    }

    #[test]
    fn a_list_of_states_to_set_is_read_and_checked() {
        let list = [0, 0, 0, 0, 0x00, 0, 0, 1, 0x02, 0, 1, 2];
        let groups = vec![(1, AccessState::ActiveOptimized), (0x102, AccessState::Standby)];
        assert_eq!(SetTargetPortGroupsList::decode(&list), Ok(SetTargetPortGroupsList { groups }));
        for length in [1, 3, 5, 11] {
            let refused = SetTargetPortGroupsList::decode(&list[..length]);
            assert_eq!(refused, Err(Sense::parameter_list_length()), "{length}");
        }
        for state in [0x4, 0x5, 0xf] {
            let refused = SetTargetPortGroupsList::decode(&[0, 0, 0, 0, 0, 0, 0, 1, state, 0, 0, 2]);
            assert_eq!(refused, Err(Sense::invalid_parameter(8, Some(3))), "{state}");
        }
    }
}
