"""Makes the logs that benches/doctor.sh reads: doctor_logs.py FOLDER MEGABYTES SHARE."""

import gzip
import io
import random
import sys
import tarfile

folder, megabytes, share = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
dice = random.Random(20261121)

# What a host's log is mostly made of, and what the doctor reads; none of it is a line of a real host.
EVERYDAY = [
    "World: 14296: VC opID hostd-{n} maps to vmkernel opID ffe2{n}",
    "NetPort: 1879: disabled port 0x2{n}",
    "Swap: vm {n}: 5145: Starting opening swap for migration",
    "Net: 2524: connected VM{n}.eth0 to vDS, portID 0x4{n}",
    "VSCSI: 3810: handle {n}(vscsi0:0):Creating Virtual Device for world {n} (FSS handle 33)",
    "Tcpip: 1310: a connection of port {n} to 192.0.2.{b} was closed by its peer after {n} ms",
    "DVFilter: 5964: Checking disconnected filters for timeouts, {n} of them",
    "Uplink: 9893: enabled port 0x5{n} with mac 00:50:56:{b}:{b}:01",
]
STORAGE = [
    'ScsiDeviceIO: 2651: Cmd(0x43be{n}) 0x1a, CmdSN 0x{n} from world 0 to dev "naa.60002ac{d:025x}" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0.',
    'NMP: nmp_ThrottleLogForDevice:3867: Cmd 0x2a (0x45a{n}, 2097) to dev "naa.60002ac{d:025x}" on path "vmhba2:C0:T0:L4" Failed: H:0x8 D:0x0 P:0x0 Invalid sense data: 0x0 0x0 0x0. Act:EVAL',
    "ScsiDeviceIO: 1513: Device naa.60002ac{d:025x} performance has deteriorated. I/O latency increased from average value of 900 microseconds to {n} microseconds.",
    "HBX: 2956: 'gold-{d}': HB at offset 3735552 - Reclaimed heartbeat [Timeout]:",
]


def block(megabyte, host):
    """About a megabyte of one host's log."""
    out = []
    length = 0
    second = megabyte * 37
    while length < 1_000_000:
        kind = STORAGE if dice.randrange(share) == 0 else EVERYDAY
        second += dice.randrange(3)
        text = dice.choice(kind).format(n=dice.randrange(1000, 99999), b=dice.randrange(10, 99), d=dice.randrange(40))
        line = (
            f"2026-06-{1 + second // 86400 % 28:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{dice.randrange(1000):03d}Z "
            f"cpu{dice.randrange(64)}:{dice.randrange(32768, 2199999)}){text}\n"
        )
        out.append(line)
        length += len(line)
    return "".join(out).encode()


# Blocks are drawn once and repeated with another order, or making them would take longer than reading them.
blocks = [block(number, 0) for number in range(min(megabytes, 64))]
with open(f"{folder}/plain.log", "wb") as plain:
    for number in range(megabytes):
        plain.write(blocks[number % len(blocks)])
with open(f"{folder}/plain.log", "rb") as plain, gzip.open(f"{folder}/plain.log.gz", "wb", compresslevel=6) as packed:
    while chunk := plain.read(1 << 20):
        packed.write(chunk)

unpacked = 0
with tarfile.open(f"{folder}/bundle.tgz", "w:gz", compresslevel=6) as bundle:

    def add(name, content, full):
        global unpacked
        member = tarfile.TarInfo(name)
        member.size = len(content)
        unpacked += full
        bundle.addfile(member, io.BytesIO(content))

    # Two hosts; half of the bytes lie plain in the archive, half as rotated logs that are compressed once more.
    for host in ("heron01", "heron02"):
        root = f"esx-{host}-2026-06-14--03.00-4711/var/run/log"
        for number in range(megabytes // 50):
            part = b"".join(dice.choice(blocks) for _ in range(25))
            add(f"{root}/vmkernel.{number}.gz", gzip.compress(part, 6), len(part))
            part = b"".join(dice.choice(blocks) for _ in range(25))
            add(f"{root}/hostd.{number}.log", part, len(part))
with open(f"{folder}/bundle.bytes", "w") as told:
    told.write(str(unpacked))
