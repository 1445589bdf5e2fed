//! What bounds an array: every queue, buffer and wait of it, with the reason for its number.

use std::time::Duration;

use oarlock_device::{DataBuffer, MEDIA_DEPTH_MAX};

/// Connections at once, those that log in included.
pub const CONNECTIONS_MAX: usize = 2048;

/// Connections that have not logged in. The next one takes the place of the oldest, so that ten thousand who say nothing
/// keep nobody out.
pub const LOGINS_MAX: usize = 512;

/// Connections that wait to be taken in. One that finds the queue full tries again a second later: a fleet that comes back after
/// a failure finds room for all of its paths at once.
pub const ARRIVALS_MAX: i32 = 4096;

/// How long a login may take.
pub const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// Commands that one session may have open: its command window.
pub const WINDOW: u32 = 128;

/// Immediate commands that a session may have open besides, so that task management always gets through.
pub const IMMEDIATE_MAX: usize = 64;

/// Task management functions that one session may have open; the next is rejected.
pub const FUNCTIONS_MAX: usize = 64;

/// Bytes of PDUs of one session that came before their turn. One connection keeps the order, so there are some only where an initiator
/// leaves a number out.
pub const WAITING_BYTES_MAX: usize = 1 << 20;

/// Nexuses that are gone and still known to a unit, so that they are told what happened meanwhile when they come back.
pub const GONE_MAX: usize = 1024;

/// Commands that one logical unit has open; the next is told TASK SET FULL.
pub const UNIT_TASKS_MAX: u16 = 2048;

/// Places of the ring. Each connection has two looks at its socket, and each portal one.
pub const RING_DEPTH: usize = MEDIA_DEPTH_MAX;

/// Bytes of data that commands hold at once, as all here with what their buffers take besides; who wants more waits for its turn. A session that sends no
/// data, or reads no answer, keeps a fifth of what is left from the others.
pub const DATA_BYTES_MAX: usize = 24 * DataBuffer::footprint(LARGE_TRANSFER_MAX);

/// The longest data of a command that has memory apart from those of long ones: file systems' metadata, heartbeats, locks.
pub const SMALL_TRANSFER_MAX: usize = 64 << 10;

/// Bytes of data that such commands hold at once.
pub const SMALL_BYTES_MAX: usize = 32 << 20;

/// The longest data of a command that has memory apart from those of still longer ones, which only tests send (LIO takes no more): a session
/// that has none gets memory for its first command whatever the others have, so the first of its kind must be small beside the whole.
pub const LARGE_TRANSFER_MAX: usize = 8 << 20;

/// Bytes of data that commands beyond that hold at once: two of the longest ones.
pub const LONG_BYTES_MAX: usize = 2 * DataBuffer::footprint(TRANSFER_MAX);

/// Bytes of data of all commands.
pub const MEMORY_BYTES_MAX: usize = SMALL_BYTES_MAX + DATA_BYTES_MAX + LONG_BYTES_MAX;

/// Bytes that commands which go over their blocks step by step have for that.
pub const STEP_BYTES_MAX: usize = 32 << 20;

/// Bytes of data that came unasked, for all sessions; a command that finds no room is told TASK SET FULL. A session has at most a quarter
/// of what it leaves to the others, and the first 8 KiB beside that: a compare of a heartbeat finds room whatever the others send.
pub const EARLY_BYTES_MAX: usize = 64 << 20;

/// The longest transfer of one command, as VPD page B0h tells it: libiscsi's suite writes as much at once whatever that page says.
pub const TRANSFER_MAX: usize = 32 << 20;

/// The longest atomic write, as VPD page B0h tells it in blocks: all that a unit's journal has room for, and what it keeps on the disk.
pub const ATOMIC_BYTES_MAX: usize = 1 << 20;

/// The most blocks that one COMPARE AND WRITE compares.
pub const COMPARE_BLOCKS_MAX: u8 = 128;

/// Bytes that are read from a socket at once.
pub const READ_MAX: usize = 256 << 10;

/// How often one socket is read before others have their turn.
pub const READS_A_TURN_MAX: usize = 4;

/// Bytes of answers that wait for an initiator to read them, data included; whoever lets more wait gets no further command
/// looked at.
pub const OUTPUT_MAX: usize = 16 << 20;

/// Bytes of answers without data of a medium's that wait for all initiators to read them. A connection that has more than a quarter
/// of what is left gets no further command looked at.
pub const SMALL_OUTPUT_MAX: usize = 64 << 20;

/// Bytes that wait for an initiator to read them, behind which it is asked too much: its next question ends its session.
pub const UNREAD_TEXT_MAX: usize = 1 << 20;

/// Runs of bytes that one write gathers.
pub const SLICES_MAX: usize = 128;

/// Portals of one array.
pub const PORTALS_MAX: usize = 64;

/// Logical units of one array.
pub const UNITS_MAX: usize = 256;

/// What happens by the clock is looked at so often.
pub const TICK: Duration = Duration::from_secs(1);

/// An initiator that says nothing for so long is asked whether it lives (NOP-In), and given up after another such time.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long data that a command waits for may fail to come, before the session that does not send them is given up. Counted in looks, so
/// that an array that stood still itself blames nobody.
pub const DATA_SILENCE_MAX: Duration = Duration::from_secs(30);

/// Bytes that count as progress of data under way: whoever sends, or takes, less in [all that time](DATA_SILENCE_MAX) is as good as silent, and
/// keeps its memory from the others no longer.
pub const PROGRESS_MIN: usize = 16 << 10;

/// How long data may fail to come, and answers may wait, while others have waited for memory for a tick: less than the eight seconds that a
/// VMFS heartbeat has.
pub const SHORT_SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long answers may wait for an initiator that reads nothing.
pub const UNREAD_MAX: Duration = Duration::from_secs(60);

/// How long an array that is told to stop waits for what is under way.
pub const DRAIN_MAX: Duration = Duration::from_secs(20);

/// How long an initiator that was asked to leave may take to log out, after all that it had under way was answered.
pub const LOGOUT_MAX: Duration = Duration::from_millis(500);

/// How long a login waits for what an earlier session of its nexus had under way.
pub const DEPARTURE_MAX: Duration = Duration::from_secs(2);

/// How long an array waits for media and portals that another one still has: its own predecessor, most likely.
pub const HANDOVER_MAX: Duration = Duration::from_secs(3);

/// How often it looks whether they are free.
pub const HANDOVER_STEP: Duration = Duration::from_millis(20);

/// How long a start waits for the medium of one unit: to reserve the place of a long file takes its time.
pub const OPENING_MAX: Duration = Duration::from_mins(5);

/// After how long, and how often, it is told that it waits.
pub const OPENING_TOLD: Duration = Duration::from_secs(10);

/// How long a connection that is being closed may take to read its last answers.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Commands in the ring at once, each of which may keep a thread of the kernel's for as long as its medium does not answer.
pub const RING_COMMANDS_MAX: usize = 1024;

const _: () = assert!(
    RING_COMMANDS_MAX <= RING_DEPTH - 2 * CONNECTIONS_MAX - PORTALS_MAX,
    "the rest of it is for looks at sockets, also while the media stand still"
);

/// How many looks that are [a tick](TICK) apart a time has.
pub(crate) const fn ticks(time: Duration) -> u64 {
    time.as_secs() / TICK.as_secs()
}
