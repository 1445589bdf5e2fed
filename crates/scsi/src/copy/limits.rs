//! What a copy manager can do: RECEIVE COPY OPERATING PARAMETERS data and the Third-party Copy VPD page (SPC-4).

use super::list::{BLOCK_TO_BLOCK, BLOCK_TO_BLOCK_OFFSET, IDENTIFICATION};
use crate::bytes::{View, length_u8, length_u16, length_u32, put};
use crate::command::COMMANDS;
use crate::inquiry::Peripheral;
use crate::opcode::Opcode;
use crate::vpd::page;

/// The limits of a copy manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyLimits {
    /// MAXIMUM CSCD DESCRIPTOR COUNT.
    pub targets_max: u16,
    /// MAXIMUM SEGMENT DESCRIPTOR COUNT.
    pub segments_max: u16,
    /// MAXIMUM DESCRIPTOR LIST LENGTH, in bytes: targets and segments together.
    pub descriptor_list_length_max: u32,
    /// MAXIMUM SEGMENT LENGTH, in bytes.
    pub segment_length_max: u32,
    /// HELD DATA LIMIT, in bytes.
    pub held_data_max: u32,
    /// TOTAL CONCURRENT COPIES, and at most 255 with an identifier.
    pub concurrent_max: u16,
    /// DATA SEGMENT GRANULARITY: segments are copied in 2 to its power bytes.
    pub granularity_exponent: u8,
}

/// IMPLEMENTED DESCRIPTOR LIST: the types that [`CopyList`](crate::CopyList) reads, in ascending order.
const DESCRIPTORS: [u8; 3] = [BLOCK_TO_BLOCK, BLOCK_TO_BLOCK_OFFSET, IDENTIFICATION];

impl CopyLimits {
    /// The data of RECEIVE COPY OPERATING PARAMETERS.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        const FIXED: usize = 44;
        let mut data = vec![0; FIXED];
        // SNLID: copies without an identifier are taken.
        data[4] = 1;
        put(&mut data, 8, &self.targets_max.to_be_bytes());
        put(&mut data, 10, &self.segments_max.to_be_bytes());
        put(&mut data, 12, &self.descriptor_list_length_max.to_be_bytes());
        put(&mut data, 16, &self.segment_length_max.to_be_bytes());
        put(&mut data, 24, &self.held_data_max.to_be_bytes());
        put(&mut data, 34, &self.concurrent_max.to_be_bytes());
        data[36] = u8::try_from(self.concurrent_max).unwrap_or(u8::MAX);
        data[37] = self.granularity_exponent;
        data[43] = length_u8(DESCRIPTORS.len());
        data.extend(DESCRIPTORS);
        let length = length_u32(data.len() - 4);
        put(&mut data, 0, &length.to_be_bytes());
        data
    }

    /// Reads the data of RECEIVE COPY OPERATING PARAMETERS.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<CopyLimits> {
        let view = View(data);
        Some(CopyLimits {
            targets_max: view.u16(8)?,
            segments_max: view.u16(10)?,
            descriptor_list_length_max: view.u32(12)?,
            segment_length_max: view.u32(16)?,
            held_data_max: view.u32(24)?,
            concurrent_max: view.u16(34)?,
            granularity_exponent: view.u8(37)?,
        })
    }

    /// The Third-party Copy VPD page (8Fh): the commands of the table, the same limits, and the same descriptors.
    #[must_use]
    pub fn page(&self) -> Vec<u8> {
        let mut descriptors = third_party_descriptor(0x0001, &supported_commands());
        let mut parameters = [0; 28];
        put(&mut parameters, 4, &self.targets_max.to_be_bytes());
        put(&mut parameters, 6, &self.segments_max.to_be_bytes());
        put(&mut parameters, 8, &self.descriptor_list_length_max.to_be_bytes());
        descriptors.extend(third_party_descriptor(0x0004, &parameters));
        let types = [&[length_u8(DESCRIPTORS.len())][..], &DESCRIPTORS].concat();
        descriptors.extend(third_party_descriptor(0x0008, &types));
        // No CSCD descriptor ID beyond the list's own targets.
        descriptors.extend(third_party_descriptor(0x000c, &[0, 0]));
        let mut operations = [0; 32];
        put(&mut operations, 0, &u32::from(self.concurrent_max).to_be_bytes());
        put(&mut operations, 4, &u32::from(self.concurrent_max.min(255)).to_be_bytes());
        put(&mut operations, 8, &self.segment_length_max.to_be_bytes());
        operations[12] = self.granularity_exponent;
        descriptors.extend(third_party_descriptor(0x8001, &operations));
        let mut all = vec![Peripheral::DISK.0, page::THIRD_PARTY_COPY];
        all.extend(length_u16(descriptors.len()).to_be_bytes());
        all.extend(descriptors);
        all
    }
}

/// A third-party copy descriptor: its type, its length, and its content filled to a multiple of four.
fn third_party_descriptor(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = content.len().next_multiple_of(4);
    let mut bytes = [kind.to_be_bytes(), length_u16(length).to_be_bytes()].concat();
    bytes.extend(content);
    bytes.resize(4 + length, 0);
    bytes
}

/// Supported Commands: each operation code with its service actions, as the table has them.
fn supported_commands() -> Vec<u8> {
    let mut list = vec![0];
    for opcode in [Opcode::THIRD_PARTY_COPY_OUT, Opcode::THIRD_PARTY_COPY_IN] {
        let rows = COMMANDS.iter().filter(|row| row.opcode == opcode);
        let actions: Vec<u8> = rows.filter_map(|row| row.service_action?.try_into().ok()).collect();
        list.extend([opcode.0, length_u8(actions.len())]);
        list.extend(actions);
    }
    list[0] = length_u8(list.len() - 1);
    list
}
