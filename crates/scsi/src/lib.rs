//! What the SCSI and iSCSI standards say, without sockets: both ends of the cable.
//!
//! Codecs and state machines for SPC-5 and SBC-4 (commands, sense, pages, parameter lists) and for RFC 7143 ([`iscsi`]: PDUs, text
//! keys, login, sequencing). No socket, no thread, no clock, no runtime: bytes go in, bytes and values come out.

#![forbid(unsafe_code)]

pub mod iscsi;
