//! Logins, as the tests want them: orderly ones in one call, all others request by request.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use oarlock_scsi::iscsi::{
    CmdSn, ConnectionId, LoginRequest, LoginResponse, LoginStatus, Opcode, SessionHandle, SessionId, Stage,
    StatSn, TaskTag, VERSION, text,
};

use super::session::{Agreed, Session};
use super::wire::Wire;

/// The name of the target of every test.
pub(crate) const TARGET: &str = "iqn.2026-11.org.oarlock:tested";

/// Where commands begin: near the end of the numbers, so that they wrap around on the way.
const FIRST_CMD_SN: CmdSn = CmdSn(u32::MAX - 5);

/// Who logs in, and how.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) session_id: SessionId,
    /// `None`: a discovery session.
    pub(crate) target: Option<String>,
    pub(crate) keys: Vec<(&'static str, String)>,
}

impl Who {
    /// An initiator of that name.
    pub(crate) fn new(name: &str) -> Who {
        Who {
            name: format!("iqn.1998-01.com.example:{name}"),
            session_id: SessionId([0x40, 0, 1, 0x37, 0, 0]),
            target: Some(TARGET.to_owned()),
            keys: Vec::new(),
        }
    }

    pub(crate) fn key(mut self, key: &'static str, value: &str) -> Who {
        self.keys.push((key, value.to_owned()));
        self
    }

    pub(crate) fn discovery(self) -> Who {
        Who { target: None, ..self }
    }

    pub(crate) fn with_session_id(self, number: u16) -> Who {
        let [high, low] = number.to_be_bytes();
        Who { session_id: SessionId([0x40, 0, 1, 0x37, high, low]), ..self }
    }

    /// The text of the first request.
    pub(crate) fn names(&self) -> Vec<u8> {
        let mut names = Vec::new();
        text::put(&mut names, "InitiatorName", &self.name);
        match &self.target {
            Some(target) => text::put(&mut names, "TargetName", target),
            None => text::put(&mut names, "SessionType", "Discovery"),
        }
        names
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut whole = self.names();
        self.keys.iter().for_each(|(key, value)| text::put(&mut whole, key, value));
        whole
    }

    /// Logs in, and fails where that fails.
    pub(crate) fn login(&self, portal: SocketAddr) -> Session {
        self.try_login(portal).unwrap_or_else(|status| panic!("the login ended with {status:04x}h"))
    }

    /// Logs in with one request.
    ///
    /// # Errors
    /// The status where the target refuses.
    pub(crate) fn try_login(&self, portal: SocketAddr) -> Result<Session, u16> {
        let mut talk = Talk::new(portal, self);
        let request = talk.request(Stage::Operational, Some(Stage::FullFeature));
        let (response, answered) = talk.ask(&request, &self.text());
        if response.status != LoginStatus::Success as u16 {
            return Err(response.status);
        }
        assert!(response.is_transit && response.next == Some(Stage::FullFeature));
        Ok(talk.begin(self, &response, &answered))
    }
}

/// A login under way.
pub(crate) struct Talk {
    pub(crate) wire: Wire,
    session_id: SessionId,
    stat_sn: Option<StatSn>,
}

impl Talk {
    pub(crate) fn new(portal: SocketAddr, who: &Who) -> Talk {
        Talk { wire: Wire::connect(portal), session_id: who.session_id, stat_sn: None }
    }

    pub(crate) fn request(&self, current: Stage, next: Option<Stage>) -> LoginRequest {
        LoginRequest {
            is_transit: next.is_some(),
            is_continued: false,
            current: Some(current),
            next,
            version_max: VERSION,
            version_min: VERSION,
            session_id: self.session_id,
            session_handle: SessionHandle::NEW,
            task_tag: TaskTag(0),
            connection_id: ConnectionId(1),
            cmd_sn: FIRST_CMD_SN,
            exp_stat_sn: StatSn(0),
        }
    }

    /// A request and its response.
    pub(crate) fn ask(
        &mut self,
        request: &LoginRequest,
        text: &[u8],
    ) -> (LoginResponse, BTreeMap<String, String>) {
        self.wire.send(request.encode(), text);
        let pdu = self.wire.receive();
        assert_eq!(pdu.header.opcode(), Some(Opcode::LoginResponse));
        let stat_sn = pdu.header.numbering().stat_sn;
        assert_eq!(stat_sn, self.stat_sn.unwrap_or(stat_sn), "every response has the next number");
        self.stat_sn = Some(stat_sn.next());
        (LoginResponse::decode(&pdu.header), pairs(&pdu.data))
    }

    /// A request that is refused: its status, and the end of the connection.
    pub(crate) fn refused(mut self, request: &LoginRequest, text: &[u8]) -> u16 {
        let (response, _) = self.ask(request, text);
        assert!(!response.is_transit);
        assert!(self.wire.wait_for_end().is_empty(), "nothing follows a refusal");
        response.status
    }

    /// The session that the last response began.
    pub(crate) fn begin(
        self,
        who: &Who,
        response: &LoginResponse,
        answered: &BTreeMap<String, String>,
    ) -> Session {
        assert_ne!(response.session_handle, SessionHandle::NEW, "a session has a handle");
        let agreed = Agreed::of(&who.keys, answered);
        let exp_stat_sn = self.stat_sn.expect("a response came");
        Session::new(self.wire, agreed, response.session_handle, (FIRST_CMD_SN, exp_stat_sn))
    }
}

pub(crate) fn pairs(bytes: &[u8]) -> BTreeMap<String, String> {
    let pairs = text::pairs(bytes).expect("text");
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
