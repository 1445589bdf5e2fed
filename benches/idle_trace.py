"""Sums up what `strace -f -tt` saw of a host: idle_trace.py TRACE BEGIN END [REGION start BLOCK REGION blocks COUNT]...

BEGIN and END are times of day as strace prints them; a region is named as `oarlock inspect` names it.
"""

import collections
import re
import sys

BLOCK = 512

path, begin, end = sys.argv[1:4]
fields = [sys.argv[place : place + 3] for place in range(4, len(sys.argv), 3)]
regions = collections.defaultdict(dict)
for name, what, number in fields:
    regions[name][what] = int(number)


def place(byte):
    for name, region in regions.items():
        if region["start"] <= byte // BLOCK < region["start"] + region["blocks"]:
            return f"{name}, block {byte // BLOCK}"
    return f"block {byte // BLOCK}"


calls, locks, submitted = collections.Counter(), collections.Counter(), 0
for line in open(path):
    parts = line.split(None, 2)
    if len(parts) < 3 or not begin <= parts[1] <= end:
        continue
    name = re.match(r"(\w+)\(", parts[2])
    if not name:
        continue  # The second half of a call that was interrupted in the output.
    calls[name[1]] += 1
    lock = re.search(r"F_OFD_SETLKW?, \{l_type=(\w+), .*l_start=(\d+), l_len=(\d+)", parts[2])
    if lock:
        locks[lock.groups()] += 1
    enter = re.match(r"io_uring_enter\(\d+, (\d+),", parts[2])
    if enter:
        submitted += int(enter[1])
for (kind, start, length), count in sorted(locks.items()):
    if kind != "F_UNLCK":
        command = "ATS (F_WRLCK)" if kind == "F_WRLCK" else "reads (F_RDLCK)"
        print(f"  {count} {command} of {length} bytes: {place(int(start))}")
print(f"  {submitted} entries submitted to the rings")
print("  system calls of all threads:", ", ".join(f"{count} {name}" for name, count in calls.most_common()))
