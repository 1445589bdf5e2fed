//! What a client asks in the handshake: the header of an option and the data of those that have any (document, *Option types*).

use crate::bytes::{Reader, length_u32, put_string};
use crate::codes::{InfoCode, OPTION_MAGIC, OptionCode};

/// The fixed part of an option, without its magic (*Newstyle negotiation*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionHeader {
    /// Which option.
    pub code: OptionCode,
    /// Bytes of data that follow.
    pub length: u32,
}

impl OptionHeader {
    /// Its length on the wire, magic included.
    pub const LENGTH: usize = 16;

    /// Reads a header.
    ///
    /// # Errors
    /// The magic, where it is another.
    pub fn decode(bytes: &[u8; OptionHeader::LENGTH]) -> Result<OptionHeader, u64> {
        let [magic @ .., c0, c1, c2, c3, l0, l1, l2, l3] = *bytes;
        let magic = u64::from_be_bytes(magic);
        let code = OptionCode(u32::from_be_bytes([c0, c1, c2, c3]));
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if magic == OPTION_MAGIC { Ok(OptionHeader { code, length }) } else { Err(magic) }
    }
}

/// Appends a whole option: magic, code, length, data.
///
/// # Panics
/// Where `data` is longer than 32 bits can say.
pub fn encode_option(code: OptionCode, data: &[u8], out: &mut Vec<u8>) {
    out.extend(OPTION_MAGIC.to_be_bytes());
    out.extend(code.0.to_be_bytes());
    out.extend(length_u32(data.len()).to_be_bytes());
    out.extend(data);
}

/// The data of `NBD_OPT_INFO` and `NBD_OPT_GO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoRequest {
    /// The export's name; empty asks for the default export.
    pub name: String,
    /// What the client wants to know; unknown numbers are let be.
    pub infos: Vec<InfoCode>,
}

impl InfoRequest {
    /// Reads the data; `None` where they do not follow the layout or the name is no string of the protocol.
    pub fn decode(data: &[u8]) -> Option<InfoRequest> {
        let mut reader = Reader::new(data);
        let name = reader.string()?.to_owned();
        let count = usize::from(reader.u16()?);
        let rest = reader.rest();
        if rest.len() != count * 2 {
            return None;
        }
        let infos = rest.chunks_exact(2).map(|pair| InfoCode(u16::from_be_bytes([pair[0], pair[1]])));
        Some(InfoRequest { name, infos: infos.collect() })
    }

    /// The data as the wire has them.
    ///
    /// # Panics
    /// Where more is asked than 16 bits can count.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_string(&mut data, &self.name);
        assert!(self.infos.len() <= usize::from(u16::MAX), "more information is asked than can be counted");
        #[allow(clippy::cast_possible_truncation, reason = "asserted in the line above")]
        data.extend((self.infos.len() as u16).to_be_bytes());
        self.infos.iter().for_each(|info| data.extend(info.0.to_be_bytes()));
        data
    }
}

/// The data of `NBD_OPT_LIST_META_CONTEXT` and `NBD_OPT_SET_META_CONTEXT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRequest {
    /// The export's name; empty asks for the default export.
    pub name: String,
    /// The queries, each a namespace, a colon, and what the namespace makes of the rest.
    pub queries: Vec<String>,
}

/// Why the data of an option about contexts are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextFault {
    /// They do not follow the layout: `NBD_REP_ERR_INVALID`.
    Malformed,
    /// More than [`QUERIES_MAX`](crate::limits::QUERIES_MAX) queries: `NBD_REP_ERR_TOO_BIG`.
    TooMany,
}

impl ContextRequest {
    /// Reads the data.
    ///
    /// # Errors
    /// Why they are not taken.
    pub fn decode(data: &[u8]) -> Result<ContextRequest, ContextFault> {
        let mut reader = Reader::new(data);
        let name = reader.string().ok_or(ContextFault::Malformed)?.to_owned();
        let count = reader.u32().ok_or(ContextFault::Malformed)?;
        if count > crate::limits::QUERIES_MAX {
            return Err(ContextFault::TooMany);
        }
        let mut queries = Vec::new();
        for _ in 0..count {
            queries.push(reader.string().ok_or(ContextFault::Malformed)?.to_owned());
        }
        if reader.is_empty() { Ok(ContextRequest { name, queries }) } else { Err(ContextFault::Malformed) }
    }

    /// The data as the wire has them.
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_string(&mut data, &self.name);
        data.extend(length_u32(self.queries.len()).to_be_bytes());
        self.queries.iter().for_each(|query| put_string(&mut data, query));
        data
    }
}
