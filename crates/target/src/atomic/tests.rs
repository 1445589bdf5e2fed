//! Each step of an atomic write, cut anywhere, by the power and by a failure.

use oarlock_block::{BlockCount, BlockSize, ByteCount};
use oarlock_device::MediaRing;

use super::*;

const SERIAL: &str = "A7";
const SECTOR: usize = 512;
/// The unit, whose blocks are sectors.
const UNIT_BYTES: usize = 16 * SECTOR;
const BLOCKS: u64 = 16;
/// Those that are written.
const WRITTEN: Range<u64> = 5..14;
const OLD: u8 = 0x01;
const NEW: u8 = 0x02;
const NEWER: u8 = 0x03;

/// What happens to the writes from one on.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// The number of the write that it begins with.
    at: usize,
    /// What of that one lands.
    sectors: usize,
    lasts: Lasts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    /// It is one write that fails.
    Once,
    /// Nothing more of anything lands.
    On,
}

/// A unit and its journal in memory.
struct Disks {
    journal: RefCell<Vec<u8>>,
    unit: RefCell<Vec<u8>>,
    /// What was written: where, from which byte on, how much.
    steps: RefCell<Vec<(&'static str, u64, usize)>>,
    fault: Cell<Option<Fault>>,
    is_full: bool,
}

impl Disks {
    fn new() -> Disks {
        Disks {
            journal: RefCell::new(vec![0; RECORD_BYTES_MAX]),
            unit: RefCell::new(vec![OLD; UNIT_BYTES]),
            steps: RefCell::default(),
            fault: Cell::default(),
            is_full: false,
        }
    }

    fn with(at: usize, sectors: usize, lasts: Lasts) -> Disks {
        let disks = Disks::new();
        disks.fault.set(Some(Fault { at, sectors, lasts }));
        disks
    }

    /// The power is back, or the fault is over; writes are counted from 0 on again.
    fn mended(&self) {
        self.fault.set(None);
        self.steps.borrow_mut().clear();
    }

    fn write(&self, name: &'static str, to_byte: u64, bytes: &[u8]) -> Result<(), IoError> {
        let number = self.steps.borrow().len();
        self.steps.borrow_mut().push((name, to_byte, bytes.len()));
        let landed = match self.fault.get() {
            Some(fault) if number == fault.at => fault.sectors * SECTOR,
            Some(fault) if number > fault.at && fault.lasts == Lasts::On => 0,
            _ => usize::MAX,
        };
        let bytes_landed = &bytes[..landed.min(bytes.len())];
        let at = usize::try_from(to_byte).unwrap();
        let mut place = if name == "unit" { self.unit.borrow_mut() } else { self.journal.borrow_mut() };
        place[at..at + bytes_landed.len()].copy_from_slice(bytes_landed);
        if landed == usize::MAX { Ok(()) } else { Err(NOT_AS_WRITTEN) }
    }

    /// The byte that all blocks that are written have; `None` where they are torn. The others are as they were.
    fn content(&self) -> Option<u8> {
        let unit = self.unit.borrow();
        let Range { start, end } = in_place();
        assert!(unit[..start].iter().chain(&unit[end..]).all(|byte| *byte == OLD), "other blocks");
        Some(unit[start]).filter(|first| unit[start..end].iter().all(|byte| byte == first))
    }

    fn overwrite(&self, byte: u8) {
        let Range { start, end } = in_place();
        self.unit.borrow_mut()[start..end].fill(byte);
    }
}

impl Below for Disks {
    async fn read_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        let journal = self.journal.borrow();
        buffer.bytes()[part.clone()].copy_from_slice(&journal[..part.len()]);
        Ok(())
    }

    async fn write_journal(&self, buffer: &mut DataBuffer, part: Range<usize>) -> Result<(), IoError> {
        self.write("journal", 0, &buffer.bytes()[part])
    }

    async fn reserve(&self, _: Range<u64>) -> Result<(), IoError> {
        if self.is_full { Err(IoError::Refused(Refusal::Full)) } else { Ok(()) }
    }

    async fn write_in_place(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), IoError> {
        self.write("unit", to_byte, &buffer.bytes()[part])
    }
}

/// The buffers of a test.
struct Memory {
    journal: DataBuffer,
    data: DataBuffer,
}

impl Memory {
    fn new() -> Memory {
        let ring = MediaRing::new(1, 4 << 20).unwrap();
        let length = record().data().len();
        Memory { journal: ring.buffer(RECORD_BYTES_MAX).unwrap(), data: ring.buffer(length).unwrap() }
    }

    /// Writes NEW into the blocks.
    fn write(&mut self, atomic: &AtomicWrites, disks: &Disks) -> Result<(), Failed> {
        let length = self.data.bytes().len();
        self.data.bytes().fill(NEW);
        let record = record();
        let written = atomic.write(disks, &record, (&mut self.data, 0..length), &mut self.journal);
        written.now_or_never().unwrap()
    }

    fn mend(&mut self, atomic: &AtomicWrites, disks: &Disks) -> Result<(), IoError> {
        atomic.mend(disks, &mut self.journal).now_or_never().unwrap()
    }

    /// What a later life finds, and its state.
    fn resume(&mut self, disks: &Disks, serial: &str) -> (AtomicWrites, Result<Resumed, NotResumed>) {
        let atomic = AtomicWrites::default();
        let geometry = Geometry {
            block_size: BlockSize::B512,
            physical_block: ByteCount(512),
            blocks: BlockCount(BLOCKS),
        };
        let resumed = atomic.resume(disks, &mut self.journal, (serial, geometry)).now_or_never().unwrap();
        (atomic, resumed)
    }

    fn found(disks: &Disks) -> Found {
        Record::find(&disks.journal.borrow())
    }
}

/// The bytes that are written.
fn in_place() -> Range<usize> {
    let Range { start, end } = record().bytes();
    usize::try_from(start).unwrap()..usize::try_from(end).unwrap()
}

fn record() -> Record {
    Record { serial: SERIAL.to_owned(), block_size: BlockSize::B512, blocks: WRITTEN }
}

/// The sectors of each step's write.
fn sectors(step: usize) -> usize {
    match step {
        0 => record().length() / SECTOR,
        1 => record().data().len() / SECTOR,
        _ => RECORD_BLOCK / SECTOR,
    }
}

#[test]
fn an_atomic_write_is_a_record_then_the_blocks_then_the_record_s_end() {
    let (disks, atomic, mut memory) = (Disks::new(), AtomicWrites::default(), Memory::new());
    memory.write(&atomic, &disks).unwrap();
    let place = WRITTEN.start * 512;
    assert_eq!(
        *disks.steps.borrow(),
        [("journal", 0, 3 * RECORD_BLOCK), ("unit", place, 9 * SECTOR), ("journal", 0, RECORD_BLOCK)]
    );
    assert_eq!((disks.content(), Memory::found(&disks)), (Some(NEW), Found::Nothing));
    assert!(!atomic.has_left());
}

#[test]
fn wherever_the_power_fails_the_next_start_finds_all_of_it_or_nothing() {
    let mut memory = Memory::new();
    for step in 0..3 {
        for landed in 0..=sectors(step) {
            let disks = Disks::with(step, landed, Lasts::On);
            memory.write(&AtomicWrites::default(), &disks).unwrap_err();
            disks.mended();
            let (atomic, resumed) = memory.resume(&disks, SERIAL);
            let is_recorded = step > 0 || landed >= record().data().end / SECTOR;
            let content = if is_recorded { NEW } else { OLD };
            assert_eq!(disks.content(), Some(content), "step {step}, {landed} sectors: {resumed:?}");
            assert_eq!(Memory::found(&disks), Found::Nothing);
            assert!(!atomic.has_left());
            // What is written from now on is not written over by any later start.
            disks.overwrite(NEWER);
            assert_eq!(memory.resume(&disks, SERIAL).1, Ok(Resumed::Nothing));
            assert_eq!(disks.content(), Some(NEWER));
        }
    }
}

#[test]
fn a_start_that_the_power_cuts_is_made_good_by_the_next_one() {
    let mut memory = Memory::new();
    for landed_before in [0, 4, 9] {
        for (step, landed) in [(0, 0), (0, 5), (0, 9), (1, 0), (1, 1), (1, 8)] {
            let disks = Disks::with(1, landed_before, Lasts::On);
            memory.write(&AtomicWrites::default(), &disks).unwrap_err();
            disks.mended();
            disks.fault.set(Some(Fault { at: step, sectors: landed, lasts: Lasts::On }));
            let (atomic, resumed) = memory.resume(&disks, SERIAL);
            assert!(matches!(resumed, Ok(Resumed::Complete(_, Err(_)))), "{resumed:?}");
            assert!(atomic.refuses(&WRITTEN, Hold::Alone), "it is served without these blocks");
            assert_eq!(atomic.refuses(&WRITTEN, Hold::Shared), step == 0);
            disks.mended();
            memory.resume(&disks, SERIAL).1.unwrap();
            assert_eq!((disks.content(), Memory::found(&disks)), (Some(NEW), Found::Nothing));
        }
    }
}

/// One write fails, or all do from one on; the array lives, and others go on writing as far as they are let.
#[test]
fn after_a_failed_step_nothing_is_torn_or_written_over() {
    let mut memory = Memory::new();
    for lasts in [Lasts::Once, Lasts::On] {
        for step in 0..3 {
            for landed in 0..=sectors(step) {
                let (disks, atomic) = (Disks::with(step, landed, lasts), AtomicWrites::default());
                let what = format!("step {step}, {landed} sectors, {lasts:?}");
                let failed = memory.write(&atomic, &disks).unwrap_err();
                assert_eq!(
                    failed,
                    [Failed::Record, Failed::Place, Failed::End][step](NOT_AS_WRITTEN),
                    "{what}"
                );
                let beside = WRITTEN.end..BLOCKS;
                assert!(!atomic.refuses(&beside, Hold::Alone), "{what}: other blocks are served");
                assert_eq!(atomic.refuses(&WRITTEN, Hold::Shared), step == 1, "{what}: blocks that are torn");
                let is_over = step == 0 && lasts == Lasts::Once;
                assert_eq!(atomic.refuses(&WRITTEN, Hold::Alone), !is_over, "{what}");
                if is_over {
                    assert_eq!(disks.content(), Some(OLD), "{what}");
                } else if lasts == Lasts::On {
                    memory.mend(&atomic, &disks).unwrap_err();
                    assert!(atomic.refuses(&(8..9), Hold::Alone), "{what}: it cannot be mended yet");
                }
                disks.mended();
                memory.mend(&atomic, &disks).unwrap();
                assert!(!atomic.has_left(), "{what}");
                assert_eq!(disks.content(), Some(if step == 0 { OLD } else { NEW }), "{what}");
                disks.overwrite(NEWER);
                assert_eq!(memory.resume(&disks, SERIAL).1, Ok(Resumed::Nothing), "{what}");
                memory.write(&atomic, &disks).unwrap();
                assert_eq!(disks.content(), Some(NEW), "{what}: the next atomic write");
            }
        }
    }
}

#[test]
fn without_place_for_the_blocks_nothing_is_begun() {
    let (mut disks, atomic, mut memory) = (Disks::new(), AtomicWrites::default(), Memory::new());
    disks.is_full = true;
    let full = IoError::Refused(Refusal::Full);
    assert_eq!(memory.write(&atomic, &disks), Err(Failed::Reserve(full)));
    assert!(disks.steps.borrow().is_empty() && !atomic.has_left());
}

#[test]
fn a_record_of_another_unit_or_of_other_blocks_is_not_written() {
    let mut memory = Memory::new();
    let disks = Disks::with(1, 0, Lasts::On);
    memory.write(&AtomicWrites::default(), &disks).unwrap_err();
    disks.mended();
    let (atomic, resumed) = memory.resume(&disks, "A8");
    assert_eq!(resumed, Err(NotResumed::Foreign(record())));
    assert!(disks.steps.borrow().is_empty() && !atomic.has_left());
    let beyond = Record { blocks: BLOCKS - 4..BLOCKS + 5, ..record() };
    memory.data.bytes().fill(NEW);
    beyond.encode(&mut disks.journal.borrow_mut()[..beyond.length()], memory.data.bytes());
    assert_eq!(memory.resume(&disks, SERIAL).1, Err(NotResumed::Foreign(beyond)));
    assert_eq!(disks.content(), Some(OLD));
}

#[test]
fn a_wiped_journal_has_nothing_of_what_was_written() {
    let (disks, atomic, mut memory) =
        (Disks::with(1, 3, Lasts::Once), AtomicWrites::default(), Memory::new());
    memory.write(&atomic, &disks).unwrap_err();
    atomic.wipe(&disks, &mut memory.journal).now_or_never().unwrap().unwrap();
    assert!(disks.journal.borrow().iter().all(|byte| *byte == 0) && !atomic.has_left());
}
