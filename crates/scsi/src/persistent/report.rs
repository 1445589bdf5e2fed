//! The parameter data of PERSISTENT RESERVE IN (SPC-5, "PERSISTENT RESERVE IN command").

use crate::bytes::{View, flag, length_u32};
use crate::reservation::ReservationType;
use crate::transport_id::TransportId;

/// PRGENERATION, ADDITIONAL LENGTH, and what follows them.
fn with_generation(generation: u32, data: &[u8]) -> Vec<u8> {
    let mut all = generation.to_be_bytes().to_vec();
    all.extend(length_u32(data.len()).to_be_bytes());
    all.extend(data);
    all
}

/// PRGENERATION, and as much as came of what ADDITIONAL LENGTH announces.
fn generation(data: &[u8]) -> Option<(u32, &[u8])> {
    let view = View(data);
    let (generation, length) = (view.u32(0)?, view.u32(4)? as usize);
    let rest = data.get(8..)?;
    Some((generation, rest.get(..length).unwrap_or(rest)))
}

/// READ KEYS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationKeys {
    /// PRGENERATION.
    pub generation: u32,
    /// The key of each registered nexus.
    pub keys: Vec<u64>,
}

impl ReservationKeys {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let keys: Vec<u8> = self.keys.iter().flat_map(|key| key.to_be_bytes()).collect();
        with_generation(self.generation, &keys)
    }

    /// Reads the parameter data: the keys that came.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<ReservationKeys> {
        let (generation, keys) = generation(data)?;
        let keys = keys.chunks_exact(8).filter_map(|key| View(key).u64(0)).collect();
        Some(ReservationKeys { generation, keys })
    }
}

/// READ RESERVATION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldReservation {
    /// PRGENERATION.
    pub generation: u32,
    /// RESERVATION KEY of the holder (0 of a type that every registrant holds) and TYPE, where there is a reservation.
    pub held: Option<(u64, ReservationType)>,
}

impl HeldReservation {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Some((key, kind)) = self.held else { return with_generation(self.generation, &[]) };
        let mut descriptor = key.to_be_bytes().to_vec();
        descriptor.extend([0, 0, 0, 0, 0, kind.bits(), 0, 0]);
        with_generation(self.generation, &descriptor)
    }

    /// Reads the parameter data. `None` where they are cut short, or the type is none that SPC-5 defines.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<HeldReservation> {
        let (generation, descriptor) = generation(data)?;
        if View(data).u32(4)? == 0 {
            return Some(HeldReservation { generation, held: None });
        }
        let view = View(descriptor);
        let kind = ReservationType::from_bits(view.u8(13)? & 0x0f)?;
        Some(HeldReservation { generation, held: Some((view.u64(0)?, kind)) })
    }
}

/// REPORT CAPABILITIES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationCapabilities {
    /// CRH: RESERVE and RELEASE get along with registrations, as SPC-2 has it.
    pub compatible_reservation_handling: bool,
    /// SIP_C: SPEC_I_PT is taken.
    pub specify_initiators: bool,
    /// ATP_C: ALL_TG_PT is taken.
    pub all_target_ports: bool,
    /// PTPL_C: registrations can outlive a loss of power.
    pub persist: bool,
    /// PTPL_A: they do now.
    pub persist_active: bool,
    /// ALLOW COMMANDS, three bits: which commands pass reservations of others for sure; 0 tells nothing.
    pub allow_commands: u8,
    /// The types that are supported, where TMV says that the mask is valid.
    pub types: [bool; ReservationType::ALL.len()],
}

/// Where the type mask has the bit of each type: its byte, and its place in that byte.
const TYPE_BITS: [(usize, u8); ReservationType::ALL.len()] = [(4, 1), (4, 3), (4, 5), (4, 6), (4, 7), (5, 0)];

impl ReservationCapabilities {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        const TYPE_MASK_VALID: u8 = 0x80;
        let mut data = vec![0, 8, 0, 0, 0, 0, 0, 0];
        data[2] = flag(self.compatible_reservation_handling, 4)
            | flag(self.specify_initiators, 3)
            | flag(self.all_target_ports, 2)
            | flag(self.persist, 0);
        data[3] = TYPE_MASK_VALID | (self.allow_commands & 7) << 4 | flag(self.persist_active, 0);
        for ((at, bit), supported) in TYPE_BITS.into_iter().zip(self.types) {
            data[at] |= flag(supported, bit);
        }
        data
    }

    /// Reads the parameter data.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<ReservationCapabilities> {
        let view = View(data);
        view.bytes(0, 8)?;
        Some(ReservationCapabilities {
            compatible_reservation_handling: view.bit(2, 4),
            specify_initiators: view.bit(2, 3),
            all_target_ports: view.bit(2, 2),
            persist: view.bit(2, 0),
            persist_active: view.bit(3, 0),
            allow_commands: view.u8(3)? >> 4 & 7,
            types: TYPE_BITS.map(|(at, bit)| view.bit(3, 7) && view.bit(at, bit)),
        })
    }
}

/// A registration, as READ FULL STATUS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusDescriptor {
    /// RESERVATION KEY.
    pub key: u64,
    /// ALL_TG_PT: it is for every target port, and `relative_target_port` says nothing.
    pub all_target_ports: bool,
    /// R_HOLDER and TYPE: the type of the reservation that it holds.
    pub holds: Option<ReservationType>,
    /// RELATIVE TARGET PORT IDENTIFIER of its nexus.
    pub relative_target_port: u16,
    /// The initiator.
    pub initiator: TransportId,
}

/// READ FULL STATUS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullStatus {
    /// PRGENERATION.
    pub generation: u32,
    /// Every registration.
    pub registrations: Vec<StatusDescriptor>,
}

impl FullStatus {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let all: Vec<u8> = self.registrations.iter().flat_map(StatusDescriptor::encode).collect();
        with_generation(self.generation, &all)
    }

    /// Reads the parameter data, up to a descriptor that is cut short or of an initiator that is none of iSCSI.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<FullStatus> {
        let (generation, mut rest) = generation(data)?;
        let mut registrations = Vec::new();
        while let Some((registration, behind)) = StatusDescriptor::decode(rest) {
            registrations.push(registration);
            rest = behind;
        }
        Some(FullStatus { generation, registrations })
    }
}

impl StatusDescriptor {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.key.to_be_bytes().to_vec();
        let flags = flag(self.all_target_ports, 1) | flag(self.holds.is_some(), 0);
        let kind = self.holds.map_or(0, ReservationType::bits);
        bytes.extend([0, 0, 0, 0, flags, kind, 0, 0, 0, 0]);
        bytes.extend(self.relative_target_port.to_be_bytes());
        let name = self.initiator.encode();
        bytes.extend(length_u32(name.len()).to_be_bytes());
        bytes.extend(name);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(StatusDescriptor, &[u8])> {
        let view = View(bytes);
        let length = view.u32(20)? as usize;
        let (initiator, _) = TransportId::decode(view.bytes(24, length)?)?;
        let kind = view.u8(13)? & 0x0f;
        let descriptor = StatusDescriptor {
            key: view.u64(0)?,
            all_target_ports: view.bit(12, 1),
            holds: view.bit(12, 0).then(|| ReservationType::from_bits(kind)).flatten(),
            relative_target_port: view.u16(18)?,
            initiator,
        };
        Some((descriptor, &bytes[24 + length..]))
    }
}
