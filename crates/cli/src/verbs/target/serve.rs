//! `oarlock target serve`: the array, in the foreground until SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use clap::Args;
use futures::executor::block_on;
use futures::future::{Either, select};
use oarlock_scsi::iscsi::{Accounts, NodeName};
use oarlock_target::{Target, TargetError, TargetOptions, UnitOptions};

use crate::array::control::{self, Control};
use crate::array::documents::LunEntry;
use crate::failure::Failure;
use crate::lun_values::{self, ChapFile};
use crate::report;
use crate::stop::Stop;

/// The name of a target that was given none.
const NAME: &str = "iqn.2026-11.org.oarlock:array";

/// What `oarlock target serve` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A unit is N=FILE with options behind commas: size=S (a plain file that is absent is made), block=512 or \
    block=4096, physical=4K (what \
    initiators are told to align to), thin (blocks can be unmapped), ro, removable, wce=0 (each write is durable when it is answered), serial=X.\n\
    A CHAP file has the secret alone, 12 to 255 bytes, and is readable by its owner only."
)]
pub struct Arguments {
    /// Listen there; given several times, each is a target port of its own, and a path to each unit
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3260")]
    listen: Vec<SocketAddr>,
    /// Tell initiators this address of the portal of the same place, where it is not the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = lun_values::address)]
    advertise: Vec<String>,
    /// The target's name
    #[arg(long, value_name = "IQN", default_value = NAME)]
    iqn: NodeName,
    /// A unit: N=FILE[,size=S][,block=512][,physical=4K][,thin][,ro][,removable][,wce=0][,serial=X]
    #[arg(long, value_name = "N=FILE,...", value_parser = lun_values::unit, required = true)]
    lun: Vec<UnitOptions>,
    /// Let in only who proves by CHAP that it knows the secret in FILE
    #[arg(long, value_name = "USER:FILE", value_parser = lun_values::chap)]
    chap: Vec<ChapFile>,
    /// Prove to initiators that ask by CHAP who this target is, by the secret in FILE
    #[arg(long, value_name = "USER:FILE", value_parser = lun_values::chap, requires = "chap")]
    chap_mutual: Option<ChapFile>,
    /// Let in only this initiator; may be given several times
    #[arg(long, value_name = "IQN")]
    allow: Vec<NodeName>,
    /// The socket of its API, where it is not RUNTIME/oarlock/target/IQN.sock
    #[arg(long, value_name = "PATH")]
    api: Option<PathBuf>,
}

/// Serves, says `ready`, and stays.
///
/// # Errors
/// Why nothing is served, or why it ended by itself.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut stop = Stop::catch()?;
    let accounts = Accounts {
        initiators: arguments.chap.iter().map(ChapFile::read).collect::<Result<_, _>>()?,
        target: arguments.chap_mutual.as_ref().map(ChapFile::read).transpose()?,
    };
    let (name, advertised) = (arguments.iqn, arguments.advertise);
    let socket = control::take_socket(arguments.api.as_deref(), &name)?;
    let options = TargetOptions {
        name: name.clone(),
        portals: arguments.listen,
        advertised: advertised.clone(),
        accounts,
        allowed: arguments.allow,
        units: arguments.lun,
    };
    let mut target = Target::start(options, Arc::new(|line: &str| report::say(line)))?;
    tell(&target, &name)?;
    match &socket {
        Some(socket) => report::say(&format!("its API is at {}", socket.path().display())),
        None => report::say("it has no API: XDG_RUNTIME_DIR is not set, and --api was not given"),
    }
    let control = Control::start(&target, (&name, &advertised), socket)?;
    report::print("ready\n")?;
    let ended = pin!(target.ended());
    match block_on(select(stop.signal(), ended)) {
        Either::Left((signal, _)) => {
            report::say(&format!("{signal}: waits for what is under way"));
            // The API stays until the array has ended: whoever looks sees the last sessions go.
            target.stop();
            drop(control);
            Ok(0)
        }
        Either::Right(_) => Err(TargetError::Gone.into()),
    }
}

/// What is served, and where.
fn tell(target: &Target, name: &NodeName) -> Result<(), Failure> {
    for portal in target.portals() {
        report::say(&format!("{name} at {portal}"));
    }
    for unit in target.units()? {
        report::say(&LunEntry::from(unit).line());
    }
    Ok(())
}
