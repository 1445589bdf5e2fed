"""Makes the logs that benches/hostile.sh reads: hostile_logs.py FOLDER COUNT. Each kind twice: of COUNT units, and of twice as many."""

import random
import sys

folder, count = sys.argv[1], int(sys.argv[2])
DUMP_SLOTS = 4096


def stamp(number, of, minutes=1):
    """A moment within so many minutes, in order."""
    milli = number * minutes * 60_000 // of
    return f"2026-06-01T02:{milli // 60_000 % 60:02d}:{milli // 1000 % 60:02d}.{milli % 1000:03d}Z"


def late(device):
    return f'ScsiDeviceIO: 4176: Cmd(0x45b96d402528) 0x89, CmdSN 0x13 from world 2097300 to dev "naa.60aa{device:028x}" failed H:0x5 D:0x0 P:0x0'


def storm(n, dice):
    """A late ATS on each of many devices, and a gateway that speaks between them, all within a minute."""
    for number in range(n):
        yield f"{stamp(number, n)} cpu3:2097201){late(number)}"
        yield f"{stamp(number, n)} gw1 tcmu-runner: tcmu_rbd_lock:757 rbd/pool.image{number}: Acquired exclusive lock."


def strangers_to_one_another(n, dice):
    """Volumes and devices that no line ties, all near one another."""
    for number in range(n):
        yield f"{stamp(number, n)} cpu3:2097201){late(number)}"
        yield f"{stamp(number, n)} cpu3:2097201)HBX: 2832: Waiting for timed out [HB state abcdef02 offset 3530752 gen 45 stampUS {number} uuid 5a1b2c3d-11111111-2222-333344445555 jrnl <FB 0> drv 24.82] on vol 'v{number}'"


def hosts(n, dice):
    """Every line is of another host, and many have one label in several domains."""
    for number in range(n):
        name = f"h{number % (n // 4 + 1)}.site{number * 7 % 11}.example" if number % 3 else f"h{number}"
        yield f"{stamp(number, n)} {name} vmkernel: cpu3:2097201){late(number % 50)}"


def clocks(n, dice):
    """Many hosts that lose and reset the same devices at any time: each pair is compared."""
    for number in range(n):
        second = dice.randrange(86_400)
        time = f"2026-06-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
        yield f"{time} h{number % 60} vmkernel: cpu1:2)StorageApdHandler: 1204: APD start for 0x4302 [naa.60aa{number % 9:028x}]"


def words(n, dice):
    """As many key words in a line as it holds, and no sense."""
    for number in range(n):
        yield f"{stamp(number, n)} x H:0x D:0x Failed: HBX: HB state DLX: MISCOMPARE FPIN hostbyte= Sense Key : ABORT_TASK lpfc nvme sanlock 0xe 0x1d {number}"


def wrapped(n, dice):
    """Records that begin and never end."""
    for number in range(n):
        yield f"{stamp(number, n)} cpu3:2097201)DLX: 3901: vol 'v{number % 7}': [Req mode: 1] Not free; Lock [type 10c00001 offset"
        yield "more of it, and more"


def glued(n, dice):
    """Lines in which dozens of records ran together."""
    records = [f"{stamp(number, n)} cpu3:2097201){late(number % 50)}" for number in range(n)]
    for start in range(0, n, 40):
        yield " ".join(records[start : start + 40])


def dump(n, dice):
    """A dump of one heartbeat region after another, each slot damaged in its way."""
    for number in range(n):
        address = number * 512
        own = 0x300000 + number % DUMP_SLOTS * 512
        state = "02 ef cd ab" if number % 2 else "0d f0 ad 0b"
        yield f"{address:08x}  {state} {' '.join(f'{own >> 8 * at & 255:02x}' for at in range(4))}  00 00 00 00 09 00 00 00  |................|"
        yield f"{address + 16:08x}  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|"
        yield "*"


def table(n, dice):
    """A table of esxtop with thousands of columns."""
    columns = 4_000
    cells = [f"\\\\h1\\Physical Disk SCSI Device(naa.60aa{column:028x})\\Average Driver MilliSec/Command" for column in range(columns)]
    yield ",".join(f'"{cell}"' for cell in ["(PDH-CSV 4.0) (UTC)(0)", *cells])
    for number in range(max(2, n // 1_000)):
        row = ",".join(f'"{dice.randrange(9000) / 10}"' for _ in range(columns))
        yield f'"06/01/2026 02:{number // 12 % 60:02d}:{number % 12 * 5:02d}",{row}'


KINDS = [storm, strangers_to_one_another, hosts, clocks, words, wrapped, glued, dump, table]
for kind in KINDS:
    for times in (1, 2):
        with open(f"{folder}/{kind.__name__}-{times}.log", "w", encoding="ascii") as log:
            for line in kind(count * times, random.Random(20261121)):
                log.write(line + "\n")
