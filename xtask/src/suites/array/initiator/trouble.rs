//! A COMPARE AND WRITE that the kernel gives up: an array that keeps the rules executes it no more, one that does not (`--fault`) does so
//! later, and the host's own delayed write makes its next attempt false.

use super::Place;
use super::commands::MISCOMPARE;

/// Blocks of unit 0 whose first COMPARE AND WRITE waits, and that is executed late.
const WAITS: u64 = 4000;
const LATE: u64 = 4008;

/// What the array is told to do to them: longer than the kernel waits.
pub fn faults() -> [String; 2] {
    let of = |kind: &str, block: u64| format!("{kind}:op=ats,lun=0,lba={block},delay=16s,count=1");
    [of("delay", WAITS), of("late-execution", LATE)]
}

pub fn late(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must("cat zeros new >pair; sg_unmap --force --lba=4000 --num=16 /dev/a0")?;
    // sg_compare_and_write waits for as long as it takes.
    let give_up = |block: u64| {
        format!(
            "sg_raw --timeout=1 --send=1024 --infile=pair /dev/a0 89 00 00 00 00 00 00 00 {:02x} {:02x} 00 00 00 01 00 00",
            block >> 8,
            block & 0xff
        )
    };
    for block in [WAITS, LATE] {
        let (status, said) = shell.run(&give_up(block))?;
        if status == 0 {
            return Err(format!(
                "the swap of block {block} was to take longer than it may, and has not:\n{said}"
            ));
        }
    }
    let same = |block: u64, file: &str| {
        format!("dd if=/dev/b0 bs=512 skip={block} count=1 iflag=direct | cmp - {file}")
    };
    let swap =
        |block: u64| format!("sg_compare_and_write --lba={block} --num=1 --xferlen=1024 --in=pair /dev/a0");
    shell.until(&format!("{} && echo landed", same(LATE, "new")), "landed")?;
    shell.must_end(&swap(LATE), MISCOMPARE)?;
    // The other one would have landed by now, had it not ended with its abort.
    shell.must(&same(WAITS, "zeros"))?;
    shell.must(&swap(WAITS)).map(drop)
}
