//! `oarlock target serve`: the array, in the foreground until SIGTERM.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::Args;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, select};
use oarlock_block::ArrayFaultSpec;
use oarlock_scsi::iscsi::{Accounts, NodeName};
use oarlock_target::{Target, TargetError, TargetOptions, UnitOptions};
use sd_notify::NotifyState;

use crate::array::config::Config;
use crate::array::control::{self, Control};
use crate::array::descriptors;
use crate::array::documents::LunEntry;
use crate::array::log::Log;
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::lun_values::{self, ChapFile};
use crate::report;
use crate::stop::Stop;

/// The name of a target that was given none.
const NAME: &str = "iqn.2026-11.org.oarlock:array";

/// Where an array listens that was told no place: the port of iSCSI, for this machine alone.
const PORTAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3260);

/// What `oarlock target serve` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A unit is N=FILE with options behind commas: size=S (a plain file that is absent is made), block=512 or \
    block=4096, physical=4K (what \
    initiators are told to align to), thin (blocks can be unmapped), ro, removable, wce=0 (each write is durable when it is answered), serial=X, \
    queue=N (commands that it has open; the next is told TASK SET FULL), allow=IQN (it is there for this initiator alone; may be given several times).\n\
    A CHAP file has the secret alone, 12 to 255 bytes, and is readable by its owner only.\n\
    The file of --config has the same by the names of the flags: listen, advertise, iqn, chap, chap_mutual, allow, api, metrics, fault, and a table [[lun]] with \
    number, file and the options for each unit; paths begin where it lies. What is given here replaces its listen, advertise, iqn, chap_mutual, api, metrics \
    and the unit of the same number, and adds to its other lists."
)]
pub struct Arguments {
    /// Take what is not said here from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen there; given several times, each is a target port of its own, and a path to each unit [default: 127.0.0.1:3260]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = lun_values::portal)]
    listen: Vec<SocketAddr>,
    /// Tell initiators this address of the portal of the same place, where it is not the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = lun_values::address)]
    advertise: Vec<String>,
    /// The target's name [default: iqn.2026-11.org.oarlock:array]
    #[arg(long, value_name = "IQN")]
    iqn: Option<NodeName>,
    /// A unit: N=FILE[,size=S][,block=512][,physical=4K][,thin][,ro][,removable][,wce=0][,serial=X][,queue=N][,allow=IQN]
    #[arg(long, value_name = "N=FILE,...", value_parser = lun_values::unit, required_unless_present = "config")]
    lun: Vec<UnitOptions>,
    /// Let in only who proves by CHAP that it knows the secret in FILE: USER:FILE[,allow=IQN], where the account is of these initiators alone
    #[arg(long, value_name = "USER:FILE,...", value_parser = lun_values::chap)]
    chap: Vec<ChapFile>,
    /// Prove to initiators that ask by CHAP who this target is, by the secret in FILE
    #[arg(long, value_name = "USER:FILE", value_parser = lun_values::own_chap)]
    chap_mutual: Option<ChapFile>,
    /// Let in only this initiator; may be given several times
    #[arg(long, value_name = "IQN")]
    allow: Vec<NodeName>,
    /// Serve Prometheus metrics there, at /metrics
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = lun_values::portal)]
    metrics: Option<SocketAddr>,
    /// For the lab: misbehave; KIND:KEY=VALUE,... as in late-execution:op=ats,delay=3s,count=1 (docs/FAULTS.md); may be given several times
    #[arg(long, value_name = "SPEC")]
    fault: Vec<ArrayFaultSpec>,
    /// The socket of its API, where it is not RUNTIME/oarlock/target/IQN.sock
    #[arg(long, value_name = "PATH")]
    api: Option<PathBuf>,
}

impl Arguments {
    /// What the flags say, and where they say nothing the file.
    fn with_config(self) -> Result<Arguments, Failure> {
        let Some(path) = &self.config else { return Ok(self) };
        let config = Config::read(path)?;
        let is_given = |unit: &UnitOptions| self.lun.iter().any(|given| given.number == unit.number);
        let units = config.units.into_iter().filter(|unit| !is_given(unit));
        let lun = units.chain(self.lun.iter().cloned()).collect();
        Ok(Arguments {
            listen: one_of(self.listen, config.listen),
            advertise: one_of(self.advertise, config.advertise),
            iqn: self.iqn.or(config.iqn),
            lun,
            chap: [config.chap, self.chap].concat(),
            chap_mutual: self.chap_mutual.or(config.chap_mutual),
            allow: [config.allow, self.allow].concat(),
            api: self.api.or(config.api),
            metrics: self.metrics.or(config.metrics),
            fault: [config.faults, self.fault].concat(),
            config: None,
        })
    }
}

/// A list whose members belong together: the flags', unless they name none.
fn one_of<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

/// Serves, says `ready`, and stays.
///
/// # Errors
/// Why nothing is served, or why it ended by itself.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut stop = Stop::catch()?;
    let arguments = arguments.with_config()?;
    descriptors::raise();
    let accounts = Accounts {
        initiators: arguments.chap.iter().map(ChapFile::read).collect::<Result<_, _>>()?,
        target: arguments.chap_mutual.as_ref().map(ChapFile::read).transpose()?,
    };
    if accounts.target.is_some() && accounts.initiators.is_empty() {
        let what = "the target proves itself to whoever proves itself: --chap-mutual needs --chap";
        return Err(Failure::new(Code::Usage, what));
    }
    let name = match arguments.iqn {
        Some(name) => name,
        None => NAME.parse().map_err(|error| Failure::new(Code::BadValue, format!("{error}")))?,
    };
    let advertised = arguments.advertise;
    let socket = control::take_socket(arguments.api.as_deref(), &name)?;
    let metrics = arguments.metrics.map(control::listen_for_metrics).transpose()?;
    let options = TargetOptions {
        name: name.clone(),
        portals: if arguments.listen.is_empty() { vec![PORTAL] } else { arguments.listen },
        advertised: advertised.clone(),
        accounts,
        allowed: arguments.allow,
        units: arguments.lun,
    };
    for fault in &arguments.fault {
        report::say(&format!("the fault `{fault}` is armed"));
    }
    let is_guarded = is_guarded(&options);
    let log = Log::new();
    let mut target = match started(&mut stop, options, arguments.fault, &log) {
        Ok(Some(target)) => target,
        ended => {
            log.end();
            return ended.map(|_| 0);
        }
    };
    tell(&target, &name)?;
    if !is_guarded && target.portals().iter().any(|portal| !portal.ip().is_loopback()) {
        report::say("whoever reaches it may log in, and write: --chap and --allow are for that");
    }
    match &socket {
        Some(socket) => report::say(&format!("its API is at {}", socket.path().display())),
        None => report::say("it has no API: XDG_RUNTIME_DIR is not set, and --api was not given"),
    }
    if let Some(listener) = &metrics {
        let address = listener.local_addr().map_err(|error| Failure::system("the metrics' port", &error))?;
        report::say(&format!("its metrics are at http://{address}/metrics"));
    }
    let control = Control::start(&target, (&name, &advertised), (socket, metrics))?;
    report::print("ready\n")?;
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let ended = pin!(target.ended());
    match block_on(select(stop.signal(), ended)) {
        Either::Left((signal, _)) => {
            // By the log, which waits for no reader.
            log.line()(&format!("{signal}: waits for what is under way"));
            let _ = sd_notify::notify(&[NotifyState::Stopping]);
            // The API stays until the array has ended: whoever looks sees the last sessions go.
            target.stop();
            drop(control);
            log.end();
            Ok(0)
        }
        Either::Right(_) => {
            log.end();
            Err(TargetError::Gone.into())
        }
    }
}

/// Starts it, on a thread that a signal does not wait for: a disk may not answer. `None` where one came before it served.
fn started(
    stop: &mut Stop,
    options: TargetOptions,
    faults: Vec<ArrayFaultSpec>,
    log: &Log,
) -> Result<Option<Target>, Failure> {
    let (tell, mut told) = oneshot::channel();
    let (line, given_up) = (log.line(), Arc::<AtomicBool>::default());
    let seen = Arc::clone(&given_up);
    let start = move || drop(tell.send(Target::start_faulty(options, faults, line, &seen)));
    let thread = thread::Builder::new().name("oarlock-start".to_owned()).spawn(start);
    thread.map_err(|error| Failure::system("the array cannot be started", &error))?;
    let signal = match block_on(select(stop.signal(), &mut told)) {
        Either::Left((signal, _)) => signal,
        Either::Right((target, _)) => return Ok(Some(target.unwrap_or(Err(TargetError::Gone))?)),
    };
    given_up.store(true, Ordering::Relaxed);
    // It has looked at that within moments, or serves already, and has let somebody in.
    if let Ok(Ok(target)) = block_on(told) {
        log.line()(&format!("{signal}: waits for what is under way"));
        target.stop();
    } else {
        log.line()(&format!("{signal}: it ends before it served anything"));
    }
    Ok(None)
}

/// Whether not everybody may use what is served.
fn is_guarded(options: &TargetOptions) -> bool {
    let is_for_some = |unit: &UnitOptions| !unit.allowed.is_empty();
    !options.accounts.initiators.is_empty()
        || !options.allowed.is_empty()
        || options.units.iter().all(is_for_some)
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
