//! What the target of iSCSI shares: PDUs in both directions, text, and whole logins.

use std::cell::Cell;

use oarlock_block::Random;
use oarlock_scsi::iscsi::{
    Account, Accounts, Admission, AsyncMessage, DataIn, DataOut, Gate, HEADER_LENGTH, Header, Login,
    LoginRequest, LoginResponse, LoginStep, LogoutRequest, LogoutResponse, NodeName, NopIn, NopOut, Opcode,
    ReadyToTransfer, Reject, ScsiCommand, ScsiResponse, TaskRequest, TaskResponse, TextRequest, TextResponse,
    text,
};

/// No header makes a decoder panic, and what is written of it reads as the same.
pub fn check_pdus(data: &[u8]) {
    for bytes in data.as_chunks::<HEADER_LENGTH>().0 {
        check_header(&Header(*bytes));
    }
}

/// What is written of a PDU reads as the same.
macro_rules! stays {
    ($header:expr, $($kind:ty),+) => { $( {
        let taken = <$kind>::decode($header);
        assert_eq!(<$kind>::decode(&taken.encode()), taken);
    } )+ };
}

fn check_header(header: &Header) {
    assert!(header.additional_length() <= 1020 && header.data_length() < 1 << 24);
    let Some(opcode) = header.opcode() else { return };
    match opcode {
        Opcode::NopOut => stays!(header, NopOut),
        Opcode::ScsiCommand => stays!(header, ScsiCommand),
        Opcode::TaskRequest => stays!(header, TaskRequest),
        // A stage that is none is none again, whatever its number was.
        Opcode::LoginRequest => drop(LoginRequest::decode(header).encode()),
        Opcode::TextRequest => stays!(header, TextRequest),
        Opcode::DataOut => stays!(header, DataOut),
        Opcode::LogoutRequest => stays!(header, LogoutRequest),
        Opcode::NopIn => stays!(header, NopIn),
        Opcode::ScsiResponse => stays!(header, ScsiResponse),
        Opcode::TaskResponse => stays!(header, TaskResponse),
        Opcode::LoginResponse => drop(LoginResponse::decode(header).encode()),
        Opcode::TextResponse => stays!(header, TextResponse),
        Opcode::DataIn => stays!(header, DataIn),
        Opcode::LogoutResponse => stays!(header, LogoutResponse),
        Opcode::ReadyToTransfer => stays!(header, ReadyToTransfer),
        Opcode::AsyncMessage => stays!(header, AsyncMessage),
        Opcode::Reject => stays!(header, Reject),
        Opcode::Snack => {}
    }
}

/// The same bits for every input: a finding is to be found again.
struct Counted(Cell<u128>);

impl Random for Counted {
    fn nonce(&self) -> u128 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn bits(&self) -> u64 {
        7
    }
}

struct Door {
    accounts: Accounts,
    is_open: bool,
}

impl Gate for Door {
    fn has_target(&self, target: &NodeName) -> bool {
        target.as_str().ends_with('a')
    }

    fn admit(&self, initiator: &NodeName, _target: Option<&NodeName>) -> Admission<'_> {
        match initiator.as_str().ends_with('x') {
            true => Admission::Refused,
            false if self.is_open => Admission::Open,
            false => Admission::Chap(&self.accounts),
        }
    }

    fn portal_group_tag(&self) -> u16 {
        1
    }
}

/// A login of any requests ends, answers with text that reads, and lets nobody in who did not prove what was asked.
pub fn check_login(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let account = Account {
        name: "user".to_owned(),
        secret: b"a secret of the fuzzer's".to_vec(),
        allowed: Vec::new(),
    };
    let accounts = Accounts { initiators: vec![account.clone()], target: Some(account) };
    let door = Door { accounts, is_open: first & 1 != 0 };
    let (mut login, random) = (Login::default(), Counted(Cell::new(0)));
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER_LENGTH>() {
        let header = Header(*header);
        let (text, behind) = behind.split_at(header.data_length().min(behind.len()));
        rest = behind;
        match login.take(&LoginRequest::decode(&header), text, &door, &random) {
            LoginStep::Answer(_, answer) => drop(text::pairs(&answer).expect("answers are text")),
            LoginStep::Refused(response, _) => {
                assert_ne!(response.status, 0);
                return;
            }
            LoginStep::Complete(_, answer, logged_in) => {
                text::pairs(&answer).expect("answers are text");
                assert!(door.is_open || logged_in.account.is_some(), "{logged_in:?} proved nothing");
                assert!(!logged_in.initiator.as_str().ends_with('x'));
                return;
            }
        }
    }
}
