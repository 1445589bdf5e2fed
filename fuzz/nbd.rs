//! What the targets of the NBD protocol share: a server that is fed the fuzzer's bytes whole and in pieces, and must do the same.

use oarlock_nbd::limits::LIST_LENGTH_MAX;
use oarlock_nbd::server::{Incoming, Negotiation, Next, Requests, Rules, Session, TlsPolicy};
use oarlock_nbd::{
    BlockSizes, Command, CommandFlags, Cookie, Export, NbdError, OptionCode, Request, TransmissionFlags,
    encode_option,
};

const SIZE: u64 = 1 << 20;

fn export(name: &str) -> Export {
    let features = Export::FEATURES.without(TransmissionFlags::READ_ONLY);
    let sizes = BlockSizes::new(512, 4096, 65_536).expect("good sizes");
    Export::new(name, SIZE, sizes, features).expect("a good export")
}

/// What a negotiation came to: all that it said, how many bytes it used, and where it stood at the end.
type Course = (Vec<u8>, usize, Result<Next, NbdError>);

fn negotiate(tls: TlsPolicy, bytes: &[u8], piece: usize) -> Course {
    let exports =
        [export("disk"), export("secret").only_with_tls(), export("strict").only_with_block_sizes()];
    let mut negotiation = Negotiation::new(tls);
    let (mut said, mut used, mut end) = (Vec::new(), 0, 0);
    loop {
        let output = negotiation.output().to_vec();
        assert!(output.len() <= LIST_LENGTH_MAX + 200, "an answer of {} bytes", output.len());
        negotiation.output_sent(output.len());
        said.extend(output);
        let step = match negotiation.handle(exports.as_slice(), &bytes[used..end]) {
            Ok(step) => step,
            Err(error) => return (said, 0, Err(error)),
        };
        used += step.used;
        match step.next {
            Next::Bytes if !negotiation.output().is_empty() => {}
            Next::Bytes if end == bytes.len() => return (said, used, Ok(Next::Bytes)),
            Next::Bytes => end = bytes.len().min(end + piece),
            Next::Tls => {
                said.extend(negotiation.output());
                negotiation.output_sent(negotiation.output().len());
                negotiation.tls_established();
            }
            over => {
                said.extend(negotiation.output());
                return (said, used, Ok(over));
            }
        }
    }
}

/// The fuzzer's bytes as options behind sound flags: of each, a code, 16 bits of length, and so many bytes of data. Without the magic
/// in front of each, hardly any input would come beyond the first.
fn options(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 3];
    while let [code, high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        encode_option(OptionCode(u32::from(*code)), &rest[..length], &mut bytes);
        data = &rest[length..];
    }
    bytes
}

/// No bytes make a negotiation panic or say without bound, and where they are cut makes no difference.
pub fn check_negotiation(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let tls = [TlsPolicy::None, TlsPolicy::Offered, TlsPolicy::Required][usize::from(first % 3)];
    for bytes in [data, &options(data)] {
        let whole = negotiate(tls, bytes, bytes.len().max(1));
        assert_eq!(whole, negotiate(tls, bytes, 1 + usize::from(first / 3)), "cut in pieces");
    }
}

fn session() -> Session {
    let mut bytes = vec![0, 0, 0, 3];
    encode_option(OptionCode::STRUCTURED_REPLY, &[], &mut bytes);
    encode_option(OptionCode::EXPORT_NAME, b"disk", &mut bytes);
    match negotiate(TlsPolicy::None, &bytes, bytes.len()).2 {
        Ok(Next::Transmission(session)) => *session,
        other => panic!("{other:?}"),
    }
}

/// All that stood in a stream of requests: each one, the payload behind it, and how it ended.
fn parse(bytes: &[u8], piece: usize) -> (Vec<(Incoming, Vec<u8>)>, Result<(), NbdError>) {
    let mut requests = Requests::new(Rules::new(&session()));
    let (mut found, mut used, mut end) = (Vec::<(Incoming, Vec<u8>)>::new(), 0, 0);
    loop {
        let payload = requests.take_payload(&bytes[used..end]);
        used += payload.len();
        if let Some((_, taken)) = found.last_mut() {
            taken.extend(payload);
        }
        if requests.payload_left() == 0 {
            let parsed = match requests.next(&bytes[used..end]) {
                Ok(parsed) => parsed,
                Err(error) => return (found, Err(error)),
            };
            used += parsed.used;
            match parsed.incoming {
                Incoming::More { .. } => {}
                Incoming::Disconnect => return (found, Ok(())),
                incoming => {
                    found.push((incoming, Vec::new()));
                    continue;
                }
            }
        }
        if end == bytes.len() {
            return (found, Ok(()));
        }
        end = bytes.len().min(end + piece);
    }
}

/// The fuzzer's bytes as requests: of each, 16 bits of offset in units of 256 bytes, flags, a command, 16 bits of length, and the payload of a write.
fn requests(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, second, third, command, high, low, rest @ ..] = data {
        let offset = u64::from(*first) << 16 | u64::from(*second) << 8;
        let length = u32::from(u16::from_be_bytes([*high, *low]));
        let cookie = Cookie(bytes.len() as u64);
        let request = Request::new(Command(u16::from(*command)), cookie, offset, length);
        let request = request.with(CommandFlags(u16::from(*third)));
        let payload = rest.len().min(request.payload_length() as usize);
        bytes.extend(request.encode());
        bytes.extend(&rest[..payload]);
        data = &rest[payload..];
    }
    bytes
}

/// No bytes make the parser of requests panic, what it accepts lies within the export, and where they are cut makes no difference.
pub fn check_requests(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    for bytes in [data, &requests(data)] {
        let whole = parse(bytes, bytes.len().max(1));
        for (incoming, payload) in &whole.0 {
            if let Incoming::Request(request) = incoming {
                assert!(request.offset + u64::from(request.length) <= SIZE, "{request:?}");
                assert!(request.length > 0 || request.command == Command::FLUSH, "{request:?}");
                assert!(payload.len() <= request.payload_length() as usize, "{request:?}");
            }
        }
        assert_eq!(whole, parse(bytes, 1 + usize::from(first)), "cut in pieces");
    }
}
