//! Commands by sg3_utils, and what they did.

use super::Place;

/// sg3_utils' exit status for a sense key of MISCOMPARE.
pub const MISCOMPARE: i32 = 14;
/// For an operation code that is not supported.
const NO_SUCH_COMMAND: i32 = 9;
/// For a reservation conflict.
const CONFLICT: i32 = 24;

pub fn run(place: &mut Place) -> Result<(), String> {
    compare_and_write(place)?;
    reservations(place)?;
    copies(place)?;
    blocks(place)?;
    states(place)?;
    resets(place)
}

fn compare_and_write(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must("head -c 512 /dev/zero >zeros; yes new | head -c 512 >new; cat zeros new >pair")?;
    let swap = "sg_compare_and_write --lba=8 --num=1 --xferlen=1024";
    shell.must(&format!("{swap} --in=pair /dev/a0"))?;
    // By the other path, where the block is not what it was.
    shell.must_end(&format!("{swap} --in=pair /dev/b0"), MISCOMPARE)?;
    shell.must("cp new off; printf x | dd of=off bs=1 seek=77 conv=notrunc; cat off zeros >pair")?;
    let told = shell.must_end(&format!("{swap} --in=pair /dev/b0"), MISCOMPARE)?;
    if !told.contains("Miscompare at byte offset: 77 ") {
        return Err(format!("byte 77 differs, and sg_compare_and_write says:\n{told}"));
    }
    shell.must("dd if=/dev/b0 bs=512 skip=8 count=1 iflag=direct | cmp - new").map(drop)
}

fn reservations(place: &mut Place) -> Result<(), String> {
    let out = |more: &str, device: &str| format!("sg_persist --out {more} {device}");
    let write = "sg_write_same --16 --lba=0 --num=1 --xferlen=512 --in=zeros /dev/b0";
    let shell = &mut place.shell;
    shell.must(&out("--register --param-sark=0xabc", "/dev/a0"))?;
    shell.must(&out("--register --param-sark=0xdef", "/dev/b0"))?;
    place.says("sg_persist --in --read-keys /dev/b0", &["0xabc", "0xdef"])?;
    // Write exclusive, registrants only.
    place.shell.must(&out("--reserve --param-rk=0xabc --prout-type=5", "/dev/a0"))?;
    place.says(
        "sg_persist --in --read-reservation /dev/b0",
        &["Key=0xabc", "Write Exclusive, registrants only"],
    )?;
    place.shell.must(write)?;
    place.shell.must(&out("--register --param-rk=0xdef --param-sark=0", "/dev/b0"))?;
    place.shell.must_end(write, CONFLICT)?;
    place.shell.must(&out("--register --param-sark=0xdef", "/dev/b0"))?;
    place
        .shell
        .must(&out("--preempt-abort --param-rk=0xdef --param-sark=0xabc --prout-type=1", "/dev/b0"))?;
    place.says("sg_persist --in --read-full-status /dev/b0", &["Key=0xdef", "<< Reservation holder >>"])?;
    // Who was preempted is told so, once.
    let told = place.shell.run("sg_turs -v /dev/a0")?.1;
    if !told.contains("Registrations preempted") {
        return Err(format!("a registration was preempted, and TEST UNIT READY says:\n{told}"));
    }
    place.shell.must(&out("--clear --param-rk=0xdef", "/dev/b0"))?;
    place.says("sg_persist --in --read-keys /dev/b0", &["NO registered reservation keys"]).map(drop)
}

fn copies(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must("dd if=/dev/urandom of=random bs=1M count=16; dd if=random of=/dev/a0 bs=1M oflag=direct")?;
    // From a unit to another, the array copies by itself.
    shell.must("sg_xcopy if=/dev/a0 of=/dev/b1 bs=512 count=32768 seek=8192")?;
    shell.must("dd if=/dev/a1 bs=1M skip=4 count=16 iflag=direct | cmp - random").map(drop)
}

fn blocks(place: &mut Place) -> Result<(), String> {
    let shell = &mut place.shell;
    shell.must("sg_write_same --16 --lba=0 --num=2048 --xferlen=512 --in=new /dev/a0")?;
    shell.must("dd if=/dev/b0 bs=512 skip=2047 count=1 iflag=direct | cmp - new")?;
    shell.must("sg_unmap --force --lba=4096 --num=4096 /dev/a0")?;
    shell.must("dd if=/dev/b0 bs=2M skip=1 count=1 iflag=direct | cmp -n 2097152 - /dev/zero")?;
    place.says("sg_get_lba_status --lba=4096 /dev/b0", &["blocks:       4096  deallocated"])?;
    place.shell.must_end("sg_unmap --force --lba=0 --num=8 /dev/a1", NO_SUCH_COMMAND)?;
    place.shell.must("sg_write_x --16 --atomic=0 --lba=100 --num=8 --bs=512 --in=random /dev/a0")?;
    place.shell.must("head -c 4096 random >eight")?;
    place.shell.must("sg_verify --16 --lba=100 --count=8 --ndo=4096 --in=eight /dev/b0")?;
    place.shell.must_end("sg_verify --16 --lba=101 --count=8 --ndo=4096 --in=eight /dev/b0", MISCOMPARE)?;
    place.shell.must("sg_write_verify --16 --lba=64 --num=8 --ilen=4096 --in=eight /dev/a0")?;
    place.shell.must("sg_verify --lba=0 --count=4096 /dev/a0").map(drop)
}

/// A portal's state: what is told by it, and what is refused.
fn states(place: &mut Place) -> Result<(), String> {
    place.shell.must("sg_stpg --state=s --tp=2 /dev/a0")?;
    place.says("sg_rtpg --decode /dev/a0", &["0x02 (standby)"])?;
    // The first answer tells that the state has changed.
    let told = place.shell.run("sg_turs -v /dev/b0; sg_turs -v /dev/b0")?.1;
    if !told.contains("standby state") {
        return Err(format!("the second portal stands by, and TEST UNIT READY says:\n{told}"));
    }
    place.says("sg_readcap /dev/b0", &["Device size: 268435456 bytes"])?;
    place.shell.must("sg_stpg --state=ao --tp=2 /dev/a0")?;
    place.shell.until("sg_turs /dev/b0 && echo it answers", "it answers").map(drop)
}

fn resets(place: &mut Place) -> Result<(), String> {
    for reset in ["--device", "--target"] {
        place.shell.must(&format!("sg_reset {reset} /dev/a0"))?;
        let told = place.shell.run("sg_turs -v /dev/b0")?.1;
        if !told.contains("Unit Attention") {
            return Err(format!("after sg_reset {reset} TEST UNIT READY says:\n{told}"));
        }
        place.shell.until("sg_turs /dev/a0 && sg_turs /dev/b0 && echo it answers", "it answers")?;
    }
    Ok(())
}
