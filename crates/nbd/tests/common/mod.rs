//! What the tests share: exports, a server that is asked option by option, and chance from a seed.
#![allow(dead_code, reason = "each test uses its part")]

use oarlock_nbd::server::{Negotiation, Next, Session, TlsPolicy};
use oarlock_nbd::{
    BlockSizes, Cookie, Export, InfoCode, InfoRequest, NbdError, OptionCode, OptionReply, OptionReplyHeader,
    TransmissionFlags, encode_option,
};

/// Both flags of the client.
pub const FIXED_NO_ZEROES: [u8; 4] = [0, 0, 0, 3];

/// All that an export of ours offers.
pub fn features() -> TransmissionFlags {
    Export::FEATURES.without(TransmissionFlags::READ_ONLY).without(TransmissionFlags::ROTATIONAL)
}

pub fn export(name: &str, size_bytes: u64) -> Export {
    let sizes = BlockSizes::new(512, 4096, 1 << 20).unwrap();
    Export::new(name, size_bytes, sizes, features()).unwrap()
}

/// `disk`, described; `small`; `secret`, for TLS only; `strict`, for clients that ask for its block sizes.
pub fn exports() -> Vec<Export> {
    vec![
        export("disk", 1 << 30).described("a disk").unwrap(),
        export("small", 4096),
        export("secret", 8192).only_with_tls(),
        export("strict", 8192).only_with_block_sizes(),
    ]
}

/// A server after the client's flags, whose greeting was sent.
pub struct Server {
    pub negotiation: Negotiation,
    pub exports: Vec<Export>,
}

impl Server {
    pub fn new(tls: TlsPolicy) -> Server {
        Server::greeted(tls, FIXED_NO_ZEROES)
    }

    pub fn greeted(tls: TlsPolicy, flags: [u8; 4]) -> Server {
        let mut server = Server { negotiation: Negotiation::new(tls), exports: exports() };
        server.take_output();
        assert_eq!(server.send(&flags).unwrap(), Next::Bytes);
        server
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        let output = self.negotiation.output().to_vec();
        self.negotiation.output_sent(output.len());
        output
    }

    /// Gives bytes to the server, which must use them all.
    pub fn send(&mut self, bytes: &[u8]) -> Result<Next, NbdError> {
        let step = self.negotiation.handle(self.exports.as_slice(), bytes)?;
        assert_eq!(step.used, bytes.len());
        Ok(step.next)
    }

    /// Asks an option, and returns its replies and what comes next.
    pub fn ask(&mut self, option: OptionCode, data: &[u8]) -> Result<(Vec<OptionReply>, Next), NbdError> {
        let mut bytes = Vec::new();
        encode_option(option, data, &mut bytes);
        let next = self.send(&bytes)?;
        Ok((replies(option, &self.take_output()), next))
    }

    /// Asks an option and returns its final reply.
    pub fn last(&mut self, option: OptionCode, data: &[u8]) -> OptionReply {
        let (mut replies, _) = self.ask(option, data).unwrap();
        replies.pop().unwrap()
    }

    pub fn go(&mut self, name: &str) -> Session {
        match self.ask(OptionCode::GO, &info(name, &[])).unwrap().1 {
            Next::Transmission(session) => *session,
            other => panic!("{other:?}"),
        }
    }
}

/// The replies in `bytes`, each to `option`.
pub fn replies(option: OptionCode, mut bytes: &[u8]) -> Vec<OptionReply> {
    let mut replies = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk() {
        let header = OptionReplyHeader::decode(header).unwrap();
        assert_eq!(header.option, option);
        let (data, rest) = rest.split_at(header.length as usize);
        replies.push(OptionReply::decode(header.reply, data).unwrap());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "{bytes:?} behind the last reply");
    replies
}

/// The data of INFO and GO.
pub fn info(name: &str, infos: &[InfoCode]) -> Vec<u8> {
    InfoRequest { name: name.to_owned(), infos: infos.to_vec() }.encode()
}

/// The data of the options about contexts.
pub fn contexts(name: &str, queries: &[&str]) -> Vec<u8> {
    let queries = queries.iter().map(|&query| query.to_owned()).collect();
    oarlock_nbd::ContextRequest { name: name.to_owned(), queries }.encode()
}

/// Bytes as a string of hexadecimal digits has them; spaces are for the reader.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(16)).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

pub fn cookie(number: u64) -> Cookie {
    Cookie(number)
}

/// Chance from a seed (splitmix64): one seed is one run.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[7]).collect()
    }
}
