//! What a server answers in the handshake: the header of a reply and what stands behind it (document, *Option reply types*).

use crate::bytes::{Reader, length_u32, message, put_string, text};
use crate::codes::{InfoCode, OPTION_REPLY_MAGIC, OptionCode, ReplyCode};
use crate::export::BlockSizes;
use crate::flags::TransmissionFlags;

/// The fixed part of a reply to an option, without its magic (*Fixed newstyle negotiation*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionReplyHeader {
    /// The option that is answered.
    pub option: OptionCode,
    /// The type of the reply.
    pub reply: ReplyCode,
    /// Bytes of data that follow.
    pub length: u32,
}

impl OptionReplyHeader {
    /// Its length on the wire, magic included.
    pub const LENGTH: usize = 20;

    /// Reads a header.
    ///
    /// # Errors
    /// The magic, where it is another.
    pub fn decode(bytes: &[u8; OptionReplyHeader::LENGTH]) -> Result<OptionReplyHeader, u64> {
        let [magic @ .., o0, o1, o2, o3, r0, r1, r2, r3, l0, l1, l2, l3] = *bytes;
        let magic = u64::from_be_bytes(magic);
        if magic != OPTION_REPLY_MAGIC {
            return Err(magic);
        }
        Ok(OptionReplyHeader {
            option: OptionCode(u32::from_be_bytes([o0, o1, o2, o3])),
            reply: ReplyCode(u32::from_be_bytes([r0, r1, r2, r3])),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}

/// Appends a whole reply to an option: magic, option, type, length, data.
///
/// # Panics
/// Where `data` is longer than 32 bits can say.
pub fn encode_option_reply(option: OptionCode, reply: ReplyCode, data: &[u8], out: &mut Vec<u8>) {
    out.extend(OPTION_REPLY_MAGIC.to_be_bytes());
    out.extend(option.0.to_be_bytes());
    out.extend(reply.0.to_be_bytes());
    out.extend(length_u32(data.len()).to_be_bytes());
    out.extend(data);
}

/// One reply to an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionReply {
    /// `NBD_REP_ACK`: accepted, and all is said.
    Ack,
    /// `NBD_REP_SERVER`: an export of the list.
    Server {
        /// Its name.
        name: String,
        /// A sentence for people; may be empty.
        description: String,
    },
    /// `NBD_REP_INFO` with `NBD_INFO_EXPORT`.
    Export {
        /// The size in bytes.
        size_bytes: u64,
        /// What it can do.
        flags: TransmissionFlags,
    },
    /// `NBD_REP_INFO` with `NBD_INFO_NAME`.
    Name(String),
    /// `NBD_REP_INFO` with `NBD_INFO_DESCRIPTION`.
    Description(String),
    /// `NBD_REP_INFO` with `NBD_INFO_BLOCK_SIZE`.
    BlockSizes(BlockSizes),
    /// `NBD_REP_INFO` of a kind that is not known here, which a client ignores.
    OtherInfo(InfoCode),
    /// `NBD_REP_META_CONTEXT`.
    Context {
        /// The server's number for it.
        id: u32,
        /// Its name.
        name: String,
    },
    /// Any reply with bit 31 set.
    Error {
        /// Which.
        code: ReplyCode,
        /// A sentence for people; may be empty.
        message: String,
    },
}

impl OptionReply {
    /// Reads the data behind a header; `None` where they do not follow the layout, or the type is not known.
    pub fn decode(reply: ReplyCode, data: &[u8]) -> Option<OptionReply> {
        let mut reader = Reader::new(data);
        match reply {
            ReplyCode::ACK => data.is_empty().then_some(OptionReply::Ack),
            ReplyCode::SERVER => {
                let name = reader.string()?.to_owned();
                Some(OptionReply::Server { name, description: text(reader.rest())?.to_owned() })
            }
            ReplyCode::INFO => decode_info(InfoCode(reader.u16()?), reader),
            ReplyCode::META_CONTEXT => {
                let id = reader.u32()?;
                Some(OptionReply::Context { id, name: text(reader.rest())?.to_owned() })
            }
            // The sentence is for people: one that is no string is shown as far as it goes, and is no reason to part.
            code if code.is_error() => {
                Some(OptionReply::Error { code, message: message(&String::from_utf8_lossy(data)) })
            }
            _ => None,
        }
    }

    /// Appends the whole reply, header and data.
    pub fn encode(&self, option: OptionCode, out: &mut Vec<u8>) {
        let mut data = Vec::new();
        let code = match self {
            OptionReply::Ack => ReplyCode::ACK,
            OptionReply::Server { name, description } => {
                put_string(&mut data, name);
                data.extend(description.as_bytes());
                ReplyCode::SERVER
            }
            OptionReply::Context { id, name } => {
                data.extend(id.to_be_bytes());
                data.extend(name.as_bytes());
                ReplyCode::META_CONTEXT
            }
            OptionReply::Error { code, message: sentence } => {
                data.extend(message(sentence).as_bytes());
                *code
            }
            info => {
                info.encode_info(&mut data);
                ReplyCode::INFO
            }
        };
        encode_option_reply(option, code, &data, out);
    }

    fn encode_info(&self, data: &mut Vec<u8>) {
        let mut start = |code: InfoCode| data.extend(code.0.to_be_bytes());
        match self {
            OptionReply::Export { size_bytes, flags } => {
                start(InfoCode::EXPORT);
                data.extend(size_bytes.to_be_bytes());
                data.extend(flags.0.to_be_bytes());
            }
            OptionReply::Name(name) => {
                start(InfoCode::NAME);
                data.extend(name.as_bytes());
            }
            OptionReply::Description(description) => {
                start(InfoCode::DESCRIPTION);
                data.extend(description.as_bytes());
            }
            OptionReply::BlockSizes(sizes) => {
                start(InfoCode::BLOCK_SIZE);
                for size in [sizes.minimum(), sizes.preferred(), sizes.payload_max()] {
                    data.extend(size.to_be_bytes());
                }
            }
            OptionReply::OtherInfo(code) => start(*code),
            OptionReply::Ack
            | OptionReply::Server { .. }
            | OptionReply::Context { .. }
            | OptionReply::Error { .. } => {}
        }
    }
}

fn decode_info(code: InfoCode, mut reader: Reader<'_>) -> Option<OptionReply> {
    let info = match code {
        InfoCode::EXPORT => {
            OptionReply::Export { size_bytes: reader.u64()?, flags: TransmissionFlags(reader.u16()?) }
        }
        InfoCode::BLOCK_SIZE => {
            let (minimum, preferred, payload_max) = (reader.u32()?, reader.u32()?, reader.u32()?);
            OptionReply::BlockSizes(BlockSizes::from_server(minimum, preferred, payload_max)?)
        }
        InfoCode::NAME => return Some(OptionReply::Name(text(reader.rest())?.to_owned())),
        InfoCode::DESCRIPTION => return Some(OptionReply::Description(text(reader.rest())?.to_owned())),
        other => return Some(OptionReply::OtherInfo(other)),
    };
    reader.is_empty().then_some(info)
}
