"""The guests of benches/handoff.sh: writes of 4 KiB at random places, as fast as they are answered, while the disk goes from host to host.

`handoff_load.py URI-OF-THE-FIRST URI-OF-THE-SECOND WRITERS MEBIBYTES FILE`: each writer is a thread with a connection to both. It writes at
the first host until that one refuses or hangs up, and goes on with the same write at the second. Stops once FILE is there. Then reads back
what every place must show, and prints as JSON how many writes were answered, how many were lost, the longest time in which none at all was
answered, the longest time that one write took, both in ms, and those of the second before the handoff.
"""

import json
import os
import random
import sys
import threading
import time

import nbd

BLOCK = 4096
first, second, writers, mebibytes, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
blocks = mebibytes * (1 << 20) // BLOCK // writers
answers, moved, wrong = [], [], []
last = [{} for _ in range(writers)]


def connect(uri):
    handle = nbd.NBD()
    handle.connect_uri(uri)
    return handle


def block(writer, number):
    return (writer << 32 | number).to_bytes(8, "little") * (BLOCK // 8)


def write(writer, here, there):
    dice = random.Random(writer)
    number, mine = 0, []
    while not os.path.exists(stop):
        number += 1
        place = (writer * blocks + dice.randrange(blocks)) * BLOCK
        began = time.monotonic()
        try:
            here.pwrite(block(writer, number), place)
        except nbd.Error:
            if there is None:
                wrong.append(f"writer {writer}: both hosts refused write {number}")
                return
            here, there = there, None
            here.pwrite(block(writer, number), place)
            moved.append(time.monotonic())
        last[writer][place] = number
        mine.append((time.monotonic(), time.monotonic() - began))
    answers.extend(mine)
    for place, number in last[writer].items():
        if here.pread(BLOCK, place) != block(writer, number):
            wrong.append(f"writer {writer}: write {number} at byte {place} is lost")


def longest(times):
    return max((later - sooner for sooner, later in zip(times, times[1:])), default=0)


pairs = [(connect(first), connect(second)) for _ in range(writers)]
threads = [threading.Thread(target=write, args=(writer, *pair)) for writer, pair in enumerate(pairs)]
for thread in threads:
    thread.start()
print("ready", flush=True)
for thread in threads:
    thread.join()
answers.sort()
at = min(moved, default=0)
around = [answer for answer in answers if at - 0.5 <= answer[0] <= at + 0.5]
before = [answer for answer in answers if at - 1.5 <= answer[0] < at - 0.5]
print(json.dumps({
    "answered": len(answers),
    "moved": len(moved),
    "lost": wrong,
    "silence_ms": round(longest([when for when, _ in around]) * 1e3, 2),
    "request_ms": round(max((took for _, took in around), default=0) * 1e3, 2),
    "silence_before_ms": round(longest([when for when, _ in before]) * 1e3, 2),
    "request_before_ms": round(max((took for _, took in before), default=0) * 1e3, 2),
}))
