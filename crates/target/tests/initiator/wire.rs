//! A connection as its bytes: PDUs out, PDUs in, digests, and a deadline for every wait.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use oarlock_block::crc32c;
use oarlock_scsi::iscsi::{HEADER_LENGTH, Header, padded};

/// Nothing here takes so long, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A PDU that came.
#[derive(Clone, Debug)]
pub(crate) struct Pdu {
    pub(crate) header: Header,
    pub(crate) data: Vec<u8>,
}

/// One end of a connection.
pub(crate) struct Wire {
    socket: TcpStream,
    reader: BufReader<TcpStream>,
    pub(crate) header_digest: bool,
    pub(crate) data_digest: bool,
}

impl Wire {
    pub(crate) fn connect(portal: SocketAddr) -> Wire {
        let socket = TcpStream::connect_timeout(&portal, DEADLINE).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        let reader = BufReader::with_capacity(64 << 10, socket.try_clone().unwrap());
        Wire { socket, reader, header_digest: false, data_digest: false }
    }

    /// Sends a PDU with the length and the digests that belong to it.
    pub(crate) fn send(&mut self, header: Header, data: &[u8]) {
        self.send_bytes(&self.encode(header, data));
    }

    /// The bytes of a PDU.
    pub(crate) fn encode(&self, mut header: Header, data: &[u8]) -> Vec<u8> {
        header.set_data_length(data.len());
        let mut bytes = header.0.to_vec();
        if self.header_digest {
            bytes.extend(crc32c(&[&header.0]).to_le_bytes());
        }
        if !data.is_empty() {
            bytes.extend(data);
            bytes.resize(bytes.len() + padded(data.len()) - data.len(), 0);
            if self.data_digest {
                let padding = &[0; 3][..padded(data.len()) - data.len()];
                bytes.extend(crc32c(&[data, padding]).to_le_bytes());
            }
        }
        bytes
    }

    /// Sends bytes as they are. A target that has hung up is none of the sender's business: who waits for an answer will see.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        if let Err(error) = self.socket.write_all(bytes) {
            let is_closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            assert!(is_closed, "the target takes nothing: {error}");
        }
    }

    /// The next PDU; `None` where the target closed the connection.
    pub(crate) fn try_receive(&mut self) -> Option<Pdu> {
        let mut header = [0; HEADER_LENGTH];
        self.fill(&mut header)?;
        let header = Header(header);
        assert_eq!(header.additional_length(), 0, "a target has no additional header segments to send");
        if self.header_digest {
            assert_eq!(self.digest()?, crc32c(&[&header.0]), "the digest of a header");
        }
        let length = header.data_length();
        let mut data = vec![0; padded(length)];
        if length > 0 {
            self.fill(&mut data)?;
            if self.data_digest {
                assert_eq!(self.digest()?, crc32c(&[&data]), "the digest of data");
            }
        }
        data.truncate(length);
        Some(Pdu { header, data })
    }

    pub(crate) fn receive(&mut self) -> Pdu {
        self.try_receive().expect("an answer, not the connection's end")
    }

    /// Waits for the end of the connection; what comes before it is given back.
    pub(crate) fn wait_for_end(&mut self) -> Vec<Pdu> {
        std::iter::from_fn(|| self.try_receive()).collect()
    }

    /// Ends the connection from here, at once.
    pub(crate) fn hang_up(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn digest(&mut self) -> Option<u32> {
        let mut digest = [0; 4];
        self.fill(&mut digest)?;
        Some(u32::from_le_bytes(digest))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.reader.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                None
            }
            Err(error) => panic!("no answer came: {error}"),
        }
    }
}
