"""One load of benches/exports.sh: runs fio, and says what it did while the machine was, or was not, its own.

`exports_load.py PID WAIT FIO-ARGUMENT...`: PID is the server's (0: there is none). Waits until others leave the processors alone, WAIT
seconds at most. Prints requests a second, the median latency in us, the server's processor time for each request in us, and the share
of the processors that others took meanwhile, in percent.
"""

import json
import os
import resource
import subprocess
import sys
import time

HERTZ = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count()
# Others count as gone when they took less than this share for so long.
QUIET_SHARE, QUIET_SECONDS = 0.1, 0.5


def busy():
    """Seconds of all processors' time that were used, by anybody, hypervisor included."""
    fields = [int(field) for field in open("/proc/stat").readline().split()[1:9]]
    idle, io_wait = fields[3], fields[4]
    return (sum(fields) - idle - io_wait) / HERTZ


def of_server(pid):
    if pid == 0:
        return 0.0
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_for_quiet(seconds_max):
    end = time.monotonic() + seconds_max
    while time.monotonic() < end:
        before = busy()
        time.sleep(QUIET_SECONDS)
        if busy() - before < QUIET_SHARE * QUIET_SECONDS * PROCESSORS:
            return


def main():
    pid, wait, arguments = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    wait_for_quiet(wait)
    began, all_before, server_before = time.monotonic(), busy(), of_server(pid)
    said = subprocess.run(["fio", "--output-format=json", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    elapsed, server = time.monotonic() - began, of_server(pid) - server_before
    others = busy() - all_before - server - of_children()
    job = json.loads(said[said.index("{") :])["jobs"][0]
    side = max((job["read"], job["write"]), key=lambda side: side["total_ios"])
    latency = side["clat_ns"]["percentile"]["50.000000"] / 1000
    share = max(0.0, others) / (elapsed * PROCESSORS) * 100
    print(side["iops"], latency, server * 1e6 / side["total_ios"], f"{share:.1f}")


main()
