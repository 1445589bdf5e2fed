"""Acquire and release through sanlock: `join FOLDER`, then `pairs FOLDER IN_FLIGHT SECONDS`, which prints pairs a second.

Each one in flight is a process of its own with a resource of its own: sanlock gives leases to processes.
"""

import os
import sys
import time

import sanlock

SPACE = b"bench"
RESOURCES = 32
RESOURCE_BYTES = 1 << 20  # What a resource takes with sectors of 512 bytes.


def paths(folder):
    return os.path.join(folder, "sanlock.space"), os.path.join(folder, "sanlock.leases")


def join(folder):
    space, leases = paths(folder)
    for path, length in ((space, RESOURCE_BYTES), (leases, RESOURCES * RESOURCE_BYTES)):
        with open(path, "wb") as file:
            file.write(bytes(length))
            os.fsync(file.fileno())
    sanlock.write_lockspace(SPACE, space, offset=0, iotimeout=10)
    for number in range(RESOURCES):
        sanlock.write_resource(SPACE, b"lock%d" % number, [(leases, number * RESOURCE_BYTES)])
    sanlock.add_lockspace(SPACE, 1, space, iotimeout=10)


def work(leases, number, end):
    name, disks = b"lock%d" % number, [(leases, number * RESOURCE_BYTES)]
    descriptor, count = sanlock.register(), 0
    while time.monotonic() < end:
        sanlock.acquire(SPACE, name, disks, slkfd=descriptor)
        sanlock.release(SPACE, name, disks, slkfd=descriptor)
        count += 1
    return count


def pairs(folder, in_flight, seconds):
    _, leases = paths(folder)
    begin = time.monotonic()
    pipes = []
    for number in range(in_flight):
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, b"%d" % work(leases, number, begin + seconds))
            os._exit(0)
        os.close(write)
        pipes.append(read)
    total = sum(int(os.read(pipe, 32) or b"0") for pipe in pipes)
    print("%.1f" % (total / (time.monotonic() - begin)))


if sys.argv[1] == "join":
    join(sys.argv[2])
else:
    pairs(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
