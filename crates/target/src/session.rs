//! A session: one initiator port at one portal, its numbers, its open tasks and what is on its way to it (RFC 7143, 4.2).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;

use oarlock_block::crc32c as checksum;
use oarlock_scsi::iscsi::{
    AsyncEvent, AsyncMessage, CmdSn, ConnectionId, Header, LoggedIn, NodeName, NopIn, Numbering, Parameters,
    SessionHandle, SessionId, StatSn, TaskRequest, TaskTag, padded,
};

use crate::connection::Seat;
use crate::deliver::Waiting;
use crate::limits::WINDOW;
use crate::output::{Data, Output};
use crate::shares::{Lack, SessionShares, SharesByDevice, UnitShares};
use crate::task::Task;
use crate::text::Texts;
use crate::unit::Unit;

/// The tag of the question whether an initiator lives. There is one at a time.
const QUESTION: TaskTag = TaskTag(0x5a5a_0001);

/// One of the array's portals, each of which is a target port: its place in the list of portals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortalIndex(pub(crate) u16);

impl PortalIndex {
    /// The relative target port identifier, the target portal group tag and the ALUA group, which all count from 1.
    pub(crate) const fn port(self) -> u16 {
        self.0 + 1
    }
}

/// Who speaks to which port: an I_T nexus (SAM-5). A session that ends and comes back is the same nexus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Nexus {
    pub(crate) initiator: NodeName,
    pub(crate) session_id: SessionId,
    pub(crate) portal: PortalIndex,
}

/// A session in its full feature phase.
pub(crate) struct Session {
    /// Its connection.
    pub(crate) connection: Seat,
    pub(crate) nexus: Nexus,
    pub(crate) handle: SessionHandle,
    /// The array's own address of its connection.
    pub(crate) local: Cell<Option<IpAddr>>,
    /// The initiator's name for the one connection.
    pub(crate) connection_id: ConnectionId,
    /// It may only ask which targets there are.
    pub(crate) is_discovery: bool,
    pub(crate) account: Option<String>,
    parameters: RefCell<Parameters>,
    exp_cmd_sn: Cell<CmdSn>,
    stat_sn: Cell<StatSn>,
    /// Commands with a number that have not been answered.
    open: Cell<u32>,
    /// What its commands hold of the memory for data.
    shares: SharesByDevice,
    pub(crate) tasks: RefCell<HashMap<TaskTag, Rc<Task>>>,
    pub(crate) output: RefCell<Output>,
    /// What came before its turn.
    pub(crate) waiting: RefCell<Waiting>,
    pub(crate) texts: RefCell<Texts>,
    /// Task management functions that have not been answered.
    pub(crate) functions: Cell<usize>,
    /// Immediate ones that mean commands which have not come yet.
    pub(crate) early_functions: RefCell<Vec<TaskRequest>>,
    /// R2Ts so far.
    transfers: Cell<u32>,
    is_logging_out: Cell<bool>,
    /// Nothing has come of it for a while that it keeps memory for.
    pub(crate) is_stalled: Cell<bool>,
    /// It ended: nothing is sent any more.
    is_gone: Cell<bool>,
    /// Whom to tell that there is something to send.
    ready: Rc<RefCell<Vec<usize>>>,
}

impl Session {
    pub(crate) fn new(
        (connection, portal): (Seat, PortalIndex),
        login: LoggedIn,
        (session_id, handle, connection_id): (SessionId, SessionHandle, ConnectionId),
        (cmd_sn, stat_sn): (CmdSn, StatSn),
        output: Output,
        ready: Rc<RefCell<Vec<usize>>>,
    ) -> Session {
        Session {
            connection,
            nexus: Nexus { initiator: login.initiator, session_id, portal },
            handle,
            local: Cell::new(None),
            connection_id,
            is_discovery: login.target.is_none(),
            account: login.account,
            parameters: RefCell::new(login.parameters),
            exp_cmd_sn: Cell::new(cmd_sn),
            stat_sn: Cell::new(stat_sn),
            open: Cell::new(0),
            shares: SharesByDevice::default(),
            tasks: RefCell::default(),
            output: RefCell::new(output),
            waiting: RefCell::default(),
            texts: RefCell::default(),
            functions: Cell::new(0),
            early_functions: RefCell::default(),
            transfers: Cell::new(0),
            is_logging_out: Cell::new(false),
            is_stalled: Cell::new(false),
            is_gone: Cell::new(false),
            ready,
        }
    }

    pub(crate) fn parameters(&self) -> std::cell::Ref<'_, Parameters> {
        self.parameters.borrow()
    }

    /// The initiator declared a new segment length in the full feature phase.
    pub(crate) fn set_initiator_segment_max(&self, length: u32) {
        self.parameters.borrow_mut().initiator_segment_max = length;
    }

    /// What its commands to the units on a unit's disk, or to none, have.
    pub(crate) fn shares(&self, unit: Option<&Unit>) -> Rc<SessionShares> {
        self.shares.of(unit.map(|unit| &unit.shares))
    }

    /// What its commands keep of memory that others lack, but for these disks.
    pub(crate) fn kept(&self, lack: &Lack, but: &[Rc<UnitShares>]) -> usize {
        self.shares.kept(lack, but)
    }

    /// The tag of an R2T: no other one's for long, so that data of a command that was ended are not taken for those of the next one with its task tag.
    pub(crate) fn transfer_tag(&self) -> TaskTag {
        let number = self.transfers.get();
        self.transfers.set(number.wrapping_add(1) % TaskTag::NONE.0);
        TaskTag(number)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// It ends: what was to be sent is forgotten.
    pub(crate) fn end(&self) {
        self.is_gone.set(true);
        self.output.borrow_mut().clear();
        self.waiting.borrow_mut().clear();
        self.early_functions.borrow_mut().clear();
    }

    /// Its initiator said goodbye: it ends when that was answered.
    pub(crate) fn log_out(&self) {
        self.is_logging_out.set(true);
    }

    pub(crate) fn is_logging_out(&self) -> bool {
        self.is_logging_out.get()
    }

    /// Asks the initiator whether it lives (RFC 7143, 11.19).
    pub(crate) fn ask(&self) {
        let question = NopIn { lun: [0; 8], task_tag: TaskTag::NONE, transfer_tag: QUESTION };
        self.send(question.encode(), false, &[]);
    }

    /// Asks the initiator to log out within `seconds` (RFC 7143, 11.9).
    pub(crate) fn ask_to_leave(&self, seconds: u16) {
        let message = AsyncMessage {
            lun: [0; 8],
            event: AsyncEvent::LogoutRequested as u8,
            first: 0,
            second: 0,
            third: seconds,
        };
        self.send(message.encode(), true, &[]);
    }

    /// A task whose turn in the session's order came: one behind a number that is missing may never begin.
    pub(crate) fn begun_task(&self) -> Option<Rc<Task>> {
        self.tasks.borrow().values().find(|task| task.has_begun()).cloned()
    }

    /// Open commands that took no place in the window.
    pub(crate) fn immediate_tasks(&self) -> usize {
        self.tasks.borrow().values().filter(|task| task.command.is_immediate).count()
    }

    pub(crate) fn exp_cmd_sn(&self) -> CmdSn {
        self.exp_cmd_sn.get()
    }

    /// The command that is expected next came.
    pub(crate) fn advance(&self) {
        self.exp_cmd_sn.set(self.exp_cmd_sn.get().next());
    }

    /// A command takes its place in the window.
    pub(crate) fn opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    /// A command that had a place in the window is over.
    pub(crate) fn closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    pub(crate) fn max_cmd_sn(&self) -> CmdSn {
        self.exp_cmd_sn.get().plus(WINDOW.saturating_sub(self.open.get())).minus(1)
    }

    /// The numbers of a PDU that is sent now; with `takes_status` it has a status number of its own (RFC 7143, 4.2.2.2).
    fn numbering(&self, takes_status: bool) -> Numbering {
        let stat_sn = self.stat_sn.get();
        if takes_status {
            self.stat_sn.set(stat_sn.next());
        }
        Numbering { stat_sn, exp_cmd_sn: self.exp_cmd_sn.get(), max_cmd_sn: self.max_cmd_sn() }
    }

    /// Sends a PDU whose data are in memory.
    pub(crate) fn send(&self, header: Header, takes_status: bool, data: &[u8]) {
        self.put(
            header,
            takes_status,
            data.len(),
            |output| output.small(data),
            |crc| crc32c::crc32c_append(crc, data),
        );
    }

    /// Sends a PDU whose data are a part of what a medium gave.
    pub(crate) fn send_data(&self, header: Header, takes_status: bool, data: &Data, part: Range<usize>) {
        let bytes = &data.bytes[part.clone()];
        self.put(
            header,
            takes_status,
            part.len(),
            |output| output.data(data.clone(), part),
            |crc| crc32c::crc32c_append(crc, bytes),
        );
    }

    fn put(
        &self,
        mut header: Header,
        takes_status: bool,
        length: usize,
        put_data: impl FnOnce(&mut Output),
        digest: impl FnOnce(u32) -> u32,
    ) {
        if self.is_gone.get() {
            return;
        }
        header.set_data_length(length);
        header.set_numbering(self.numbering(takes_status));
        let parameters = self.parameters.borrow();
        let mut output = self.output.borrow_mut();
        if output.is_empty() {
            self.ready.borrow_mut().push(self.connection.place);
        }
        output.small(&header.0);
        if parameters.header_digest {
            output.small(&checksum(&[&header.0]).to_le_bytes());
        }
        if length == 0 {
            return;
        }
        put_data(&mut output);
        let padding = &[0; 3][..padded(length) - length];
        output.small(padding);
        if parameters.data_digest {
            output.small(&crc32c::crc32c_append(digest(0), padding).to_le_bytes());
        }
    }
}
