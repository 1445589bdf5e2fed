//! The documents of an array's API, the same for the server and for the verbs. Names in JSON stay; fields are added freely.

use std::path::PathBuf;

use oarlock::api::FaultStatus;
use oarlock_block::{BlockSize, ByteCount};
use oarlock_scsi::iscsi::NodeName;
use oarlock_target::limits::UNIT_TASKS_MAX;
use oarlock_target::{SessionReport, UnitOptions, UnitReport};
use serde::{Deserialize, Serialize};

/// The answer of `GET /v1/target`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayStatus {
    /// Its iSCSI name.
    pub name: String,
    /// Where it listens, in the order of its target ports.
    pub portals: Vec<PortalEntry>,
    /// How many units it serves.
    pub luns: usize,
    /// How many sessions it has.
    pub sessions: usize,
    /// The faults that it was armed with.
    pub faults: Vec<FaultStatus>,
    /// Its process.
    pub pid: u32,
    /// The program's version.
    pub version: String,
}

/// One portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalEntry {
    /// The address that it listens on.
    pub address: String,
    /// The address that initiators are told.
    pub advertised: String,
}

/// One unit: in the answer of `GET /v1/luns`, and the answer where one was added or grown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LunEntry {
    /// Its number.
    pub lun: u16,
    /// The file or block device.
    pub file: String,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of a logical block.
    pub block_size: u32,
    /// Blocks can be unmapped.
    pub thin: bool,
    /// It is never written.
    pub read_only: bool,
    /// Its medium can be taken out.
    pub removable: bool,
    /// Writes may be answered before they are durable.
    pub write_cache: bool,
    /// Commands go past the kernel's page cache.
    pub direct: bool,
    /// Its serial number.
    pub serial: String,
    /// Commands that it has open at once.
    pub queue: u16,
    /// Initiators for which it is there; empty: all that may come in.
    pub allow: Vec<String>,
    /// A flush of it failed: what was answered since the last good one may not be there.
    #[serde(default)]
    pub lost_writes: bool,
}

/// One session, in the answer of `GET /v1/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// Who.
    pub initiator: String,
    /// The initiator's part of the session's name, ISID.
    pub session_id: String,
    /// The target's part, TSIH.
    pub handle: u16,
    /// The portal's address.
    pub portal: String,
    /// The initiator's address.
    pub peer: String,
    /// The CHAP name that was proved.
    pub account: Option<String>,
    /// It may only ask which targets there are.
    pub discovery: bool,
    /// Commands under way.
    pub commands: usize,
}

/// The body of `POST /v1/luns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddLunRequest {
    /// The number.
    pub lun: u16,
    /// The file or block device, by its whole path: the array's folder is not the one of who asks.
    pub file: String,
    /// A plain file that is absent is made so long, in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Bytes of a logical block: 512 or 4096.
    #[serde(default)]
    pub block_size: Option<u32>,
    /// Bytes of the physical block that initiators are told.
    #[serde(default)]
    pub physical_block: Option<u64>,
    /// Blocks can be unmapped.
    #[serde(default)]
    pub thin: bool,
    /// It is never written.
    #[serde(default)]
    pub read_only: bool,
    /// Its medium can be taken out.
    #[serde(default)]
    pub removable: bool,
    /// Writes may be answered before they are durable; `true` where nothing is said.
    #[serde(default)]
    pub write_cache: Option<bool>,
    /// Its serial number.
    #[serde(default)]
    pub serial: Option<String>,
    /// Commands that it has open at once; as many as an array allows where nothing is said.
    #[serde(default)]
    pub queue: Option<u16>,
    /// Initiators for which it is there; empty: all that may come in.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// The body of `POST /v1/luns/{lun}/resize`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeLunRequest {
    /// A plain file is made so long first, in bytes; without it, what the medium gained is taken into use.
    #[serde(default)]
    pub size: Option<u64>,
}

/// The answer of `DELETE /v1/luns/{lun}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedLun {
    /// The number that is free again.
    pub lun: u16,
}

impl From<UnitReport> for LunEntry {
    fn from(unit: UnitReport) -> LunEntry {
        LunEntry {
            lun: unit.number,
            file: unit.path.display().to_string(),
            size: unit.size.0,
            block_size: unit.block_size.bytes(),
            thin: unit.is_thin,
            read_only: unit.is_read_only,
            removable: unit.is_removable,
            write_cache: unit.write_cache,
            direct: unit.is_direct,
            serial: unit.serial,
            queue: unit.queue,
            allow: unit.allowed.iter().map(NodeName::to_string).collect(),
            lost_writes: unit.has_lost_writes,
        }
    }
}

impl LunEntry {
    /// The unit in a line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let traits = [
            (self.thin, ", thin"),
            (self.read_only, ", read-only"),
            (self.removable, ", removable"),
            (!self.write_cache, ", write cache off"),
            (!self.direct, ", through the page cache"),
            (self.lost_writes, ", HAS LOST WRITES (a flush failed)"),
        ];
        let mut traits: String = traits.iter().filter(|(has, _)| *has).map(|(_, words)| *words).collect();
        if self.queue < UNIT_TASKS_MAX {
            traits += &format!(", queue of {}", self.queue);
        }
        if !self.allow.is_empty() {
            traits += &format!(", for {}", self.allow.join(", "));
        }
        format!(
            "unit {}: {}, {} in blocks of {}{traits}, serial {}",
            self.lun,
            self.file,
            ByteCount(self.size),
            self.block_size,
            self.serial
        )
    }
}

impl From<SessionReport> for SessionEntry {
    fn from(session: SessionReport) -> SessionEntry {
        SessionEntry {
            initiator: session.initiator,
            session_id: session.session_id,
            handle: session.handle,
            portal: session.portal,
            peer: session.peer,
            account: session.account,
            discovery: session.is_discovery,
            commands: session.commands,
        }
    }
}

impl AddLunRequest {
    /// The request for a unit; `None` where the path is no UTF-8, which JSON has no way to say.
    #[must_use]
    pub fn new(unit: &UnitOptions) -> Option<AddLunRequest> {
        Some(AddLunRequest {
            lun: unit.number,
            file: std::path::absolute(&unit.path).ok()?.to_str()?.to_owned(),
            size: unit.size.map(|size| size.0),
            block_size: unit.block_size.map(BlockSize::bytes),
            physical_block: unit.physical_block.map(|size| size.0),
            thin: unit.is_thin,
            read_only: unit.is_read_only,
            removable: unit.is_removable,
            write_cache: Some(unit.write_cache),
            serial: unit.serial.clone(),
            queue: unit.queue,
            allow: unit.allowed.iter().map(NodeName::to_string).collect(),
        })
    }

    /// The unit that is asked for.
    ///
    /// # Errors
    /// What of it is no value.
    pub fn unit(self) -> Result<UnitOptions, String> {
        let block_size = match self.block_size {
            None => None,
            Some(bytes) => Some(BlockSize::from_bytes(bytes).ok_or("block_size is 512 or 4096")?),
        };
        let path = PathBuf::from(self.file);
        if !path.is_absolute() {
            return Err("file is a whole path, which begins with `/`".to_owned());
        }
        let unit = UnitOptions {
            number: self.lun,
            path,
            size: self.size.map(ByteCount),
            block_size,
            physical_block: self.physical_block.map(ByteCount),
            is_thin: self.thin,
            is_read_only: self.read_only,
            is_removable: self.removable,
            write_cache: self.write_cache.unwrap_or(true),
            serial: self.serial,
            queue: self.queue,
            allowed: self
                .allow
                .iter()
                .map(|name| name.parse().map_err(|error| format!("allow: {name}: {error}")))
                .collect::<Result<_, String>>()?,
        };
        crate::lun_values::check(&unit).map(|()| unit).map_err(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_on_the_command_line_is_what_the_array_opens() {
        for text in
            ["3=/srv/a.img,size=8G,block=4096,physical=16K,thin,ro,removable,wce=0,serial=A7", "0=/srv/b.img"]
        {
            let unit = crate::lun_values::unit(text).unwrap();
            let body = serde_json::to_string(&AddLunRequest::new(&unit).unwrap()).unwrap();
            let request: AddLunRequest = serde_json::from_str(&body).unwrap();
            assert_eq!(request.unit().unwrap(), unit, "{body}");
        }
    }

    #[test]
    fn a_request_of_another_program_is_looked_at_as_the_command_line_is() {
        for (body, wanted) in [
            (r#"{"lun":0,"file":"a.img"}"#, "whole path"),
            (r#"{"lun":0,"file":"/a","block_size":520}"#, "512 or 4096"),
            (r#"{"lun":0,"file":"/a","physical_block":3000}"#, "power of two"),
            (r#"{"lun":0,"file":"/a","block_size":4096,"physical_block":512}"#, "no smaller"),
        ] {
            let request: AddLunRequest = serde_json::from_str(body).unwrap();
            assert!(request.unit().unwrap_err().contains(wanted), "{body}");
        }
        assert!(serde_json::from_str::<AddLunRequest>(r#"{"lun":0,"file":"/a","thick":true}"#).is_err());
    }
}
