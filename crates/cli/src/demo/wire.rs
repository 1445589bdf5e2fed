//! An array that takes a swap late, over the wire: it says that the command is over, executes it all the same, and the initiator's next
//! swap is false by its own hand. This is what a host of the field logs as "returned false for equality".

use std::time::Duration;

use oarlock_scsi::{SenseKey, Status};
use rustix::process::Signal;

use super::cast::Actor;
use super::initiator::{Answer, Initiator};
use super::plot::Plot;
use super::stage::{LIMIT, Stage, Trouble, ensure};

const TARGET: &str = "iqn.2026-11.org.oarlock:demo";
const BLOCK: usize = 512;
/// The block that is swapped.
const LBA: u64 = 8;
/// The array executes the swap so many beats after it came; the initiator waits for one.
const LATE_BEATS: u32 = 3;

/// `oarlock target serve`, and an initiator that gives up.
pub fn late_swap(stage: &mut Stage, _: &mut Plot) -> Result<String, Trouble> {
    let beat = stage.pace.beat;
    let late = beat * LATE_BEATS;
    let (array, address) = serve(stage, late)?;
    let mut initiator = Initiator::log_in(&address, TARGET)?;
    initiator.meet()?;
    let (zeros, first, second) = ([0; BLOCK], [0xa1; BLOCK], [0xb2; BLOCK]);
    let (tag, answer) = initiator.swap(LBA, (&zeros, &first), beat)?;
    ensure(answer.is_none(), || format!("the swap was to be late, and was answered: {answer:?}"))?;
    let seconds = |time: Duration| time.as_secs_f64();
    stage.tell(&format!(
        "an initiator swaps block {LBA}: no answer within {} s; it gives the command up",
        seconds(beat)
    ));
    ensure(initiator.abort(tag)?, || "ABORT TASK was not answered as complete".to_owned())?;
    let shown = initiator.read(LBA, BLOCK)?;
    ensure(shown == zeros, || "the swap had landed before it was given up".to_owned())?;
    stage.tell(
        "the array says that the command is over (ABORT TASK: function complete), and the block is as it was",
    );
    stage.wait("the swap lands", LIMIT, |_| Ok((initiator.read(LBA, BLOCK)? == first).then_some(())))?;
    stage.tell(&format!("{} s after it was sent the swap lands all the same", seconds(late)));
    let (_, answer) = initiator.swap(LBA, (&zeros, &second), LIMIT)?;
    ensure(is_miscompare(answer.as_ref()), || format!("the next swap was to be false: {answer:?}"))?;
    let shown = initiator.read(LBA, BLOCK)?;
    ensure(shown == first, || "the block shows what nobody wrote".to_owned())?;
    stage.tell("the initiator swaps again: MISCOMPARE at byte 0, \"returned false for equality\"; the block has its own first image");
    stage.cast.signal(array, Signal::TERM);
    stage.succeed(array, LIMIT)?;
    Ok("a swap that was aborted landed, and made the next one false: delayed-own-write, by the array's fault"
        .to_owned())
}

/// The array, once it listens, and where.
fn serve(stage: &mut Stage, late: Duration) -> Result<(Actor, String), Trouble> {
    let fault = format!("late-execution:op=ats,delay={}ms,count=1", late.as_millis());
    let arguments = ["target", "serve", "--iqn", TARGET, "--lun", "0=lun.img,size=16M", "--fault", &fault];
    stage.tell(&format!("oarlock {}", arguments.join(" ")));
    let array = stage.cast.start(&[&arguments[..], &["--listen", "127.0.0.1:0"]].concat())?;
    stage.wait("the array listens", LIMIT, |stage| match stage.cast.status(array) {
        Some(status) => Err(stage.gone_wrong(array, status)),
        None => Ok((stage.cast.said(array) == "ready\n").then_some(())),
    })?;
    let said = stage.cast.complained(array);
    let address = said.lines().find_map(|line| line.strip_prefix(TARGET)?.strip_prefix(" at "));
    let address =
        address.ok_or_else(|| Trouble::Broken(format!("the array does not say where it listens: {said}")))?;
    Ok((array, address.to_owned()))
}

fn is_miscompare(answer: Option<&Answer>) -> bool {
    answer.is_some_and(|answer| {
        let sense = answer.sense.as_ref();
        answer.status == Status::CHECK_CONDITION
            && sense.is_some_and(|sense| sense.key == SenseKey::Miscompare)
    })
}
