"""Sums up what `strace -f -tt` saw of an idle host: idle_trace.py TRACE BEGIN END (times of day, as strace prints them)."""

import collections
import re
import sys

path, begin, end = sys.argv[1:4]
calls, locks = collections.Counter(), collections.Counter()
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
for (kind, start, length), count in sorted(locks.items()):
    print(f"  {count} x {kind} of {length} bytes from byte {start} on")
print("  system calls of all threads:", ", ".join(f"{count} {name}" for name, count in calls.most_common()))
